/* The tied output matrix and the loss. Logits exist for some tokens at a time, so that a large
 * vocabulary takes no memory for those of a whole batch; their gradient goes at once to where it is
 * wanted. */
#include "train/net/net.h"

#define LOGITS                                                                                     \
    (1u << 22) /* that exist at once, unless that is too few tokens for fast products              \
                */
#define FEW_TOKENS 256u

size_t smol_net_head_tokens(size_t n_tokens, size_t vocab)
{
    const size_t most = LOGITS / vocab < FEW_TOKENS ? FEW_TOKENS : LOGITS / vocab;

    return n_tokens < most ? n_tokens : most;
}

/* d_wte, and the gradient of m tokens' outputs, from that of their logits. */
static void chunk_backward(struct smol_net *net, size_t first, size_t m)
{
    const size_t C = net->config.width, V = net->config.vocab;
    const real scale = (real)net->config.logit_scale;

    smol_gemm(smol_net_grad(net, net->wte), C, (struct smol_operand){net->logits, V, true},
              (struct smol_operand){net->a_f + first * C, C, false}, V, C, m, scale, first > 0);
    smol_gemm(net->d_width + first * C, C, (struct smol_operand){net->logits, V, false},
              (struct smol_operand){smol_net_value(net, net->wte), C, false}, m, C, V, scale, 0);
}

void smol_net_head(struct smol_net *net, const int32_t *targets, bool gradient, real inverse_count)
{
    const size_t C = net->config.width, V = net->config.vocab, n = net->n_tokens;

    for (size_t first = 0; first < n; first += net->head_tokens) {
        const size_t m = n - first < net->head_tokens ? n - first : net->head_tokens;

        smol_gemm(net->logits, V, (struct smol_operand){net->a_f + first * C, C, false},
                  (struct smol_operand){smol_net_value(net, net->wte), C, true}, m, V, C,
                  (real)net->config.logit_scale, 0);
        smol_cross_entropy(net->losses + first, net->logits, targets + first, m, V, gradient,
                           inverse_count);
        if (gradient)
            chunk_backward(net, first, m);
    }
}
