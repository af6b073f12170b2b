/* Frozen row blocks times several vectors: some rows of weights exist at a time, and meet all
 * vectors. The file that includes this has before:
 *
 *   ROWS          rows that exist at a time
 *   PARTS, LOOKUPS(X), struct generator, generators_init, generator_step, struct table, table_load:
 *                 as in product_single.h
 *   row_put(w, n, r, step, k, u, table, lookup, is_first): the bytes u, looked up, become part k of
 *                 a step's columns in row r of the rows w, of n columns; added to what is there
 *                 unless they are of the first plane
 *   struct vectors the vectors, made ready
 *   rows_multiply(to, stride, w, n, n_rows, x, is_first): the sums of n_rows <= ROWS rows with
 *                 vector i, at to + i x stride, added to those that are there unless is_first; the
 *                 rows of w behind n_rows may be anything */
#ifndef SMOL_PRODUCT_SEVERAL_H
#define SMOL_PRODUCT_SEVERAL_H

#include "kernel/product.h"

ALWAYS_INLINE void put_row_of_kind(void *w, size_t n, uint32_t r, struct generator *s,
                                   const struct table *table, enum lookup lookup, bool is_first)
{
    for (size_t step = 0; step < n / SMOL_STEP_BYTES; step++)
        for (unsigned k = 0; k < PARTS; k++)
            row_put(w, n, r, step, k, generator_step(s, k), table, lookup, is_first);
}

/* The next row of one plane. */
ALWAYS_INLINE void put_row(void *w, size_t n, uint32_t r, struct generator *s,
                           const struct table *table, bool is_first)
{
#define CASE(kind)                                                                                 \
    case kind: put_row_of_kind(w, n, r, s, table, kind, is_first); break;
    switch (table->lookup) {
        LOOKUPS(CASE)
    default: break;
    }
#undef CASE
}

/* A row block, of the planes from plane on; the table is that of the first. */
ALWAYS_INLINE void block_several(int64_t *sums, size_t stride, const struct smol_frozen *t,
                                 uint32_t plane, uint32_t n_planes, uint32_t block,
                                 const struct vectors *x, struct table *table, void *w)
{
    const size_t n = (size_t)smol_round_up(t->cols, SMOL_STEP_BYTES);
    const uint32_t left = t->rows - block * SMOL_ROW_BLOCK,
                   rows = left < SMOL_ROW_BLOCK ? left : SMOL_ROW_BLOCK;
    struct generator s[SMOL_MAX_PLANES];

    for (uint32_t p = 0; p < n_planes; p++)
        generators_init(&s[p], t, plane + p, block, 1);
    for (uint32_t first = 0; first < rows; first += ROWS) {
        const uint32_t n_rows = rows - first < ROWS ? rows - first : ROWS;
        for (uint32_t p = 0; p < n_planes; p++) {
            if (n_planes > 1)
                table_load(table, t->table + (plane + p) * SMOL_TABLE_ENTRIES);
            for (uint32_t r = 0; r < n_rows; r++)
                put_row(w, n, r, &s[p], table, p == 0);
        }
        rows_multiply(sums + first, stride, w, n, n_rows, x, plane == 0);
    }
}

/* Sums (n_x, n_blocks x 64): planes add up in the weights. */
static inline void multiply_several(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                                    uint32_t n_blocks, const struct vectors *x, void *w)
{
    struct table table;

    table_load(&table, t->table);
    for (uint32_t b = 0; b < n_blocks; b++)
        block_several(sums + b * SMOL_ROW_BLOCK, (size_t)n_blocks * SMOL_ROW_BLOCK, t, 0,
                      t->n_planes, block + b, x, &table, w);
}

/* The same: planes add up in the sums. */
static inline void multiply_planes(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                                   uint32_t n_blocks, const struct vectors *x, void *w)
{
    struct table table;

    for (uint32_t p = 0; p < t->n_planes; p++) {
        table_load(&table, t->table + p * SMOL_TABLE_ENTRIES);
        for (uint32_t b = 0; b < n_blocks; b++)
            block_several(sums + b * SMOL_ROW_BLOCK, (size_t)n_blocks * SMOL_ROW_BLOCK, t, p, 1,
                          block + b, x, &table, w);
    }
}

#endif
