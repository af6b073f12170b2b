/* Sparse terms in training: values added to matrices, and their gradient. SPEC.md 5.9. */
#ifndef SMOL_TRAIN_SPARSE_H
#define SMOL_TRAIN_SPARSE_H

#include "train/net/net.h"

/* m's weights += its sparse term. */
void smol_sparse_add(const struct smol_net *net, const struct smol_net_matrix *m);

/* The gradient of the values, from that of the whole matrix. */
void smol_sparse_pick(struct smol_net *net, const struct smol_net_matrix *m, const real *d_weight);

/* Whether the entries alone take less time than the gradient of the whole matrix, which nothing
 * else of m needs. */
bool smol_sparse_is_direct(const struct smol_net_matrix *m);
/* The gradient of the values, entry by entry, from m's input x (n, cols) and d_y (n, rows): added
 * to the zeros that there are. It takes smol_sparse_turned(cols) numbers at net->x_turned. */
void smol_sparse_gradient(struct smol_net *net, const struct smol_net_matrix *m, const real *x,
                          const real *d_y);
size_t smol_sparse_turned(size_t cols);

#endif
