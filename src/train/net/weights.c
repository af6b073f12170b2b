/* From the seed and the parameters to matrices and norms, and from their gradients back to those of
 * the parameters. The gradient of a frozen matrix is not kept: with alphas, it exists only until it
 * has been multiplied by the regenerated bases. */
#include "train/net/weights.h"
#include "train/models/models.h"
#include "train/net/latent.h"
#include "train/net/projection.h"
#include "train/net/round.h"
#include "train/net/sparse.h"

#include "base/bytes.h"
#include "kernel/kernel.h"

#include <omp.h>

/* A frozen tensor's coefficients and its tables in both forms. */
struct frozen_spec {
    struct smol_frozen frozen;
    const struct smol_scheme *scheme;
    int16_t table[SMOL_MAX_PLANES * SMOL_TABLE_ENTRIES];
    /* The terms of a weight, if no integers need be added up first: sigma T_p[u] if smooth, or the
     * weights of the only plane. */
    real values[SMOL_MAX_PLANES * SMOL_TABLE_ENTRIES];
};

static double basis(enum smol_dist dist, uint32_t k, uint32_t u)
{
    if (dist == SMOL_GAUSS)
        return smol_gauss_table[u];
    return (u >> (k % 8) & 1u) != 0 ? -1 : 1;
}

static uint32_t plane_of(enum smol_dist dist, uint32_t k) { return dist == SMOL_GAUSS ? k : k / 8; }

static void exact_table(struct frozen_spec *r, const double *alpha)
{
    const struct smol_scheme *s = r->scheme;

    memset(r->values, 0, sizeof r->values);
    for (uint32_t k = 0; k < s->d; k++)
        for (uint32_t u = 0; u < SMOL_TABLE_ENTRIES; u++)
            r->values[plane_of(s->dist, k) * SMOL_TABLE_ENTRIES + u] +=
                (real)((double)s->sigma * alpha[k] * basis(s->dist, k, u));
}

static void make_spec(struct frozen_spec *r, const struct smol_net *net,
                      const struct smol_net_frozen *f)
{
    const struct smol_scheme *s = &f->scheme;
    double alpha[SMOL_MAX_BASES] = {1};

    if (f->alpha != SMOL_NO_PARAM && !smol_scheme_projects(s))
        for (uint32_t k = 0; k < s->d; k++)
            alpha[k] = (double)smol_net_used(net, f->alpha)[k];
    r->scheme = s;
    r->frozen = (struct smol_frozen){.key = &net->key,
                                     .tensor = f->tensor,
                                     .purpose = f->purpose,
                                     .rows = (uint32_t)f->rows,
                                     .cols = (uint32_t)f->cols,
                                     .n_planes = smol_frozen_planes(s->dist, s->d),
                                     .table = r->table};
    r->frozen.scale = (double)s->sigma * smol_frozen_table(r->table, s->dist, alpha, s->d);
    if (net->smooth)
        exact_table(r, alpha);
    else if (r->frozen.n_planes == 1)
        for (uint32_t u = 0; u < SMOL_TABLE_ENTRIES; u++)
            r->values[u] = (real)(r->frozen.scale * r->table[u]);
}

static void *thread_scratch(const struct smol_net *net)
{
    return (unsigned char *)net->scratch + (size_t)omp_get_thread_num() * net->scratch_bytes;
}

static void integer_rows(real *weight, const struct frozen_spec *r, int16_t *scratch, uint32_t row,
                         uint32_t n_rows)
{
    const size_t n = (size_t)n_rows * r->frozen.cols;

    smol_frozen_weights(scratch, &r->frozen, row, n_rows);
    for (size_t i = 0; i < n; i++)
        weight[i] = (real)(r->frozen.scale * scratch[i]);
}

/* The bytes (n_rows, cols) of a plane of a row block. */
static void plane_bytes(uint8_t *bytes, const struct smol_net *net, const struct frozen_spec *r,
                        uint32_t plane, uint32_t row, uint32_t n_rows)
{
    const uint32_t cols = r->frozen.cols;

    if (cols % SMOL_STEP_BYTES == 0)
        net->kernels->stream_bytes(bytes, (size_t)n_rows * cols, &r->frozen, plane,
                                   row / SMOL_ROW_BLOCK, 1);
    else
        smol_frozen_bytes(bytes, &r->frozen, plane, row, n_rows);
}

static void looked_up_rows(real *weight, const struct smol_net *net, const struct frozen_spec *r,
                           uint8_t *scratch, uint32_t row, uint32_t n_rows)
{
    const size_t n = (size_t)n_rows * r->frozen.cols;

    for (uint32_t p = 0; p < r->frozen.n_planes; p++) {
        const real *values = r->values + p * SMOL_TABLE_ENTRIES;

        plane_bytes(scratch, net, r, p, row, n_rows);
        if (p == 0)
            net->ops->look_up(weight, scratch, values, n);
        for (size_t i = 0; p > 0 && i < n; i++)
            weight[i] += values[scratch[i]];
    }
}

static void regenerate(const struct smol_net *net, const struct smol_net_frozen *f)
{
    const uint32_t rows = (uint32_t)f->rows,
                   n_blocks = (rows + SMOL_ROW_BLOCK - 1) / SMOL_ROW_BLOCK;
    struct frozen_spec r;

    make_spec(&r, net, f);
#pragma omp parallel for schedule(static) num_threads((int)net->n_threads)
    for (uint32_t b = 0; b < n_blocks; b++) {
        const uint32_t row = b * SMOL_ROW_BLOCK;
        const uint32_t n = rows - row < SMOL_ROW_BLOCK ? rows - row : SMOL_ROW_BLOCK;
        real *dest = f->weight + row * f->cols;

        if (net->smooth || r.frozen.n_planes == 1)
            looked_up_rows(dest, net, &r, thread_scratch(net), row, n);
        else
            integer_rows(dest, &r, thread_scratch(net), row, n);
    }
}

static const real *factor_a(const struct smol_net *net, const struct smol_net_matrix *m)
{
    return m->a.weight ? m->a.weight : smol_net_used(net, m->factor_a);
}

static const real *factor_b(const struct smol_net *net, const struct smol_net_matrix *m)
{
    return m->b.weight ? m->b.weight : smol_net_used(net, m->factor_b);
}

static void add_factors(const struct smol_net *net, const struct smol_net_matrix *m)
{
    const size_t rank = m->scheme->rank;

    net->ops->gemm(m->weight, m->cols, smol_as_is(factor_b(net, m), rank),
                   smol_as_is(factor_a(net, m), m->cols), m->rows, m->cols, rank, 1, 1,
                   net->product_room);
}

/* m's weights but for its factors and its sparse term. */
static struct smol_net_frozen frozen_part(const struct smol_net_matrix *m)
{
    struct smol_net_frozen f = {.scheme = *m->scheme,
                                .purpose = SMOL_PURPOSE_MATRIX,
                                .tensor = m->tensor,
                                .alpha = m->alpha,
                                .rows = m->rows,
                                .cols = m->cols,
                                .weight = m->weight};

    if (f.scheme.source == SMOL_MATRIX_NOLA)
        f.scheme.d = 1;
    return f;
}

void smol_net_start_rows(struct smol_net *net, const struct smol_net_matrix *m)
{
    struct smol_net_frozen f = frozen_part(m);

    f.scheme =
        (struct smol_scheme){.kind = SMOL_MATRIX, .dist = net->dist, .d = 1, .sigma = m->sigma};
    f.alpha = SMOL_NO_PARAM;
    f.weight = smol_net_value(net, m->full);
    regenerate(net, &f);
}

/* m's weights without factors, sparse term and gains; of a delta, with the models' and their
 * gains. */
static void weights_alone(struct smol_net *net, const struct smol_net_matrix *m)
{
    const struct smol_net_frozen f = frozen_part(m);
    const bool on_models = m->base.size > 0, projects = smol_scheme_projects(m->scheme);
    bool is_made = true;

    if (m->row_scale != SMOL_NO_PARAM) {
        smol_ternary_weights(net, m);
    } else if (m->full != SMOL_NO_PARAM) {
        memcpy(m->weight, smol_net_used(net, m->full), m->rows * m->cols * sizeof *m->weight);
    } else if (m->score != SMOL_NO_PARAM) {
        smol_mask_weights(net, m);
    } else if (on_models && (projects || m->alpha == SMOL_NO_PARAM)) {
        is_made = false; /* nothing is frozen here but the models */
    } else {
        regenerate(net, &f);
    }
    if (on_models)
        smol_models_weights(net, m, is_made);
    if (projects)
        smol_projection_add(net, m);
}

bool smol_net_borrows(const struct smol_net_matrix *m)
{
    if (m->base.size > 0)
        return smol_models_alone(m);
    return m->full != SMOL_NO_PARAM && m->row_scale == SMOL_NO_PARAM &&
           m->factor_a == SMOL_NO_PARAM && m->sparse == SMOL_NO_PARAM;
}

/* The weights with each row times its gain. */
static void fold_gains(const struct smol_net *net, const struct smol_net_matrix *m)
{
    const real *gain = smol_net_used(net, m->gain);

#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < m->rows; r++)
        for (size_t c = 0; c < m->cols; c++)
            m->folded[r * m->cols + c] = gain[r] * m->weight[r * m->cols + c];
}

static void materialise_matrix(struct smol_net *net, const struct smol_net_matrix *m,
                               bool everything)
{
    const bool factors = m->factor_a != SMOL_NO_PARAM || m->a.weight;
    const bool changes = m->alpha != SMOL_NO_PARAM || m->score != SMOL_NO_PARAM ||
                         m->full != SMOL_NO_PARAM || factors || m->sparse != SMOL_NO_PARAM ||
                         m->bias_sum || smol_models_need_whole(m);

    if (!(changes || everything))
        return;
    smol_base_mix(net, &m->base);
    smol_base_mix(net, &m->base_bias);
    smol_models_bias(net, m);
    if (!smol_net_borrows(m))
        weights_alone(net, m);
    if (m->a.weight) {
        regenerate(net, &m->a);
        regenerate(net, &m->b);
    }
    if (factors)
        add_factors(net, m);
    if (m->sparse != SMOL_NO_PARAM)
        smol_sparse_add(net, m);
    if (m->folded)
        fold_gains(net, m);
}

/* base: what it is around in a delta. */
static void materialise_vector(struct smol_net *net, const struct smol_net_frozen *v, real around,
                               const struct smol_net_base *base)
{
    if (v->scheme.source == SMOL_NORM_STORED)
        memcpy(v->weight, smol_net_used(net, v->alpha), v->cols * sizeof *v->weight);
    if (v->scheme.source == SMOL_NORM_OWN)
        regenerate(net, v);
    smol_base_mix(net, base);
    for (size_t c = 0; c < base->size; c++)
        v->weight[c] =
            v->scheme.source == SMOL_NORM_FROZEN ? base->sum[c] : v->weight[c] + base->sum[c];
    if (v->scheme.source != SMOL_NORM_OWN || base->size > 0)
        return;
    for (size_t c = 0; c < v->cols; c++)
        v->weight[c] += around;
}

static void materialise_norm(struct smol_net *net, const struct smol_net_norm *norm)
{
    materialise_vector(net, &norm->gain, 1, &norm->base_gain);
    materialise_vector(net, &norm->bias, 0, &norm->base_bias);
}

/* Of a delta. */
static void materialise_heads(const struct smol_net *net, real *to,
                              const struct smol_net_base *base, uint32_t param)
{
    smol_base_mix(net, base);
    for (size_t h = 0; h < base->size; h++)
        to[h] = base->sum[h] + smol_net_used(net, param)[h];
}

void smol_net_materialise(struct smol_net *net, bool everything)
{
    smol_net_round(net);
    smol_models_mix(net);
    for (uint32_t l = 0; l < net->config.n_layers; l++) {
        const struct smol_net_layer *layer = net->layers + l;

        materialise_heads(net, layer->temperatures, &layer->base_temperature, layer->temperature);
        materialise_heads(net, layer->slope_factors, &layer->base_slope_factor,
                          layer->slope_factor);
        for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++)
            if (smol_slot_is_matrix(slot))
                materialise_matrix(net, &layer->matrix[slot], everything);
            else
                materialise_norm(net, &layer->norm[slot]);
    }
    materialise_norm(net, &net->ln_f);
}

/* sums[k] = sum over one plane's bytes of d_weight basis_k(byte). First a sum for each value of the
 * byte, in four columns so that neighbours with equal bytes do not wait for each other; then every
 * basis of the plane reads the 256 sums. */
static void contract_values(double *sums, const struct frozen_spec *r, const real *d_weight,
                            const uint8_t *bytes, uint32_t plane, size_t n)
{
    const enum smol_dist dist = r->scheme->dist;
    real bin[SMOL_TABLE_ENTRIES][4] = {{0}};
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        const uint32_t four = smol_le32(bytes + i);

        for (unsigned j = 0; j < 4; j++)
            bin[four >> 8 * j & 255][j] += d_weight[i + j];
    }
    for (; i < n; i++)
        bin[bytes[i]][i % 4] += d_weight[i];
    for (uint32_t k = 0; k < r->scheme->d; k++) {
        double sum = 0;

        if (plane_of(dist, k) != plane)
            continue;
        for (uint32_t u = 0; u < SMOL_TABLE_ENTRIES; u++)
            sum += ((double)bin[u][0] + (double)bin[u][1] + (double)bin[u][2] + (double)bin[u][3]) *
                   basis(dist, k, u);
        sums[k] = sum;
    }
}

static void contract_plane(double *sums, const struct smol_net *net, const struct frozen_spec *r,
                           const real *d_weight, const uint8_t *bytes, uint32_t plane, size_t n)
{
    const uint32_t first = 8 * plane, d = r->scheme->d;

    if (r->scheme->dist == SMOL_SIGN && net->ops->contract_signs)
        net->ops->contract_signs(sums + first, d_weight, bytes, n, d - first < 8 ? d - first : 8);
    else
        contract_values(sums, r, d_weight, bytes, plane, n);
}

/* d_alpha_k += sigma x sum of d_weight B_k, where B_k is basis k; row blocks in parallel, then
 * added in order. */
static void contract(struct smol_net *net, const struct smol_net_frozen *f, const real *d_weight)
{
    const uint32_t rows = (uint32_t)f->rows,
                   n_blocks = (rows + SMOL_ROW_BLOCK - 1) / SMOL_ROW_BLOCK;
    real *d_alpha = smol_net_grad(net, f->alpha);
    struct frozen_spec r;

    make_spec(&r, net, f);
#pragma omp parallel for schedule(static) num_threads((int)net->n_threads)
    for (uint32_t b = 0; b < n_blocks; b++) {
        const uint32_t row = b * SMOL_ROW_BLOCK;
        const uint32_t n = rows - row < SMOL_ROW_BLOCK ? rows - row : SMOL_ROW_BLOCK;
        uint8_t *bytes = thread_scratch(net);

        for (uint32_t p = 0; p < r.frozen.n_planes; p++) {
            plane_bytes(bytes, net, &r, p, row, n);
            contract_plane(net->d_alpha + (size_t)b * SMOL_MAX_BASES, net, &r,
                           d_weight + row * f->cols, bytes, p, n * f->cols);
        }
    }
    for (uint32_t k = 0; k < f->scheme.d; k++) {
        double sum = 0;

        for (uint32_t b = 0; b < n_blocks; b++)
            sum += net->d_alpha[(size_t)b * SMOL_MAX_BASES + k];
        d_alpha[k] += (real)((double)f->scheme.sigma * sum);
    }
}

/* W = ... + B A: with z = A x, d_B = d_y^T z and d_A = (d_y B)^T x. */
static void factor_gradient(real *d_a, real *d_b, struct smol_net *net,
                            const struct smol_net_matrix *m, const real *x, const real *d_y)
{
    const size_t rank = m->scheme->rank, n = net->n_tokens;
    const real *a = factor_a(net, m), *b = factor_b(net, m);

    net->ops->gemm(net->z_factor, rank, smol_as_is(x, m->cols), smol_transposed(a, m->cols), n,
                   rank, m->cols, 1, 0, net->product_room);
    net->ops->gemm(d_b, rank, smol_transposed(d_y, m->rows), smol_as_is(net->z_factor, rank),
                   m->rows, rank, n, 1, 0, net->product_room);
    net->ops->gemm(net->d_factor, rank, smol_as_is(d_y, m->rows), smol_as_is(b, rank), n, rank,
                   m->rows, 1, 0, net->product_room);
    net->ops->gemm(d_a, m->cols, smol_transposed(net->d_factor, rank), smol_as_is(x, m->cols), rank,
                   m->cols, n, 1, 0, net->product_room);
}

/* The gradient of the folded weights gives that of the gains, and becomes that of the weights. */
static void unfold(struct smol_net *net, const struct smol_net_matrix *m, real *d_weight)
{
    const real *gain = smol_net_used(net, m->gain);
    real *d_gain = smol_net_grad(net, m->gain);

#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < m->rows; r++) {
        const real *weight = m->weight + r * m->cols;
        real *d = d_weight + r * m->cols, sum = 0;

#pragma omp simd reduction(+ : sum)
        for (size_t c = 0; c < m->cols; c++) {
            sum += d[c] * weight[c];
            d[c] *= gain[r];
        }
        d_gain[r] = sum;
    }
}

/* Where the gradient of the whole matrix goes: to that of numbers that are its weights, or of
 * scores, and else to where there is room. */
static real *whole_gradient(struct smol_net *net, const struct smol_net_matrix *m)
{
    if (m->full != SMOL_NO_PARAM)
        return smol_net_grad(net, m->full);
    return m->score != SMOL_NO_PARAM ? smol_net_grad(net, m->score) : net->d_weight;
}

bool smol_net_learns_whole(const struct smol_net_matrix *m)
{
    return m->full != SMOL_NO_PARAM && m->row_scale == SMOL_NO_PARAM && !m->has_gains_inside;
}

void smol_net_matrix_gradient(struct smol_net *net, const struct smol_net_matrix *m, const real *x,
                              const real *d_y)
{
    const bool full = m->full != SMOL_NO_PARAM, direct = smol_sparse_is_direct(m);

    if (direct)
        smol_sparse_gradient(net, m, x, d_y);
    if (full || m->score != SMOL_NO_PARAM || m->alpha != SMOL_NO_PARAM ||
        smol_models_need_whole(m) || (m->sparse != SMOL_NO_PARAM && !direct)) {
        const struct smol_operand left = smol_transposed(d_y, m->rows),
                                  right = smol_as_is(x, m->cols);
        real *d_weight = whole_gradient(net, m);

        if (smol_net_learns_whole(m))
            net->params[m->full].squares =
                net->ops->gemm_squares(net->squares, d_weight, m->cols, left, right, m->rows,
                                       m->cols, net->n_tokens, net->product_room);
        else
            net->ops->gemm(d_weight, m->cols, left, right, m->rows, m->cols, net->n_tokens, 1, 0,
                           net->product_room);
        if (smol_models_need_whole(m))
            smol_models_matrix_gradient(net, m, d_weight);
        if (m->folded)
            unfold(net, m, d_weight);
        if (m->sparse != SMOL_NO_PARAM && !direct)
            smol_sparse_pick(net, m, d_weight);
        if (m->score != SMOL_NO_PARAM)
            smol_mask_gradient(net, m, d_weight);
        if (m->row_scale != SMOL_NO_PARAM)
            smol_ternary_gradient(net, m, d_weight);
        if (!full && smol_scheme_projects(m->scheme)) {
            smol_projection_gradient(net, m, d_weight);
        } else if (m->alpha != SMOL_NO_PARAM) {
            const struct smol_net_frozen f = frozen_part(m);

            contract(net, &f, d_weight);
        }
    }
    if (m->factor_a != SMOL_NO_PARAM)
        factor_gradient(smol_net_grad(net, m->factor_a), smol_net_grad(net, m->factor_b), net, m, x,
                        d_y);
    if (m->a.weight) { /* on to the alphas of nola's factors */
        factor_gradient(net->d_a, net->d_b, net, m, x, d_y);
        contract(net, &m->a, net->d_a);
        contract(net, &m->b, net->d_b);
    }
}

static void vector_gradient(struct smol_net *net, const struct smol_net_frozen *v, const real *d)
{
    if (v->scheme.source == SMOL_NORM_STORED)
        memcpy(smol_net_grad(net, v->alpha), d, v->cols * sizeof *d);
    else if (v->scheme.source == SMOL_NORM_OWN)
        contract(net, v, d);
}

void smol_net_norm_gradient(struct smol_net *net, const struct smol_net_norm *norm,
                            const real *d_gain, const real *d_bias)
{
    vector_gradient(net, &norm->gain, d_gain);
    vector_gradient(net, &norm->bias, d_bias);
    smol_base_gradient(net, &norm->base_gain, d_gain, NULL, 1);
    smol_base_gradient(net, &norm->base_bias, d_bias, NULL, 1);
}
