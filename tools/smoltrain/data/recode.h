/* A corpus in byte tokens into another one. */
#ifndef SMOLTRAIN_RECODE_H
#define SMOLTRAIN_RECODE_H

#include <smol/corpus.h>

/* Encodes its text with the writer's tokenizer. */
enum smol_status train_recode(struct smol_corpus_writer *writer, const struct smol_corpus *corpus,
                              struct smol_error *error);

#endif
