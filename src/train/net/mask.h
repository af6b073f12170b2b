/* Masks in training: a score for each weight decides whether the seed's sign is there. SPEC.md
 * 5.10; straight-through as in section 12. */
#ifndef SMOL_TRAIN_MASK_H
#define SMOL_TRAIN_MASK_H

#include "train/net/net.h"

/* Fills m->signs from the seed. */
void smol_net_mask_signs(const struct smol_net *net, const struct smol_net_matrix *m);

/* m's weights from its scores: without factors, sparse term and gains. */
void smol_mask_weights(const struct smol_net *net, const struct smol_net_matrix *m);

/* In place, the gradient of the weights (rows, cols) becomes that of the scores. */
void smol_mask_gradient(const struct smol_net *net, const struct smol_net_matrix *m, real *d);

/* Scores become what a file holds: 0 and 1 for bits, and, if there are gains, these times the scale
 * of the weights, which is then 1. */
void smol_mask_store(struct smol_net *net, const struct smol_net_matrix *m);

#endif
