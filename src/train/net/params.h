/* The register of parameters, and their values at the start (SPEC.md 12). */
#ifndef SMOL_TRAIN_PARAMS_H
#define SMOL_TRAIN_PARAMS_H

#include "train/net/net.h"

/* Lists the parameters, the tables first and then those of SPEC.md 3.2 in its order, and fills in
 * the tensors' references to them. learn_scale, learn_factors: so do the logit scale and the
 * factors of models, which come last. */
enum smol_status smol_params_register(struct smol_net *net, bool learn_scale, bool learn_factors,
                                      struct smol_error *error);

/* uniform: alphas start at 1 / sqrt(d) each. std: of the embeddings. */
void smol_params_initialise(struct smol_net *net, bool uniform, double std);

#endif
