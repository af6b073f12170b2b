/* Inside a corpus file: where its fields are, and tokens out of it. SPEC.md appendix C. */
#ifndef SMOL_TRAIN_CORPUS_H
#define SMOL_TRAIN_CORPUS_H

#include "base/bytes.h"

#include <smol/corpus.h>

#define SMOL_CORPUS_MAGIC "\x89SMC\r\n\x1a\n"
#define SMOL_CORPUS_VERSION 1u
#define SMOL_CORPUS_HEADER_BYTES 128u
#define SMOL_CORPUS_SOURCE_BYTES 32u /* of a source, before its name */
#define SMOL_CORPUS_NAME_BYTES 65535u

/* Offsets in the header. */
enum {
    SMOL_CORPUS_AT_VERSION = 8,
    SMOL_CORPUS_AT_WIDTH = 10,
    SMOL_CORPUS_AT_VOCAB = 12,
    SMOL_CORPUS_AT_TOKENIZER = 16,
    SMOL_CORPUS_AT_TOKENS = 24,
    SMOL_CORPUS_AT_TRAIN = 32,
    SMOL_CORPUS_AT_DOCUMENTS = 40,
    SMOL_CORPUS_AT_TEXT_BYTES = 48,
    SMOL_CORPUS_AT_SOURCE_BYTES = 56,
    SMOL_CORPUS_AT_TEXT_HASH = 64,
    SMOL_CORPUS_AT_CHECKSUM = 96,
    SMOL_CORPUS_AT_TABLES_CHECKSUM = 104,
    SMOL_CORPUS_AT_RESERVED = 112,
    SMOL_CORPUS_AT_HEADER_CHECKSUM = 120,
};

/* The bytes of the narrowest integer for a vocabulary. */
static inline uint32_t smol_corpus_width(uint32_t vocab)
{
    return vocab <= 256 ? 1 : vocab <= 65536 ? 2 : 4;
}

static inline uint32_t smol_corpus_token(const struct smol_corpus *corpus, uint64_t i)
{
    const uint8_t *p = corpus->tokens.data + i * corpus->width;

    return corpus->width == 1 ? *p : corpus->width == 2 ? smol_le16(p) : smol_le32(p);
}

/* What comes before a source's name, which has name_bytes bytes, at most SMOL_CORPUS_NAME_BYTES. */
static inline void smol_corpus_put_source(uint8_t dest[SMOL_CORPUS_SOURCE_BYTES],
                                          const struct smol_corpus_source *source,
                                          size_t name_bytes)
{
    smol_put64(dest, source->size_bytes);
    smol_put64(dest + 8, source->seconds);
    smol_put64(dest + 16, source->nanoseconds);
    smol_put32(dest + 24, source->validation);
    smol_put32(dest + 28, (uint32_t)name_bytes);
}

#endif
