/* Bytes, halves, checked arithmetic, errors, and files that appear whole or not at all. */
#include "base/error.h"
#include "base/number.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <smol/io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Test(bytes, are_little_endian)
{
    uint8_t b[8];

    smol_put64(b, 0x0807060504030201u);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(b[i], i + 1);
    cr_assert_eq(smol_le16(b), 0x0201);
    cr_assert_eq(smol_le32(b), 0x04030201);
    cr_assert_eq(smol_le64(b), 0x0807060504030201u);
}

/* The value of a half by its definition: sign, 5 bits of exponent, 10 of fraction. */
static double half_value(uint16_t h)
{
    const int exponent = h >> 10 & 31, fraction = h & 1023;
    const double magnitude =
        exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);

    return h & 0x8000 ? -magnitude : magnitude;
}

Test(bytes, every_half_converts_both_ways)
{
    for (uint32_t h = 0; h < 65536; h++) {
        const float f = smol_f16_to_f32((uint16_t)h);
        if ((h & 0x7c00) == 0x7c00) {
            cr_assert(h & 0x3ff ? isnan(f) : isinf(f));
            continue;
        }
        cr_assert_eq((double)f, half_value((uint16_t)h), "half %04x", h);
        cr_assert_eq(smol_f32_to_f16(f), h);
    }
}

/* Between neighbours a float goes to the nearer, and from the middle to the even one. */
Test(bytes, halves_are_rounded_to_nearest_even)
{
    for (uint32_t h = 0; h < 0x7bff; h++) {
        const double low = half_value((uint16_t)h), high = half_value((uint16_t)(h + 1));
        const float middle = (float)((low + high) / 2);
        cr_assert_eq(smol_f32_to_f16(middle), h % 2 ? h + 1 : h);
        cr_assert_eq(smol_f32_to_f16(nextafterf(middle, -INFINITY)), h);
        cr_assert_eq(smol_f32_to_f16(nextafterf(middle, INFINITY)), h + 1);
        cr_assert_eq(smol_f32_to_f16(-middle), 0x8000 | (h % 2 ? h + 1 : h));
    }
    cr_assert_eq(smol_f32_to_f16(65519.0f), 0x7bff);
    cr_assert_eq(smol_f32_to_f16(65520.0f), 0x7c00);
    cr_assert_eq(smol_f32_to_f16(INFINITY), 0x7c00);
    cr_assert_eq(smol_f32_to_f16(NAN) & 0x7e00, 0x7e00);
}

Test(bytes, arithmetic_does_not_wrap)
{
    uint64_t v = 9;

    cr_assert(!smol_add(&v, UINT64_MAX, 1));
    cr_assert(!smol_mul(&v, (uint64_t)1 << 32, (uint64_t)1 << 32));
    cr_assert_eq(v, 9);
    cr_assert(smol_add(&v, UINT64_MAX - 1, 1) && v == UINT64_MAX);
    cr_assert(smol_mul(&v, ((uint64_t)1 << 32) - 1, ((uint64_t)1 << 32) + 1) && v == UINT64_MAX);
    cr_assert(smol_mul(&v, 0, UINT64_MAX) && v == 0);
    cr_assert_eq(smol_round_up(0, 64), 0);
    cr_assert_eq(smol_round_up(65, 64), 128);
}

Test(error, is_filled_in_once)
{
    struct smol_error e;

    cr_assert_eq(smol_fail(NULL, SMOL_E_IO, 3, "x"), SMOL_E_IO);
    cr_assert_eq(smol_fail(&e, SMOL_E_HASH, 3, "%s %d", "a", 5), SMOL_E_HASH);
    cr_assert_eq(e.code, SMOL_E_HASH);
    cr_assert_eq(e.offset, 3);
    cr_assert_str_eq(e.text, "a 5");
    cr_assert_str_eq(smol_status_name(SMOL_E_HASH), "SMOL_E_HASH");
    cr_assert_str_eq(smol_status_name((enum smol_status)9999), "unknown status");
}

static char directory[] = "/tmp/smol-test-XXXXXX";

static const char *in_directory(char path[64], const char *name)
{
    snprintf(path, 64, "%s/%s", directory, name);
    return path;
}

static int n_entries(void)
{
    char command[100];
    int n = -1;
    FILE *f;

    snprintf(command, sizeof command, "ls -A %s | wc -l", directory);
    f = popen(command, "r");
    cr_assert_eq(fscanf(f, "%d", &n), 1);
    pclose(f);
    return n;
}

Test(io, files_appear_whole_or_not_at_all)
{
    struct smol_writer *writer;
    struct smol_mapping m;
    struct smol_error error;
    struct stat s;
    char path[64], missing[64];

    cr_assert_not_null(mkdtemp(directory));
    in_directory(path, "file");
    cr_assert_eq(smol_write_file(path, "first", 5, 0640, &error), SMOL_OK);
    cr_assert_eq(stat(path, &s), 0);
    cr_assert_eq(s.st_mode & 07777, 0640);
    cr_assert_eq(smol_writer_open(&writer, path, 0644, &error), SMOL_OK);
    cr_assert_eq(smol_writer_append(writer, "second", 6, &error), SMOL_OK);
    cr_assert_eq(n_entries(), 2);
    smol_writer_abort(writer);
    smol_writer_abort(NULL);
    cr_assert_eq(n_entries(), 1);
    cr_assert_eq(smol_mapping_open(&m, path, &error), SMOL_OK);
    cr_assert_eq(m.bytes.size_bytes, 5);
    cr_assert_arr_eq(m.bytes.data, "first", 5);
    cr_assert_eq(smol_mapping_check(&m, &error), SMOL_OK);
    cr_assert_eq(truncate(path, 3), 0);
    cr_assert_eq(smol_mapping_check(&m, &error), SMOL_E_CHANGED);
    smol_mapping_close(&m);
    smol_mapping_close(&m);
    cr_assert_eq(smol_write_file(in_directory(missing, "no/such/place"), "x", 1, 0644, &error),
                 SMOL_E_IO);
    cr_assert_eq(smol_mapping_open(&m, missing, &error), SMOL_E_IO);
    cr_assert_eq(smol_mapping_open(&m, directory, &error), SMOL_E_IO);
    cr_assert_eq(truncate(path, 0), 0);
    cr_assert_eq(smol_mapping_open(&m, path, &error), SMOL_OK);
    cr_assert_eq(m.bytes.size_bytes, 0);
    smol_mapping_close(&m);
    unlink(path);
    rmdir(directory);
}
