/* See golden_file.h. */
#include "golden_file.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_FILE_BYTES 16384u

uint8_t *fuzz_golden_bytes(size_t *size, const char *path)
{
    uint8_t *bytes = malloc(MAX_FILE_BYTES);
    char whole[1024];
    FILE *f;

    snprintf(whole, sizeof whole, TEST_DATA "/golden/%s", path);
    f = fopen(whole, "rb");
    fuzz_require(f && bytes);
    *size = fread(bytes, 1, MAX_FILE_BYTES, f);
    fclose(f);
    return bytes;
}

void fuzz_golden_open(struct smol_file *file, const char *path)
{
    size_t size;
    const uint8_t *bytes = fuzz_golden_bytes(&size, path);

    fuzz_require(smol_file_parse(file, bytes, size, NULL) == SMOL_OK);
}
