/* What must hold of every tokenizer that was accepted. */
#ifndef USE_TOKENS_H
#define USE_TOKENS_H

#include <smol/tokenizer.h>

/* Every token's bytes; and a text's tokens give it back. false if file breaks a rule that only an
 * encoder checks, or has too few tokens for the text. */
bool fuzz_use_tokens(const struct smol_file *file, const uint8_t *text, size_t size);

/* The file of a tokenizer, made again of its parts and taken out of it. */
void fuzz_write_tokens(const struct smol_file *file, const uint8_t *bytes, size_t size);

#endif
