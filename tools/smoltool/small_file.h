/* A .smol file that fits into memory: made of its parts, signed if that is asked for, written. */
#ifndef SMALL_FILE_H
#define SMALL_FILE_H

#include <smol/file.h>

/* The bytes of the file that parts make, for free(). NULL, with an error, if they cannot be had. */
uint8_t *small_file_make(uint64_t *size_bytes, const struct smol_parts *parts,
                         struct smol_error *error);

/* The bytes end with their hash; 104 more follow if key is not NULL, the path of a secret key whose
 * password is the first line of password_file, or asked for. *size_bytes grows by them. 0, or an
 * exit code after a message. */
int small_file_write(const char *output, const uint8_t *bytes, uint64_t *size_bytes,
                     const char *key, const char *password_file);

#endif
