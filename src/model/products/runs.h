/* Rows of frozen matrices that are shared out in less than row blocks, for one position. Kernels
 * multiply four streams side by side best, and row blocks are seldom as many as four for each
 * worker. Those beyond are cut into runs of rows, whose streams are kept as they are before their
 * first row, so that every worker has as many, four at a time. SPEC.md 5.2. */
#ifndef SMOL_PRODUCTS_RUNS_H
#define SMOL_PRODUCTS_RUNS_H

#include "model/model.h"

/* Some runs of a matrix, and their rows that are there. */
struct runs {
    const struct smol_stream *streams;
    uint32_t n, n_rows; /* each of so many rows */
    size_t first, n_there;
};

/* Room for the streams of a frozen matrix, if the kernels take them. */
void smol_runs_place(const struct smol_session *session, struct matrix *matrix,
                     const struct smol_scheme *scheme, struct smol_arena *arena);

/* Then, with memory and threads there, the streams of all matrices. */
void smol_runs_fill(struct smol_session *session);

/* Row blocks before the runs, of a matrix that has some. */
uint32_t smol_runs_begin(const struct smol_session *session, const struct matrix *matrix);

/* The next runs of a worker's share, SMOL_BLOCK_BATCH row blocks at most; at: fours of runs before,
 * 0 at first. False if there are none. */
bool smol_runs_next(struct runs *runs, const struct smol_session *session,
                    const struct matrix *matrix, size_t *at, uint32_t worker, uint32_t n_workers);

#endif
