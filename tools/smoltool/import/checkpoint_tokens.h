/* The tokenizer of a checkpoint. */
#ifndef IMPORT_CHECKPOINT_TOKENS_H
#define IMPORT_CHECKPOINT_TOKENS_H

#include "smoltool/import/checkpoint.h"

/* Finds tokenizer.json, or vocab.json and merges.txt, in the checkpoint's folder, or GGUF's lists,
 * unless path names a tokenizer file or a model. Where there is none, *found is false, and tokens
 * are bytes. Sets the tokenizer of parts, whose vocabulary must have room for it; *section is for
 * free(). 0, or an exit code after a message. */
int import_tokens(uint8_t **section, bool *found, struct smol_parts *parts,
                  const struct checkpoint *checkpoint, const char *path);

#endif
