/* Reading a corpus: a checked view of its bytes. SPEC.md appendix C. */
#include "base/error.h"
#include "train/corpus/corpus.h"

#include <sodium.h>
#include <xxhash.h>

static enum smol_status read_header(struct smol_corpus *c, const uint8_t *h, size_t size_bytes,
                                    struct smol_error *error)
{
    if (size_bytes < SMOL_CORPUS_HEADER_BYTES)
        return smol_fail(error, SMOL_E_TRUNCATED, size_bytes, "shorter than a header");
    if (memcmp(h, SMOL_CORPUS_MAGIC, 8) != 0)
        return smol_fail(error, SMOL_E_MAGIC, 0, "not a corpus");
    if (smol_le16(h + SMOL_CORPUS_AT_VERSION) != SMOL_CORPUS_VERSION)
        return smol_fail(error, SMOL_E_VERSION, SMOL_CORPUS_AT_VERSION,
                         "an unknown corpus version");
    if (smol_le64(h + SMOL_CORPUS_AT_HEADER_CHECKSUM) !=
        XXH3_64bits(h, SMOL_CORPUS_AT_HEADER_CHECKSUM))
        return smol_fail(error, SMOL_E_CHECKSUM, 0, "the header is damaged");
    if (smol_le64(h + SMOL_CORPUS_AT_RESERVED) != 0)
        return smol_fail(error, SMOL_E_RESERVED, SMOL_CORPUS_AT_RESERVED,
                         "a reserved field is set");
    c->width = smol_le16(h + SMOL_CORPUS_AT_WIDTH);
    c->vocab = smol_le32(h + SMOL_CORPUS_AT_VOCAB);
    c->tokenizer_hash = smol_le64(h + SMOL_CORPUS_AT_TOKENIZER);
    c->n_tokens = smol_le64(h + SMOL_CORPUS_AT_TOKENS);
    c->n_train = smol_le64(h + SMOL_CORPUS_AT_TRAIN);
    c->n_documents = smol_le64(h + SMOL_CORPUS_AT_DOCUMENTS);
    c->text_bytes = smol_le64(h + SMOL_CORPUS_AT_TEXT_BYTES);
    c->checksum = smol_le64(h + SMOL_CORPUS_AT_CHECKSUM);
    memcpy(c->text_hash, h + SMOL_CORPUS_AT_TEXT_HASH, SMOL_TEXT_HASH_BYTES);
    if (c->vocab < 1 || c->vocab > SMOL_MAX_VOCAB || c->width != smol_corpus_width(c->vocab))
        return smol_fail(error, SMOL_E_RANGE, SMOL_CORPUS_AT_WIDTH,
                         "the width of a token does not fit the vocabulary");
    if (c->n_train > c->n_tokens || c->n_documents > c->n_tokens)
        return smol_fail(error, SMOL_E_RANGE, SMOL_CORPUS_AT_TRAIN,
                         "more training tokens or documents than tokens");
    return SMOL_OK;
}

/* Where the three parts are; they fill the file. */
static enum smol_status lay_out(struct smol_corpus *c, const uint8_t *bytes, size_t size_bytes,
                                struct smol_error *error)
{
    const uint64_t source_bytes = smol_le64(bytes + SMOL_CORPUS_AT_SOURCE_BYTES);
    uint64_t tokens, starts, end;

    /* 2^48 bytes of each leave room for the rounding and the sums. */
    if (!smol_mul(&tokens, c->n_tokens, c->width) || !smol_mul(&starts, c->n_documents, 8) ||
        tokens > UINT64_C(1) << 48 || starts > UINT64_C(1) << 48 ||
        source_bytes > UINT64_C(1) << 48)
        return smol_fail(error, SMOL_E_RANGE, SMOL_CORPUS_AT_TOKENS, "larger than a file can be");
    end = SMOL_CORPUS_HEADER_BYTES + smol_round_up(tokens, 8) + starts + source_bytes;
    if (end != size_bytes)
        return smol_fail(error, end > size_bytes ? SMOL_E_TRUNCATED : SMOL_E_TRAILING,
                         end > size_bytes ? size_bytes : end, "%s",
                         end > size_bytes ? "ends before its stated size" : "bytes after its end");
    c->tokens = (struct smol_span){bytes + SMOL_CORPUS_HEADER_BYTES, (size_t)tokens};
    c->starts = (struct smol_span){c->tokens.data + smol_round_up(tokens, 8), (size_t)starts};
    c->sources = (struct smol_span){c->starts.data + starts, (size_t)source_bytes};
    return SMOL_OK;
}

static enum smol_status check_starts(const struct smol_corpus *c, struct smol_error *error)
{
    uint64_t last = 0;

    for (uint64_t i = 0; i < c->n_documents; i++) {
        const uint64_t start = smol_le64(c->starts.data + 8 * i);

        if (start >= c->n_tokens || (i == 0 ? start != 0 : start <= last))
            return smol_fail(error, SMOL_E_RANGE, SMOL_NO_OFFSET,
                             "the document starts are not in ascending order");
        last = start;
    }
    return SMOL_OK;
}

static enum smol_status check_tokens(const struct smol_corpus *c, struct smol_error *error)
{
    uint32_t most = 0;

    if (XXH3_64bits(c->tokens.data, c->tokens.size_bytes) != c->checksum)
        return smol_fail(error, SMOL_E_CHECKSUM, SMOL_CORPUS_HEADER_BYTES,
                         "the tokens are damaged");
    if (c->width == 1 && c->vocab == 256)
        return SMOL_OK;
    for (uint64_t i = 0; i < c->n_tokens; i++) {
        const uint32_t token = smol_corpus_token(c, i);

        most = token > most ? token : most;
    }
    if (most >= c->vocab)
        return smol_fail(error, SMOL_E_TOKEN, SMOL_NO_OFFSET, "a token beyond the vocabulary");
    return SMOL_OK;
}

enum smol_status smol_corpus_open(struct smol_corpus *out, const uint8_t *bytes, size_t size_bytes,
                                  struct smol_error *error)
{
    struct smol_corpus c = {0};
    enum smol_status status = read_header(&c, bytes, size_bytes, error);
    const uint8_t *tables;

    if (status == SMOL_OK)
        status = lay_out(&c, bytes, size_bytes, error);
    if (status != SMOL_OK)
        return status;
    tables = c.tokens.data + c.tokens.size_bytes;
    if (XXH3_64bits(tables, (size_t)(bytes + size_bytes - tables)) !=
        smol_le64(bytes + SMOL_CORPUS_AT_TABLES_CHECKSUM))
        return smol_fail(error, SMOL_E_CHECKSUM, (uint64_t)(tables - bytes),
                         "its tables are damaged");
    status = check_starts(&c, error);
    if (status == SMOL_OK)
        status = check_tokens(&c, error);
    if (status == SMOL_OK)
        *out = c;
    return status;
}

void smol_corpus_of_bytes(struct smol_corpus *out, const uint8_t *text, size_t size_bytes)
{
    const struct smol_file bytes = {.config.vocab = 256};
    struct smol_corpus c = {.tokens = {text, size_bytes}, .width = 1, .vocab = 256};

    c.tokenizer_hash = smol_tokenizer_hash(&bytes);
    c.n_tokens = c.n_train = c.text_bytes = size_bytes;
    c.checksum = XXH3_64bits(text, size_bytes);
    crypto_generichash(c.text_hash, sizeof c.text_hash, text, size_bytes, NULL, 0);
    *out = c;
}

uint64_t smol_tokenizer_hash(const struct smol_file *tokenizer)
{
    return XXH3_64bits_withSeed(tokenizer->tokenizer.data, tokenizer->tokenizer.size_bytes,
                                tokenizer->config.vocab);
}

/* Whether the left bytes at `at` begin with the source, whose length goes into *n. */
static bool same_source(size_t *n, const uint8_t *at, size_t left,
                        const struct smol_corpus_source *source)
{
    const size_t name_bytes = strlen(source->name);
    uint8_t fixed[SMOL_CORPUS_SOURCE_BYTES];

    *n = SMOL_CORPUS_SOURCE_BYTES + name_bytes;
    if (name_bytes > SMOL_CORPUS_NAME_BYTES || left < *n)
        return false;
    smol_corpus_put_source(fixed, source, name_bytes);
    return memcmp(at, fixed, sizeof fixed) == 0 &&
           memcmp(at + SMOL_CORPUS_SOURCE_BYTES, source->name, name_bytes) == 0;
}

size_t smol_corpus_stale_source(const struct smol_corpus *corpus,
                                const struct smol_corpus_source *sources, size_t n_sources)
{
    const uint8_t *at = corpus->sources.data;
    size_t left = corpus->sources.size_bytes, n;

    for (size_t i = 0; i < n_sources; i++) {
        if (!same_source(&n, at, left, sources + i))
            return i;
        at += n;
        left -= n;
    }
    return left == 0 ? n_sources : n_sources - 1;
}
