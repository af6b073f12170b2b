/* The output matrix and the loss. */
#ifndef SMOL_TRAIN_HEAD_H
#define SMOL_TRAIN_HEAD_H

#include "train/net/net.h"

/* Tokens whose logits exist at once. */
size_t smol_logits_chunk(size_t n_tokens, size_t vocab);

/* Mean loss in nats over the targets (n_tokens) that are not -1, from the last norm's output;
 * *total gets the sum, if not NULL. */
double smol_head_loss(struct smol_net *net, const int32_t *targets, double *total);
/* The same, and its gradient: that of the output table, or the head's part of d_wte, that of the
 * logit scale, and d_width, that of the last norm's output. One pass for both, since logits do not
 * outlive their chunk. */
double smol_head_backward(struct smol_net *net, const int32_t *targets);

#endif
