/* The forward pass for a batch of positions. SPEC.md 8. Each position is computed by itself, each
 * row of a frozen matrix is generated once for the whole batch and never kept. Work is split so
 * that no sum crosses workers. */
#include "base/bytes.h"
#include "model/model.h"

#include <smol/params.h>

#include <math.h>

/* A batch on its way through the layers. */
struct pass {
    struct smol_session *s;
    const uint32_t *tokens;
    uint32_t n; /* positions */
    uint32_t layer;
};

/* One stage of it, and what it works on. */
struct stage {
    const struct pass *pass;
    const struct norm *norm;
    const struct matrix *matrix;
    const float *in; /* (n, K) of the matrix */
    float *out;      /* (n, R) of the matrix; or what is activated or added */
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
static void check(const struct smol_session *s, uint32_t worker, const float *x, size_t n)
{
    if (!within(x, n, 0x1.fffffep49f))
        s->workers[worker].overflow = true;
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

static void run(const struct smol_session *s, smol_work *work, void *stage, uint64_t n_items)
{
    if (n_items < 2)
        work(stage, 0, 1);
    else
        smol_pool_run(s->pool, work, stage);
}

static void embed(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct pass *g = arg;
    const struct smol_session *s = g->s;
    const size_t C = s->config->width;
    const uint64_t end = smol_share(g->n, worker + 1, n_workers);

    for (uint64_t p = smol_share(g->n, worker, n_workers); p < end; p++) {
        float *x = s->x + p * C, *h = s->h + p * C;
        smol_embedding_row(x, &s->file->wte, g->tokens[p]);
        smol_embedding_row(h, &s->file->wpe, s->position + (uint32_t)p);
        for (size_t i = 0; i < C; i++)
            x[i] += h[i];
        check(s, worker, x, C);
    }
}

/* The 16 bits of position p's input of a matrix. */
static void quantise(const struct smol_session *s, uint32_t worker, uint64_t p, const float *in,
                     size_t n)
{
    check(s, worker, in, n);
    s->t[p] = s->kernels->quantise(s->X + p * s->x_stride, in, n);
}

/* h = LayerNorm(x), and its 16 bits. */
static void normalise(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct stage *g = arg;
    const struct smol_session *s = g->pass->s;
    const size_t C = s->config->width;
    const uint64_t end = smol_share(g->pass->n, worker + 1, n_workers);

    for (uint64_t p = smol_share(g->pass->n, worker, n_workers); p < end; p++) {
        s->kernels->layernorm(s->h + p * C, s->x + p * C, g->norm->gain, g->norm->bias,
                              s->config->ln_epsilon, C);
        quantise(s, worker, p, s->h + p * C, C);
    }
}

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

/* Rows first.. of a group from their exact sums (n, stride) to floats, with the factors' share. */
static void finish_rows(const struct stage *g, const int64_t *sums, uint64_t stride, uint64_t first)
{
    const struct smol_session *s = g->pass->s;
    const struct matrix *m = g->matrix;
    const uint64_t R = m->frozen.rows, left = R - first, rows = left < stride ? left : stride;

    for (uint64_t p = 0; p < g->pass->n; p++) {
        float *y = g->out + p * R + first;
        s->kernels->scale_sums(y, sums + p * stride, m->frozen.scale * (double)s->t[p], rows);
        for (uint64_t r = 0; m->rank && r < rows; r++)
            y[r] += dot(s, m->type, m->b, first + r, s->z + p * m->rank, m->rank);
    }
}

/* The projection's share of some rows. */
static void add_projection(const struct stage *g, struct projector *projector, uint64_t first,
                           uint64_t n_rows)
{
    const struct smol_frozen *f = &g->matrix->frozen;

    for (uint64_t r = first; r < first + n_rows && r < f->rows; r++) {
        const float *row = smol_projector_row(projector, (uint32_t)r);
        for (uint64_t p = 0; p < g->pass->n; p++)
            g->out[p * f->rows + r] +=
                g->pass->s->kernels->dot_f32((const uint8_t *)row, g->in + p * f->cols, f->cols);
    }
}

/* The sparse term's share of some rows: its row times the inputs in its columns. gathered:
 * (n_sparse). */
static void add_sparse(const struct stage *g, float *gathered, uint64_t first, uint64_t n_rows)
{
    const struct matrix *m = g->matrix;
    const uint64_t R = m->frozen.rows, end = R - first < n_rows ? R : first + n_rows,
                   q = m->n_sparse;

    for (uint64_t r = first; r < end; r++)
        for (uint64_t p = 0; p < g->pass->n; p++) {
            const float *in = g->in + p * m->frozen.cols;
            for (uint64_t k = 0; k < q; k++)
                gathered[k] = in[m->columns[r * q + k]];
            g->out[p * R + r] += dot(g->pass->s, m->sparse_type, m->sparse, r, gathered, q);
        }
}

/* Gains and biases of some rows, which all else has been added to. */
static void scale_and_shift(const struct stage *g, uint64_t first, uint64_t n_rows)
{
    const struct matrix *m = g->matrix;
    const uint64_t R = m->frozen.rows, end = R - first < n_rows ? R : first + n_rows;

    for (uint64_t p = 0; p < g->pass->n; p++) {
        float *y = g->out + p * R;
        for (uint64_t r = first; m->gain && r < end; r++)
            y[r] *= m->gain[r];
        for (uint64_t r = first; m->bias && r < end; r++)
            y[r] += m->bias[r];
    }
}

/* n row blocks from block b on, of kept weights, times one vector. */
static void kept_blocks(const struct stage *g, uint32_t worker, uint64_t b, uint64_t n)
{
    const struct smol_session *s = g->pass->s;
    const struct smol_frozen *f = &g->matrix->frozen;
    const uint64_t first = b * SMOL_ROW_BLOCK, left = f->rows - first, most = n * SMOL_ROW_BLOCK;

    s->kernels->rows_i16(s->workers[worker].sums, g->matrix->kept + first * f->cols,
                         left < most ? left : most, f->cols, s->X);
}

/* Row blocks go in groups of nearly equal size. */
static void row_blocks(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct stage *g = arg;
    const struct smol_session *s = g->pass->s;
    const struct smol_frozen *f = &g->matrix->frozen;
    const struct worker *w = &s->workers[worker];
    const uint64_t begin = smol_share(n_blocks(f), worker, n_workers),
                   end = smol_share(n_blocks(f), worker + 1, n_workers);

    if (g->matrix->projected.p.n && begin < end)
        smol_projector_begin(w->projector, &g->matrix->projected, s->kernels);
    for (uint64_t b = begin, n; b < end; b += n) {
        const uint64_t groups = (end - b + SMOL_BLOCK_BATCH - 1) / SMOL_BLOCK_BATCH;
        n = (end - b + groups - 1) / groups;
        const uint64_t first = b * SMOL_ROW_BLOCK, n_rows = n * SMOL_ROW_BLOCK;
        if (g->matrix->kept && g->pass->n == 1)
            kept_blocks(g, worker, b, n);
        else
            s->product(w->sums, f, (uint32_t)b, (uint32_t)n, s->X, s->x_stride, g->pass->n,
                       w->scratch);
        finish_rows(g, w->sums, n_rows, first);
        if (g->matrix->n_sparse)
            add_sparse(g, w->scratch, first, n_rows);
        if (g->matrix->projected.p.n)
            add_projection(g, w->projector, first, n_rows);
        if (g->matrix->gain || g->matrix->bias)
            scale_and_shift(g, first, n_rows);
    }
}

/* out (n, R) = the matrix times in (n, K), whose 16 bits are in X. */
static void multiply(const struct pass *pass, float *out, const struct matrix *m, const float *in)
{
    struct stage stage = {.pass = pass, .matrix = m, .in = in, .out = out};

    if (m->rank)
        run(pass->s, factors, &stage, m->rank);
    run(pass->s, row_blocks, &stage, n_blocks(&m->frozen));
}

/* Which row of the cache is the first of a head of the present layer. */
static uint64_t cache_row(const struct pass *g, uint64_t head)
{
    return (g->layer * (uint64_t)g->s->config->n_heads + head) * g->s->context;
}

/* A row of D numbers into one half of the cache. */
static void store_row(const struct smol_session *s, uint8_t *rows, float *scales, uint64_t row,
                      const float *v, size_t D)
{
    uint8_t *dest = rows + row * smol_row_bytes(s->kv_type, (uint32_t)D);

    if (s->kv_type == SMOL_F32)
        memcpy(dest, v, D * sizeof *v);
    else if (s->kv_type == SMOL_F16)
        for (size_t i = 0; i < D; i++)
            smol_put16(dest + 2 * i, smol_f32_to_f16(v[i]));
    else
        scales[row] = smol_f32_to_q8(dest, v, D);
}

/* Stores K and V of the batch in the cache; halves hold values up to 65504. */
static void store_kv(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct pass *g = arg;
    const struct smol_session *s = g->s;
    const size_t C = s->config->width, H = s->config->n_heads, D = C / H;
    const uint64_t end = smol_share(g->n, worker + 1, n_workers);

    for (uint64_t p = smol_share(g->n, worker, n_workers); p < end; p++) {
        const float *qkv = s->wide + p * 3 * C;
        check(s, worker, qkv, 3 * C);
        if (s->kv_type == SMOL_F16 && !within(qkv + C, 2 * C, 65504.0f))
            s->workers[worker].overflow = true;
        for (uint64_t head = 0; head < H; head++) {
            const uint64_t row = cache_row(g, head) + s->position + p;
            store_row(s, s->keys, s->key_scales, row, qkv + C + head * D, D);
            store_row(s, s->values, s->value_scales, row, qkv + 2 * C + head * D, D);
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

/* Attention by (head, position), so that a head's rows are converted to floats once; outputs go
 * into h. */
static void attend(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct pass *g = arg;
    const struct smol_session *s = g->s;
    const struct worker *w = &s->workers[worker];
    const size_t C = s->config->width, H = s->config->n_heads, D = C / H;
    const float *K = NULL, *V = NULL, scale = 1.0f / sqrtf((float)D);
    const uint64_t end = smol_share(g->n * H, worker + 1, n_workers);

    for (uint64_t i = smol_share(g->n * H, worker, n_workers); i < end; i++) {
        const uint64_t p = i % g->n, head = i / g->n, row = cache_row(g, head);
        if (!K || p == 0) {
            K = cached(s, s->keys, s->key_scales, row, s->position + g->n, D, w->keys);
            V = cached(s, s->values, s->value_scales, row, s->position + g->n, D, w->values);
        }
        s->kernels->attention(s->h + p * C + head * D, s->wide + p * 3 * C + head * D, K, V, D,
                              s->position + p + 1, D, scale, 0, w->scores);
    }
}

static void quantise_attention(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct pass *g = arg;
    const size_t C = g->s->config->width;
    const uint64_t end = smol_share(g->n, worker + 1, n_workers);

    for (uint64_t p = smol_share(g->n, worker, n_workers); p < end; p++)
        quantise(g->s, worker, p, g->s->h + p * C, C);
}

/* GELU of out (n, F), and its 16 bits. */
static void activate(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct stage *g = arg;
    const struct smol_session *s = g->pass->s;
    const size_t F = s->config->n_ff;
    const uint64_t end = smol_share(g->pass->n, worker + 1, n_workers);

    for (uint64_t p = smol_share(g->pass->n, worker, n_workers); p < end; p++) {
        float *f = g->out + p * F;
        check(s, worker, f, F);
        s->kernels->gelu(f, F);
        quantise(s, worker, p, f, F);
    }
}

/* x += out (n, C). */
static void add(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct stage *g = arg;
    const struct smol_session *s = g->pass->s;
    const size_t C = s->config->width;
    const uint64_t begin = smol_share(g->pass->n, worker, n_workers) * C,
                   end = smol_share(g->pass->n, worker + 1, n_workers) * C;

    for (uint64_t i = begin; i < end; i++)
        s->x[i] += g->out[i];
    check(s, worker, s->x + begin, end - begin);
}

/* Queries, keys and values are in `wide`, then what attention adds to x; the hidden units of the
 * second half too, and what it adds is in h. */
static void layer_forward(struct pass *pass, struct layer *layer)
{
    struct smol_session *s = pass->s;
    struct stage of_wide = {.pass = pass, .out = s->wide}, of_h = {.pass = pass, .out = s->h},
                 ln_1 = {.pass = pass, .norm = norm_of(layer, SMOL_LN_1)},
                 ln_2 = {.pass = pass, .norm = norm_of(layer, SMOL_LN_2)};
    const uint32_t n = pass->n;

    run(s, normalise, &ln_1, n);
    multiply(pass, s->wide, matrix_of(layer, SMOL_ATTN_C_ATTN), s->h);
    run(s, store_kv, pass, n);
    run(s, attend, pass, (uint64_t)n * s->config->n_heads);
    run(s, quantise_attention, pass, n);
    multiply(pass, s->wide, matrix_of(layer, SMOL_ATTN_C_PROJ), s->h);
    run(s, add, &of_wide, n);
    run(s, normalise, &ln_2, n);
    multiply(pass, s->wide, matrix_of(layer, SMOL_MLP_C_FC), s->h);
    run(s, activate, &of_wide, n);
    multiply(pass, s->h, matrix_of(layer, SMOL_MLP_C_PROJ), s->wide);
    run(s, add, &of_h, n);
}

void smol_forward(struct smol_session *session, const uint32_t *tokens, uint32_t n)
{
    struct pass pass = {.s = session, .tokens = tokens, .n = n};

    run(session, embed, &pass, n);
    for (; pass.layer < session->config->n_layers; pass.layer++)
        layer_forward(&pass, &session->layers[pass.layer]);
}

#define HEAD_ROWS 64u /* of 8 or 4 bits, by one call */

struct head_stage {
    const struct smol_session *s;
    float *logits; /* (V) */
};

static void integer_rows(const struct smol_session *s, float *logits, uint32_t worker,
                         uint64_t begin, uint64_t end)
{
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
            logits[v + i] =
                (float)((double)smol_load_f32(t->scales + 4 * (v + i)) * step * (double)sums[i]);
    }
}

/* Logits of a share of the vocabulary from h (C) and its 16 bits. */
static void head_rows(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct head_stage *g = arg;
    const struct smol_config *c = g->s->config;
    const struct smol_table_view *t = &g->s->file->wte;
    const uint64_t begin = smol_share(c->vocab, worker, n_workers),
                   end = smol_share(c->vocab, worker + 1, n_workers);

    if (t->scales)
        integer_rows(g->s, g->logits, worker, begin, end);
    for (uint64_t v = begin; !t->scales && v < end; v++)
        g->logits[v] = dot(g->s, t->type, t->data, v, g->s->h, t->cols);
    for (uint64_t v = begin; v < end; v++)
        g->logits[v] *= c->logit_scale;
    check(g->s, worker, g->logits + begin, end - begin);
}

void smol_head(struct smol_session *session, float *logits, uint32_t p)
{
    const size_t C = session->config->width;

    session->kernels->layernorm(session->h, session->x + p * C, session->ln_f.gain,
                                session->ln_f.bias, session->config->ln_epsilon, C);
    quantise(session, 0, 0, session->h, C);
    run(session, head_rows, &(struct head_stage){session, logits}, session->config->vocab);
}
