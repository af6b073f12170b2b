/* Text to tokens and back, by the tokenizer of a file. SPEC.md 9 and appendix D.
 *
 * A tokenizer is part of a struct smol_file: the configuration's tokenizer and vocab, and the
 * section TOKN. No other member is read here, so a tokenizer file that smol_tokenizer_parse read
 * serves as well as a model. All functions are thread-safe, but an encoder belongs to one thread at
 * a time.
 *
 * Advanced: all but SMOL_END_OF_TEXT and smol_utf8_incomplete may change between minor versions
 * until 1.0. Most programs need only smol_model_encode and smol_model_decode. */
#ifndef SMOL_TOKENIZER_H
#define SMOL_TOKENIZER_H

#include <smol/file.h>

SMOL_BEGIN_DECLS

/* ---- tokens to text: no memory is taken ---- */

/* The special token that ends a text, and stands between documents. In a set of bytes the end of
 * text is a token without bytes. */
#define SMOL_END_OF_TEXT "<|endoftext|>"

/* The bytes of one token: a span that lives as long as the file and the caller's buffer text, which
 * may hold some of them; empty for a token that stands for nothing. */
struct smol_span smol_token_bytes(uint8_t text[SMOL_MAX_TOKEN_BYTES], const struct smol_file *file,
                                  uint32_t token);

/* The number of tokens that mean something; those from here to V do not. */
uint32_t smol_token_count(const struct smol_file *file);

bool smol_token_is_special(const struct smol_file *file, uint32_t token);

/* The token that an empty prompt stands for. */
uint32_t smol_start_token(const struct smol_file *file);

/* The end of text. false, and *token untouched, if there is none. */
bool smol_end_token(uint32_t *token, const struct smol_file *file);

/* Bytes of the UTF-8 character that begins text, 0 if none does. size_bytes > 0. */
size_t smol_utf8_character(const uint8_t *text, size_t size_bytes);
/* How many bytes at the end of text begin a UTF-8 character that is not complete yet (0..3); 0 if
 * they can no longer become one. The text before them can be shown. */
size_t smol_utf8_incomplete(const uint8_t *text, size_t size_bytes);

/* ---- text to tokens ---- */

#ifndef SMOL_MINIMAL
/* Tables and scratch memory to encode with, to be released with smol_encoder_destroy, which accepts
 * NULL. file must outlive it. Errors: MEMORY, and those of smol_file_check_tokens, which this
 * includes. */
struct smol_encoder;
enum smol_status smol_encoder_create(struct smol_encoder **encoder, const struct smol_file *file,
                                     struct smol_error *error);
void smol_encoder_destroy(struct smol_encoder *encoder);

/* Encodes any bytes; yields at most size_bytes tokens, for which there must be room. The time grows
 * as n log n, whatever the text. Errors: MEMORY; TOKEN, with the offset in the text, if a byte has
 * no token, which happens only with byte tokens and V < 256, or with a set of bytes that has no
 * token for the others. */
enum smol_status smol_encode(size_t *n_tokens, uint32_t *tokens, struct smol_encoder *encoder,
                             const uint8_t *text, size_t size_bytes, struct smol_error *error);
#endif /* SMOL_MINIMAL */

/* The same for byte tokens only, without an encoder; it works without malloc, too. ARGUMENT for
 * other tokenizers. */
enum smol_status smol_encode_bytes(size_t *n_tokens, uint32_t *tokens, const struct smol_file *file,
                                   const uint8_t *text, size_t size_bytes,
                                   struct smol_error *error);

/* ---- tokenizers by themselves ---- */

#ifndef SMOL_MINIMAL
/* Parses a tokenizer file, and checks all of it. *tokenizer then has configuration, vocab and TOKN,
 * which point into bytes, and nothing else. */
enum smol_status smol_tokenizer_parse(struct smol_file *tokenizer, const uint8_t *bytes,
                                      size_t size_bytes, struct smol_error *error);
#endif /* SMOL_MINIMAL */

/* Two tokens that become one. Numbered from the first byte token: 0..255 are the bytes, 256 + i is
 * merge i. */
struct smol_merge {
    uint32_t left, right;
};

#ifndef SMOL_MINIMAL
/* What a tokenizer file is made of. specials: for each its length in a byte, then its text. */
struct smol_tokenizer_parts {
    const struct smol_merge *merges; /* (n_merges) */
    uint32_t n_merges;
    struct smol_span specials;
    uint32_t n_specials, n_before; /* before the bytes; the others follow the merges */
};

/* The file made of such parts, to be released with free(). Errors: MEMORY, and those of
 * smol_tokenizer_parse. */
enum smol_status smol_tokenizer_write(uint8_t **bytes, size_t *size_bytes,
                                      const struct smol_tokenizer_parts *parts,
                                      struct smol_error *error);
/* A file's tokenizer as a tokenizer file, to be released with free(). ARGUMENT if its tokens are
 * bytes; MEMORY. */
enum smol_status smol_tokenizer_extract(uint8_t **bytes, size_t *size_bytes,
                                        const struct smol_file *file, struct smol_error *error);
#endif /* SMOL_MINIMAL */

/* The byte of byte token i < 256, and merge i of a file. */
uint8_t smol_tokenizer_byte(uint32_t i);
uint32_t smol_tokenizer_merge_count(const struct smol_file *file);
struct smol_merge smol_tokenizer_merge(const struct smol_file *file, uint32_t i);
/* Special tokens numbered before the bytes. */
uint32_t smol_tokenizer_tokens_before_bytes(const struct smol_file *file);

#ifndef SMOL_MINIMAL
/* ---- training ---- */

/* Counts the pieces of texts and chooses merges for them. Belongs to one thread at a time.
 * smol_bpe_destroy accepts NULL. */
struct smol_bpe_trainer;
enum smol_status smol_bpe_create(struct smol_bpe_trainer **trainer, struct smol_error *error);
void smol_bpe_destroy(struct smol_bpe_trainer *trainer);

/* Adds a text, whose pieces are counted; SMOL_END_OF_TEXT separates documents in it. */
enum smol_status smol_bpe_add(struct smol_bpe_trainer *trainer, const uint8_t *text,
                              size_t size_bytes, struct smol_error *error);

/* Chooses merges until there are vocab tokens, including the bytes and SMOL_END_OF_TEXT, which is
 * the last, or until no pair occurs twice. The same texts in any order give the same file.
 * progress, if not NULL, is called for each merge; if it returns false, training stops with
 * CANCELLED. ARGUMENT if vocab is not in 257..1048833. Afterwards the trainer can only be
 * destroyed. */
typedef bool smol_bpe_progress(void *context, uint32_t n_tokens, uint32_t vocab);
enum smol_status smol_bpe_finish(uint8_t **bytes, size_t *size_bytes,
                                 struct smol_bpe_trainer *trainer, uint32_t vocab,
                                 smol_bpe_progress *progress, void *context,
                                 struct smol_error *error);
#endif /* SMOL_MINIMAL */

SMOL_END_DECLS
#endif
