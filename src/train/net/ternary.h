/* Ternary matrices in training: a latent number for each weight says whether it is -1, 0 or 1, and
 * a factor for each row how large. SPEC.md 3.3 and 12. */
#ifndef SMOL_TRAIN_TERNARY_H
#define SMOL_TRAIN_TERNARY_H

#include "train/net/net.h"

/* m's weights from its latent numbers and row factors: without factors, sparse term and gains. */
void smol_ternary_weights(const struct smol_net *net, const struct smol_net_matrix *m);

/* In place, the gradient of the weights (rows, cols) becomes that of the latent numbers; the row
 * factors' is set. */
void smol_ternary_gradient(struct smol_net *net, const struct smol_net_matrix *m, real *d);

/* Latent numbers become -1, 0 and 1, and row factors what a float of a file, times sigma, says. */
void smol_ternary_store(struct smol_net *net, const struct smol_net_matrix *m);

/* The scale of a row of a file. */
float smol_ternary_scale(const struct smol_net *net, const struct smol_net_matrix *m, size_t row);

#endif
