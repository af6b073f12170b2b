/* Instead of runs.c where no kernels take streams that are kept. */
#include "model/products/runs.h"

void smol_runs_place(const struct smol_session *session, struct matrix *matrix,
                     const struct smol_scheme *scheme, struct smol_arena *arena)
{
    (void)session, (void)matrix, (void)scheme, (void)arena;
}

void smol_runs_fill(struct smol_session *session) { (void)session; }

uint32_t smol_runs_begin(const struct smol_session *session, const struct matrix *matrix)
{
    (void)session;
    return (uint32_t)n_blocks(&matrix->frozen);
}

bool smol_runs_next(struct runs *runs, const struct smol_session *session,
                    const struct matrix *matrix, size_t *at, uint32_t worker, uint32_t n_workers)
{
    (void)runs, (void)session, (void)matrix, (void)at, (void)worker, (void)n_workers;
    return false;
}
