/* Tokenizers of bytes, as smoltool export writes them. */
#ifndef IMPORT_BYTE_TOKENS_H
#define IMPORT_BYTE_TOKENS_H

#include "cli/tokenizer_file.h"

#include <jansson.h>

/* Whether the tokens of a vocabulary without merges, text to number, are bytes in their order: all
 * of them from 0 on, or some, and perhaps [OTHER] and the end of text. Then *kind says which, and
 * section has what a set is written as. */
bool byte_tokens_read(enum smol_tokenizer_kind *kind, uint8_t section[BYTE_SET_BYTES],
                      const json_t *vocab);

#endif
