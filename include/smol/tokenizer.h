/* Text to tokens and back, by the tokenizer of a file. SPEC.md 9. Thread-safe. */
#ifndef SMOL_TOKENIZER_H
#define SMOL_TOKENIZER_H

#include <smol/file.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most tokens that size_bytes of text can become. */
size_t smol_encode_bound(const struct smol_file *file, size_t size_bytes);

/* Encodes text. tokens: room for smol_encode_bound(). TOKEN, with the offset in
 * the text, if a byte has no token. */
enum smol_status smol_encode(size_t *n_tokens, uint32_t *tokens, const struct smol_file *file,
                             const uint8_t *text, size_t size_bytes, struct smol_error *error);

/* The bytes of one token: a span that lives as long as the file; empty for a token that
 * stands for none. token < V. */
struct smol_span smol_token_bytes(const struct smol_file *file, uint32_t token);

/* What an empty prompt stands for. */
uint32_t smol_start_token(const struct smol_file *file);

/* How many of the last bytes of text begin a UTF-8 character that is not complete
 * yet (0..3); 0 if they can no longer become one. Text up to there can be shown. */
size_t smol_utf8_incomplete(const uint8_t *text, size_t size_bytes);

#ifdef __cplusplus
}
#endif
#endif
