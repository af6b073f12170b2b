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

/* The tokenizer of the bytes that occur in a text, with a token for all others if that is asked
 * for and there are others; that of all bytes if all occur. *section as above. Errors: MEMORY. */
enum smol_status tokenizer_of_bytes(uint8_t **section, struct smol_file *tokenizer,
                                    struct smol_span text, bool with_other,
                                    struct smol_error *error);

#endif
