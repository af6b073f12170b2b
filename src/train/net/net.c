/* Making and freeing a network: all its memory is taken here. */
#include "train/net/net.h"
#include "train/net/projection.h"
#include "train/net/sparse.h"

#include "base/bytes.h"
#include "base/error.h"
#include "kernel/kernel.h"

#include <stdlib.h>

void *smol_train_alloc(size_t count, size_t size_bytes)
{
    uint64_t bytes;
    void *p;

    if (!smol_mul(&bytes, count, size_bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    bytes = smol_round_up(bytes > 0 ? bytes : 1, 64);
    p = aligned_alloc(64, (size_t)bytes);
    if (p)
        memset(p, 0, (size_t)bytes);
    return p;
}

static bool take(real **p, size_t count)
{
    *p = smol_train_alloc(count, sizeof **p);
    return *p;
}

/* Where the sparse term has its numbers. */
static bool take_columns(const struct smol_net *net, struct smol_net_matrix *m)
{
    const struct smol_frozen places = {.key = &net->key,
                                       .tensor = m->tensor,
                                       .purpose = SMOL_PURPOSE_SPARSE,
                                       .rows = (uint32_t)m->rows,
                                       .cols = (uint32_t)m->cols};
    const uint32_t q = smol_scheme_sparse(m->scheme);

    m->columns = smol_train_alloc(m->rows * q, sizeof *m->columns);
    if (!m->columns)
        return false;
    smol_sparse_columns(m->columns, &places, q, 0, places.rows);
    return true;
}

static bool take_matrix(struct smol_net *net, struct smol_net_matrix *m)
{
    if (m->full != SMOL_NO_PARAM) {
        m->weight = smol_net_value(net, m->full);
        return true;
    }
    if (m->alpha_a != SMOL_NO_PARAM && !(take(&m->made_a, m->scheme->rank * m->cols) &&
                                         take(&m->made_b, m->rows * m->scheme->rank)))
        return false;
    if (m->sparse != SMOL_NO_PARAM && !take_columns(net, m))
        return false;
    return take(&m->weight, m->rows * m->cols);
}

static bool take_norm(struct smol_net *net, struct smol_net_norm *norm)
{
    if (norm->scheme->source == SMOL_NORM_FROZEN)
        return true;
    return take(&norm->gain_data, net->config.width) && take(&norm->bias_data, net->config.width);
}

/* A frozen norm's output is its normalised input: one buffer serves for both. */
static bool take_normalised(const struct smol_net *net, const struct smol_net_norm *norm, real **z,
                            real **a, real **rstd)
{
    const size_t size = net->n_tokens * net->config.width;

    if (!take(z, size) || !take(rstd, net->n_tokens))
        return false;
    if (norm->gain_data)
        return take(a, size);
    *a = *z;
    return true;
}

static bool take_layer(struct smol_net *net, struct smol_net_layer *l)
{
    return take_matrix(net, &l->c_attn) && take_matrix(net, &l->attn_proj) &&
           take_matrix(net, &l->c_fc) && take_matrix(net, &l->mlp_proj) &&
           take_norm(net, &l->ln_1) && take_norm(net, &l->ln_2);
}

static bool take_activations(struct smol_net *net, struct smol_net_layer *l)
{
    const struct smol_config *c = &net->config;
    const size_t n = net->n_tokens, T = c->context;

    return take_normalised(net, &l->ln_1, &l->z_1, &l->a_1, &l->rstd_1) &&
           take_normalised(net, &l->ln_2, &l->z_2, &l->a_2, &l->rstd_2) &&
           take(&l->qkv, n * 3 * c->width) &&
           take(&l->attention, net->batch * c->n_heads * T * T) && take(&l->heads, n * c->width) &&
           take(&l->slope, n * c->n_ff) && take(&l->hidden, n * c->n_ff);
}

/* The first layer's memory for all; what is not of a frozen norm has its own. */
static void share_activations(struct smol_net *net, struct smol_net_layer *l)
{
    const struct smol_net_layer *first = net->layers;

    l->z_1 = first->z_1;
    l->rstd_1 = first->rstd_1;
    l->z_2 = first->z_2;
    l->rstd_2 = first->rstd_2;
    l->qkv = first->qkv;
    l->attention = first->attention;
    l->heads = first->heads;
    l->slope = first->slope;
    l->hidden = first->hidden;
    l->a_1 = l->ln_1.gain_data ? net->shared_a[0] : l->z_1;
    l->a_2 = l->ln_2.gain_data ? net->shared_a[1] : l->z_2;
}

static bool take_all_activations(struct smol_net *net)
{
    const size_t size = net->n_tokens * net->config.width;

    for (uint32_t l = 0; l < (net->recompute ? 1 : net->config.n_layers); l++)
        if (!take_activations(net, net->layers + l))
            return false;
    if (!net->recompute)
        return true;
    if (!take(&net->inputs, net->config.n_layers * size) || !take(&net->shared_a[0], size) ||
        !take(&net->shared_a[1], size))
        return false;
    for (uint32_t l = 1; l < net->config.n_layers; l++)
        share_activations(net, net->layers + l);
    return true;
}

struct extent {
    size_t matrix, rows, cols, rank, nola_rank, sparse_cols;
    bool whole, outputs; /* the gradient of a whole matrix is needed; one has gains or biases */
};

/* The largest of what the shared buffers have to hold. */
static struct extent extent_of(const struct smol_net *net)
{
    struct extent e = {.rows = SMOL_ROW_BLOCK};

    for (uint32_t l = 0; l < net->config.n_layers; l++) {
        const struct smol_net_layer *y = net->layers + l;
        const struct smol_net_matrix *const all[] = {&y->c_attn, &y->attn_proj, &y->c_fc,
                                                     &y->mlp_proj};

        for (size_t i = 0; i < 4; i++) {
            const size_t size = all[i]->rows * all[i]->cols;

            e.matrix = size > e.matrix ? size : e.matrix;
            e.rows = all[i]->rows > e.rows ? all[i]->rows : e.rows;
            e.cols = all[i]->cols > e.cols ? all[i]->cols : e.cols;
            e.rank = all[i]->scheme->rank > e.rank ? all[i]->scheme->rank : e.rank;
            if (all[i]->alpha_a != SMOL_NO_PARAM)
                e.nola_rank =
                    all[i]->scheme->rank > e.nola_rank ? all[i]->scheme->rank : e.nola_rank;
            if (smol_sparse_is_direct(all[i]))
                e.sparse_cols = all[i]->cols > e.sparse_cols ? all[i]->cols : e.sparse_cols;
            else
                e.whole =
                    e.whole || all[i]->alpha != SMOL_NO_PARAM || all[i]->sparse != SMOL_NO_PARAM;
            e.outputs = e.outputs || all[i]->gain != SMOL_NO_PARAM || all[i]->bias != SMOL_NO_PARAM;
        }
    }
    return e;
}

static bool take_shared(struct smol_net *net)
{
    const struct smol_config *c = &net->config;
    const struct extent e = extent_of(net);
    const size_t n = net->n_tokens;

    net->losses = smol_train_alloc(n, sizeof *net->losses);
    net->d_alpha = smol_train_alloc(((e.rows > e.rank ? e.rows : e.rank) / SMOL_ROW_BLOCK + 1) *
                                        SMOL_MAX_BASES,
                                    sizeof *net->d_alpha);
    return net->losses && net->d_alpha && take_norm(net, &net->ln_f) &&
           take_normalised(net, &net->ln_f, &net->z_f, &net->a_f, &net->rstd_f) &&
           take(&net->x, n * c->width) && take(&net->logits, net->head_tokens * c->vocab) &&
           take(&net->d_width, n * c->width) && take(&net->d_qkv, n * 3 * c->width) &&
           take(&net->d_hidden, n * c->n_ff) && (!e.whole || take(&net->d_weight, e.matrix)) &&
           (e.sparse_cols == 0 || take(&net->x_turned, smol_sparse_turned(e.sparse_cols))) &&
           (e.nola_rank == 0 ||
            (take(&net->d_a, e.nola_rank * e.cols) && take(&net->d_b, e.rows * e.nola_rank))) &&
           (!e.outputs || (take(&net->plain, n * e.rows) && take(&net->d_plain, n * e.rows))) &&
           take(&net->z_factor, n * e.rank) && take(&net->d_factor, n * e.rank) &&
           take(&net->partial, 2 * c->width + smol_layernorm_partials(n, c->width)) &&
           take(&net->d_attention, (size_t)net->n_threads * 64 * c->context);
}

/* Rows of a block as floats are the most that a thread regenerates at a time. */
static bool take_scratch(struct smol_net *net)
{
    const struct extent e = extent_of(net);
    const size_t most = net->config.n_ff > net->config.width ? net->config.n_ff : net->config.width;
    const size_t widest = e.nola_rank > most ? e.nola_rank : most;

    net->scratch_bytes = SMOL_ROW_BLOCK * smol_round_up(widest, 64) * sizeof(float);
    net->scratch = smol_train_alloc(net->n_threads, net->scratch_bytes);
    return net->scratch;
}

static bool take_all(struct smol_net *net)
{
    if (!take(&net->value, net->n_values) || !take(&net->grad, net->n_values))
        return false;
    for (uint32_t l = 0; l < net->config.n_layers; l++)
        if (!take_layer(net, net->layers + l))
            return false;
    return take_all_activations(net) && take_shared(net) && take_scratch(net) &&
           smol_projections_create(&net->projections, net);
}

enum smol_status smol_net_create(struct smol_net **out, const struct smol_config *config,
                                 const struct smol_net_options *options, struct smol_error *error)
{
    struct smol_net *net = smol_train_alloc(1, sizeof *net);
    enum smol_status status = SMOL_OK;

    if (!net)
        return smol_fail_memory(error);
    net->config = *config;
    net->batch = options->batch;
    net->n_tokens = (size_t)options->batch * config->context;
    net->full = options->full;
    net->smooth = options->smooth;
    net->recompute = options->recompute;
    net->head_tokens = smol_net_head_tokens(net->n_tokens, config->vocab);
    net->n_threads = options->n_threads;
    net->kernels = smol_kernels_select(options->isa);
    smol_frozen_key_init(&net->key, config->seed);
    net->layers = smol_train_alloc(config->n_layers, sizeof *net->layers);
    if (!net->layers)
        status = smol_fail_memory(error);
    if (status == SMOL_OK)
        status = smol_net_register(net, error);
    if (status == SMOL_OK && !take_all(net))
        status = smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET,
                           "no memory for a batch of %zu tokens", net->n_tokens);
    if (status != SMOL_OK) {
        smol_net_destroy(net);
        return status;
    }
    smol_net_initialise(net, options);
    smol_net_materialise(net, true);
    *out = net;
    return SMOL_OK;
}

static void free_matrix(struct smol_net_matrix *m)
{
    if (m->full == SMOL_NO_PARAM)
        free(m->weight);
    free(m->columns);
    free(m->made_a);
    free(m->made_b);
}

static void free_norm(struct smol_net_norm *norm)
{
    free(norm->gain_data);
    free(norm->bias_data);
}

static void free_normalised(real *z, real *a, real *rstd)
{
    if (a != z)
        free(a);
    free(z);
    free(rstd);
}

static void free_layer(struct smol_net_layer *l)
{
    free_matrix(&l->c_attn);
    free_matrix(&l->attn_proj);
    free_matrix(&l->c_fc);
    free_matrix(&l->mlp_proj);
    free_norm(&l->ln_1);
    free_norm(&l->ln_2);
}

static void free_activations(struct smol_net_layer *l)
{
    free_normalised(l->z_1, l->a_1, l->rstd_1);
    free_normalised(l->z_2, l->a_2, l->rstd_2);
    free(l->qkv);
    free(l->attention);
    free(l->heads);
    free(l->slope);
    free(l->hidden);
}

void smol_net_destroy(struct smol_net *net)
{
    if (!net)
        return;
    for (uint32_t l = 0; net->layers && l < net->config.n_layers; l++)
        free_layer(net->layers + l);
    for (uint32_t l = 0; net->layers && l < (net->recompute ? 1 : net->config.n_layers); l++)
        free_activations(net->layers + l);
    free_norm(&net->ln_f);
    free_normalised(net->z_f, net->a_f, net->rstd_f);
    real *const buffers[] = {net->value,    net->grad,        net->x,           net->logits,
                             net->d_width,  net->d_qkv,       net->d_hidden,    net->d_weight,
                             net->z_factor, net->d_factor,    net->partial,     net->d_attention,
                             net->plain,    net->d_plain,     net->d_a,         net->d_b,
                             net->inputs,   net->shared_a[0], net->shared_a[1], net->x_turned};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        free(buffers[i]);
    free(net->layers);
    free(net->params);
    free(net->losses);
    free(net->d_alpha);
    free(net->scratch);
    smol_projections_destroy(net->projections);
    free(net);
}
