/* The writer for files larger than memory: sections in the order of the file, hashed as they pass.
 * SPEC.md 2 and 4. */
#include "base/bytes.h"
#include "base/error.h"
#include "format/format.h"
#include "format/sodium.h"

#include <sodium.h>
#include <stdlib.h>
#include <xxhash.h>

struct smol_assembly {
    crypto_generichash_state leaf; /* of the piece that is being put */
    struct smol_parts parts;
    uint64_t at[N_SECTIONS], body_bytes, n_put;
    unsigned n_sections;
    enum section section; /* that comes next, or is being put */
    uint64_t n_in_section;
    XXH3_state_t *checksum; /* of that section */
    uint8_t *first;         /* the first piece, whose leaf needs the head */
    uint8_t *leaves;        /* (n_pieces, 64) */
    uint8_t head[SMOL_HEAD_MAX_BYTES], *entry;
    smol_put_bytes *put;
    void *context;
};

static size_t head_bytes(const struct smol_assembly *a)
{
    return HEADER_BYTES + ENTRY_BYTES * a->n_sections;
}

static uint64_t smallest(uint64_t a, uint64_t b) { return a < b ? a : b; }

static void start_leaf(struct smol_assembly *a)
{
    crypto_generichash_init(&a->leaf, NULL, 0, SMOL_HASH_BYTES);
}

/* Some of one piece; the first is kept until its beginning is known. */
static void hash(struct smol_assembly *a, const uint8_t *bytes, size_t n)
{
    const uint64_t piece = a->n_put / SMOL_PIECE_BYTES;

    if (piece == 0)
        memcpy(a->first + a->n_put, bytes, n);
    else
        crypto_generichash_update(&a->leaf, bytes, n);
    a->n_put += n;
    if (a->n_put % SMOL_PIECE_BYTES != 0 && a->n_put != a->body_bytes)
        return;
    if (piece > 0)
        crypto_generichash_final(&a->leaf, a->leaves + piece * SMOL_HASH_BYTES, SMOL_HASH_BYTES);
    start_leaf(a);
}

static enum smol_status put(struct smol_assembly *a, const uint8_t *bytes, size_t n,
                            struct smol_error *error)
{
    const enum smol_status status = a->put(a->context, bytes, n, error);

    for (size_t done = 0, m; !status && done < n; done += m) {
        m = (size_t)smallest(n - done, SMOL_PIECE_BYTES - a->n_put % SMOL_PIECE_BYTES);
        hash(a, bytes + done, m);
    }
    return status;
}

static enum smol_status put_in_section(struct smol_assembly *a, const uint8_t *bytes, size_t n,
                                       struct smol_error *error)
{
    XXH3_64bits_update(a->checksum, bytes, n);
    a->n_in_section += n;
    return put(a, bytes, n, error);
}

static enum smol_status begin_section(struct smol_assembly *a, struct smol_error *error)
{
    static const uint8_t zeros[64];

    XXH3_64bits_reset(a->checksum);
    a->n_in_section = 0;
    return put(a, zeros, (size_t)(a->at[a->section] - a->n_put), error);
}

static void end_section(struct smol_assembly *a)
{
    smol_put_entry(a->entry, a->section, a->n_in_section, XXH3_64bits_digest(a->checksum));
    a->entry += ENTRY_BYTES;
    a->section = (enum section)(a->section + 1);
}

static enum smol_status put_whole(struct smol_assembly *a, struct smol_error *error)
{
    const struct smol_span *spans[N_SECTIONS] = {
        [BASE] = &a->parts.base, [TOKN] = &a->parts.tokenizer, [CARD] = &a->parts.card};
    uint8_t conf[CONF_MAX_BYTES];
    enum smol_status status = begin_section(a, error);

    if (status)
        return status;
    if (a->section == CONF) {
        smol_conf_encode(conf, &a->parts.config);
        status = put_in_section(a, conf, smol_conf_bytes(&a->parts.config), error);
    } else {
        status = put_in_section(a, spans[a->section]->data, spans[a->section]->size_bytes, error);
    }
    end_section(a);
    return status;
}

/* To the next section whose bytes are appended, or past the last. */
static enum smol_status advance(struct smol_assembly *a, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    while (!status && a->section < N_SECTIONS) {
        if (smol_section_bytes(&a->parts, a->section) == 0)
            a->section = (enum section)(a->section + 1);
        else if (a->section == LRND || a->section == EMBD)
            return begin_section(a, error);
        else
            status = put_whole(a, error);
    }
    return status;
}

static enum smol_status start(struct smol_assembly *a, struct smol_span head,
                              struct smol_error *error)
{
    enum smol_status status;

    a->body_bytes = smol_lay_out(a->at, &a->n_sections, &a->parts);
    a->checksum = XXH3_createState();
    a->first = malloc(SMOL_PIECE_BYTES);
    a->leaves = malloc((size_t)smol_hash_pieces(a->body_bytes) * SMOL_HASH_BYTES);
    if (!a->checksum || !a->first || !a->leaves)
        return smol_fail_memory(error);
    if (head.size_bytes == head_bytes(a))
        memcpy(a->head, head.data, head.size_bytes);
    a->entry = a->head + HEADER_BYTES;
    start_leaf(a);
    status = smol_card_check(&a->parts.card, a->at[CARD], error);
    if (!status)
        status = put(a, a->head, head_bytes(a), error);
    return status ? status : advance(a, error);
}

enum smol_status smol_assembly_create(struct smol_assembly **assembly,
                                      const struct smol_parts *parts, struct smol_span head,
                                      smol_put_bytes *put_bytes, void *context,
                                      struct smol_error *error)
{
    struct smol_assembly *a;
    struct smol_parts p = *parts;
    enum smol_status status = smol_sodium_start(error);

    p.params = (struct smol_span){NULL, smol_params_bytes(&p.config)};
    p.embeddings = (struct smol_span){NULL, smol_embedding_bytes(&p.config)};
    if (!status)
        status = smol_parts_check(&p, error);
    if (status)
        return status;
    a = aligned_alloc(64, smol_round_up(sizeof *a, 64));
    if (!a)
        return smol_fail_memory(error);
    memset(a, 0, sizeof *a);
    a->parts = p;
    a->put = put_bytes;
    a->context = context;
    status = start(a, head, error);
    if (status)
        smol_assembly_destroy(a);
    else
        *assembly = a;
    return status;
}

enum smol_status smol_assembly_append(struct smol_assembly *a, const void *bytes, size_t size_bytes,
                                      struct smol_error *error)
{
    const uint8_t *p = bytes;
    enum smol_status status = SMOL_OK;

    while (!status && size_bytes > 0 && a->section < N_SECTIONS) {
        const uint64_t left = smol_section_bytes(&a->parts, a->section) - a->n_in_section;
        const size_t n = (size_t)smallest(left, size_bytes);

        status = put_in_section(a, p, n, error);
        p += n;
        size_bytes -= n;
        if (n == left) {
            end_section(a);
            status = status ? status : advance(a, error);
        }
    }
    return status || size_bytes == 0
               ? status
               : smol_fail(error, SMOL_E_SIZE, SMOL_NO_OFFSET, "bytes after the last embedding");
}

enum smol_status smol_assembly_finish(struct smol_assembly *a, uint8_t hash_bytes[SMOL_HASH_BYTES],
                                      struct smol_error *error)
{
    if (a->section < N_SECTIONS)
        return smol_fail(error, SMOL_E_SIZE, SMOL_NO_OFFSET, "bytes are missing at its end");
    smol_put_header(a->head, &a->parts, a->n_sections, a->body_bytes);
    memcpy(a->first, a->head, head_bytes(a));
    smol_hash_leaf(a->leaves, a->first, smallest(a->body_bytes, SMOL_PIECE_BYTES), 0);
    smol_hash_root(hash_bytes, a->leaves, a->body_bytes);
    return a->put(a->context, hash_bytes, SMOL_HASH_BYTES, error);
}

struct smol_span smol_assembly_head(const struct smol_assembly *a)
{
    return (struct smol_span){a->head, head_bytes(a)};
}

void smol_assembly_destroy(struct smol_assembly *a)
{
    if (!a)
        return;
    XXH3_freeState(a->checksum);
    free(a->first);
    free(a->leaves);
    free(a);
}
