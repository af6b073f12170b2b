/* Of numbers the largest. Ternary numbers, five to a byte, against the rule of SPEC.md 3.3 in whole
 * numbers, and against bytes that Python made: [-(-256 * v // 243) for v in (0, 1, 121, 122, 241,
 * 242)]. */
#include "base/number.h"

#include <criterion/criterion.h>
#include <smol/params.h>

/* The five numbers of v = 81 t_0 + 27 t_1 + 9 t_2 + 3 t_3 + t_4, t = number + 1. */
static void numbers_of(int8_t q[5], uint32_t v)
{
    for (int k = 4; k >= 0; k--, v /= 3)
        q[k] = (int8_t)(v % 3) - 1;
}

/* The byte is the least b with 243 b >= 256 v. */
static uint8_t byte_of(uint32_t v)
{
    uint32_t b = 0;

    while (243 * b < 256 * v)
        b++;
    return (uint8_t)b;
}

Test(number, bytes_of_five_ternary_numbers)
{
    for (uint32_t v = 0; v < 243; v++) {
        int8_t q[5], back[5];
        uint8_t byte;
        numbers_of(q, v);
        smol_encode_ternary(&byte, q, 5);
        cr_assert_eq(byte, byte_of(v), "v %u: %u", v, byte);
        smol_decode_ternary(back, &byte, 5);
        cr_assert_arr_eq(back, q, 5, "v %u", v);
    }
}

Test(number, bytes_of_ternary_numbers_by_python)
{
    static const struct {
        int8_t q[5];
        uint8_t byte;
    } cases[] = {{{-1, -1, -1, -1, -1}, 0}, {{-1, -1, -1, -1, 0}, 2}, {{0, 0, 0, 0, 0}, 128},
                 {{0, 0, 0, 0, 1}, 129},    {{1, 1, 1, 1, 0}, 254},   {{1, 1, 1, 1, 1}, 255}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t byte;
        smol_encode_ternary(&byte, cases[i].q, 5);
        cr_assert_eq(byte, cases[i].byte, "case %zu: %u", i, byte);
    }
}

/* Byte i of a row of B has columns i, B + i, 2 B + i, 3 B + i, 4 B + i; those past the end are 0.
 */
Test(number, rows_of_ternary_numbers_of_every_width)
{
    for (uint32_t cols = 1; cols <= 70; cols++) {
        const uint32_t B = (cols + 4) / 5;
        int8_t q[70], back[70];
        uint8_t row[16];
        for (uint32_t c = 0; c < cols; c++)
            q[c] = (int8_t)((c * c + c / 3) % 3) - 1;
        smol_encode_ternary(row, q, cols);
        for (uint32_t i = 0; i < B; i++) {
            uint32_t v = 0;
            for (uint32_t k = 0; k < 5; k++)
                v = 3 * v + (uint32_t)(k * B + i < cols ? q[k * B + i] + 1 : 1);
            cr_assert_eq(row[i], byte_of(v), "%u columns, byte %u", cols, i);
        }
        smol_decode_ternary(back, row, cols);
        cr_assert_arr_eq(back, q, cols);
    }
}

Test(number, a_table_of_ternary_rows_as_floats)
{
    /* -1 0 1 1 0 0 1 and 1 1 0 -1 -1 0 0: byte 0 has columns 0, 2, 4, 6, byte 1 columns 1, 3, 5. */
    static const int8_t q[2][7] = {{-1, 0, 1, 1, 0, 0, 1}, {1, 1, 0, -1, -1, 0, 0}};
    static const float scales[2] = {0.5f, 3.0f};
    uint8_t rows[4], encoded[8];
    const struct smol_table_view table = {
        .type = SMOL_TERNARY, .rows = 2, .cols = 7, .data = rows, .scales = encoded};
    float x[7];

    smol_encode_numbers(encoded, SMOL_F32, scales, 2);
    for (uint32_t r = 0; r < 2; r++)
        smol_encode_ternary(rows + 2 * r, q[r], 7);
    for (uint32_t r = 0; r < 2; r++) {
        smol_embedding_row(x, &table, r);
        for (uint32_t c = 0; c < 7; c++)
            cr_assert_eq(x[c], scales[r] * (float)q[r][c]);
    }
}

/* Of numbers from both sides of 0, wherever the largest is. */
Test(number, the_largest)
{
    float x[70];

    for (size_t n = 1; n <= 70; n++)
        for (size_t at = 0; at < n; at++) {
            for (size_t i = 0; i < n; i++)
                x[i] = -1000.0f - (float)(i * 37 % 71);
            x[at] = (float)at - 900.0f;
            cr_assert_eq(smol_largest(x, n), x[at], "%zu of %zu", at, n);
        }
}
