/* The approximate product, of rows of high bytes: the function FAST_PRODUCT of kernel.h. The file
 * that includes this has before what product_several.h wants, but for struct vectors and
 * rows_multiply, and
 *
 *   dot_bytes(w, x, n): the sum of products of n bytes, whole steps
 *
 * and where several vectors are multiplied faster than one after the other
 *
 *   ROWS          at most 16, else 1
 *   DOTS          the vectors that meet a row at once
 *   dots_bytes(to, w, x, n): the dot_bytes of w with DOTS vectors from x on, n bytes apart */
#ifndef SMOL_PRODUCT_FAST_H
#define SMOL_PRODUCT_FAST_H

#include "kernel/product.h"

#ifndef DOTS
#define ROWS 1u
#define DOTS 1u

static inline void dots_bytes(int64_t to[DOTS], const int8_t *w, const int8_t *x, size_t n)
{
    *to = dot_bytes(w, x, n);
}
#endif

/* High bytes (n, stride). */
struct vectors {
    const int8_t *bytes;
    size_t n;
};

/* Of cols integers, and zeros up to n; the compiler sees that nothing overlaps. */
static inline void put_high_bytes(int8_t *restrict to, const int16_t *restrict X, size_t cols,
                                  size_t n)
{
    for (size_t c = 0; c < cols; c++)
        to[c] = (int8_t)high_byte(X[c]);
    memset(to + cols, 0, n - cols);
}

ALWAYS_INLINE void put_sum(int64_t *to, int64_t sum, bool is_first)
{
    *to = 65536 * sum + (is_first ? 0 : *to);
}

ALWAYS_INLINE void rows_multiply(int64_t *to, size_t stride, const int8_t *w, size_t n,
                                 uint32_t n_rows, const struct vectors *x, bool is_first)
{
    size_t i = 0;

    for (; x->n - i >= DOTS; i += DOTS)
        for (uint32_t r = 0; r < n_rows; r++) {
            int64_t dots[DOTS];
            dots_bytes(dots, w + r * n, x->bytes + i * n, n);
            for (size_t k = 0; k < DOTS; k++)
                put_sum(to + (i + k) * stride + r, dots[k], is_first);
        }
    for (; i < x->n; i++)
        for (uint32_t r = 0; r < n_rows; r++)
            put_sum(to + i * stride + r, dot_bytes(w + r * n, x->bytes + i * n, n), is_first);
}

#include "kernel/product_several.h"

void FAST_PRODUCT(int64_t *sums, const struct smol_frozen *t, uint32_t block, uint32_t n_blocks,
                  const int16_t *X, size_t x_stride, size_t n_x, void *scratch)
{
    const size_t n = smol_round_up(t->cols, SMOL_STEP_BYTES);
    int8_t *w = scratch, *x = w + ROWS * n;
    const struct vectors vectors = {x, n_x};

    for (size_t i = 0; i < n_x; i++)
        put_high_bytes(x + i * n, X + i * x_stride, t->cols, n);
    multiply_planes(sums, t, block, n_blocks, &vectors, w);
}

#endif
