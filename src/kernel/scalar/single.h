/* Products of one vector with rows that are not kept: what a small processor spends most of a token
 * in. The sums are those of the general ways, without a row in memory between weights and product.
 */
#ifndef SMOL_SINGLE_H
#define SMOL_SINGLE_H

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

#endif
