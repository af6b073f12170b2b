/* Projections in training: their entries added to matrices, and the gradient of theta from a
 * matrix's. SPEC.md 5.8. */
#ifndef SMOL_TRAIN_PROJECTION_H
#define SMOL_TRAIN_PROJECTION_H

#include "train/net/net.h"

/* Memory for the projections of a network; *out is NULL if it has none. False if out of memory. */
bool smol_projections_create(struct smol_projections **out, const struct smol_net *net);
void smol_projections_destroy(struct smol_projections *projections);

/* m's weights += P theta. */
void smol_projection_add(struct smol_net *net, const struct smol_net_matrix *m);

/* The gradient of theta += P^T d_weight. */
void smol_projection_gradient(struct smol_net *net, const struct smol_net_matrix *m,
                              const real *d_weight);

#endif
