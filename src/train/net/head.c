/* The output matrix, which may be wte, and the loss. Logits exist for a chunk of the tokens at a
 * time, so that a large vocabulary takes no memory for those of a whole batch; their gradient goes
 * at once to where it is wanted. */
#include "train/net/head.h"
#include "train/models/models.h"

/* Logits that exist at once, unless that is too few tokens for fast products. */
#define LOGITS (1u << 22)
#define FEW_TOKENS 256u

size_t smol_logits_chunk(size_t n_tokens, size_t vocab)
{
    const size_t most = LOGITS / vocab < FEW_TOKENS ? FEW_TOKENS : LOGITS / vocab;

    return n_tokens < most ? n_tokens : most;
}

static real logit_scale(const struct smol_net *net)
{
    if (net->models.n > 0)
        return smol_models_logit_scale(net);
    return net->logit_scale != SMOL_NO_PARAM ? *smol_net_used(net, net->logit_scale)
                                             : (real)net->config.logit_scale;
}

/* d_wte or that of the output table, and the gradient of m tokens' outputs a, from that of their
 * logits. */
static void chunk_backward(struct smol_net *net, const real *a, size_t first, size_t m)
{
    const size_t C = net->config.width, V = net->config.vocab;
    const real scale = logit_scale(net);
    real *d_table = net->models.n > 0 ? net->models.d_output : smol_net_grad(net, net->output);

    if (d_table)
        net->ops->gemm(d_table, C, smol_transposed(net->logits, V), smol_as_is(a, C), V, C, m,
                       scale, first > 0, net->product_room);
    net->ops->gemm(net->d_width + first * C, C, smol_as_is(net->logits, V),
                   smol_as_is(net->output_used, C), m, C, V, scale, 0, net->product_room);
    smol_rows_logits_gradient(net, net->d_width + first * C, a, m, scale);
}

/* A logit is scale x (row of the table) . a, so that a . d_a, summed, is scale times the scale's
 * gradient. The losses are summed, and their memory takes the rows' sums. */
static void scale_gradient(struct smol_net *net, const real *output)
{
    const size_t C = net->config.width;
    double sum = 0;

#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < net->n_tokens; i++)
        net->losses[i] = (double)net->ops->dot(output + i * C, net->d_width + i * C, C);
    for (size_t i = 0; i < net->n_tokens; i++)
        sum += net->losses[i];
    *smol_net_grad(net, net->logit_scale) = (real)(sum / (double)logit_scale(net));
}

static double run(struct smol_net *net, const int32_t *targets, bool backward, double *total)
{
    const size_t C = net->config.width, V = net->config.vocab, n = net->n_tokens;
    const real *output = smol_norm_output(&net->ln_f, &net->last);
    struct smol_soft_targets soft;
    size_t n_targets = 0;
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        n_targets += targets[i] >= 0;
    n_targets = n_targets > 0 ? n_targets : 1;
    for (size_t first = 0; first < n; first += net->logits_chunk) {
        const size_t m = n - first < net->logits_chunk ? n - first : net->logits_chunk;
        const real *a = output + first * C;

        net->ops->gemm(net->logits, V, smol_as_is(a, C), smol_transposed(net->output_used, C), m, V,
                       C, logit_scale(net), 0, net->product_room);
        smol_rows_logits(net, a, m, logit_scale(net));
        if (net->soft)
            soft = (struct smol_soft_targets){net->soft->rows + first, net->soft->weight};
        net->ops->cross_entropy(net->losses + first, net->logits, targets + first,
                                net->soft ? &soft : NULL, m, V, backward, 1 / (real)n_targets);
        if (backward)
            chunk_backward(net, a, first, m);
    }
    for (size_t i = 0; i < n; i++)
        sum += net->losses[i];
    if (backward && net->logit_scale != SMOL_NO_PARAM)
        scale_gradient(net, output);
    if (backward && net->models.d_output)
        smol_models_output_gradient(net);
    if (total)
        *total = sum;
    return sum / (double)n_targets;
}

double smol_head_loss(struct smol_net *net, const int32_t *targets, double *total)
{
    return run(net, targets, false, total);
}

double smol_head_backward(struct smol_net *net, const int32_t *targets)
{
    return run(net, targets, true, NULL);
}
