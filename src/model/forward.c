/* The forward pass for a batch of positions. SPEC.md 8. Each position is computed by itself, each
 * row of a frozen matrix is generated once for the whole batch and never kept. Work is split so
 * that no sum crosses workers. */
#include "base/bytes.h"
#include "model/model.h"

#include <smol/params.h>

/* What the stages of a batch know. */
struct stage {
    struct smol_session *s;
    const uint32_t *tokens;
    uint32_t n; /* positions */
    uint32_t layer;
    const struct norm *norm;
    const struct matrix *matrix;
    float *y;          /* (n, R) output of a product */
    const float *in;   /* (n, K) input of a matrix */
    uint32_t in_width; /* K */
};

/* Whether all magnitudes are at most limit; not-a-number is not. */
static bool within(const float *x, size_t n, float limit)
{
    uint32_t largest = 0;

    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = smol_f32_bits(x[i]) & 0x7fffffffu;
        largest = bits > largest ? bits : largest;
    }
    return largest <= smol_f32_bits(limit);
}

/* Below 2^50 no later sum or square can leave the range of a float. */
static void check(struct stage *g, uint32_t worker, const float *x, size_t n)
{
    if (!within(x, n, 0x1.fffffep49f))
        g->s->workers[worker].overflow = true;
}

bool smol_overflowed(struct smol_session *session)
{
    bool any = false;

    for (uint32_t i = 0; i < session->n_workers; i++) {
        any = any || session->workers[i].overflow;
        session->workers[i].overflow = false;
    }
    return any;
}

static void run(struct stage *g, smol_work *work, uint64_t n_items)
{
    if (n_items < 2)
        work(g, 0, 1);
    else
        smol_pool_run(g->s->pool, work, g);
}

static void embed(void *arg, uint32_t worker, uint32_t n_workers)
{
    struct stage *g = arg;
    const size_t C = g->s->config->width;
    uint64_t begin, end;

    smol_share(&begin, &end, g->n, worker, n_workers);
    for (uint64_t p = begin; p < end; p++) {
        float *x = g->s->x + p * C, *h = g->s->h + p * C;
        smol_embedding_row(x, &g->s->file->wte, g->tokens[p]);
        smol_embedding_row(h, &g->s->file->wpe, g->s->position + (uint32_t)p);
        for (size_t i = 0; i < C; i++)
            x[i] += h[i];
        check(g, worker, x, C);
    }
}

static void quantise(struct stage *g, uint32_t worker, uint64_t p, const float *in, size_t n)
{
    check(g, worker, in, n);
    g->s->t[p] = g->s->kernels->quantise(g->s->X + p * g->s->x_stride, in, n);
}

/* h = LayerNorm(x), and its 16 bits. */
static void normalise(void *arg, uint32_t worker, uint32_t n_workers)
{
    struct stage *g = arg;
    const struct smol_session *s = g->s;
    const size_t C = s->config->width;
    uint64_t begin, end;

    smol_share(&begin, &end, g->n, worker, n_workers);
    for (uint64_t p = begin; p < end; p++) {
        s->kernels->layernorm(s->h + p * C, s->x + p * C, g->norm->gain, g->norm->bias,
                              s->config->ln_epsilon, C);
        quantise(g, worker, p, s->h + p * C, C);
    }
}

static float factor_dot(const struct smol_session *s, const struct matrix *m, const uint8_t *factor,
                        uint64_t row, const float *x, size_t n)
{
    return m->type == SMOL_F32 ? s->kernels->dot_f32(factor + row * n * 4, x, n)
                               : s->kernels->dot_f16(factor + row * n * 2, x, n);
}

/* z = A x for each position. */
static void factors(void *arg, uint32_t worker, uint32_t n_workers)
{
    struct stage *g = arg;
    const struct matrix *m = g->matrix;
    uint64_t begin, end;

    smol_share(&begin, &end, m->rank, worker, n_workers);
    for (uint64_t j = begin; j < end; j++)
        for (uint64_t p = 0; p < g->n; p++)
            g->s->z[p * m->rank + j] =
                factor_dot(g->s, m, m->a, j, g->in + p * g->in_width, g->in_width);
}

/* Rows first.. of a group from their exact sums (n, stride) to floats, with the factors' share. */
static void finish_rows(struct stage *g, const int64_t *sums, uint64_t stride, uint64_t first)
{
    const struct matrix *m = g->matrix;
    const uint64_t R = m->frozen.rows, left = R - first, rows = left < stride ? left : stride;

    for (uint64_t p = 0; p < g->n; p++) {
        float *y = g->y + p * R + first;
        g->s->kernels->scale_sums(y, sums + p * stride, m->frozen.scale * (double)g->s->t[p], rows);
        for (uint64_t r = 0; m->rank && r < rows; r++)
            y[r] += factor_dot(g->s, m, m->b, first + r, g->s->z + p * m->rank, m->rank);
    }
}

/* The projection's share of some rows. */
static void add_projection(struct stage *g, struct projector *projector, uint64_t first,
                           uint64_t n_rows)
{
    const struct smol_frozen *f = &g->matrix->frozen;

    for (uint64_t r = first; r < first + n_rows && r < f->rows; r++) {
        const float *row = smol_projector_row(projector, (uint32_t)r);
        for (uint64_t p = 0; p < g->n; p++)
            g->y[p * f->rows + r] +=
                g->s->kernels->dot_f32((const uint8_t *)row, g->in + p * g->in_width, g->in_width);
    }
}

/* The sparse term's share of some rows: its row times the inputs in its columns. gathered:
 * (n_sparse). */
static void add_sparse(struct stage *g, float *gathered, uint64_t first, uint64_t n_rows)
{
    const struct matrix *m = g->matrix;
    const uint64_t R = m->frozen.rows, end = R - first < n_rows ? R : first + n_rows,
                   q = m->n_sparse;

    for (uint64_t r = first; r < end; r++)
        for (uint64_t p = 0; p < g->n; p++) {
            const float *in = g->in + p * g->in_width;
            for (uint64_t k = 0; k < q; k++)
                gathered[k] = in[m->columns[r * q + k]];
            g->y[p * R + r] += m->sparse_type == SMOL_F32
                                   ? g->s->kernels->dot_f32(m->sparse + r * q * 4, gathered, q)
                                   : g->s->kernels->dot_f16(m->sparse + r * q * 2, gathered, q);
        }
}

/* Gains and biases of some rows, which all else has been added to. */
static void scale_and_shift(struct stage *g, uint64_t first, uint64_t n_rows)
{
    const struct matrix *m = g->matrix;
    const uint64_t R = m->frozen.rows, end = R - first < n_rows ? R : first + n_rows;

    for (uint64_t p = 0; p < g->n; p++) {
        float *y = g->y + p * R;
        for (uint64_t r = first; m->gain && r < end; r++)
            y[r] *= m->gain[r];
        for (uint64_t r = first; m->bias && r < end; r++)
            y[r] += m->bias[r];
    }
}

/* n row blocks from block b on, of kept weights, times one vector. */
static void kept_blocks(struct stage *g, uint32_t worker, uint64_t b, uint64_t n)
{
    const struct smol_frozen *f = &g->matrix->frozen;
    const uint64_t first = b * SMOL_ROW_BLOCK, left = f->rows - first, most = n * SMOL_ROW_BLOCK;

    g->s->kernels->rows_i16(g->s->workers[worker].sums, g->matrix->kept + first * f->cols,
                            left < most ? left : most, f->cols, g->s->X);
}

/* Row blocks go in groups of nearly equal size. */
static void row_blocks(void *arg, uint32_t worker, uint32_t n_workers)
{
    struct stage *g = arg;
    const struct smol_session *s = g->s;
    const struct smol_frozen *f = &g->matrix->frozen;
    uint64_t begin, end, n;

    smol_share(&begin, &end, (f->rows + SMOL_ROW_BLOCK - 1) / SMOL_ROW_BLOCK, worker, n_workers);
    if (g->matrix->projected.p.n && begin < end)
        smol_projector_begin(s->workers[worker].projector, &g->matrix->projected, s->kernels);
    for (uint64_t b = begin; b < end; b += n) {
        const uint64_t groups = (end - b + SMOL_BLOCK_BATCH - 1) / SMOL_BLOCK_BATCH;
        n = (end - b + groups - 1) / groups;
        if (g->matrix->kept && g->n == 1)
            kept_blocks(g, worker, b, n);
        else
            s->product(s->workers[worker].sums, f, (uint32_t)b, (uint32_t)n, s->X, s->x_stride,
                       g->n, s->workers[worker].scratch);
        finish_rows(g, s->workers[worker].sums, n * SMOL_ROW_BLOCK, b * SMOL_ROW_BLOCK);
        if (g->matrix->n_sparse)
            add_sparse(g, s->workers[worker].scratch, b * SMOL_ROW_BLOCK, n * SMOL_ROW_BLOCK);
        if (g->matrix->projected.p.n)
            add_projection(g, s->workers[worker].projector, b * SMOL_ROW_BLOCK, n * SMOL_ROW_BLOCK);
        if (g->matrix->gain || g->matrix->bias)
            scale_and_shift(g, b * SMOL_ROW_BLOCK, n * SMOL_ROW_BLOCK);
    }
}

/* y (n, R) = the matrix times in (n, K), whose 16 bits are in X. */
static void multiply(struct stage *g, float *y, const struct matrix *m, const float *in)
{
    g->y = y;
    g->matrix = m;
    g->in = in;
    g->in_width = m->frozen.cols;
    if (m->rank)
        run(g, factors, m->rank);
    run(g, row_blocks, (m->frozen.rows + SMOL_ROW_BLOCK - 1) / SMOL_ROW_BLOCK);
}

/* Which row of the cache is the first of a head of the present layer. */
static uint64_t cache_row(const struct stage *g, uint64_t head)
{
    return (g->layer * (uint64_t)g->s->config->n_heads + head) * g->s->context;
}

/* A row of D numbers into one half of the cache. */
static void keep_row(const struct smol_session *s, uint8_t *rows, float *scales, uint64_t row,
                     const float *v, size_t D)
{
    uint8_t *dest = rows + row * smol_row_bytes(s->kv_type, (uint32_t)D);

    if (s->kv_type == SMOL_F32)
        memcpy(dest, v, D * sizeof *v);
    else if (s->kv_type == SMOL_F16)
        smol_encode_numbers(dest, SMOL_F16, v, D);
    else
        scales[row] = smol_encode_q8(dest, v, D);
}

/* K and V of the batch into the cache; halves hold numbers up to 65504. */
static void keep(void *arg, uint32_t worker, uint32_t n_workers)
{
    struct stage *g = arg;
    const struct smol_session *s = g->s;
    const size_t C = s->config->width, H = s->config->n_heads, D = C / H;
    uint64_t begin, end;

    smol_share(&begin, &end, g->n, worker, n_workers);
    for (uint64_t p = begin; p < end; p++) {
        const float *qkv = s->qkv + p * 3 * C;
        check(g, worker, qkv, 3 * C);
        if (s->kv_type == SMOL_F16 && !within(qkv + C, 2 * C, 65504.0f))
            s->workers[worker].overflow = true;
        for (uint64_t head = 0; head < H; head++) {
            const uint64_t row = cache_row(g, head) + s->position + p;
            keep_row(s, s->keys, s->key_scales, row, qkv + C + head * D, D);
            keep_row(s, s->values, s->value_scales, row, qkv + 2 * C + head * D, D);
        }
    }
}

/* n rows of one half of the cache as floats, in memory of the worker unless they are floats. */
static const float *cached(const struct smol_session *s, const uint8_t *rows, const float *scales,
                           uint64_t row, size_t n, size_t D, float *memory)
{
    const uint8_t *data = rows + row * smol_row_bytes(s->kv_type, (uint32_t)D);

    if (s->kv_type == SMOL_F32)
        return (const float *)(const void *)data;
    if (s->kv_type == SMOL_F16)
        s->kernels->from_f16(memory, data, n * D);
    else
        for (size_t j = 0; j < n; j++)
            smol_numbers_to_f32(memory + j * D, SMOL_Q8, data + j * D, scales[row + j], D);
    return memory;
}

/* Attention by (head, position), so that a head's rows are made floats once; outputs into h. */
static void attend(void *arg, uint32_t worker, uint32_t n_workers)
{
    struct stage *g = arg;
    const struct smol_session *s = g->s;
    const struct worker *w = &s->workers[worker];
    const size_t C = s->config->width, H = s->config->n_heads, D = C / H;
    const float *K = NULL, *V = NULL;
    uint64_t begin, end;

    smol_share(&begin, &end, g->n * H, worker, n_workers);
    for (uint64_t i = begin; i < end; i++) {
        const uint64_t p = i % g->n, head = i / g->n, row = cache_row(g, head);
        if (i == begin || p == 0) {
            K = cached(s, s->keys, s->key_scales, row, s->position + g->n, D, w->keys);
            V = cached(s, s->values, s->value_scales, row, s->position + g->n, D, w->values);
        }
        s->kernels->attention(s->h + p * C + head * D, s->qkv + p * 3 * C + head * D, K, V, D,
                              s->position + p + 1, D, w->scores);
    }
}

static void quantise_attention(void *arg, uint32_t worker, uint32_t n_workers)
{
    struct stage *g = arg;
    const size_t C = g->s->config->width;
    uint64_t begin, end;

    smol_share(&begin, &end, g->n, worker, n_workers);
    for (uint64_t p = begin; p < end; p++)
        quantise(g, worker, p, g->s->h + p * C, C);
}

static void activate(void *arg, uint32_t worker, uint32_t n_workers)
{
    struct stage *g = arg;
    const size_t F = g->s->config->n_ff;
    uint64_t begin, end;

    smol_share(&begin, &end, g->n, worker, n_workers);
    for (uint64_t p = begin; p < end; p++) {
        float *f = g->s->ff + p * F;
        check(g, worker, f, F);
        g->s->kernels->gelu(f, F);
        quantise(g, worker, p, f, F);
    }
}

/* x += y, the projection's output. */
static void add(void *arg, uint32_t worker, uint32_t n_workers)
{
    struct stage *g = arg;
    const size_t C = g->s->config->width;
    uint64_t begin, end;

    smol_share(&begin, &end, g->n, worker, n_workers);
    for (uint64_t i = begin * C; i < end * C; i++)
        g->s->x[i] += g->y[i];
    check(g, worker, g->s->x + begin * C, (end - begin) * C);
}

static void layer_forward(struct stage *g, struct layer *layer)
{
    struct smol_session *s = g->s;

    g->norm = norm_of(layer, SMOL_LN_1);
    run(g, normalise, g->n);
    multiply(g, s->qkv, matrix_of(layer, SMOL_ATTN_C_ATTN), s->h);
    run(g, keep, g->n);
    run(g, attend, (uint64_t)g->n * s->config->n_heads);
    run(g, quantise_attention, g->n);
    multiply(g, s->qkv, matrix_of(layer, SMOL_ATTN_C_PROJ), s->h);
    run(g, add, g->n);
    g->norm = norm_of(layer, SMOL_LN_2);
    run(g, normalise, g->n);
    multiply(g, s->ff, matrix_of(layer, SMOL_MLP_C_FC), s->h);
    run(g, activate, g->n);
    multiply(g, s->h, matrix_of(layer, SMOL_MLP_C_PROJ), s->ff);
    run(g, add, g->n);
}

void smol_forward(struct smol_session *session, const uint32_t *tokens, uint32_t n)
{
    struct stage g = {.s = session, .tokens = tokens, .n = n};

    run(&g, embed, n);
    for (g.layer = 0; g.layer < session->config->n_layers; g.layer++)
        layer_forward(&g, &session->layers[g.layer]);
}

#define HEAD_ROWS 64u /* of 8 or 4 bits, by one call */

static void head_rows_integer(struct stage *g, uint32_t worker, uint64_t begin, uint64_t end)
{
    const struct smol_session *s = g->s;
    const struct smol_table_view *t = &s->file->wte;
    const uint64_t row_bytes = smol_row_bytes(t->type, t->cols);
    smol_rows_product *product = t->type == SMOL_Q4 ? s->kernels->rows_q4 : s->kernels->rows_q8;
    const double step = (double)s->t[0];
    int64_t *sums = s->workers[worker].sums;
    struct smol_rows rows = {.cols = t->cols};

    for (uint64_t v = begin; v < end; v += rows.n_rows) {
        rows.data = t->data + v * row_bytes;
        rows.multipliers =
            t->multipliers ? t->multipliers + v * smol_row_multipliers(t->cols) : NULL;
        rows.n_rows = end - v < HEAD_ROWS ? end - v : HEAD_ROWS;
        product(sums, &rows, s->X, s->x_stride, 1, s->workers[worker].scratch);
        for (size_t i = 0; i < rows.n_rows; i++)
            g->y[v + i] =
                (float)((double)smol_load_f32(t->scales + 4 * (v + i)) * step * (double)sums[i]);
    }
}

static void head_rows_float(struct stage *g, uint64_t begin, uint64_t end)
{
    const struct smol_session *s = g->s;
    const struct smol_table_view *t = &s->file->wte;
    const size_t C = t->cols;

    for (uint64_t v = begin; v < end; v++)
        g->y[v] = t->type == SMOL_F32 ? s->kernels->dot_f32(t->data + v * C * 4, s->h, C)
                                      : s->kernels->dot_f16(t->data + v * C * 2, s->h, C);
}

/* Logits of a share of the vocabulary from h (C) and its 16 bits. */
static void head_rows(void *arg, uint32_t worker, uint32_t n_workers)
{
    struct stage *g = arg;
    const struct smol_config *c = g->s->config;
    uint64_t begin, end;

    smol_share(&begin, &end, c->vocab, worker, n_workers);
    if (g->s->file->wte.scales)
        head_rows_integer(g, worker, begin, end);
    else
        head_rows_float(g, begin, end);
    for (uint64_t v = begin; v < end; v++)
        g->y[v] *= c->logit_scale;
    check(g, worker, g->y + begin, end - begin);
}

void smol_head(struct smol_session *session, float *logits, uint32_t p)
{
    const size_t C = session->config->width;
    struct stage g = {.s = session, .y = logits};

    session->kernels->layernorm(session->h, session->x + p * C, session->ln_f.gain,
                                session->ln_f.bias, session->config->ln_epsilon, C);
    quantise(&g, 0, 0, session->h, C);
    run(&g, head_rows, session->config->vocab);
}
