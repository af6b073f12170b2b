/* Rows of stored tables, a matrix's or an output's, times vectors. */
#ifndef SMOL_PRODUCTS_TABLES_H
#define SMOL_PRODUCTS_TABLES_H

#include "model/model.h"

#include <smol/params.h>

/* sums (n, n_rows), exact, of rows first.. of a table whose rows have scales. is_packed: as in
 * kernel.h. */
static inline void table_sums(const struct smol_session *s, uint32_t worker,
                              const struct smol_table_view *t, size_t first, size_t n_rows,
                              const int16_t *X, size_t n, bool is_packed)
{
    const struct smol_kernels *k = s->kernels;
    const struct worker *w = &s->workers[worker];
    smol_rows_product *product = t->type == SMOL_Q4        ? k->rows_q4
                                 : t->type == SMOL_TERNARY ? k->rows_ternary
                                                           : k->rows_q8;
    const struct smol_rows rows = {
        .data = t->data + first * smol_row_bytes(t->type, t->cols),
        .multipliers =
            t->multipliers ? t->multipliers + first * smol_row_multipliers(t->cols) : NULL,
        .n_rows = n_rows,
        .cols = t->cols,
        .is_packed = is_packed};

    product(w->sums, &rows, X, s->x_stride, n, w->scratch);
}

/* y (n, y_stride): x (n, K) times rows first.. of a table of floats or halves. */
static inline void multiply_floats(const struct smol_session *s, float *y, size_t y_stride,
                                   const struct smol_table_view *t, size_t first, size_t n_rows,
                                   const float *x, size_t n)
{
    smol_rows_floats *product = t->type == SMOL_F32 ? s->kernels->rows_f32 : s->kernels->rows_f16;

    product(y, y_stride, t->data + first * smol_row_bytes(t->type, t->cols), n_rows, x, t->cols, n,
            t->cols);
}

/* y (n_rows): a vector's sums with rows first.. of such a table, as numbers. */
static inline void scale_rows(const struct smol_session *s, float *y, const int64_t *sums,
                              const struct smol_table_view *t, size_t first, double step,
                              size_t n_rows)
{
    s->kernels->scale_rows(y, sums, t->scales + 4 * first, step, n_rows);
}

#endif
