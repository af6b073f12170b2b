/* Products of a batch with a matrix: of a frozen one each row is generated once for the whole batch
 * and never kept. SPEC.md 7. Work is split so that no sum crosses workers. */
#include "base/bytes.h"
#include "model/pass.h"

#include <smol/params.h>

/* One product, and what it works on. */
struct stage {
    const struct pass *pass;
    const struct matrix *matrix;
    const float *in; /* (n, K) of the matrix */
    float *out;      /* (n, R) of the matrix */
};

/* x (n) times a row of some of n numbers, F32 or F16. */
static float dot(const struct smol_session *s, enum smol_dtype type, const uint8_t *rows,
                 uint64_t row, const float *x, size_t n)
{
    return type == SMOL_F32 ? s->kernels->dot_f32(rows + row * n * 4, x, n)
                            : s->kernels->dot_f16(rows + row * n * 2, x, n);
}

/* z = A x for each position. */
static void factors(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct stage *g = arg;
    const struct smol_session *s = g->pass->s;
    const struct matrix *m = g->matrix;
    const size_t K = m->frozen.cols;
    const uint64_t end = smol_share(m->rank, worker + 1, n_workers);

    for (uint64_t j = smol_share(m->rank, worker, n_workers); j < end; j++)
        for (uint64_t p = 0; p < g->pass->n; p++)
            s->z[p * m->rank + j] = dot(s, m->type, m->a, j, g->in + p * K, K);
}

/* sums (n, n_rows), exact, of rows first.. of a table whose rows have scales. */
static void table_sums(const struct smol_session *s, uint32_t worker,
                       const struct smol_table_view *t, uint64_t first, uint64_t n_rows, uint64_t n)
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
        .cols = t->cols};

    product(w->sums, &rows, s->X, s->x_stride, n, w->scratch);
}

/* y (n_rows): a vector's sums with rows first.. of such a table, as numbers. */
static void scale_rows(float *y, const int64_t *sums, const struct smol_table_view *t,
                       uint64_t first, double step, uint64_t n_rows)
{
    for (uint64_t i = 0; i < n_rows; i++)
        y[i] = (float)((double)smol_load_f32(t->scales + 4 * (first + i)) * step * (double)sums[i]);
}

/* Rows of a group of row blocks. */
struct group {
    uint64_t first, n_rows;
    uint32_t block, n_blocks;
};

/* The sums (n, n_rows) of a mask with the batch, its signs regenerated or kept. */
static void mask_sums(const struct stage *g, uint32_t worker, const struct group *group)
{
    const struct smol_session *s = g->pass->s;
    const struct worker *w = &s->workers[worker];
    const struct matrix *m = g->matrix;
    const uint64_t row_bytes = smol_mask_row_bytes(m->frozen.cols);
    struct smol_rows rows = {.data = m->mask + group->first * row_bytes,
                             .signs = m->signs ? m->signs + group->first * row_bytes : w->signs,
                             .n_rows = group->n_rows,
                             .cols = m->frozen.cols};

    for (uint32_t b = 0; !m->signs && b < group->n_blocks; b++)
        smol_mask_signs(w->signs + b * SMOL_ROW_BLOCK * row_bytes, &m->frozen, group->block + b,
                        s->kernels->stream_bytes);
    s->kernels->rows_mask(w->sums, &rows, s->X, s->x_stride, g->pass->n, w->scratch);
}

/* The same of a frozen matrix, as sums (n, n_blocks x 64). */
static void frozen_sums(const struct stage *g, uint32_t worker, const struct group *group)
{
    const struct smol_session *s = g->pass->s;
    const struct worker *w = &s->workers[worker];
    const struct matrix *m = g->matrix;

    if (m->kept && g->pass->n == 1)
        s->kernels->rows_i16(w->sums, m->kept + group->first * m->frozen.cols, group->n_rows,
                             m->frozen.cols, s->X);
    else
        s->product(w->sums, &m->frozen, group->block, group->n_blocks, s->X, s->x_stride,
                   g->pass->n, w->scratch);
}

/* The matrix itself times the batch: a group's rows of out. */
static void multiply_rows(const struct stage *g, uint32_t worker, const struct group *group)
{
    const struct smol_session *s = g->pass->s;
    const struct matrix *m = g->matrix;
    const int64_t *sums = s->workers[worker].sums;
    const uint64_t R = m->frozen.rows, K = m->frozen.cols, n_rows = group->n_rows;
    const uint64_t stride = m->kind == FROZEN ? (uint64_t)group->n_blocks * SMOL_ROW_BLOCK : n_rows;
    const bool has_sums = m->kind != STORED || m->stored.scales;

    if (m->kind == FROZEN)
        frozen_sums(g, worker, group);
    else if (m->kind == MASKED)
        mask_sums(g, worker, group);
    else if (has_sums)
        table_sums(s, worker, &m->stored, group->first, n_rows, g->pass->n);
    for (uint64_t p = 0; p < g->pass->n; p++) {
        float *y = g->out + p * R + group->first;
        if (m->kind != STORED)
            s->kernels->scale_sums(y, sums + p * stride, m->frozen.scale * (double)s->t[p], n_rows);
        else if (has_sums)
            scale_rows(y, sums + p * stride, &m->stored, group->first, (double)s->t[p], n_rows);
        for (uint64_t r = 0; !has_sums && r < n_rows; r++)
            y[r] = dot(s, m->stored.type, m->stored.data, group->first + r, g->in + p * K, K);
    }
}

/* The factors' share of a group's rows. */
static void add_factors(const struct stage *g, const struct group *group)
{
    const struct smol_session *s = g->pass->s;
    const struct matrix *m = g->matrix;

    for (uint64_t p = 0; p < g->pass->n; p++) {
        float *y = g->out + p * m->frozen.rows + group->first;
        for (uint64_t r = 0; r < group->n_rows; r++)
            y[r] += dot(s, m->type, m->b, group->first + r, s->z + p * m->rank, m->rank);
    }
}

/* The projection's share. */
static void add_projection(const struct stage *g, struct projector *projector,
                           const struct group *group)
{
    const struct smol_frozen *f = &g->matrix->frozen;

    for (uint64_t r = group->first; r < group->first + group->n_rows; r++) {
        const float *row = smol_projector_row(projector, (uint32_t)r);
        for (uint64_t p = 0; p < g->pass->n; p++)
            g->out[p * f->rows + r] += g->pass->s->kernels->dot(row, g->in + p * f->cols, f->cols);
    }
}

/* The sparse term's share: its row times the inputs in its columns. gathered: (n_sparse). */
static void add_sparse(const struct stage *g, float *gathered, const struct group *group)
{
    const struct matrix *m = g->matrix;
    const uint64_t R = m->frozen.rows, q = m->n_sparse;

    for (uint64_t r = group->first; r < group->first + group->n_rows; r++)
        for (uint64_t p = 0; p < g->pass->n; p++) {
            const float *in = g->in + p * m->frozen.cols;
            for (uint64_t k = 0; k < q; k++)
                gathered[k] = in[m->columns[r * q + k]];
            g->out[p * R + r] += dot(g->pass->s, m->sparse_type, m->sparse, r, gathered, q);
        }
}

/* Gains and biases, which all else has been added to. */
static void scale_and_shift(const struct stage *g, const struct group *group)
{
    const struct matrix *m = g->matrix;
    const uint64_t end = group->first + group->n_rows;

    for (uint64_t p = 0; p < g->pass->n; p++) {
        float *y = g->out + p * m->frozen.rows;
        for (uint64_t r = group->first; m->gain && r < end; r++)
            y[r] *= m->gain[r];
        for (uint64_t r = group->first; m->bias && r < end; r++)
            y[r] += m->bias[r];
    }
}

/* Row blocks go in groups of nearly equal size. */
static void row_blocks(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct stage *g = arg;
    const struct smol_session *s = g->pass->s;
    const struct matrix *m = g->matrix;
    const struct worker *w = &s->workers[worker];
    const uint64_t begin = smol_share(n_blocks(&m->frozen), worker, n_workers),
                   end = smol_share(n_blocks(&m->frozen), worker + 1, n_workers);

    if (m->projected.p.n && begin < end)
        smol_projector_begin(w->projector, &m->projected, s->kernels);
    for (uint64_t b = begin, n; b < end; b += n) {
        const uint64_t groups = (end - b + SMOL_BLOCK_BATCH - 1) / SMOL_BLOCK_BATCH,
                       first = b * SMOL_ROW_BLOCK, left = m->frozen.rows - first;
        n = (end - b + groups - 1) / groups;
        const struct group group = {
            .first = first,
            .n_rows = left < n * SMOL_ROW_BLOCK ? left : n * SMOL_ROW_BLOCK,
            .block = (uint32_t)b,
            .n_blocks = (uint32_t)n,
        };
        multiply_rows(g, worker, &group);
        if (m->rank)
            add_factors(g, &group);
        if (m->n_sparse)
            add_sparse(g, w->scratch, &group);
        if (m->projected.p.n)
            add_projection(g, w->projector, &group);
        if (m->gain || m->bias)
            scale_and_shift(g, &group);
    }
}

void smol_multiply(const struct pass *pass, float *out, const struct matrix *m, const float *in)
{
    struct stage stage = {.pass = pass, .matrix = m, .in = in, .out = out};

    const uint64_t of_row = (uint64_t)pass->n * m->frozen.cols;

    if (m->rank)
        smol_pass_run(pass->s, factors, &stage, m->rank, of_row);
    /* A frozen weight has to be made first, which takes longer than to multiply it; the rows of a
     * projection are transforms, which take far longer. */
    smol_pass_run(pass->s, row_blocks, &stage, n_blocks(&m->frozen),
                  SMOL_ROW_BLOCK * of_row *
                      (m->projected.p.n    ? 64
                       : m->kind == FROZEN ? 4
                                           : 1));
}

#define HEAD_ROWS 64u /* whose rows have scales, by one call */

struct head_stage {
    const struct smol_session *s;
    float *logits; /* (V) */
};

/* Logits of a share of the vocabulary from h (C) and its 16 bits. */
static void head_rows(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct head_stage *g = arg;
    const struct smol_session *s = g->s;
    const struct smol_table_view *t = s->head;
    const uint64_t begin = smol_share(t->rows, worker, n_workers),
                   end = smol_share(t->rows, worker + 1, n_workers);

    for (uint64_t v = begin, n; t->scales && v < end; v += n) {
        n = end - v < HEAD_ROWS ? end - v : HEAD_ROWS;
        table_sums(s, worker, t, v, n, 1);
        scale_rows(g->logits + v, s->workers[worker].sums, t, v, (double)s->t[0], n);
    }
    for (uint64_t v = begin; !t->scales && v < end; v++)
        g->logits[v] = dot(s, t->type, t->data, v, s->h, t->cols);
    for (uint64_t v = begin; v < end; v++)
        g->logits[v] *= s->config->logit_scale;
    smol_pass_check(s, worker, g->logits + begin, end - begin);
}

void smol_head(struct smol_session *session, float *logits, uint32_t p)
{
    const size_t C = session->config->width;

    session->kernels->layernorm(session->h, session->x + p * C, session->ln_f.gain,
                                session->ln_f.bias, session->config->ln_epsilon, C);
    smol_pass_quantise(session, 0, 0, session->h, C);
    smol_pass_run(session, head_rows, &(struct head_stage){session, logits}, session->config->vocab,
                  C);
}
