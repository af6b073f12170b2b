/* The fuzz target of corpus files. What is accepted fills its bytes, part behind part, and no token
 * and no start of a document is beyond its end; its sources are found to be those that it names. */
#include "fuzz.h"
#include "mutate.h"
#include "train/corpus/corpus.h"

#include <stdlib.h>
#include <xxhash.h>

const char fuzz_name[] = "corpus";

/* A list of one source that may be the file's first: with its name, but no zero in it. */
static void find_source(const struct smol_corpus *c)
{
    const uint8_t *at = c->sources.data;
    const size_t left = c->sources.size_bytes,
                 n = left < SMOL_CORPUS_SOURCE_BYTES ? 0 : smol_le32(at + 28);
    struct smol_corpus_source source = {0};
    char *name;
    size_t found;

    if (left < SMOL_CORPUS_SOURCE_BYTES || n > left - SMOL_CORPUS_SOURCE_BYTES) {
        source.name = "a";
        fuzz_require(smol_corpus_stale_source(c, &source, 1) == 0);
        return;
    }
    name = calloc(n + 1, 1);
    fuzz_require(name != NULL);
    memcpy(name, at + SMOL_CORPUS_SOURCE_BYTES, n);
    source = (struct smol_corpus_source){name, smol_le64(at), smol_le64(at + 8), smol_le64(at + 16),
                                         smol_le32(at + 24) != 0};
    found = smol_corpus_stale_source(c, &source, 1);
    if (strlen(name) == n && n <= SMOL_CORPUS_NAME_BYTES && smol_le32(at + 24) <= 1)
        fuzz_require(found == (left == SMOL_CORPUS_SOURCE_BYTES + n));
    else
        fuzz_require(found == 0);
    source.seconds++;
    fuzz_require(smol_corpus_stale_source(c, &source, 1) == 0);
    free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smol_error error = {0};
    struct smol_corpus c;
    const enum smol_status status = smol_corpus_open(&c, data, size, &error);

    if (status) {
        fuzz_require(error.code == status && error.text[0] != '\0' &&
                     (error.offset == SMOL_NO_OFFSET || error.offset <= size));
        return 0;
    }
    fuzz_require(c.width == (c.vocab <= 256     ? 1
                             : c.vocab <= 65536 ? 2
                                                : 4) &&
                 c.vocab > 0 && c.n_train <= c.n_tokens);
    fuzz_require(c.tokens.data == data + SMOL_CORPUS_HEADER_BYTES &&
                 c.tokens.size_bytes == c.n_tokens * c.width);
    fuzz_require(c.starts.data == c.tokens.data + (c.tokens.size_bytes + 7) / 8 * 8 &&
                 c.starts.size_bytes == 8 * c.n_documents);
    fuzz_require(c.sources.data == c.starts.data + c.starts.size_bytes &&
                 c.sources.data + c.sources.size_bytes == data + size);
    for (uint64_t i = 0; i < c.n_tokens; i++)
        fuzz_require(smol_corpus_token(&c, i) < c.vocab);
    for (uint64_t i = 0; i < c.n_documents; i++) {
        const uint64_t start = smol_le64(c.starts.data + 8 * i);
        fuzz_require(start < c.n_tokens &&
                     (i == 0 ? start == 0 : start > smol_le64(c.starts.data + 8 * i - 8)));
    }
    find_source(&c);
    return 0;
}

/* The sizes that the header gives, made to fit: what does not belong to starts and sources is
 * tokens. */
static void repair_sizes(uint8_t *b, size_t size)
{
    const uint64_t starts = 8 * smol_le64(b + SMOL_CORPUS_AT_DOCUMENTS),
                   sources = smol_le64(b + SMOL_CORPUS_AT_SOURCE_BYTES);
    const uint64_t left = size - SMOL_CORPUS_HEADER_BYTES,
                   width = smol_le16(b + SMOL_CORPUS_AT_WIDTH);

    if (starts <= left && sources <= left - starts && width > 0)
        smol_put64(b + SMOL_CORPUS_AT_TOKENS, (left - starts - sources) / width);
}

static void repair_checksums(uint8_t *b, size_t size)
{
    const uint64_t left = size - SMOL_CORPUS_HEADER_BYTES,
                   width = smol_le16(b + SMOL_CORPUS_AT_WIDTH),
                   n = smol_le64(b + SMOL_CORPUS_AT_TOKENS);
    const uint8_t *tokens = b + SMOL_CORPUS_HEADER_BYTES;

    if (width > 0 && n <= left / width) {
        smol_put64(b + SMOL_CORPUS_AT_CHECKSUM, XXH3_64bits(tokens, (size_t)(n * width)));
        smol_put64(b + SMOL_CORPUS_AT_TABLES_CHECKSUM,
                   XXH3_64bits(tokens + n * width, (size_t)(left - n * width)));
    }
    smol_put64(b + SMOL_CORPUS_AT_HEADER_CHECKSUM, XXH3_64bits(b, SMOL_CORPUS_AT_HEADER_CHECKSUM));
}

/* Damage, mostly with checksums and sizes repaired. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    uint64_t random = seed;

    size = mutate(data, size, capacity, &random);
    const uint32_t what = mutate_random(&random) % 8;
    if (size < SMOL_CORPUS_HEADER_BYTES || what == 0)
        return size;
    if (what > 3)
        repair_sizes(data, size);
    repair_checksums(data, size);
    return size;
}
