/* Text to tokens and back, by the tokenizer of a file. SPEC.md 9 and appendix D.
 *
 * A tokenizer is the configuration's tokenizer and vocab, and the section TOKN, of a struct
 * smol_file; no other field of it is read here. So a file that smol_tokenizer_parse made of a
 * tokenizer by itself serves as well as a model. All functions are thread-safe, but an encoder
 * belongs to one thread at a time.
 *
 * Advanced, and may change between minor versions until 1.0: all but SMOL_END_OF_TEXT and
 * smol_utf8_incomplete. smol_model_encode and smol_model_decode need nothing of it. */
#ifndef SMOL_TOKENIZER_H
#define SMOL_TOKENIZER_H

#include <smol/file.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- tokens to text: no memory is taken ---- */

/* The special token that ends a text, and that stands between documents. */
#define SMOL_END_OF_TEXT "<|endoftext|>"

/* The bytes of one token, some of them in text, which is the caller's: a span that lives as long as
 * text and the file; empty for a token that stands for none. */
struct smol_span smol_token_bytes(uint8_t text[SMOL_MAX_TOKEN_BYTES], const struct smol_file *file,
                                  uint32_t token);

/* Tokens that stand for something; those from here to V do not. */
uint32_t smol_token_count(const struct smol_file *file);

bool smol_token_is_special(const struct smol_file *file, uint32_t token);

/* What an empty prompt stands for. */
uint32_t smol_start_token(const struct smol_file *file);

/* The token of SMOL_END_OF_TEXT. false, and *token untouched, if there is none. */
bool smol_end_token(uint32_t *token, const struct smol_file *file);

/* Bytes of the UTF-8 character that begins text, 0 if none does. size_bytes > 0. */
size_t smol_utf8_character(const uint8_t *text, size_t size_bytes);
/* How many of the last bytes of text begin a UTF-8 character that is not complete
 * yet (0..3); 0 if they can no longer become one. Text up to there can be shown. */
size_t smol_utf8_incomplete(const uint8_t *text, size_t size_bytes);

/* ---- text to tokens ---- */

/* Tables and scratch memory to encode with, for smol_encoder_destroy, which accepts NULL. file must
 * outlive it. MEMORY; and the errors of smol_file_check_tokens, which this includes. */
struct smol_encoder;
enum smol_status smol_encoder_create(struct smol_encoder **encoder, const struct smol_file *file,
                                     struct smol_error *error);
void smol_encoder_destroy(struct smol_encoder *encoder);

/* Encodes any bytes; yields at most size_bytes tokens, for which there must be room. The time grows
 * as n log n, whatever the text. TOKEN, with the offset in the text, if a byte has no
 * token, which only byte tokens of a V below 256 know; MEMORY. */
enum smol_status smol_encode(size_t *n_tokens, uint32_t *tokens, struct smol_encoder *encoder,
                             const uint8_t *text, size_t size_bytes, struct smol_error *error);

/* The same for byte tokens alone, without an encoder, also where there is no malloc. ARGUMENT for
 * other tokenizers. */
enum smol_status smol_encode_bytes(size_t *n_tokens, uint32_t *tokens, const struct smol_file *file,
                                   const uint8_t *text, size_t size_bytes,
                                   struct smol_error *error);

/* ---- tokenizers by themselves ---- */

/* A tokenizer file, all of it checked. *tokenizer has configuration, vocab and TOKN, which lie in
 * bytes, and nothing else. */
enum smol_status smol_tokenizer_parse(struct smol_file *tokenizer, const uint8_t *bytes,
                                      size_t size_bytes, struct smol_error *error);

/* Two tokens that become one. Numbers count from the first byte token on: 0..255 the bytes, 256 + i
 * merge i. */
struct smol_merge {
    uint32_t left, right;
};

/* What a tokenizer file is made of. specials: of each the length in a byte and the text. */
struct smol_tokenizer_parts {
    const struct smol_merge *merges; /* (n_merges) */
    uint32_t n_merges;
    struct smol_span specials;
    uint32_t n_specials, n_before; /* before the bytes; the others follow the merges */
};

/* The file of such parts, for free(). MEMORY, and what smol_tokenizer_parse would say. */
enum smol_status smol_tokenizer_write(uint8_t **bytes, size_t *size_bytes,
                                      const struct smol_tokenizer_parts *parts,
                                      struct smol_error *error);
/* The file of a file's tokenizer, for free(). ARGUMENT if that is of bytes; MEMORY. */
enum smol_status smol_tokenizer_extract(uint8_t **bytes, size_t *size_bytes,
                                        const struct smol_file *file, struct smol_error *error);

/* The byte of byte token i < 256, and merge i of those that a file has. */
uint8_t smol_tokenizer_byte(uint32_t i);
uint32_t smol_tokenizer_merge_count(const struct smol_file *file);
struct smol_merge smol_tokenizer_merge(const struct smol_file *file, uint32_t i);
/* Special tokens numbered before the bytes. */
uint32_t smol_tokenizer_tokens_before_bytes(const struct smol_file *file);

/* ---- training ---- */

/* Counts text and chooses merges for it. Belongs to one thread at a time. smol_bpe_destroy accepts
 * NULL. */
struct smol_bpe_trainer;
enum smol_status smol_bpe_create(struct smol_bpe_trainer **trainer, struct smol_error *error);
void smol_bpe_destroy(struct smol_bpe_trainer *trainer);

/* Adds a text: its pieces count; SMOL_END_OF_TEXT in it separates. */
enum smol_status smol_bpe_add(struct smol_bpe_trainer *trainer, const uint8_t *text,
                              size_t size_bytes, struct smol_error *error);

/* Chooses merges until there are vocab tokens, the bytes and SMOL_END_OF_TEXT, the last one, among
 * them, or no pair occurs twice. The same texts in any order give the same file. progress, if not
 * NULL, is called for each merge; false stops with CANCELLED. ARGUMENT if vocab is not in
 * 257..1048833. The trainer is of no further use then. */
typedef bool smol_bpe_progress(void *context, uint32_t n_tokens, uint32_t vocab);
enum smol_status smol_bpe_finish(uint8_t **bytes, size_t *size_bytes,
                                 struct smol_bpe_trainer *trainer, uint32_t vocab,
                                 smol_bpe_progress *progress, void *context,
                                 struct smol_error *error);

#ifdef __cplusplus
}
#endif
#endif
