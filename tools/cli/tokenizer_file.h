/* A tokenizer from a path, a tokenizer file or a model; or of the bytes of a text. */
#ifndef TOKENIZER_FILE_H
#define TOKENIZER_FILE_H

#include <smol/io.h>
#include <smol/tokenizer.h>

/* Whether bytes begin as a model does. */
bool tokenizer_is_model(struct smol_span bytes);

/* Opens either, all of it checked. Of *file, which points into the mapping, only what a tokenizer
 * is may be used. */
enum smol_status tokenizer_open(struct smol_mapping *mapping, struct smol_file *file,
                                const char *path, struct smol_error *error);

/* The same read into memory, so that nothing of the file is needed any more: *section, which
 * *tokenizer points into, is for free(), and NULL if tokens are bytes. */
enum smol_status tokenizer_load(uint8_t **section, struct smol_file *tokenizer, const char *path,
                                struct smol_error *error);

/* The section of a set of bytes, SPEC.md 3.4: a bit for each byte, and bits of the last byte for
 * the tokens that there are besides. */
#define BYTE_SET_BYTES 33u
#define BYTE_SET_OTHER 1
#define BYTE_SET_END 2

/* Which tokens a text's bytes become. */
struct tokenizer_of {
    bool with_other; /* a token for all bytes without their own, if there are such */
    bool with_end;   /* an end of text; then what it stands for, SMOL_END_OF_TEXT, is no bytes */
    uint32_t least;  /* how often a byte occurs that has its own token; 0: 1 */
};

/* The tokenizer of the bytes that occur in a text; that of all bytes if all occur and there is no
 * end. *section as above. Errors: MEMORY; TEXT if no byte occurs often enough. */
enum smol_status tokenizer_of_bytes(uint8_t **section, struct smol_file *tokenizer,
                                    struct smol_span text, const struct tokenizer_of *of,
                                    struct smol_error *error);

#endif
