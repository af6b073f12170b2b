/* Products of one vector with rows that are not kept: what a small processor spends most of a token
 * in. The sums are those of the general ways, without a row in memory between weights and product.
 */
#ifndef SMOL_SINGLE_H
#define SMOL_SINGLE_H

#include "frozen/frozen.h"

#include <stddef.h>
#include <stdint.h>

/* Whether they are the faster way: not where a compiler makes vectors of loops over rows in memory.
 */
#if defined(__SSE2__) || defined(__ARM_NEON) || defined(__wasm_simd128__)
#define SMOL_SINGLE 0
#else
#define SMOL_SINGLE 1
#endif

/* The weight of a mask in place j of a byte of bits and one of signs, 0, 1 or -1, times X_j. A
 * macro, for compilers that are told to make code small would call a function. */
#define MASK_TERM(bits, signs, X, j)                                                               \
    ((-(int32_t)((bits) >> (j)&1) & (-(int32_t)((signs) >> (j)&1) | 1)) * (X)[j])

/* Of a row of a mask with X (n), SPEC.md 5.10. */
static inline int64_t dot_mask(const uint8_t *bits, const uint8_t *signs, const int16_t *X,
                               size_t n)
{
    int64_t sum = 0;

    for (; n >= 8; n -= 8, X += 8) {
        const uint32_t b = *bits++, s = *signs++;
        sum += MASK_TERM(b, s, X, 0) + MASK_TERM(b, s, X, 1) + MASK_TERM(b, s, X, 2) +
               MASK_TERM(b, s, X, 3) + MASK_TERM(b, s, X, 4) + MASK_TERM(b, s, X, 5) +
               MASK_TERM(b, s, X, 6) + MASK_TERM(b, s, X, 7);
    }
    for (unsigned j = 0; j < n; j++)
        sum += MASK_TERM(*bits, *signs, X, j);
    return sum;
}

/* Of the weights that bytes (n) stand for in a table with X (n); two products fit 32 bits. */
static inline int64_t dot_table(const int16_t *table, const uint8_t *bytes, const int16_t *X,
                                size_t n)
{
    int64_t sum = 0;

    for (; n >= 4; n -= 4, bytes += 4, X += 4) {
        sum += (int32_t)table[bytes[0]] * X[0] + (int32_t)table[bytes[1]] * X[1];
        sum += (int32_t)table[bytes[2]] * X[2] + (int32_t)table[bytes[3]] * X[3];
    }
    for (size_t j = 0; j < n; j++)
        sum += (int32_t)table[bytes[j]] * X[j];
    return sum;
}

/* The next digit of a byte of ternary numbers times X. */
#define TERNARY_TERM(v, X) ((int32_t)(((v) = ((v)&255) * 3) >> 8) * (X))

/* Of a row of n ternary numbers with X (n), SPEC.md 3.3, each greater by 1 than it is. Digit k of
 * byte i is of column k x row_bytes + i; up to 4 are past the last one. */
static inline int64_t dot_ternary_digits(const uint8_t *row, size_t row_bytes, const int16_t *X,
                                         size_t n)
{
    const size_t whole = n > 4 * row_bytes ? n - 4 * row_bytes : 0; /* bytes of five columns */
    int64_t sum = 0;
    size_t i = 0;

    for (; i < whole; i++) {
        const int16_t *x = X + i;
        uint32_t v = row[i];
        int32_t part = TERNARY_TERM(v, *x);
        part += TERNARY_TERM(v, *(x += row_bytes));
        part += TERNARY_TERM(v, *(x += row_bytes));
        part += TERNARY_TERM(v, *(x += row_bytes));
        part += TERNARY_TERM(v, *(x += row_bytes));
        sum += part;
    }
    for (; i < row_bytes; i++) {
        uint32_t v = row[i];
        for (size_t column = i; column < n; column += row_bytes)
            sum += TERNARY_TERM(v, X[column]);
    }
    return sum;
}

/* Rows of ternary numbers. sums: (n_rows). */
static inline void single_ternary(int64_t *sums, const uint8_t *rows, size_t n_rows,
                                  size_t row_bytes, const int16_t *X, size_t n)
{
    int64_t all = 0;

    for (size_t i = 0; i < n; i++)
        all += X[i];
    for (size_t r = 0; r < n_rows; r++, rows += row_bytes)
        sums[r] = dot_ternary_digits(rows, row_bytes, X, n) - all;
}

/* A row of one plane times one vector. */
static inline int64_t next_product(const struct smol_frozen *t, struct smol_stream *stream,
                                   const int16_t *X)
{
    uint8_t bytes[SMOL_STEP_BYTES];
    int64_t sum = 0;

    for (uint32_t col = 0; col < t->cols; col += SMOL_STEP_BYTES) {
        const uint32_t left = t->cols - col;
        smol_stream_step(stream, bytes);
        sum += dot_table(t->table, bytes, X + col, left < SMOL_STEP_BYTES ? left : SMOL_STEP_BYTES);
    }
    return sum;
}

#endif
