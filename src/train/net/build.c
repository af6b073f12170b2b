/* See build.h. All memory of a network except its lists is one block: it is counted in one pass and
 * handed out in a second. */
#include "train/net/build.h"
#include "train/models/models.h"
#include "train/net/head.h"
#include "train/net/latent.h"
#include "train/net/params.h"
#include "train/net/projection.h"
#include "train/net/round.h"
#include "train/net/sparse.h"
#include "train/net/weights.h"

#include "base/arena.h"
#include "base/error.h"
#include "kernel/kernel.h"
#include "train/alloc.h"

#include <inttypes.h>

static real *take(struct smol_arena *arena, uint64_t count)
{
    return smol_arena_take(arena, count, sizeof(real));
}

static void place_matrix(struct smol_arena *arena, const struct smol_net *net,
                         struct smol_net_matrix *m)
{
    const size_t rank = m->scheme->rank;

    if (m->a.alpha != SMOL_NO_PARAM) {
        m->a.weight = take(arena, rank * m->cols);
        m->b.weight = take(arena, m->rows * rank);
    }
    if (m->sparse != SMOL_NO_PARAM)
        m->columns =
            smol_arena_take(arena, m->rows * smol_scheme_sparse(m->scheme), sizeof *m->columns);
    smol_base_place(arena, net, &m->base);
    smol_base_place(arena, net, &m->base_bias);
    if (m->base_bias.size > 0)
        m->bias_sum = take(arena, m->rows);
    if (!smol_net_borrows(m))
        m->weight = take(arena, m->rows * m->cols);
    if (m->score != SMOL_NO_PARAM) {
        m->signs = smol_arena_take(arena, m->rows * m->cols, sizeof *m->signs);
        m->mean = smol_arena_take(arena, 1, sizeof *m->mean);
    }
    if (m->has_gains_inside && !smol_mask_is_scaled(m) && m->base.size == 0)
        m->folded = take(arena, m->rows * m->cols);
    if (m->gain != SMOL_NO_PARAM && !m->has_gains_inside && !net->recompute)
        m->plain = take(arena, net->n_tokens * m->rows);
}

/* Whether the norms of layers have a half-shift. */
static bool has_shift(const struct smol_net *net)
{
    return smol_config_has(&net->config, SMOL_FEATURE_HALF_SHIFT);
}

/* Gain 1 and bias 0, always. */
static bool is_frozen(const struct smol_net_norm *norm)
{
    return norm->gain.scheme.source == SMOL_NORM_FROZEN && norm->base_gain.size == 0;
}

static void place_norm(struct smol_arena *arena, const struct smol_net *net,
                       struct smol_net_norm *norm, bool is_shifted)
{
    if (is_shifted)
        norm->shifted = take(arena, net->config.width);
    if (is_frozen(norm))
        return;
    smol_base_place(arena, net, &norm->base_gain);
    smol_base_place(arena, net, &norm->base_bias);
    norm->gain.weight = take(arena, net->config.width);
    norm->bias.weight = take(arena, net->config.width);
}

static void place_normalised(struct smol_arena *arena, const struct smol_net *net,
                             struct smol_normalised *out, const struct smol_net_norm *norm,
                             bool is_shifted)
{
    const size_t size = net->n_tokens * net->config.width;

    out->z = take(arena, size);
    out->rstd = take(arena, net->n_tokens);
    /* A frozen norm's output is its normalised input; shared memory must suit other norms too. */
    if (net->recompute || is_shifted || !is_frozen(norm))
        out->a = take(arena, size);
}

static void place_kept(struct smol_arena *arena, struct smol_net *net, uint32_t layer)
{
    const struct smol_config *c = &net->config;
    const size_t n = net->n_tokens, T = c->context;
    struct smol_net_kept *k = net->kept + layer;

    for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++)
        if (!smol_slot_is_matrix(slot))
            place_normalised(arena, net, &k->norm[slot], &net->layers[layer].norm[slot],
                             has_shift(net));
    k->qkv = take(arena, n * 3 * c->width);
    k->attention = take(arena, net->batch * c->n_heads * T * T);
    k->heads = take(arena, n * c->width);
    k->slope = take(arena, n * c->n_ff);
    k->hidden = take(arena, n * c->n_ff);
}

static void place_layer(struct smol_arena *arena, struct smol_net *net, uint32_t layer)
{
    struct smol_net_layer *l = net->layers + layer;

    for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++)
        if (smol_slot_is_matrix(slot))
            place_matrix(arena, net, &l->matrix[slot]);
        else
            place_norm(arena, net, &l->norm[slot], has_shift(net));
    if (l->base_temperature.size > 0)
        l->temperatures = take(arena, net->config.n_heads);
    if (l->base_slope_factor.size > 0)
        l->slope_factors = take(arena, net->config.n_heads);
    smol_base_place(arena, net, &l->base_temperature);
    smol_base_place(arena, net, &l->base_slope_factor);
    l->kept = net->kept + (net->recompute ? 0 : layer);
    if (l->kept == net->kept + layer)
        place_kept(arena, net, layer);
}

/* The largest of what the shared buffers have to hold. */
struct extent {
    size_t matrix, rows, cols, rank, nola_rank, sparse_cols, squares;
    bool whole, outputs; /* the gradient of a whole matrix is needed; one has gains or biases */
    bool biases;         /* a model has biases */
};

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static void extend(struct extent *e, const struct smol_net_matrix *m)
{
    const size_t rank = m->scheme->rank;

    if (smol_net_learns_whole(m))
        e->squares = larger(e->squares, smol_product_sums(m->rows, m->cols));
    if (m->score != SMOL_NO_PARAM)
        e->squares = larger(e->squares, m->rows);
    e->matrix = larger(e->matrix, m->rows * m->cols);
    e->rows = larger(e->rows, m->rows);
    e->cols = larger(e->cols, m->cols);
    e->rank = larger(e->rank, rank);
    if (m->a.alpha != SMOL_NO_PARAM)
        e->nola_rank = larger(e->nola_rank, rank);
    if (smol_sparse_is_direct(m))
        e->sparse_cols = larger(e->sparse_cols, m->cols);
    else if (m->score == SMOL_NO_PARAM && m->full == SMOL_NO_PARAM)
        e->whole = e->whole || m->alpha != SMOL_NO_PARAM || m->sparse != SMOL_NO_PARAM;
    e->whole = e->whole || smol_models_need_whole(m);
    e->biases = e->biases || m->base_bias.size > 0;
    e->outputs = e->outputs || (m->gain != SMOL_NO_PARAM && !m->has_gains_inside) ||
                 m->bias != SMOL_NO_PARAM || m->base_bias.size > 0;
}

static struct extent extent_of(const struct smol_net *net)
{
    struct extent e = {.rows = SMOL_ROW_BLOCK};

    for (uint32_t l = 0; l < net->config.n_layers; l++)
        for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++)
            if (smol_slot_is_matrix(slot))
                extend(&e, &net->layers[l].matrix[slot]);
    return e;
}

static void place_heads(struct smol_arena *arena, struct smol_net *net)
{
    const struct smol_config *c = &net->config;

    if (smol_config_has(c, SMOL_FEATURE_DISTANCES)) {
        net->slopes = take(arena, c->n_heads);
        net->layer_slopes = take(arena, c->n_heads);
    }
    if (smol_config_head_factors(c) > 0)
        net->d_heads = take(arena, 2 * net->batch * c->n_heads);
}

static void place_shared(struct smol_arena *arena, struct smol_net *net)
{
    const struct smol_config *c = &net->config;
    const struct extent e = extent_of(net);
    const size_t n = net->n_tokens, C = c->width;
    const size_t n_blocks = larger(e.rows, e.rank) / SMOL_ROW_BLOCK + 1;

    if (net->recompute)
        net->inputs = take(arena, c->n_layers * n * C);
    place_norm(arena, net, &net->ln_f, false);
    place_normalised(arena, net, &net->last, &net->ln_f, false);
    net->x = take(arena, n * C);
    net->logits = take(arena, net->logits_chunk * c->vocab);
    net->losses = smol_arena_take(arena, n, sizeof *net->losses);
    net->d_width = take(arena, n * C);
    net->d_qkv = take(arena, n * 3 * C);
    net->d_hidden = take(arena, n * c->n_ff);
    if (e.whole)
        net->d_weight = take(arena, e.matrix);
    if (e.sparse_cols > 0)
        net->x_turned = take(arena, smol_sparse_turned(e.sparse_cols));
    net->z_factor = take(arena, n * e.rank);
    net->d_factor = take(arena, n * e.rank);
    if (e.nola_rank > 0) {
        net->d_a = take(arena, e.nola_rank * e.cols);
        net->d_b = take(arena, e.rows * e.nola_rank);
    }
    if (e.outputs) {
        net->plain = take(arena, n * e.rows);
        net->d_plain = take(arena, n * e.rows);
    }
    if (e.biases)
        net->d_bias = take(arena, e.rows);
    net->partial = take(arena, 2 * C + smol_layernorm_partials(n, C));
    place_heads(arena, net);
    net->d_attention = take(arena, (uint64_t)net->n_threads * 64 * c->context);
    net->product_room = take(arena, (uint64_t)net->n_threads * SMOL_PRODUCT_ROOM);
    net->d_alpha = smol_arena_take(arena, n_blocks * SMOL_MAX_BASES, sizeof *net->d_alpha);
    net->squares = smol_arena_take(arena, e.squares, sizeof *net->squares);
    /* Rows of a block as floats are the most that a thread regenerates at a time. */
    net->scratch_bytes =
        SMOL_ROW_BLOCK * sizeof(float) * smol_round_up(larger(e.nola_rank, larger(c->n_ff, C)), 64);
    net->scratch = smol_arena_take(arena, net->n_threads, net->scratch_bytes);
}

static void place_all(struct smol_arena *arena, struct smol_net *net)
{
    net->value = take(arena, net->n_values);
    net->grad = take(arena, net->n_values);
    for (uint32_t i = 0; i < net->n_params; i++) {
        struct smol_param *p = net->params + i;

        if (smol_param_is_rounded(net, p))
            p->used = take(arena, smol_param_size(p));
        else if (net->value)
            p->used = net->value + p->offset;
    }
    smol_models_place(arena, net);
    for (uint32_t l = 0; l < net->config.n_layers; l++)
        place_layer(arena, net, l);
    place_shared(arena, net);
}

/* What is known once there is memory: where full weights and sparse terms have their numbers. */
static void link_matrix(const struct smol_net *net, struct smol_net_matrix *m)
{
    const struct smol_frozen places = {.key = &net->key,
                                       .tensor = m->tensor,
                                       .purpose = SMOL_PURPOSE_SPARSE,
                                       .rows = (uint32_t)m->rows,
                                       .cols = (uint32_t)m->cols};

    if (smol_net_borrows(m))
        m->weight = m->base.size > 0 ? m->base.sum : net->params[m->full].used;
    if (m->columns)
        smol_sparse_columns(m->columns, &places, smol_scheme_sparse(m->scheme), 0, places.rows);
    if (m->signs)
        smol_net_mask_signs(net, m);
}

/* Of a half-shift before matrix number `tensor`. */
static void link_shift(const struct smol_net *net, const struct smol_net_norm *norm,
                       uint32_t tensor)
{
    uint8_t *is_shifted = net->scratch;

    smol_shift_channels(is_shifted, &net->shift_key, tensor, net->config.width);
    for (size_t c = 0; c < net->config.width; c++)
        norm->shifted[c] = is_shifted[c];
}

static void link_layer(const struct smol_net *net, struct smol_net_layer *l)
{
    for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++)
        if (smol_slot_is_matrix(slot))
            link_matrix(net, &l->matrix[slot]);
        else if (l->norm[slot].shifted) /* the matrix after it */
            link_shift(net, &l->norm[slot], l->matrix[slot + 1].tensor);
}

static void link_tables(struct smol_net *net)
{
    const struct smol_net_models *models = &net->models;

    if (models->n > 0) {
        net->wte_used = models->wte.sum;
        net->wpe_used = models->wpe.sum;
        net->output_used = models->output.size > 0 ? models->output.sum : models->wte.sum;
        return;
    }
    net->wte_used = smol_net_used(net, net->wte);
    net->wpe_used = net->wpe != SMOL_NO_PARAM ? smol_net_used(net, net->wpe) : NULL;
    net->output_used = smol_net_used(net, net->output);
}

/* ALiBi's, from 2 down to 2^-5. */
static void set_slopes(const struct smol_net *net)
{
    const double H = net->config.n_heads;

    for (uint32_t h = 0; net->slopes && h < net->config.n_heads; h++)
        net->slopes[h] = (real)exp2(H > 1 ? (H - 1 - 6.0 * h) / (H - 1) : -1);
}

static enum smol_status allocate(struct smol_net *net, struct smol_error *error)
{
    struct smol_arena arena = {0};

    place_all(&arena, net);
    net->memory_bytes = arena.used;
    net->memory = smol_train_alloc(arena.used, 1);
    if (!net->memory || !smol_projections_create(&net->projections, net))
        return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET,
                         "no memory for a batch of %zu tokens, which takes %" PRIu64 " bytes",
                         net->n_tokens, net->memory_bytes);
    arena = (struct smol_arena){.base = net->memory};
    place_all(&arena, net);
    for (uint32_t l = 0; l < net->config.n_layers; l++)
        link_layer(net, net->layers + l);
    link_tables(net);
    set_slopes(net);
    return smol_models_load(net, error);
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
    net->may_round = options->may_round;
    net->unit_rates = options->unit_rates;
    net->dist = options->dist;
    memcpy(net->sigma, options->sigma, sizeof net->sigma);
    net->smooth = options->smooth;
    net->recompute = options->recompute;
    net->logits_chunk = smol_logits_chunk(net->n_tokens, config->vocab);
    net->n_threads = options->n_threads;
    net->attention = (struct smol_attention){.batch = options->batch,
                                             .heads = config->n_heads,
                                             .context = config->context,
                                             .width = config->width,
                                             .n_threads = options->n_threads};
    net->kernels = smol_kernels_select(options->isa);
    net->ops = smol_ops_select(SMOL_ISA_BEST);
    smol_frozen_key_init(&net->key, config->seed);
    smol_models_begin(net, options);
    smol_frozen_key_init(&net->shift_key,
                         net->models.n > 0 ? net->models.files[0]->config.seed : config->seed);
    net->layers = smol_train_alloc(config->n_layers, sizeof *net->layers);
    net->kept = smol_train_alloc(net->recompute ? 1 : config->n_layers, sizeof *net->kept);
    if (!net->layers || !net->kept)
        status = smol_fail_memory(error);
    if (status == SMOL_OK)
        status =
            smol_params_register(net, options->learn_logit_scale, options->learn_factors, error);
    if (status == SMOL_OK)
        status = allocate(net, error);
    if (status != SMOL_OK) {
        smol_net_destroy(net);
        return status;
    }
    smol_params_initialise(net, options->uniform_alphas, options->embedding_std);
    smol_net_materialise(net, true);
    *out = net;
    return SMOL_OK;
}

void smol_net_destroy(struct smol_net *net)
{
    if (!net)
        return;
    free(net->layers);
    free(net->kept);
    free(net->params);
    free(net->memory);
    smol_projections_destroy(net->projections);
    free(net);
}
