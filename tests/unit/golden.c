/* See golden.h. */
#include "golden.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define MAX_LINE 2048

void golden_open_path(struct smol_file *file, uint8_t bytes[GOLDEN_MAX_BYTES], const char *path)
{
    struct smol_error error = {0};
    char whole[1024];
    size_t size;
    FILE *f;

    snprintf(whole, sizeof whole, TEST_DATA "/golden/%s", path);
    f = fopen(whole, "rb");
    cr_assert_not_null(f, "%s", whole);
    size = fread(bytes, 1, GOLDEN_MAX_BYTES, f);
    fclose(f);
    cr_assert_eq(smol_file_parse(file, bytes, size, &error), SMOL_OK, "%s: %s", path, error.text);
}

void golden_open(struct smol_file *file, uint8_t bytes[GOLDEN_MAX_BYTES], const char *name)
{
    char path[256];

    snprintf(path, sizeof path, "good/%s.smol", name);
    golden_open_path(file, bytes, path);
}

unsigned golden_lines(const char *name, void (*take)(char *line))
{
    char path[256], text[MAX_LINE];
    unsigned n = 0;
    FILE *f;

    snprintf(path, sizeof path, TEST_DATA "/golden/vectors/%s.txt", name);
    f = fopen(path, "r");
    cr_assert_not_null(f, "%s", path);
    while (fgets(text, sizeof text, f))
        if (text[0] != '#') {
            take(text);
            n++;
        }
    fclose(f);
    return n;
}
