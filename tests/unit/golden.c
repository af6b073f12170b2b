/* See golden.h. */
#include "golden.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

void golden_open(struct smol_file *file, uint8_t bytes[GOLDEN_MAX_BYTES], const char *name)
{
    struct smol_error error = {0};
    char path[1024];
    size_t size;
    FILE *f;

    snprintf(path, sizeof path, TEST_DATA "/golden/good/%s.smol", name);
    f = fopen(path, "rb");
    cr_assert_not_null(f, "%s", path);
    size = fread(bytes, 1, GOLDEN_MAX_BYTES, f);
    fclose(f);
    cr_assert_eq(smol_file_parse(file, bytes, size, &error), SMOL_OK, "%s: %s", name, error.text);
}
