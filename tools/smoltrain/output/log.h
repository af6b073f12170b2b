/* What a training's log says of its text, and the log of one that was broken off, made ready for
 * its resumption. */
#ifndef SMOLTRAIN_LOG_H
#define SMOLTRAIN_LOG_H

#include <smol/corpus.h>
#include <stdint.h>

/* What tells texts and tokenizers apart: the corpus' hashes of them in hexadecimal. */
#define TRAIN_LOG_HASH_BYTES 17
void train_log_hashes(char tokens[TRAIN_LOG_HASH_BYTES], char tokenizer[TRAIN_LOG_HASH_BYTES],
                      const struct smol_corpus *corpus);

/* Takes away what will come again, the records of steps after the given one and those of a finished
 * model, and a last line that was not finished. A path that is no regular file stays as it is.
 * Errors: IO, MEMORY; then the log is as it was. */
enum smol_status train_log_cut(const char *path, uint32_t step, struct smol_error *error);

#endif
