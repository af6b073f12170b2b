/* Tokenizer files: a magic number, a checksum and the section TOKN. SPEC.md appendix D. */
#include "base/bytes.h"
#include "base/error.h"
#include "format/tokn.h"

#include <smol/tokenizer.h>
#include <stdlib.h>
#include <xxhash.h>

#define HEADER_BYTES 16u
static const uint8_t magic[8] = {0x89, 'S', 'M', 'T', '\r', '\n', 0x1a, '\n'};

static enum smol_status check_header(const uint8_t *b, size_t size, struct smol_error *error)
{
    if (memcmp(b, magic, size < sizeof magic ? size : sizeof magic) != 0)
        return smol_fail(error, SMOL_E_MAGIC, 0, "not a tokenizer file");
    if (size <= HEADER_BYTES)
        return smol_fail(error, SMOL_E_TRUNCATED, size, "truncated");
    if (XXH3_64bits(b + HEADER_BYTES, size - HEADER_BYTES) != smol_le64(b + 8))
        return smol_fail(error, SMOL_E_CHECKSUM, 8,
                         "the checksum of the tokenizer does not match: damaged");
    return SMOL_OK;
}

enum smol_status smol_tokenizer_parse(struct smol_file *tokenizer, const uint8_t *bytes,
                                      size_t size_bytes, struct smol_error *error)
{
    struct smol_file f = {.config = {.tokenizer = SMOL_TOKENIZER_BPE},
                          .tokenizer_at = HEADER_BYTES};
    enum smol_status status = check_header(bytes, size_bytes, error);
    struct smol_tokn tokn;

    if (status)
        return status;
    f.tokenizer = (struct smol_span){bytes + HEADER_BYTES, size_bytes - HEADER_BYTES};
    status = smol_tokn_parse(&tokn, f.tokenizer, SMOL_MAX_VOCAB, error);
    if (status)
        return smol_fail_within(HEADER_BYTES, status, error);
    f.config.vocab = tokn.n + tokn.n_specials;
    if ((status = smol_file_check_tokens(&f, error)))
        return status;
    *tokenizer = f;
    return SMOL_OK;
}

/* A file with room for a section, for free(), or NULL. */
static uint8_t *make(size_t *size_bytes, uint64_t section_bytes, struct smol_error *error)
{
    uint8_t *bytes = malloc(HEADER_BYTES + (size_t)section_bytes);

    if (!bytes) {
        smol_fail_memory(error);
        return NULL;
    }
    memcpy(bytes, magic, sizeof magic);
    *size_bytes = HEADER_BYTES + (size_t)section_bytes;
    return bytes;
}

enum smol_status smol_tokenizer_write(uint8_t **bytes, size_t *size_bytes,
                                      const struct smol_tokenizer_parts *p,
                                      struct smol_error *error)
{
    struct smol_file made;
    uint8_t *b;
    size_t size;
    enum smol_status status;

    if (p->n_merges > SMOL_MAX_MERGES || p->n_specials > SMOL_MAX_SPECIALS)
        return smol_fail(error, SMOL_E_RANGE, SMOL_NO_OFFSET,
                         "%u merges and %u special tokens, allowed are %u and %u", p->n_merges,
                         p->n_specials, SMOL_MAX_MERGES, SMOL_MAX_SPECIALS);
    for (uint32_t i = 0; i < p->n_merges; i++)
        if (p->merges[i].left >= 256 + i || p->merges[i].right >= 256 + i)
            return smol_fail(error, SMOL_E_RANGE, SMOL_NO_OFFSET,
                             "merge %u uses a token that no earlier merge makes", i);
    b = make(&size, smol_tokn_size(p->n_merges, p->specials.size_bytes), error);
    if (!b)
        return SMOL_E_MEMORY;
    smol_tokn_write(b + HEADER_BYTES, p->merges, p->n_merges, p->specials, p->n_specials,
                    p->n_before);
    smol_put64(b + 8, XXH3_64bits(b + HEADER_BYTES, size - HEADER_BYTES));
    if ((status = smol_tokenizer_parse(&made, b, size, error))) {
        free(b);
        return status;
    }
    *bytes = b;
    *size_bytes = size;
    return SMOL_OK;
}

enum smol_status smol_tokenizer_extract(uint8_t **bytes, size_t *size_bytes,
                                        const struct smol_file *file, struct smol_error *error)
{
    size_t size;
    uint8_t *b;

    if (file->config.tokenizer != SMOL_TOKENIZER_BPE)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "its tokens are bytes; there is no tokenizer to extract");
    b = make(&size, file->tokenizer.size_bytes, error);
    if (!b)
        return SMOL_E_MEMORY;
    memcpy(b + HEADER_BYTES, file->tokenizer.data, file->tokenizer.size_bytes);
    smol_put64(b + 8, XXH3_64bits(b + HEADER_BYTES, size - HEADER_BYTES));
    *bytes = b;
    *size_bytes = size;
    return SMOL_OK;
}
