/* Frozen row blocks times one vector: nothing leaves the registers. The file that includes this has
 * before:
 *
 *   SIDE          row blocks that go side by side, up to 4: a stream's step waits for the last one
 *   SIDE_256      the same with whole tables
 *   PARTS         registers of bytes in a step of a stream
 *   CHUNK         columns, whole steps, whose sums fit struct sums; 0 if all do
 *   KEPT          rows whose sums are kept, to be finished together
 *   LOOKUPS(X)    the kinds of its tables
 *   struct generator, generators_init(s, t, plane, block, n_blocks): the streams of some row
 *                 blocks; or with another name, which STREAMS_BEGIN is
 *   struct table (with lookup), table_load(table, q)
 *   struct vector the vector, made ready
 *   struct sums, sums_add(sums, s, table, lookup, x, c, k): adds what register k of the bytes of a
 *                 stream's next step, looked up, times part k of the columns c..c + 63 give
 *   struct kept, sums_keep(kept, i, sums, is_first): takes over the sums of row i of KEPT, and adds
 *                 them unless they are the first of that row; KEEP_SUMS defines both for KEPT 1 and
 *                 CHUNK 0
 *   rows_finish(to, kept, n_rows, x, is_first): the sums of n_rows <= KEPT rows, added to those of
 *                 the planes before unless this is the first
 *   ROWS_SIDE_BY_SIDE(kept, s, n_blocks, x, cols, table, lookup, ahead, n_rows), if it likes: makes
 *                 the sums of some rows of all blocks; whether it did */
#ifndef SMOL_PRODUCT_SINGLE_H
#define SMOL_PRODUCT_SINGLE_H

#include "kernel/product.h"

#ifndef STREAMS_BEGIN
#define STREAMS_BEGIN generators_init
#endif
#ifndef ROWS_SIDE_BY_SIDE
#define ROWS_SIDE_BY_SIDE(...) false
#endif

/* The next row of n_blocks row blocks: i of KEPT. ahead: bytes to fetch, so many with each step. */
ALWAYS_INLINE void next_row(struct kept *kept, unsigned i, struct generator *s, uint32_t n_blocks,
                            const struct vector *x, size_t cols, const struct table *table,
                            enum lookup lookup, const uint8_t *ahead, size_t each)
{
    size_t c = 0;

    do {
        const size_t begin = c, end = CHUNK == 0 || cols - c <= CHUNK ? cols : c + CHUNK;
        struct sums sums[SIDE];
        for (uint32_t b = 0; b < n_blocks; b++)
            sums[b] = (struct sums){0};
        for (; c < end; c += SMOL_STEP_BYTES) {
            for (size_t n = 0; SELDOM(n < each); n += LINE_BYTES)
                fetch_line(ahead + c / SMOL_STEP_BYTES * each + n);
            for (uint32_t b = 0; b < n_blocks; b++)
                for (unsigned k = 0; k < PARTS; k++)
                    sums_add(&sums[b], &s[b], table, lookup, x, c, k);
        }
        for (uint32_t b = 0; b < n_blocks; b++)
            sums_keep(&kept[b], i, &sums[b], begin == 0);
    } while (CHUNK != 0 && c < cols);
}

/* One plane of n_blocks row blocks, the last of which may have fewer rows. ahead_bytes: for all
 * rows. */
ALWAYS_INLINE void plane_blocks(int64_t *sums, const struct smol_frozen *t, uint32_t plane,
                                uint32_t block, uint32_t n_blocks, const struct vector *x,
                                const struct table *table, enum lookup lookup, const uint8_t *ahead,
                                size_t ahead_bytes)
{
    const uint32_t rows = t->rows - block * SMOL_ROW_BLOCK; /* that are left */
    const size_t n_steps = (t->cols + SMOL_STEP_BYTES - 1) / SMOL_STEP_BYTES,
                 of_row = ahead_bytes / SMOL_ROW_BLOCK, each = (of_row + n_steps - 1) / n_steps;
    struct generator s[SIDE];
    struct kept kept[SIDE];

    STREAMS_BEGIN(s, t, plane, block, n_blocks);
    for (uint32_t r = 0; r < SMOL_ROW_BLOCK && r < rows; r += KEPT) {
        const bool are_made =
            ROWS_SIDE_BY_SIDE(kept, s, n_blocks, x, t->cols, table, lookup, each, KEPT);
        for (uint32_t i = 0; i < KEPT && !are_made; i++)
            next_row(kept, i, s, n_blocks, x, t->cols, table, lookup, ahead + (r + i) * of_row,
                     each);
        for (uint32_t b = 0; b < n_blocks; b++) {
            const uint32_t first = b * SMOL_ROW_BLOCK + r, left = first < rows ? rows - first : 0;
            if (left)
                rows_finish(sums + first, &kept[b], left < KEPT ? left : KEPT, x, plane == 0);
        }
    }
}

/* The compiler makes a loop of its own for each number of blocks and kind of look-up. */
ALWAYS_INLINE void plane_of_kind(int64_t *sums, const struct smol_frozen *t, uint32_t plane,
                                 uint32_t block, uint32_t n_blocks, const struct vector *x,
                                 const struct table *table, enum lookup lookup,
                                 const uint8_t *ahead, size_t ahead_bytes)
{
    const size_t of_block = ahead_bytes / n_blocks;
    const uint32_t side = lookup == LOOKUP_256 ? SIDE_256 : SIDE;

    for (uint32_t b = 0, n, groups = (n_blocks + side - 1) / side; groups > 0; groups--, b += n) {
        n = (n_blocks - b + groups - 1) / groups;
#define CASE(N)                                                                                    \
    case N:                                                                                        \
        if (N <= side)                                                                             \
            plane_blocks(sums + b * SMOL_ROW_BLOCK, t, plane, block + b, N, x, table, lookup,      \
                         ahead + b * of_block, N * of_block);                                      \
        break;
        switch (n) {
            CASE(1)
            CASE(2)
            CASE(3)
            CASE(4)
        default: break;
        }
#undef CASE
    }
}

static inline void multiply_single(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                                   uint32_t n_blocks, const struct vector *x)
{
    struct table table;

#define CASE(kind)                                                                                 \
    case kind:                                                                                     \
        plane_of_kind(sums, t, p, block, n_blocks, x, &table, kind, ahead, ahead_bytes);           \
        break;
    for (uint32_t p = 0; p < t->n_planes; p++) {
        const bool fetches = t->ahead && p == 0;
        const uint8_t *ahead = fetches ? t->ahead : (const uint8_t *)t->table;
        const size_t ahead_bytes = fetches ? t->ahead_bytes : 0;
        table_load(&table, t->table + p * SMOL_TABLE_ENTRIES);
        switch (table.lookup) {
            LOOKUPS(CASE)
        default: break;
        }
    }
#undef CASE
}

#endif
