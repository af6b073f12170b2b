/* The network forward and backward over one batch. SPEC.md 8, in float and by matrix products. */
#ifndef SMOL_TRAIN_FORWARD_H
#define SMOL_TRAIN_FORWARD_H

#include "train/net/net.h"

/* From tokens (n_tokens) to the last norm's output. keep: what smol_net_backward needs. */
void smol_net_forward(struct smol_net *net, const uint32_t *tokens, bool keep);

/* The mean loss as smol_head_loss gives it, and grad, begun anew. */
double smol_net_backward(struct smol_net *net, const uint32_t *tokens, const int32_t *targets);

#endif
