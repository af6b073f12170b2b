/* What the products of all instruction sets share: kinds of look-ups, X = 256 h + l in bytes.
 *
 * A weight on its way: a seed and the numbers of a plane and a row block start a stream (struct
 * generator), whose step gives a byte for each of 64 weights; a table (struct table), looked up by
 * the byte, has the plane's part of the weight; that is multiplied with the columns of X, and the
 * products are summed over the row, in 64 bits, and over the planes. product_single.h does all of
 * it in registers, for one vector; product_several.h keeps some rows of weights and multiplies them
 * with several vectors. Both are nests of loops that the file of an instruction set includes once
 * it has said how it starts and steps a stream, looks up a register of bytes and multiplies. */
#ifndef SMOL_PRODUCT_H
#define SMOL_PRODUCT_H

#include "kernel/kernel.h"

#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

#define LINE_BYTES 64u /* of a cache */

/* Towards the second level of the cache; never a fault. */
ALWAYS_INLINE void fetch_line(const uint8_t *at) { __builtin_prefetch(at, 0, 2); }

/* A condition that seldom holds. */
#define SELDOM(condition) __builtin_expect(condition, 0)

/* How a table is looked up: as little of it as differs. The first 32 or 64 entries, if the top bits
 * of an index do not matter (five or six bases at most); two parts that add up; half of it, since
 * Q[255 - u] = -Q[u]; or all. A set has some of these, which it names as LOOKUPS(X). */
enum lookup { LOOKUP_32, LOOKUP_64, LOOKUP_SUM, LOOKUP_ODD, LOOKUP_256 };

static inline bool repeats(const int16_t *q, unsigned n)
{
    return memcmp(q, q + n, (SMOL_TABLE_ENTRIES - n) * sizeof *q) == 0;
}

/* The integer in units of 256, to nearest, within -127..127. */
static inline int high_byte(int16_t v)
{
    const int h = (v + 32768 + 128) / 256 - 128;

    return h > 127 ? 127 : h < -127 ? -127 : h;
}

/* X = 256 h + l, |X| <= 32512, as signed bytes h (n) and l (n), zeros from cols on. */
static inline void split_bytes(int8_t *h, int8_t *l, const int16_t *X, size_t cols, size_t n)
{
    memset(h + cols, 0, n - cols);
    memset(l + cols, 0, n - cols);
    for (size_t i = 0; i < cols; i++) {
        h[i] = (int8_t)((X[i] + 128) >> 8);
        l[i] = (int8_t)X[i];
    }
}

static inline int64_t sum_integers(const int16_t *X, size_t n)
{
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += X[i];
    return sum;
}

/* What product_single.h keeps of single rows whose columns are not divided: their sums. */
#define KEEP_SUMS                                                                                  \
    struct kept {                                                                                  \
        struct sums sums;                                                                          \
    };                                                                                             \
    ALWAYS_INLINE void sums_keep(struct kept *kept, unsigned i, const struct sums *s, bool first)  \
    {                                                                                              \
        (void)i, (void)first;                                                                      \
        kept->sums = *s;                                                                           \
    }                                                                                              \
    struct kept

#endif
