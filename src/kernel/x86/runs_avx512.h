/* Runs of rows times one vector, four side by side, of a file that has included product_single.h
 * and has RUNS_BEGIN(s), which makes ready what streams go on with, and RUNS_TABLE(table, q) for
 * tables that repeat after 64 entries. */
#ifndef SMOL_RUNS_AVX512_H
#define SMOL_RUNS_AVX512_H

static inline void multiply_runs(int64_t *sums, const struct smol_frozen *t,
                                 const struct smol_stream *streams, uint32_t n, uint32_t n_rows,
                                 const struct vector *x)
{
    struct table table;
    struct generator s[SMOL_RUNS];
    struct kept kept[SMOL_RUNS];

    _Static_assert(sizeof *s == sizeof *streams, "the words of a stream in its registers");
    RUNS_TABLE(&table, t->table);
    for (uint32_t i = 0; i < n; i += SMOL_RUNS) {
        /* Those of the next four, in this call or another one. */
        const uint8_t *next = (const uint8_t *)(streams + i + SMOL_RUNS);
        for (size_t line = 0; line < sizeof s; line += LINE_BYTES)
            fetch_line(next + line);
        memcpy(s, streams + i, sizeof s);
        RUNS_BEGIN(s);
        for (uint32_t r = 0; r < n_rows; r += KEPT) {
            const uint32_t some = n_rows - r < KEPT ? n_rows - r : KEPT;
            const bool are_made =
                ROWS_SIDE_BY_SIDE(kept, s, SMOL_RUNS, x, t->cols, &table, LOOKUP_64, 0, some);
            for (uint32_t k = 0; k < some && !are_made; k++)
                next_row(kept, k, s, SMOL_RUNS, x, t->cols, &table, LOOKUP_64, NULL, 0);
            for (uint32_t b = 0; b < SMOL_RUNS; b++)
                rows_finish(sums + (size_t)(i + b) * n_rows + r, &kept[b], some, x, true);
        }
    }
}

#endif
