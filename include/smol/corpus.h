/* A corpus: documents as tokens, encoded once, in memory or in a file that is mapped. SPEC.md
 * appendix C. Part of smol_train. A view is constant once opened and must not outlive its bytes; a
 * writer belongs to one thread.
 *
 * Advanced: may change between minor versions until 1.0. */
#ifndef SMOL_CORPUS_H
#define SMOL_CORPUS_H

#include <smol/file.h>

SMOL_BEGIN_DECLS

/* Stands between two documents, and splits a text that contains it. */
#define SMOL_END_OF_TEXT "<|endoftext|>"

#define SMOL_TEXT_HASH_BYTES 32u

struct smol_corpus {
    struct smol_span tokens; /* (n_tokens) little-endian integers of width bytes */
    uint32_t width;          /* 1, 2 or 4 */
    uint32_t vocab;
    uint64_t tokenizer_hash;
    uint64_t n_tokens;
    uint64_t n_train; /* tokens before those for validation; n_tokens if none are set apart */
    uint64_t n_documents;
    uint64_t text_bytes;                     /* that the tokens stand for, separators included */
    uint64_t checksum;                       /* XXH3-64 of tokens */
    uint8_t text_hash[SMOL_TEXT_HASH_BYTES]; /* BLAKE2b-256 of the text */
    struct smol_span starts;                 /* (n_documents) u64: the first token of each */
    struct smol_span sources;
};

/* A file that text came from, as it was when it was read. */
struct smol_corpus_source {
    const char *name;
    uint64_t size_bytes, seconds, nanoseconds; /* the last change of its contents */
    bool validation;
};

/* A view of a corpus file, all of which is read and checked once, so that no token is beyond the
 * vocabulary. Errors: those of a malformed file. */
enum smol_status smol_corpus_open(struct smol_corpus *corpus, const uint8_t *bytes,
                                  size_t size_bytes, struct smol_error *error);
/* A view of bytes as a corpus of one document in byte tokens. */
void smol_corpus_of_bytes(struct smol_corpus *corpus, const uint8_t *text, size_t size_bytes);

/* A hash that tells tokenizers apart; only the configuration and TOKN of the file are read. */
uint64_t smol_tokenizer_hash(const struct smol_file *tokenizer);

/* The index of the first source that differs from sources (n_sources); n_sources if none does. */
size_t smol_corpus_stale_source(const struct smol_corpus *corpus,
                                const struct smol_corpus_source *sources, size_t n_sources);

/* Writes a corpus from text that comes in pieces. path NULL: into memory. tokenizer must outlive
 * the writer. Every writer ends in finish or abort; a file appears whole or not at all. */
struct smol_corpus_writer;
enum smol_status smol_corpus_writer_open(struct smol_corpus_writer **writer,
                                         const struct smol_file *tokenizer, const char *path,
                                         struct smol_error *error);
/* Begins a new document: a separator goes before it, unless it is the first or the previous one is
 * empty. */
enum smol_status smol_corpus_writer_document(struct smol_corpus_writer *writer,
                                             struct smol_error *error);
/* The next bytes of the document; a separator in them splits it. TOKEN if a byte has no token. */
enum smol_status smol_corpus_writer_text(struct smol_corpus_writer *writer, const uint8_t *text,
                                         size_t size_bytes, struct smol_error *error);
/* Everything that follows is for validation. */
enum smol_status smol_corpus_writer_validation(struct smol_corpus_writer *writer,
                                               struct smol_error *error);
/* Frees the writer, also on failure. In memory, *bytes is to be released with free(); for a file it
 * is NULL. */
enum smol_status smol_corpus_writer_finish(uint8_t **bytes, size_t *size_bytes,
                                           struct smol_corpus_writer *writer,
                                           const struct smol_corpus_source *sources,
                                           size_t n_sources, struct smol_error *error);
/* Accepts NULL. */
void smol_corpus_writer_abort(struct smol_corpus_writer *writer);

SMOL_END_DECLS
#endif
