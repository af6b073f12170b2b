/* What smoltrain trains on: its files as a corpus, in memory or in a cache. */
#ifndef SMOLTRAIN_DATA_H
#define SMOLTRAIN_DATA_H

#include "smoltrain/options/args.h"

#include <smol/io.h>

struct train_data {
    struct smol_corpus corpus;
    uint8_t *memory;             /* NULL if it is mapped */
    struct smol_mapping mapping; /* fd -1 if it is not */
    struct smol_file tokenizer;
    uint8_t *tokenizer_section; /* NULL for bytes */
    size_t n_files;             /* of text to train on: what folders and patterns stand for */
};

/* Reads args' files, or takes what a cache has of them. 0, or an exit code after a
 * message. */
int train_data_open(struct train_data *data, const struct train_args *args);
void train_data_close(struct train_data *data);

/* Token i of a corpus. */
static inline uint32_t train_token_at(const struct smol_corpus *corpus, uint64_t i)
{
    const uint8_t *p = corpus->tokens.data + i * corpus->width;
    uint32_t token = 0;

    for (uint32_t k = 0; k < corpus->width; k++)
        token |= (uint32_t)p[k] << 8 * k;
    return token;
}

#endif
