/* Products of stored rows with vectors, for the file of one instruction set, which gives the inner
 * product of a row. */
#ifndef SMOL_ROWS_H
#define SMOL_ROWS_H

#include "kernel/product.h"

#include <smol/params.h>

/* smol_mask_row_bytes and smol_row_bytes, without a call for each row, which would cost the
 * registers what they hold. */
ALWAYS_INLINE size_t mask_row_bytes(size_t cols) { return (cols + 7) / 8; }

ALWAYS_INLINE size_t ternary_row_bytes(size_t cols) { return (cols + 4) / 5; }

struct row {
    const uint8_t *data, *multipliers, *signs;
    size_t n_left; /* rows, from this one to the last */
};

/* Bytes from a row to the next one. */
struct row_strides {
    size_t data, multipliers, signs; /* 0 if there are none */
};

static inline struct row_strides row_strides(const struct smol_rows *rows, enum smol_dtype type)
{
    const uint32_t cols = (uint32_t)rows->cols;

    return (struct row_strides){(size_t)smol_row_bytes((uint8_t)type, cols),
                                type == SMOL_Q4 ? smol_row_multipliers(cols) : 0, 0};
}

static inline struct row_strides mask_strides(const struct smol_rows *rows)
{
    const size_t row_bytes = (size_t)smol_mask_row_bytes((uint32_t)rows->cols);

    return (struct row_strides){row_bytes, 0, row_bytes};
}

static inline struct row row_at(const struct smol_rows *rows, struct row_strides strides, size_t r)
{
    return (struct row){rows->data + r * strides.data,
                        strides.multipliers ? rows->multipliers + r * strides.multipliers : NULL,
                        strides.signs ? rows->signs + r * strides.signs : NULL, rows->n_rows - r};
}

/* n bytes of a row in memory that may be read up to `size`: where they are, unless the last row
 * ends before that, or else in `copy` (size), which is 0 behind them. */
static inline const uint8_t *readable(uint8_t *copy, const uint8_t *bytes, size_t n, size_t size,
                                      const struct row *row)
{
    if (row->n_left * n >= size)
        return bytes;
    memset(copy, 0, size);
    return memcpy(copy, bytes, n);
}

/* Where a row's bytes are read that are to be at i..i + size - 1 of its n: the last ones are all of
 * them the row's, those before them again, whose columns X then has as 0. */
static inline size_t read_at(size_t i, size_t size, size_t n)
{
    return i + size <= n || n < size ? i : n - size;
}

/* Makes a vector ready for all rows. */
typedef void prepare_vector(void *prepared, const int16_t *X, size_t cols);

/* The sum of a row's products with a vector that was made ready. */
typedef int64_t dot_row(const struct row *row, const void *prepared, size_t cols);

/* A vector that is made ready meets all rows, and then the next one does; vectors that need no such
 * thing, prepare NULL, all meet a row while it is at hand. */
ALWAYS_INLINE void multiply_rows(int64_t *sums, const struct smol_rows *rows,
                                 struct row_strides strides, const int16_t *X, size_t x_stride,
                                 size_t n_x, void *scratch, prepare_vector *prepare, dot_row *dot)
{
    for (size_t i = 0; prepare && i < n_x; i++) {
        prepare(scratch, X + i * x_stride, rows->cols);
        for (size_t r = 0; r < rows->n_rows; r++) {
            const struct row row = row_at(rows, strides, r);
            sums[i * rows->n_rows + r] = dot(&row, scratch, rows->cols);
        }
    }
    for (size_t r = 0; !prepare && r < rows->n_rows; r++) {
        const struct row row = row_at(rows, strides, r);
        for (size_t i = 0; i < n_x; i++)
            sums[i * rows->n_rows + r] = dot(&row, X + i * x_stride, rows->cols);
    }
}

/* A row as integers w, of which up to 64 past the last column may be written. */
typedef void expand_row(int16_t *w, const struct row *row, size_t cols);

/* The sums of two rows w with two vectors: row 0 with both, row 1 with both. Products of at least
 * `chunk` columns fit what a set sums them in. */
typedef void pair_sums(int64_t sums[4], const int16_t *const w[2], const int16_t *const X[2],
                       size_t cols, size_t chunk);

/* Pairs of rows are expanded, and meet all vectors. */
ALWAYS_INLINE void rows_several(int64_t *sums, const struct smol_rows *rows,
                                struct row_strides strides, const int16_t *X, size_t x_stride,
                                size_t n_x, int16_t *scratch, expand_row *expand,
                                pair_sums *multiply, size_t chunk)
{
    int16_t *w[2] = {scratch, scratch + smol_round_up(rows->cols, 64) + 64};

    for (size_t r = 0; r < rows->n_rows; r += 2) {
        const size_t n_rows = rows->n_rows - r < 2 ? 1 : 2;
        for (size_t i = 0; i < n_rows; i++) {
            const struct row row = row_at(rows, strides, r + i);
            expand(w[i], &row, rows->cols);
        }
        const int16_t *const pair[2] = {w[0], w[n_rows - 1]};
        for (size_t x = 0; x < n_x; x += 2) {
            const size_t next = x + 1 < n_x ? x + 1 : x;
            const int16_t *const vectors[2] = {X + x * x_stride, X + next * x_stride};
            int64_t s[4];
            multiply(s, pair, vectors, rows->cols, chunk);
            for (size_t i = 0; i < n_rows; i++) {
                sums[x * rows->n_rows + r + i] = s[2 * i];
                sums[next * rows->n_rows + r + i] = s[2 * i + (next > x)];
            }
        }
    }
}

/* A function of kernel.h for such rows. */
#define ROWS_PRODUCT(name, type, prepare, dot)                                                     \
    void name(int64_t *sums, const struct smol_rows *rows, const int16_t *X, size_t x_stride,      \
              size_t n_x, void *scratch)                                                           \
    {                                                                                              \
        multiply_rows(sums, rows, row_strides(rows, type), X, x_stride, n_x, scratch, prepare,     \
                      dot);                                                                        \
    }

#endif
