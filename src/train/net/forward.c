/* See forward.h. A layer's backward pass follows its forward pass line by line. */
#include "train/net/forward.h"
#include "train/models/models.h"
#include "train/net/head.h"
#include "train/net/weights.h"

static size_t begin_of(const struct smol_net *net, size_t i)
{
    return net->begins ? net->begins[i] : 0;
}

static void embed(struct smol_net *net, const uint32_t *tokens)
{
    const size_t C = net->config.width, T = net->config.context;
    const real *wte = net->wte_used, *wpe = net->wpe_used;

#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < net->n_tokens; i++) {
        const size_t t = i % T - begin_of(net, i);
        const real *token = wte + tokens[i] * C, *position = wpe ? wpe + t * C : NULL;

        for (size_t c = 0; c < C; c++)
            net->x[i * C + c] = position ? token[c] + position[c] : token[c];
    }
    smol_rows_embed(net, tokens);
}

/* Where a step drops numbers: what each sublayer adds, by layer and slot of its matrix, and the
 * embeddings. */
static uint32_t sublayer_place(const struct smol_net *net, const struct smol_net_layer *l,
                               enum smol_slot slot)
{
    return (uint32_t)(l - net->layers) * SMOL_N_SLOTS + slot;
}

static uint32_t embedding_place(const struct smol_net *net)
{
    return net->config.n_layers * SMOL_N_SLOTS;
}

/* x (n, C) with some of it dropped, in place: the embeddings, and their gradient. */
static void drop_embeddings(struct smol_net *net)
{
    if (net->dropout)
        smol_dropout(net->x, net->x, net->dropout, embedding_place(net),
                     net->n_tokens * net->config.width);
}

static void multiply_plain(struct smol_net *net, real *y, const struct smol_net_matrix *m,
                           const real *x, real beta)
{
    net->ops->gemm(y, m->rows, smol_as_is(x, m->cols),
                   smol_transposed(smol_net_product(m), m->cols), net->n_tokens, m->rows, m->cols,
                   1, beta, net->product_room);
}

/* The gains (rows) of outputs; NULL if there are none, or if the weights have them. */
static const real *gains(const struct smol_net *net, const struct smol_net_matrix *m)
{
    return m->gain != SMOL_NO_PARAM && !m->has_gains_inside ? smol_net_used(net, m->gain) : NULL;
}

static bool is_plain(const struct smol_net_matrix *m)
{
    return (m->gain == SMOL_NO_PARAM || m->has_gains_inside) && m->bias == SMOL_NO_PARAM &&
           !m->bias_sum;
}

/* y (n, rows) = x (n, cols) W^T, times the gains, plus the biases, + beta x y. */
static void multiply(struct smol_net *net, real *y, const struct smol_net_matrix *m, const real *x,
                     real beta)
{
    const real *gain = gains(net, m);
    real *plain = m->plain ? m->plain : net->plain;
    const real *bias = m->bias_sum                ? m->bias_sum
                       : m->bias != SMOL_NO_PARAM ? smol_net_used(net, m->bias)
                                                  : NULL;

    if (is_plain(m)) {
        multiply_plain(net, y, m, x, beta);
        return;
    }
    multiply_plain(net, plain, m, x, 0);
    net->ops->affine(y, plain, gain, bias, beta, net->n_tokens, m->rows);
}

/* net->x += what a layer's matrix makes of in, of which some is dropped. */
static void add_sublayer(struct smol_net *net, const struct smol_net_layer *l, enum smol_slot slot,
                         const real *in)
{
    const size_t size = net->n_tokens * net->config.width;
    real *out = net->d_width; /* no gradient is there now */

    if (!net->dropout) {
        multiply(net, net->x, &l->matrix[slot], in, 1);
        return;
    }
    multiply(net, out, &l->matrix[slot], in, 0);
    smol_dropout(out, out, net->dropout, sublayer_place(net, l, slot), size);
    net->ops->add(net->x, out, size);
}

/* d_y (n, rows) without the gains, with their gradient and the biases' set on the way. It is d_y
 * itself where there is neither. Outputs without gains that were not kept are made again. */
static const real *plain_gradient(struct smol_net *net, const struct smol_net_matrix *m,
                                  const real *x, const real *d_y)
{
    const real *plain = m->plain ? m->plain : net->plain, *gain = gains(net, m);

    if (is_plain(m))
        return d_y;
    if (gain && !m->plain)
        multiply_plain(net, net->plain, m, x, 0);
    net->ops->affine_backward(net->d_plain, gain ? smol_net_grad(net, m->gain) : NULL,
                              m->bias != SMOL_NO_PARAM ? smol_net_grad(net, m->bias) : net->d_bias,
                              d_y, plain, gain, net->n_tokens, m->rows);
    if (m->bias_sum && m->bias != SMOL_NO_PARAM)
        memcpy(net->d_bias, smol_net_grad(net, m->bias), m->rows * sizeof *net->d_bias);
    return net->d_plain;
}

/* From d_y (n, rows) to d_x (n, cols) and, with the input x, to the gradients of all that the
 * matrix learns. */
static void matrix_back(struct smol_net *net, real *d_x, const struct smol_net_matrix *m,
                        const real *x, const real *d_y)
{
    const real *d_plain = plain_gradient(net, m, x, d_y);

    net->ops->gemm(d_x, m->cols, smol_as_is(d_plain, m->rows),
                   smol_as_is(smol_net_product(m), m->cols), net->n_tokens, m->cols, m->rows, 1, 0,
                   net->product_room);
    smol_net_matrix_gradient(net, m, x, d_plain);
}

static void normalise(struct smol_net *net, const struct smol_net_norm *norm,
                      const struct smol_normalised *to)
{
    net->ops->layernorm(to->z, to->rstd, smol_norm_output(norm, to), net->x, norm->gain.weight,
                        norm->bias.weight, net->n_tokens, net->config.width,
                        (real)net->config.ln_epsilon);
    if (norm->shifted)
        net->ops->half_shift(to->a, norm->gain.weight ? to->a : to->z, norm->shifted, net->begins,
                             net->batch, net->config.context, net->config.width);
}

static void normalise_back(struct smol_net *net, const struct smol_net_norm *norm,
                           const struct smol_normalised *to)
{
    const size_t C = net->config.width;
    real *d_gain = net->partial, *d_bias = d_gain + C;

    if (norm->shifted)
        net->ops->half_shift_backward(net->d_width, norm->shifted, net->begins, net->batch,
                                      net->config.context, C);
    net->ops->layernorm_backward(net->x, d_gain, d_bias, d_bias + C, net->d_width, to->z, to->rstd,
                                 norm->gain.weight, net->n_tokens, C);
    if (norm->gain.weight)
        smol_net_norm_gradient(net, norm, d_gain, d_bias);
}

/* The output of a layer's norm. */
static const real *normalised(const struct smol_net_layer *l, enum smol_slot slot)
{
    return smol_norm_output(&l->norm[slot], &l->kept->norm[slot]);
}

/* The shape of attention with a layer's temperatures and slopes. */
static struct smol_attention attention_of(const struct smol_net *net,
                                          const struct smol_net_layer *l)
{
    const real *factors;
    struct smol_attention a = net->attention;

    if (l->temperature != SMOL_NO_PARAM)
        a.temperatures = l->temperatures ? l->temperatures : smol_net_used(net, l->temperature);
    a.slopes = net->slopes;
    a.begins = net->begins;
    a.room = net->product_room;
    if (l->slope_factor == SMOL_NO_PARAM)
        return a;
    factors = l->slope_factors ? l->slope_factors : smol_net_used(net, l->slope_factor);
    for (size_t h = 0; h < a.heads; h++)
        net->layer_slopes[h] = net->slopes[h] * factors[h];
    a.slopes = net->layer_slopes;
    return a;
}

/* The gradients of a layer's temperatures and slope factors, from those of each sequence. */
static void heads_back(struct smol_net *net, const struct smol_net_layer *l)
{
    const size_t H = net->config.n_heads;

    for (size_t h = 0; h < H; h++) {
        real d_temperature = 0, d_slope = 0;

        for (size_t i = h; i < net->batch * H; i += H) {
            d_temperature += net->d_heads[2 * i];
            d_slope += net->d_heads[2 * i + 1];
        }
        if (l->temperature != SMOL_NO_PARAM)
            smol_net_grad(net, l->temperature)[h] = d_temperature;
        if (l->slope_factor != SMOL_NO_PARAM)
            smol_net_grad(net, l->slope_factor)[h] = d_slope * net->slopes[h];
    }
    smol_base_gradient(net, &l->base_temperature, smol_net_grad(net, l->temperature), NULL, 1);
    smol_base_gradient(net, &l->base_slope_factor, smol_net_grad(net, l->slope_factor), NULL, 1);
}

static void activate(const struct smol_net *net, const struct smol_net_kept *k)
{
    const size_t n = net->n_tokens * net->config.n_ff;

    if (smol_config_has(&net->config, SMOL_FEATURE_RELU2))
        net->ops->relu2(k->hidden, k->slope, n);
    else
        net->ops->gelu(k->hidden, k->slope, n);
}

static void layer_forward(struct smol_net *net, const struct smol_net_layer *l)
{
    const struct smol_net_matrix *m = l->matrix;
    const struct smol_net_kept *k = l->kept;
    const struct smol_attention attention = attention_of(net, l);

    normalise(net, &l->norm[SMOL_LN_1], &k->norm[SMOL_LN_1]);
    multiply(net, k->qkv, &m[SMOL_ATTN_C_ATTN], normalised(l, SMOL_LN_1), 0);
    net->ops->attention(k->heads, k->attention, k->qkv, &attention);
    add_sublayer(net, l, SMOL_ATTN_C_PROJ, k->heads);
    normalise(net, &l->norm[SMOL_LN_2], &k->norm[SMOL_LN_2]);
    multiply(net, k->slope, &m[SMOL_MLP_C_FC], normalised(l, SMOL_LN_2), 0);
    activate(net, k);
    add_sublayer(net, l, SMOL_MLP_C_PROJ, k->hidden);
}

/* The gradient of what a sublayer added; room (n, C) if some of it was dropped. */
static const real *sublayer_gradient(struct smol_net *net, const struct smol_net_layer *l,
                                     enum smol_slot slot, real *room)
{
    if (!net->dropout)
        return net->x;
    smol_dropout(room, net->x, net->dropout, sublayer_place(net, l, slot),
                 net->n_tokens * net->config.width);
    return room;
}

/* net->x holds the gradient of the layer's output, and then that of its input. */
static void layer_backward(struct smol_net *net, const struct smol_net_layer *l)
{
    const struct smol_net_matrix *m = l->matrix;
    const struct smol_net_kept *k = l->kept;
    const size_t n_hidden = net->n_tokens * net->config.n_ff;
    const struct smol_attention attention = attention_of(net, l);

    matrix_back(net, net->d_hidden, &m[SMOL_MLP_C_PROJ], k->hidden,
                sublayer_gradient(net, l, SMOL_MLP_C_PROJ, net->d_width));
    net->ops->scale(net->d_hidden, k->slope, n_hidden);
    matrix_back(net, net->d_width, &m[SMOL_MLP_C_FC], normalised(l, SMOL_LN_2), net->d_hidden);
    normalise_back(net, &l->norm[SMOL_LN_2], &k->norm[SMOL_LN_2]);

    matrix_back(net, net->d_width, &m[SMOL_ATTN_C_PROJ], k->heads,
                sublayer_gradient(net, l, SMOL_ATTN_C_PROJ, net->d_qkv));
    net->ops->attention_backward(net->d_qkv, net->d_heads, net->d_attention, net->d_width,
                                 k->attention, k->qkv, &attention);
    if (net->d_heads)
        heads_back(net, l);
    matrix_back(net, net->d_width, &m[SMOL_ATTN_C_ATTN], normalised(l, SMOL_LN_1), net->d_qkv);
    normalise_back(net, &l->norm[SMOL_LN_1], &k->norm[SMOL_LN_1]);
}

void smol_net_forward(struct smol_net *net, const uint32_t *tokens, bool keep)
{
    const size_t size = net->n_tokens * net->config.width;

    embed(net, tokens);
    drop_embeddings(net);
    for (uint32_t l = 0; l < net->config.n_layers; l++) {
        if (keep && net->recompute)
            memcpy(net->inputs + l * size, net->x, size * sizeof *net->x);
        layer_forward(net, net->layers + l);
    }
    normalise(net, &net->ln_f, &net->last);
}

/* What a layer keeps for the backward pass, made again: the same bits. Its input is no longer
 * needed then. */
static void make_again(struct smol_net *net, uint32_t l)
{
    real *d_x = net->x;

    net->x = net->inputs + l * net->n_tokens * net->config.width;
    layer_forward(net, net->layers + l);
    net->x = d_x;
}

static void embed_backward(struct smol_net *net, const uint32_t *tokens)
{
    const size_t C = net->config.width, T = net->config.context;

    if (net->models.n > 0) {
        smol_rows_embed_gradient(net, tokens);
        smol_models_embed_gradient(net, tokens);
        return;
    }
    real *d_wte = smol_net_grad(net, net->wte);
    real *d_wpe = net->wpe != SMOL_NO_PARAM ? smol_net_grad(net, net->wpe) : NULL;

    for (size_t i = 0; i < net->n_tokens; i++) {
        const real *d_x = net->x + i * C;
        const size_t t = i % T - begin_of(net, i);
        real *token = d_wte + tokens[i] * C, *position = d_wpe ? d_wpe + t * C : NULL;

        for (size_t c = 0; c < C; c++) {
            token[c] += d_x[c];
            if (position)
                position[c] += d_x[c];
        }
    }
}

/* Those that sums are added to: the gradient of a whole matrix or of the output table is set at
 * once. */
static void clear_gradients(struct smol_net *net)
{
    for (uint32_t i = 0; i < net->n_params; i++) {
        struct smol_param *p = net->params + i;
        const bool is_set = p->param_group == SMOL_GROUP_MATRIX ||
                            p->param_group == SMOL_GROUP_LATENT ||
                            (i == net->output && net->models.n == 0);

        p->squares = -1;
        if (!is_set)
            memset(smol_net_grad(net, i), 0, smol_param_size(p) * sizeof *net->grad);
    }
}

double smol_net_backward(struct smol_net *net, const uint32_t *tokens, const int32_t *targets)
{
    double loss;

    clear_gradients(net);
    loss = smol_head_backward(net, targets);
    /* The gradient of the last norm's output is there; net->x becomes the residual stream's. */
    memset(net->x, 0, net->n_tokens * net->config.width * sizeof *net->x);
    normalise_back(net, &net->ln_f, &net->last);
    for (uint32_t l = net->config.n_layers; l-- > 0;) {
        if (net->recompute && l + 1 < net->config.n_layers) /* the last one's is still there */
            make_again(net, l);
        layer_backward(net, net->layers + l);
    }
    drop_embeddings(net);
    embed_backward(net, tokens);
    return loss;
}
