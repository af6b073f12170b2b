/* The checks of a model's bytes. */
#ifndef SMOL_API_OPEN_H
#define SMOL_API_OPEN_H

#include <smol/file.h>

/* Parses bytes and checks everything about them; n_threads 0: except the hash and the signature. */
enum smol_status smol_file_parse_checked(struct smol_file *file, const uint8_t *bytes,
                                         size_t size_bytes, uint32_t n_threads,
                                         struct smol_error *error);

#endif
