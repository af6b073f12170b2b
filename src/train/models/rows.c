/* See models.h: rows of the embeddings and of the output table that a delta learns. */
#include "train/models/models.h"

/* to (cols) += from. */
static void add(real *to, const real *from, size_t cols)
{
    for (size_t c = 0; c < cols; c++)
        to[c] += from[c];
}

void smol_rows_embed(struct smol_net *net, const uint32_t *tokens)
{
    const struct smol_net_models *models = &net->models;
    const size_t C = net->config.width;

    for (size_t i = 0; models->n_rows > 0 && i < net->n_tokens; i++)
        if (models->row_of[tokens[i]] > 0)
            add(net->x + i * C,
                smol_net_used(net, models->rows) + (models->row_of[tokens[i]] - 1) * C, C);
}

void smol_rows_embed_gradient(struct smol_net *net, const uint32_t *tokens)
{
    const struct smol_net_models *models = &net->models;
    const size_t C = net->config.width;

    for (size_t i = 0; models->n_rows > 0 && i < net->n_tokens; i++)
        if (models->row_of[tokens[i]] > 0)
            add(smol_net_grad(net, models->rows) + (models->row_of[tokens[i]] - 1) * C,
                net->x + i * C, C);
}

void smol_rows_logits(struct smol_net *net, const real *a, size_t m, real scale)
{
    const struct smol_net_models *models = &net->models;
    const size_t C = net->config.width, V = net->config.vocab, n = models->n_rows;

    if (n == 0)
        return;
    net->ops->gemm(models->row_logits, n, smol_as_is(a, C),
                   smol_transposed(smol_net_used(net, models->output_rows), C), m, n, C, scale, 0,
                   net->product_room);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < m; i++)
        for (size_t k = 0; k < n; k++)
            net->logits[i * V + models->tokens[k]] += models->row_logits[i * n + k];
}

void smol_rows_logits_gradient(struct smol_net *net, real *d_a, const real *a, size_t m, real scale)
{
    const struct smol_net_models *models = &net->models;
    const size_t C = net->config.width, V = net->config.vocab, n = models->n_rows;

    if (n == 0)
        return;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < m; i++)
        for (size_t k = 0; k < n; k++)
            models->row_logits[i * n + k] = net->logits[i * V + models->tokens[k]];
    net->ops->gemm(smol_net_grad(net, models->output_rows), C,
                   smol_transposed(models->row_logits, n), smol_as_is(a, C), n, C, m, scale, 1,
                   net->product_room);
    net->ops->gemm(d_a, C, smol_as_is(models->row_logits, n),
                   smol_as_is(smol_net_used(net, models->output_rows), C), m, C, n, scale, 1,
                   net->product_room);
}
