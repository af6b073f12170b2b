/* See runs.h. */
#include "model/products/runs.h"

#include <smol/params.h>

#define NARROW 6u /* bases that six bits of a byte say */

uint32_t smol_runs_begin(const struct smol_session *session, const struct matrix *matrix)
{
    const uint32_t blocks = (uint32_t)n_blocks(&matrix->frozen);

    return blocks - blocks % (SMOL_RUNS * session->n_workers);
}

/* Row blocks that are cut. */
static uint32_t cut_blocks(const struct smol_session *session, const struct matrix *matrix)
{
    return (uint32_t)n_blocks(&matrix->frozen) - smol_runs_begin(session, matrix);
}

/* Rows of a run: as many as leave each worker as many fours of runs, or 8. */
static uint32_t run_rows(const struct smol_session *session, const struct matrix *matrix)
{
    const uint32_t n = cut_blocks(session, matrix), fours = SMOL_RUNS * session->n_workers;
    uint32_t rows = SMOL_ROW_BLOCK;

    while (rows > 8 && n * (SMOL_ROW_BLOCK / rows) % fours != 0)
        rows /= 2;
    return rows;
}

void smol_runs_place(const struct smol_session *session, struct matrix *matrix,
                     const struct smol_scheme *scheme, struct smol_arena *arena)
{
    const uint64_t n = cut_blocks(session, matrix);

    if (n > 0 && session->runs && session->mixture.n_parts == 1 && scheme->dist == SMOL_SIGN &&
        scheme->d <= NARROW && !smol_scheme_projects(scheme))
        matrix->streams = smol_arena_take(arena, n * (SMOL_ROW_BLOCK / run_rows(session, matrix)),
                                          sizeof *matrix->streams);
}

/* What is filled. */
struct filling {
    const struct smol_session *session;
    const struct matrix *matrix;
};

static void fill(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct filling *g = arg;
    const struct smol_session *s = g->session;
    const struct matrix *m = g->matrix;
    const uint32_t n_rows = run_rows(s, m), n = cut_blocks(s, m);
    const size_t end = smol_share(n, worker + 1, n_workers);

    for (size_t i = smol_share(n, worker, n_workers); i < end; i++)
        s->kernels->streams(m->streams + i * (SMOL_ROW_BLOCK / n_rows), &m->frozen,
                            smol_runs_begin(s, m) + (uint32_t)i, n_rows);
}

void smol_runs_fill(struct smol_session *session)
{
    struct filling filling = {.session = session};

    for (uint32_t l = 0; l < session->config->n_layers; l++)
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++) {
            if (!smol_slot_is_matrix(slot))
                continue;
            filling.matrix = dense_of(&session->layers[l], slot)->matrices;
            if (filling.matrix->streams)
                smol_pool_run(session->pool, fill, &filling);
        }
}

bool smol_runs_next(struct runs *runs, const struct smol_session *session,
                    const struct matrix *matrix, size_t *at, uint32_t worker, uint32_t n_workers)
{
    const uint32_t n_rows = run_rows(session, matrix);
    const size_t rows_of_four = (size_t)SMOL_RUNS * n_rows,
                 begin = (size_t)smol_runs_begin(session, matrix) * SMOL_ROW_BLOCK,
                 n_fours = (matrix->frozen.rows - begin + rows_of_four - 1) / rows_of_four,
                 most = (size_t)SMOL_BLOCK_BATCH * SMOL_ROW_BLOCK / rows_of_four,
                 four = smol_share(n_fours, worker, n_workers) + *at,
                 end = smol_share(n_fours, worker + 1, n_workers),
                 n = end - four < most ? end - four : most;

    if (four >= end)
        return false;
    *runs = (struct runs){.streams = matrix->streams + four * SMOL_RUNS,
                          .n = (uint32_t)n * SMOL_RUNS,
                          .n_rows = n_rows,
                          .first = begin + four * rows_of_four,
                          .n_there = matrix->frozen.rows - begin - four * rows_of_four};
    if (runs->n_there > n * rows_of_four)
        runs->n_there = n * rows_of_four;
    *at += n;
    return true;
}
