/* From parameters to matrices and norms, and back from their gradients. */
#ifndef SMOL_TRAIN_WEIGHTS_H
#define SMOL_TRAIN_WEIGHTS_H

#include "train/net/net.h"

/* Brings the matrices and norms up to date with the parameters. everything: also what never
 * changes. */
void smol_net_materialise(struct smol_net *net, bool everything);

/* What the weights of a stored matrix begin with, from the seed: into its parameter. */
void smol_net_start_rows(struct smol_net *net, const struct smol_net_matrix *m);

/* Whether a matrix's weights are a parameter as it is used. */
bool smol_net_borrows(const struct smol_net_matrix *m);

/* Whether the gradient of a matrix's weights is that of a parameter. */
bool smol_net_learns_whole(const struct smol_net_matrix *m);

/* A matrix's gradients from its input x (n, cols) and d_y (n, rows). */
void smol_net_matrix_gradient(struct smol_net *net, const struct smol_net_matrix *m, const real *x,
                              const real *d_y);
/* The same of a norm's vectors: (C) each. */
void smol_net_norm_gradient(struct smol_net *net, const struct smol_net_norm *norm,
                            const real *d_gain, const real *d_bias);

#endif
