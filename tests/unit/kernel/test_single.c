/* The products of one vector in plain C, which this machine's own kernels may do without, against
 * sums written out: masks (SPEC.md 5.10), looked-up weights and ternary numbers (3.3), of every
 * width up to some bytes. */
#include "kernel/scalar/single.h"

#include <criterion/criterion.h>
#include <stdbool.h>

#define MAX 83

static uint32_t state = 1;

static uint32_t random_bits(void)
{
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

/* Vectors of the largest numbers, so that a sum that is too narrow shows, and of others. */
static void fill(int16_t *X, size_t n, bool is_largest)
{
    for (size_t i = 0; i < n; i++)
        X[i] = (int16_t)(is_largest ? 32512 : (int32_t)(random_bits() % 65025) - 32512);
}

Test(single, masks)
{
    for (size_t n = 1; n <= MAX; n++)
        for (int round = 0; round < 20; round++) {
            uint8_t bits[(MAX + 7) / 8], signs[(MAX + 7) / 8];
            int16_t X[MAX];
            int64_t wanted = 0;
            fill(X, n, round == 0);
            for (size_t i = 0; i < sizeof bits; i++) {
                bits[i] = (uint8_t)(round == 0 ? 255 : random_bits());
                signs[i] = (uint8_t)(round == 0 ? 255 : random_bits());
            }
            for (size_t i = 0; i < n; i++)
                if (bits[i / 8] >> i % 8 & 1)
                    wanted += signs[i / 8] >> i % 8 & 1 ? -X[i] : X[i];
            cr_assert_eq(dot_mask(bits, signs, X, n), wanted, "%zu columns, round %d", n, round);
        }
}

Test(single, tables)
{
    for (size_t n = 1; n <= MAX; n++)
        for (int round = 0; round < 20; round++) {
            int16_t table[256], X[MAX];
            uint8_t bytes[MAX];
            int64_t wanted = 0;
            fill(X, n, round == 0);
            for (int i = 0; i < 256; i++)
                table[i] = (int16_t)(round == 0 ? 32672 : (int32_t)(random_bits() % 65345) - 32672);
            for (size_t i = 0; i < n; i++)
                bytes[i] = (uint8_t)random_bits();
            for (size_t i = 0; i < n; i++)
                wanted += (int64_t)table[bytes[i]] * X[i];
            cr_assert_eq(dot_table(table, bytes, X, n), wanted, "%zu columns, round %d", n, round);
        }
}

/* The bytes of SPEC.md 3.3: the least b with 243 b >= 256 v, v the digits in base 3. */
Test(single, ternary_numbers)
{
    for (size_t n = 1; n <= MAX; n++)
        for (int round = 0; round < 20; round++) {
            const size_t row_bytes = (n + 4) / 5;
            uint8_t row[(MAX + 4) / 5];
            int16_t X[MAX];
            int64_t wanted = 0;
            fill(X, n, round == 0);
            for (size_t i = 0; i < row_bytes; i++) {
                uint32_t v = 0, b = 0;
                for (size_t k = 0; k < 5; k++) {
                    const uint32_t digit = round == 0 ? 2 : random_bits() % 3;
                    v = 3 * v + digit;
                    wanted += k * row_bytes + i < n ? (int64_t)digit * X[k * row_bytes + i] : 0;
                }
                while (243 * b < 256 * v)
                    b++;
                row[i] = (uint8_t)b;
            }
            cr_assert_eq(dot_ternary_digits(row, row_bytes, X, n), wanted, "%zu columns, round %d",
                         n, round);
        }
}
