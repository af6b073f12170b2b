/* The files of tests/golden, which another program made from SPEC.md: good ones are read and
 * written again to the same bytes; bad ones are refused for the very reason, and at the very byte,
 * that their names state. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <smol/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES 65536u

/* A copy of its very size, so that a sanitizer sees a step too far. For free(). */
static uint8_t *load(size_t *size, const char *folder, const char *name)
{
    static uint8_t bytes[MAX_BYTES];
    char path[1024];
    uint8_t *copy;
    FILE *f;

    snprintf(path, sizeof path, TEST_DATA "/golden/%s/%s", folder, name);
    f = fopen(path, "rb");
    cr_assert_not_null(f, "%s", path);
    *size = fread(bytes, 1, sizeof bytes, f);
    cr_assert(*size < MAX_BYTES && !ferror(f), "%s", path);
    fclose(f);
    copy = malloc(*size ? *size : 1);
    memcpy(copy, bytes, *size);
    return copy;
}

static bool is_model(const char *name)
{
    const size_t n = strlen(name);

    return n > 5 && strcmp(name + n - 5, ".smol") == 0;
}

/* Everything that smol_file_open checks. */
static enum smol_status check_all(struct smol_file *file, const uint8_t *bytes, size_t size,
                                  struct smol_error *error)
{
    enum smol_status status = smol_file_parse(file, bytes, size, error);

    if (!status)
        status = smol_file_check_tokens(file, error);
    if (!status)
        status = smol_file_check_hash(file, error);
    if (!status && file->is_signed)
        status = smol_file_check_signature(file, error);
    return status;
}

static void check_good(const char *folder, const char *name)
{
    struct smol_error error = {0};
    struct smol_parts parts;
    struct smol_file file;
    uint64_t needed;
    size_t size;
    uint8_t *bytes = load(&size, folder, name), *again = malloc(size);

    cr_assert_eq(check_all(&file, bytes, size, &error), SMOL_OK, "%s: byte %llu: %s", name,
                 (unsigned long long)error.offset, error.text);
    cr_assert_eq(file.is_signed, strstr(name, "signed") != NULL, "%s", name);
    smol_parts_of(&parts, &file);
    cr_assert_eq(smol_file_size(&needed, &parts, &error), SMOL_OK);
    cr_assert_eq(needed, file.body_bytes + SMOL_HASH_BYTES);
    cr_assert_eq(smol_file_write(again, size, &parts, &error), SMOL_OK);
    if (file.is_signed)
        smol_signature_encode(again + needed, &file.signature);
    cr_assert_arr_eq(again, bytes, size, "%s", name);
    free(again);
    free(bytes);
}

static void check_good_folder(const char *folder, unsigned at_least)
{
    char path[1024];
    unsigned n = 0;
    DIR *d;

    snprintf(path, sizeof path, TEST_DATA "/golden/%s", folder);
    d = opendir(path);
    cr_assert_not_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (is_model(e->d_name)) {
            check_good(folder, e->d_name);
            n++;
        }
    closedir(d);
    cr_assert_geq(n, at_least);
}

Test(golden, good_files_are_read_and_written_again) { check_good_folder("good", 30); }

Test(golden, deltas_are_read_and_written_again) { check_good_folder("deltas", 8); }

/* Names are STATUS.OFFSET.WHAT.smol. */
static void check_bad(const char *name)
{
    struct smol_error error = {0};
    struct smol_file file;
    char expected[32] = "", got[256];
    unsigned long long offset = 0;
    enum smol_status status;
    size_t size;
    uint8_t *bytes = load(&size, "bad", name);

    cr_assert_eq(sscanf(name, "%31[A-Z0-9_].%llu.", expected, &offset), 2, "%s", name);
    status = check_all(&file, bytes, size, &error);
    snprintf(got, sizeof got, "%s at byte %llu: %s", smol_status_name(status),
             (unsigned long long)error.offset, error.text);
    cr_expect_str_eq(smol_status_name(status), expected, "%s: %s", name, got);
    cr_expect_eq(error.offset, offset, "%s: %s", name, got);
    cr_expect_eq(error.code, status, "%s", name);
    cr_expect(error.text[0] != '\0' && strchr(error.text, '\n') == NULL, "%s", name);
    free(bytes);
}

Test(golden, bad_files_are_refused_by_status_and_byte)
{
    DIR *d = opendir(TEST_DATA "/golden/bad");
    unsigned n = 0;

    cr_assert_not_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (is_model(e->d_name)) {
            check_bad(e->d_name);
            n++;
        }
    closedir(d);
    cr_assert_geq(n, 550);
}
