/* Few bytes to the text that they were. SPEC.md 15. */
#include "base/error.h"
#include "base/fpenv.h"
#include "pack/packer.h"

#include <inttypes.h>

/* A text on its way, a symbol at a time. */
struct reading {
    struct smol_packer *p;
    uint8_t *text;
    size_t size_bytes, capacity_bytes;
    struct smol_coder_reader in;
};

static enum smol_status damaged(struct smol_error *error)
{
    return smol_fail(error, SMOL_E_PACKED, SMOL_NO_OFFSET,
                     "a packed text that is damaged, or of another model");
}

static enum smol_status append(struct reading *r, const uint8_t *bytes, size_t n,
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
static enum smol_status feed(struct reading *r, uint32_t token, struct smol_error *error)
{
    smol_packer_room(r->p);
    smol_packer_push(r->p, token);
    return smol_packer_feed(r->p, NULL, NULL, error);
}

static enum smol_status read_escape(struct reading *r, struct smol_error *error)
{
    uint8_t bytes[4];
    struct smol_escape e;
    size_t n;
    enum smol_status status;

    if (!read_uniform(&e.kind, &r->in, SMOL_N_ESCAPES) ||
        !read_uniform(&e.value, &r->in, smol_escape_values[e.kind]) ||
        (n = smol_escape_bytes(bytes, e)) == 0)
        return damaged(error);
    status = append(r, bytes, n, error);
    for (size_t i = 0; i < n && !status; i++) {
        const uint32_t token = smol_alphabet_feeds(&r->p->alphabet, bytes[i]);
        if (token != SMOL_NO_SYMBOL)
            status = feed(r, token, error);
    }
    return status;
}

static enum smol_status read_token(struct reading *r, uint32_t token, struct smol_error *error)
{
    uint8_t memory[SMOL_MAX_TOKEN_BYTES];
    const struct smol_span span = smol_token_bytes(memory, r->p->file, token);
    const enum smol_status status = append(r, span.data, span.size_bytes, error);

    return status ? status : feed(r, token, error);
}

/* Whether a check byte comes, the text's, and then the end. */
static bool ends_with_check(const struct reading *r)
{
    struct smol_coder_reader in = r->in;
    uint32_t check;

    return read_uniform(&check, &in, 256) && check == smol_packer_check(r->text, r->size_bytes) &&
           smol_coder_ends(&in);
}

static enum smol_status read_end(const struct reading *r, struct smol_error *error)
{
    const bool ends = ends_with_check(r) || (!r->p->has_check && smol_coder_ends(&r->in));

    return ends && r->size_bytes ? SMOL_OK : damaged(error);
}

static enum smol_status read_text(struct reading *r, struct smol_error *error)
{
    const struct smol_alphabet *a = &r->p->alphabet;
    struct smol_counts *counts = &r->p->counts;
    enum smol_status status;

    smol_packer_begin(r->p);
    if ((status = feed(r, smol_start_token(r->p->file), error)))
        return status;
    while (!status) {
        struct smol_share_of s;
        uint64_t place;
        uint32_t symbol;
        const bool is_spent = smol_coder_is_spent(&r->in);
        smol_counts_take(counts, r->p->session->kernels, smol_session_logits(r->p->session));
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
        status = symbol == a->escape ? read_escape(r, error) : read_token(r, symbol, error);
    }
    return status;
}

/* The text as it is. */
static enum smol_status read_raw(struct reading *r, const uint8_t *packed, size_t packed_bytes,
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

static enum smol_status unpack(struct reading *r, const uint8_t *packed, size_t packed_bytes,
                               struct smol_error *error)
{
    if (packed_bytes == 0)
        return SMOL_OK;
    if (packed[0] >> 4 == 0)
        return read_raw(r, packed, packed_bytes, error);
    if (packed[0] >> 4 != r->p->tag)
        return smol_fail(error, SMOL_E_PACKED, SMOL_NO_OFFSET,
                         "a packed text of another model: tag %d, this model's is %" PRIu32,
                         packed[0] >> 4, r->p->tag);
    smol_coder_open(&r->in, packed, packed_bytes);
    return read_text(r, error);
}

enum smol_status smol_packer_unpack(size_t *size_bytes, void *text, size_t capacity_bytes,
                                    struct smol_packer *packer, const void *packed,
                                    size_t packed_bytes, struct smol_error *error)
{
    struct reading r = {.p = packer,
                        .text = text,
                        .capacity_bytes = capacity_bytes < packer->max_bytes ? capacity_bytes
                                                                             : packer->max_bytes};
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    if (!status)
        status = unpack(&r, packed, packed_bytes, error);
    if (!status)
        *size_bytes = r.size_bytes;
    return smol_fpenv_end(&host, status);
}
