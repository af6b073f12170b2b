/* The text of a file on its way into a corpus: all of it one document, or in each line JSON that
 * has one. */
#ifndef SMOLTRAIN_TEXTS_H
#define SMOLTRAIN_TEXTS_H

#include <smol/corpus.h>

/* .writer, .error and .is_json are set, the rest is 0. */
struct train_texts {
    struct smol_corpus_writer *writer;
    struct smol_error *error;
    const bool *has_token; /* (256) whether a byte has; NULL: all have */
    bool is_json;
    bool at_fault; /* the file is, not the corpus */
    uint64_t text_bytes;
    char *line; /* of JSON, as far as it has come */
    size_t line_bytes, line_capacity;
    unsigned long n_lines;
};

/* Before the first bytes; then the bytes in pieces; after the last: TEXT if there was no text. */
enum smol_status train_texts_begin(struct train_texts *texts);
enum smol_status train_texts_add(struct train_texts *texts, const char *bytes, size_t n);
enum smol_status train_texts_end(struct train_texts *texts);
void train_texts_free(struct train_texts *texts);

/* Says what is wrong with the file. */
enum smol_status train_texts_fail(struct train_texts *texts, enum smol_status code,
                                  const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
