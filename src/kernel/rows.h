/* Products of stored rows with vectors, for the file of one instruction set, which gives the inner
 * product of a row. */
#ifndef SMOL_ROWS_H
#define SMOL_ROWS_H

#include "kernel/product.h"

#include <smol/params.h>

struct row {
    const uint8_t *data, *multipliers;
};

/* Makes a vector ready for all rows. */
typedef void prepare_vector(void *prepared, const int16_t *X, size_t cols);

/* The sum of a row's products with a vector that was made ready. */
typedef int64_t dot_row(const struct row *row, const void *prepared, size_t cols);

/* A vector that is made ready meets all rows, and then the next one does; vectors that need no such
 * thing, prepare NULL, all meet a row while it is at hand. */
ALWAYS_INLINE void multiply_rows(int64_t *sums, const struct smol_rows *rows, enum smol_dtype type,
                                 const int16_t *X, size_t x_stride, size_t n_x, void *scratch,
                                 prepare_vector *prepare, dot_row *dot)
{
    const uint32_t cols = (uint32_t)rows->cols;
    const size_t n_bytes = smol_row_bytes((uint8_t)type, cols),
                 n_multipliers = smol_row_multipliers(cols);

    for (size_t i = 0; prepare && i < n_x; i++) {
        prepare(scratch, X + i * x_stride, cols);
        for (size_t r = 0; r < rows->n_rows; r++) {
            const struct row row = {rows->data + r * n_bytes,
                                    type == SMOL_Q4 ? rows->multipliers + r * n_multipliers : NULL};
            sums[i * rows->n_rows + r] = dot(&row, scratch, cols);
        }
    }
    for (size_t r = 0; !prepare && r < rows->n_rows; r++) {
        const struct row row = {rows->data + r * n_bytes, NULL};
        for (size_t i = 0; i < n_x; i++)
            sums[i * rows->n_rows + r] = dot(&row, X + i * x_stride, cols);
    }
}

#endif
