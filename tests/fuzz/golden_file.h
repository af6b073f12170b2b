/* Golden files that targets and seeds begin with. */
#ifndef FUZZ_GOLDEN_FILE_H
#define FUZZ_GOLDEN_FILE_H

#include <smol/file.h>

/* The bytes of a file by its path below tests/golden, for free(). */
uint8_t *fuzz_golden_bytes(size_t *size, const char *path);
/* The same, parsed; its bytes stay until the program ends. */
void fuzz_golden_open(struct smol_file *file, const char *path);

#endif
