/* Products of a batch with a matrix: of a frozen one each row is generated once for the whole batch
 * and never kept. SPEC.md 7. Work is split so that no sum crosses workers. */
#include "base/bytes.h"
#include "model/pass.h"
#include "model/products/runs.h"
#include "model/products/tables.h"

#include <smol/params.h>

/* A slot's product, and what it works on. */
struct stage {
    const struct pass *pass;
    const struct dense *dense;
    const struct matrix *matrix; /* of these the present one */
    enum smol_then then;
    struct smol_span ahead; /* what is read after its product, or nothing */
    bool is_packed;         /* whether only its product has used the scratch before */
    size_t from, n;         /* positions, of a worker its own */
    const float *in;        /* (n, K) */
    float *out;             /* (n, R) */
};

/* Rows of a group of row blocks, and where their products go: position p's to y + p x stride. */
struct group {
    size_t first, n_rows;
    uint32_t block, n_blocks;
    float *y;
    size_t stride;
    const struct runs *runs; /* or NULL: row blocks */
};

/* x (n) times a row of some of n numbers, F32 or F16. */
static float dot(const struct smol_session *s, enum smol_dtype type, const uint8_t *rows,
                 size_t row, const float *x, size_t n)
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
    const size_t end = smol_share(m->rank, worker + 1, n_workers);

    for (size_t j = smol_share(m->rank, worker, n_workers); j < end; j++)
        for (size_t p = 0; p < g->pass->n; p++)
            s->z[p * s->z_stride + m->z_at + j] = dot(s, m->type, m->a, j, g->in + p * K, K);
}

/* The 16 bits of the positions' inputs. */
static const int16_t *inputs(const struct stage *g)
{
    return g->pass->s->X + g->from * g->pass->s->x_stride;
}

/* The sums (n, n_rows) of a mask with the batch, its signs regenerated or kept. */
static void mask_sums(const struct stage *g, uint32_t worker, const struct group *group)
{
    const struct smol_session *s = g->pass->s;
    const struct worker *w = &s->workers[worker];
    const struct matrix *m = g->matrix;
    const size_t row_bytes = (size_t)smol_mask_row_bytes(m->frozen.cols);
    struct smol_rows rows = {.data = m->mask + group->first * row_bytes,
                             .signs = m->signs ? m->signs + group->first * row_bytes : w->signs,
                             .n_rows = group->n_rows,
                             .cols = m->frozen.cols,
                             .is_packed = g->is_packed};

    if (!m->signs)
        smol_mask_signs(w->signs, &m->frozen, group->block, group->n_blocks,
                        s->kernels->stream_bytes);
    s->kernels->rows_mask(w->sums, &rows, inputs(g), s->x_stride, g->n, w->scratch);
}

/* The same of a frozen matrix, as sums (n, n_blocks x 64), unless what it gives are the numbers
 * that they stand for: then it returns true. */
static bool multiply_frozen(const struct stage *g, uint32_t worker, const struct group *group)
{
    const struct smol_session *s = g->pass->s;
    const struct worker *w = &s->workers[worker];
    const struct matrix *m = g->matrix;
    struct smol_frozen f = m->frozen;

    f.ahead = g->ahead.data;
    f.ahead_bytes = g->ahead.size_bytes;
    f.is_packed = g->is_packed;
    if (!group->runs && s->numbers &&
        s->numbers(group->y, group->stride, &f, group->block, group->n_blocks, inputs(g),
                   s->x_stride, g->n, s->t + g->from, w->scratch))
        return true;
    if (m->kept && g->n == 1)
        s->kernels->rows_i16(w->sums, m->kept + group->first * m->frozen.cols, group->n_rows,
                             m->frozen.cols, inputs(g));
    else if (group->runs)
        s->runs(w->sums, &f, group->runs->streams, group->runs->n, group->runs->n_rows, s->X,
                w->scratch);
    else
        s->product(w->sums, &f, group->block, group->n_blocks, inputs(g), s->x_stride, g->n,
                   w->scratch);
    return false;
}

/* The matrix itself times the batch: a group's rows of out. */
static void multiply_rows(const struct stage *g, uint32_t worker, const struct group *group)
{
    const struct smol_session *s = g->pass->s;
    const struct matrix *m = g->matrix;
    const int64_t *sums = s->workers[worker].sums;
    const size_t n_rows = group->n_rows;
    const size_t stride = m->kind == FROZEN ? (size_t)group->n_blocks * SMOL_ROW_BLOCK : n_rows;
    const bool is_table = m->kind == STORED && m->stored.scales,
               is_floats = m->kind == STORED && !is_table;

    if (m->kind == FROZEN && multiply_frozen(g, worker, group))
        return;
    if (m->kind == MASKED)
        mask_sums(g, worker, group);
    else if (is_table)
        table_sums(s, worker, &m->stored, group->first, n_rows, inputs(g), g->n, g->is_packed);
    if (is_floats)
        multiply_floats(s, group->y, group->stride, &m->stored, group->first, n_rows, g->in, g->n);
    for (size_t p = 0; p < g->n && !is_floats; p++) {
        float *y = group->y + p * group->stride;
        if (m->kind == ZERO)
            memset(y, 0, n_rows * sizeof *y);
        else if (is_table)
            scale_rows(s, y, sums + p * stride, &m->stored, group->first, (double)s->t[g->from + p],
                       n_rows);
        else
            s->kernels->scale_sums(y, sums + p * stride,
                                   m->frozen.scale * (double)s->t[g->from + p], n_rows);
    }
}

/* The factors' share of a group's rows. */
static void add_factors(const struct stage *g, const struct group *group)
{
    const struct smol_session *s = g->pass->s;
    const struct matrix *m = g->matrix;

    for (size_t p = 0; p < g->n; p++) {
        const float *z = s->z + (g->from + p) * s->z_stride + m->z_at;
        for (size_t r = 0; r < group->n_rows; r++)
            group->y[p * group->stride + r] += dot(s, m->type, m->b, group->first + r, z, m->rank);
    }
}

/* The projection's share. */
static void add_projection(const struct stage *g, struct projector *projector,
                           const struct group *group)
{
    const struct smol_frozen *f = &g->matrix->frozen;

    for (size_t r = 0; r < group->n_rows; r++) {
        const float *row = smol_projector_row(projector, (uint32_t)(group->first + r));
        for (size_t p = 0; p < g->n; p++)
            group->y[p * group->stride + r] +=
                g->pass->s->kernels->dot(row, g->in + p * f->cols, f->cols);
    }
}

/* The sparse term's share: its row times the inputs in its columns. gathered: (n_sparse). */
static void add_sparse(const struct stage *g, float *gathered, const struct group *group)
{
    const struct matrix *m = g->matrix;
    const size_t q = m->n_sparse;

    for (size_t r = 0; r < group->n_rows; r++)
        for (size_t p = 0; p < g->n; p++) {
            const float *in = g->in + p * m->frozen.cols;
            for (size_t k = 0; k < q; k++)
                gathered[k] = in[m->columns[(group->first + r) * q + k]];
            group->y[p * group->stride + r] +=
                dot(g->pass->s, m->sparse_type, m->sparse, group->first + r, gathered, q);
        }
}

/* A matrix's or a term's rows of a group times the batch, without gains and biases. */
static void multiply_group(const struct stage *g, uint32_t worker, const struct group *group)
{
    const struct worker *w = &g->pass->s->workers[worker];
    const struct matrix *m = g->matrix;

    multiply_rows(g, worker, group);
    if (m->rank)
        add_factors(g, group);
    if (m->n_sparse)
        add_sparse(g, w->scratch, group);
    if (m->projected.p.n)
        add_projection(g, w->projectors[m->part], group);
}

/* Gains and biases of a model, which all else has been added to. */
static void scale_and_shift(const struct stage *g, const struct group *group)
{
    const struct matrix *m = g->matrix;
    const float *gain = m->gain ? m->gain + group->first : NULL,
                *bias = m->bias ? m->bias + group->first : NULL;

    for (size_t p = 0; p < g->n; p++) {
        float *y = group->y + p * group->stride;
        for (size_t r = 0; gain && r < group->n_rows; r++)
            y[r] *= gain[r];
        for (size_t r = 0; bias && r < group->n_rows; r++)
            y[r] += bias[r];
    }
}

/* to += factor x from, of the batch; added once by fma, which a factor of 1 makes a plain sum. */
static void add_group(const struct stage *g, const struct group *to, const struct group *from)
{
    const struct smol_kernels *k = g->pass->s->kernels;

    for (size_t p = 0; p < g->n; p++)
        k->add_scaled(to->y + p * to->stride, g->matrix->factor, from->y + p * from->stride,
                      to->n_rows);
}

/* The same rows, of a product that goes to memory of the worker first. */
static struct group term_of(const struct group *group, float *y)
{
    struct group term = *group;

    term.y = y;
    term.stride = (size_t)group->n_blocks * SMOL_ROW_BLOCK;
    return term;
}

/* The models' share: the rows of the first go to where they belong, and are mixed there. */
static void mix_models(struct stage *g, uint32_t worker, const struct group *group)
{
    const struct group more = term_of(group, g->pass->s->workers[worker].product);

    for (uint32_t i = 0; i < g->dense->n_models; i++) {
        const struct group *to = i ? &more : group;
        g->matrix = &g->dense->matrices[i];
        multiply_group(g, worker, to);
        if (g->matrix->gain || g->matrix->bias)
            scale_and_shift(g, to);
        if (i)
            add_group(g, group, &more);
        for (size_t p = 0; i == 0 && g->matrix->factor != 1 && p < g->n; p++)
            for (size_t r = 0; r < group->n_rows; r++)
                group->y[p * group->stride + r] *= g->matrix->factor;
    }
}

/* Of one position, whose products wait for memory: the first term is made before the models'
 * product, if it is made of the seed and the first model's rows, which are fetched meanwhile, are
 * stored. Returns whether it was. */
static bool multiply_ahead(struct stage *g, uint32_t worker, const struct group *group)
{
    const struct dense *d = g->dense;
    const struct matrix *term = &d->matrices[d->n_models];
    const struct smol_table_view *rows = &d->matrices[0].stored;
    const struct smol_kernels *k = g->pass->s->kernels;
    const size_t row_bytes = (size_t)smol_row_bytes(rows->type, rows->cols);

    if (g->n > 1 || !d->n_terms || term->kind != FROZEN || term->kept ||
        d->matrices[0].kind != STORED || (k->streams_floats && !rows->scales))
        return false;
    const struct group to = term_of(group, g->pass->s->workers[worker].first);
    g->matrix = term;
    g->ahead = (struct smol_span){rows->data + group->first * row_bytes, group->n_rows * row_bytes};
    multiply_group(g, worker, &to);
    g->ahead = (struct smol_span){NULL, 0};
    return true;
}

/* The deltas' share, with gains of what the models alone give. */
static void add_terms(struct stage *g, uint32_t worker, const struct group *group, bool has_first)
{
    const struct smol_session *s = g->pass->s;
    const struct worker *w = &s->workers[worker];
    const struct dense *d = g->dense;
    const struct group base = term_of(group, w->base);

    for (size_t p = 0; d->has_gains && p < g->n; p++)
        memcpy(base.y + p * base.stride, group->y + p * group->stride,
               group->n_rows * sizeof *base.y);
    for (uint32_t i = d->n_models; i < d->n_models + d->n_terms; i++) {
        const bool is_there = has_first && i == d->n_models;
        const struct group term = term_of(group, is_there ? w->first : w->product);
        const struct matrix *m = g->matrix = &d->matrices[i];
        if (!is_there)
            multiply_group(g, worker, &term);
        for (size_t p = 0; p < g->n; p++) {
            float *t = term.y + p * term.stride;
            if (m->gain)
                s->kernels->add_each_scaled(t, m->gain + group->first, base.y + p * base.stride,
                                            group->n_rows);
            for (size_t r = 0; m->bias && r < group->n_rows; r++)
                t[r] += m->bias[group->first + r];
        }
        add_group(g, group, &term);
    }
}

/* What comes after the product. GELU makes no number larger, so that none has to be checked again.
 */
static void finish_group(const struct stage *g, uint32_t worker, const struct group *group)
{
    const struct smol_session *s = g->pass->s;

    for (size_t p = 0; g->then != SMOL_THEN_STAY && p < g->n; p++) {
        float *y = group->y + p * group->stride,
              *x = s->x + (g->from + p) * group->stride + group->first;
        if (g->then == SMOL_THEN_ACTIVATE) {
            smol_pass_check(s, worker, y, group->n_rows);
            s->activation(y, group->n_rows);
            continue;
        }
        for (size_t r = 0; r < group->n_rows; r++)
            x[r] += y[r];
        smol_pass_check(s, worker, x, group->n_rows);
    }
}

static void begin_projections(const struct smol_session *s, const struct worker *w,
                              const struct dense *d)
{
    for (uint32_t i = 0; i < d->n_models + d->n_terms; i++)
        if (d->matrices[i].projected.p.n)
            smol_projector_begin(w->projectors[d->matrices[i].part], &d->matrices[i].projected,
                                 s->kernels);
}

/* Row blocks that one call multiplies, at most. */
static size_t blocks_at_once(const struct stage *g)
{
    const struct smol_kernels *k = g->pass->s->kernels;
    const struct matrix *m = g->dense->matrices;
    const uint32_t n = smol_blocks_at_once(k, g->n);
    const bool is_wide = m->kind == FROZEN && !smol_frozen_is_narrow(&m->frozen);

    return is_wide && n > k->block_batch_wide ? k->block_batch_wide : n;
}

/* A worker's share of the runs of a matrix, of one position. */
static void rows_in_runs(struct stage *g, uint32_t worker, uint32_t n_workers)
{
    const struct matrix *m = g->dense->matrices;
    struct runs runs;

    for (size_t at = 0; smol_runs_next(&runs, g->pass->s, m, &at, worker, n_workers);) {
        const struct group group = {.first = runs.first,
                                    .n_rows = runs.n_there,
                                    .y = g->out + runs.first,
                                    .stride = m->frozen.rows,
                                    .runs = &runs};
        mix_models(g, worker, &group);
        finish_group(g, worker, &group);
        g->is_packed = !m->n_sparse;
    }
}

/* Row blocks go in groups of nearly equal size. */
static void multiply_blocks(struct stage *g, uint32_t worker, size_t begin, size_t end)
{
    const struct smol_frozen *f = &g->dense->matrices->frozen;
    const size_t batch = blocks_at_once(g);

    if (begin < end)
        begin_projections(g->pass->s, &g->pass->s->workers[worker], g->dense);
    for (size_t b = begin, n; b < end; b += n) {
        const size_t groups = (end - b + batch - 1) / batch, first = b * SMOL_ROW_BLOCK,
                     left = f->rows - first;
        n = (end - b + groups - 1) / groups;
        const struct group group = {
            .first = first,
            .n_rows = left < n * SMOL_ROW_BLOCK ? left : n * SMOL_ROW_BLOCK,
            .block = (uint32_t)b,
            .n_blocks = (uint32_t)n,
            .y = g->out + first,
            .stride = f->rows,
        };
        const bool has_first = multiply_ahead(g, worker, &group);
        mix_models(g, worker, &group);
        if (g->dense->n_terms)
            add_terms(g, worker, &group, has_first);
        finish_group(g, worker, &group);
        g->is_packed = g->dense->n_models + g->dense->n_terms == 1 && !g->dense->matrices->n_sparse;
    }
}

#define MANY_POSITIONS 64u /* of each worker */

/* Whether workers share out the positions instead of the rows. Then each makes all rows, which
 * takes little time beside the products of many positions; but what it reads, x to which it adds
 * them, and what comes next of both are its own, which may take longer to hear of from others. Only
 * of kernels that make rows fast. */
static bool shares_positions(const struct stage *g, uint32_t n_workers)
{
    const struct dense *d = g->dense;

    return g->then == SMOL_THEN_ADD && n_workers > 1 && g->pass->n >= MANY_POSITIONS * n_workers &&
           g->pass->s->numbers && d->n_models + d->n_terms == 1 && d->matrices->kind == FROZEN &&
           !d->matrices->projected.p.n;
}

static void row_blocks(void *arg, uint32_t worker, uint32_t n_workers)
{
    struct stage g = *(const struct stage *)arg;
    const struct smol_frozen *f = &g.dense->matrices->frozen;
    const bool has_runs = g.pass->n == 1 && g.dense->matrices->streams;
    const size_t n = has_runs ? smol_runs_begin(g.pass->s, g.dense->matrices) : (size_t)n_blocks(f);
    size_t begin = smol_share(n, worker, n_workers), end = smol_share(n, worker + 1, n_workers);

    if (shares_positions(&g, n_workers)) {
        g.from = smol_share(g.pass->n, worker, n_workers);
        g.n = smol_share(g.pass->n, worker + 1, n_workers) - g.from;
        g.in += g.from * f->cols;
        g.out += g.from * f->rows;
        begin = 0;
        end = n;
    }
    multiply_blocks(&g, worker, begin, end);
    if (has_runs)
        rows_in_runs(&g, worker, n_workers);
}

/* What a row takes, in multiplications of each of its numbers: a frozen weight has to be made
 * first, which takes longer than to multiply it; the rows of a projection are transforms, which
 * take far longer. */
static uint64_t effort(const struct dense *d)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < d->n_models + d->n_terms; i++)
        sum += d->matrices[i].projected.p.n ? 64 : d->matrices[i].kind == FROZEN ? 4 : 1;
    return sum;
}

void smol_multiply(const struct pass *pass, float *out, const struct dense *dense, const float *in,
                   enum smol_then then)
{
    struct stage stage = {
        .pass = pass, .dense = dense, .in = in, .out = out, .then = then, .n = pass->n};
    const struct smol_frozen *f = &dense->matrices->frozen;
    const uint64_t of_row = (uint64_t)pass->n * f->cols;

    for (uint32_t i = 0; i < dense->n_models + dense->n_terms; i++) {
        stage.matrix = &dense->matrices[i];
        if (stage.matrix->rank)
            smol_pass_run(pass->s, factors, &stage, stage.matrix->rank, of_row);
    }
    smol_pass_run(pass->s, row_blocks, &stage, n_blocks(f),
                  SMOL_ROW_BLOCK * of_row * effort(dense));
}
