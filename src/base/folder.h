/* Files in a folder, looked at one by one. Allocates what it returns; thread-safe. */
#ifndef SMOL_BASE_FOLDER_H
#define SMOL_BASE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An open regular file, of which a test may read. */
struct smol_folder_file;
/* Reads n bytes from an offset; false unless all are there. */
bool smol_folder_read(const struct smol_folder_file *file, void *bytes, size_t n, uint64_t offset);

/* Whether a file is the one that is wanted. */
typedef bool smol_folder_test(const void *context, const struct smol_folder_file *file,
                              uint64_t size_bytes);

/* The path of the first file, by its name, that ends in suffix and that test wants, for free();
 * NULL if there is none or memory is out. What cannot be read is passed over. */
char *smol_folder_find(const char *folder, const char *suffix, smol_folder_test *test,
                       const void *context);

/* folder/name for free(); NULL if memory is out. */
char *smol_path_join(const char *folder, const char *name);

#endif
