/* The approximate product, of rows of high bytes: the function FAST_PRODUCT of kernel.h. The file
 * that includes this has before what product_several.h wants, but for struct vectors and
 * rows_multiply, and
 *
 *   dot_bytes(w, x, n): the sum of products of n bytes, whole steps */
#ifndef SMOL_PRODUCT_FAST_H
#define SMOL_PRODUCT_FAST_H

#include "kernel/product.h"

#define ROWS 1u

/* High bytes (n, stride). */
struct vectors {
    const int8_t *bytes;
    size_t n;
};

ALWAYS_INLINE void rows_multiply(int64_t *to, size_t stride, const int8_t *w, size_t n,
                                 uint32_t n_rows, const struct vectors *x, bool is_first)
{
    (void)n_rows;
    for (size_t i = 0; i < x->n; i++)
        to[i * stride] =
            65536 * dot_bytes(w, x->bytes + i * n, n) + (is_first ? 0 : to[i * stride]);
}

#include "kernel/product_several.h"

void FAST_PRODUCT(int64_t *sums, const struct smol_frozen *t, uint32_t block, uint32_t n_blocks,
                  const int16_t *X, size_t x_stride, size_t n_x, void *scratch)
{
    const size_t n = smol_round_up(t->cols, SMOL_STEP_BYTES);
    int8_t *w = scratch, *x = w + n;
    const struct vectors vectors = {x, n_x};

    memset(x, 0, n_x * n);
    for (size_t i = 0; i < n_x; i++)
        for (size_t c = 0; c < t->cols; c++)
            x[i * n + c] = (int8_t)high_byte(X[i * x_stride + c]);
    multiply_planes(sums, t, block, n_blocks, &vectors, w);
}

#endif
