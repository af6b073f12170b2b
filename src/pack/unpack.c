/* Few bytes to the text that they were. SPEC.md 15. */
#include "base/error.h"
#include "base/fpenv.h"
#include "pack/reading.h"

#include <inttypes.h>

static enum smol_status damaged(struct smol_error *error)
{
    return smol_fail(error, SMOL_E_PACKED, SMOL_NO_OFFSET,
                     "a packed text that is damaged, or of another model");
}

static enum smol_status append(struct smol_reading *r, const uint8_t *bytes, size_t n,
                               struct smol_error *error)
{
    if (n > r->capacity_bytes - r->size_bytes)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "the text is longer than the %zu bytes that are allowed",
                         r->capacity_bytes);
    if (n)
        memcpy(r->text + r->size_bytes, bytes, n);
    r->size_bytes += n;
    return SMOL_OK;
}

/* One of n; false if the bytes are damaged. */
static bool read_uniform(uint32_t *k, struct smol_coder_reader *in, uint32_t n)
{
    const uint64_t place = smol_coder_peek(in, n);

    if (place >= n)
        return false;
    *k = (uint32_t)place;
    return smol_coder_take(in, smol_uniform(place, n));
}

/* A token for the session, which then shows what comes next. */
static void await(struct smol_reading *r, uint32_t token) { r->tokens[r->n_tokens++] = token; }

static enum smol_status read_escape(struct smol_reading *r, struct smol_error *error)
{
    uint8_t bytes[4];
    struct smol_escape e;
    size_t n;

    if (!read_uniform(&e.kind, &r->in, SMOL_N_ESCAPES) ||
        !read_uniform(&e.value, &r->in, smol_escape_values[e.kind]) ||
        (n = smol_escape_bytes(bytes, e)) == 0)
        return damaged(error);
    for (size_t i = 0; i < n; i++) {
        const uint32_t token = smol_alphabet_feeds(&r->p->alphabet, bytes[i]);
        if (token != SMOL_NO_SYMBOL)
            await(r, token);
    }
    return append(r, bytes, n, error);
}

static enum smol_status read_token(struct smol_reading *r, uint32_t token, struct smol_error *error)
{
    uint8_t memory[SMOL_MAX_TOKEN_BYTES];
    const struct smol_span span = smol_token_bytes(memory, r->p->file, token);

    await(r, token);
    return append(r, span.data, span.size_bytes, error);
}

/* Whether a check byte comes, the text's, and then the end. */
static bool ends_with_check(const struct smol_reading *r)
{
    struct smol_coder_reader in = r->in;
    uint32_t check;

    return read_uniform(&check, &in, 256) && check == smol_packer_check(r->text, r->size_bytes) &&
           smol_coder_ends(&in);
}

static enum smol_status read_end(struct smol_reading *r, struct smol_error *error)
{
    const bool ends = ends_with_check(r) || (!r->p->has_check && smol_coder_ends(&r->in));

    r->is_done = true;
    return ends && r->size_bytes ? SMOL_OK : damaged(error);
}

/* The next symbol, which the session's logits expect. */
static enum smol_status read_symbol(struct smol_reading *r, struct smol_error *error)
{
    const struct smol_alphabet *a = &r->p->alphabet;
    struct smol_counts *counts = &r->p->counts;
    const bool is_spent = smol_coder_is_spent(&r->in);
    struct smol_share_of s;
    uint64_t place;
    uint32_t symbol;

    smol_counts_take(counts, r->p->session->kernels, smol_session_logits_of(r->p->session, r->t));
    place = smol_coder_peek(&r->in, counts->all);
    if (place >= counts->all)
        return damaged(error);
    symbol = smol_counts_find(&s, counts, place);
    if (!smol_coder_take(&r->in, s))
        return damaged(error);
    if (symbol == a->end)
        return read_end(r, error);
    if (is_spent)
        return damaged(error);
    return symbol == a->escape ? read_escape(r, error) : read_token(r, symbol, error);
}

enum smol_status smol_reading_advance(struct smol_reading *r, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    while (!status && !r->is_done && r->n_pushed == r->n_tokens) {
        r->n_pushed = r->n_tokens = 0;
        status = read_symbol(r, error);
    }
    if (status || r->is_done)
        return status;
    smol_packer_room(r->p, r->t);
    smol_packer_push(r->p, r->t, r->tokens[r->n_pushed++]);
    return SMOL_OK;
}

/* The text as it is. */
static enum smol_status read_raw(struct smol_reading *r, const uint8_t *packed, size_t packed_bytes,
                                 struct smol_error *error)
{
    const bool has_check = packed[0] == 1;

    if (packed[0] > 1 || packed_bytes < 2u + has_check) /* no text: no bytes at all */
        return damaged(error);
    if (r->p->has_check && !has_check)
        return smol_fail(error, SMOL_E_PACKED, SMOL_NO_OFFSET, "a packed text without a check");
    if (has_check && packed[packed_bytes - 1] != smol_packer_check(packed + 1, packed_bytes - 2))
        return damaged(error);
    return append(r, packed + 1, packed_bytes - 1 - has_check, error);
}

enum smol_status smol_reading_begin(struct smol_reading *r, const uint8_t *packed,
                                    size_t packed_bytes, struct smol_error *error)
{
    r->is_done = packed_bytes == 0 || packed[0] >> 4 == 0;
    if (packed_bytes == 0)
        return SMOL_OK;
    if (r->is_done)
        return read_raw(r, packed, packed_bytes, error);
    if (packed[0] >> 4 != r->p->tag)
        return smol_fail(error, SMOL_E_PACKED, SMOL_NO_OFFSET,
                         "a packed text of another model: tag %d, this model's is %" PRIu32,
                         packed[0] >> 4, r->p->tag);
    smol_coder_open(&r->in, packed, packed_bytes);
    smol_packer_begin(r->p, r->t);
    await(r, smol_start_token(r->p->file));
    return SMOL_OK;
}

enum smol_status smol_packer_unpack(size_t *size_bytes, void *text, size_t capacity_bytes,
                                    struct smol_packer *packer, const void *packed,
                                    size_t packed_bytes, struct smol_error *error)
{
    struct smol_reading r = smol_reading_of(packer, 0, text, capacity_bytes);
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    if (!status)
        status = smol_reading_begin(&r, packed, packed_bytes, error);
    while (!status && !r.is_done)
        if (!(status = smol_reading_advance(&r, error)) && !r.is_done)
            status = smol_packer_feed(packer, NULL, NULL, error);
    if (!status)
        *size_bytes = r.size_bytes;
    return smol_fpenv_end(&host, status);
}
