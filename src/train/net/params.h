/* The register of parameters, and their values at the start (SPEC.md 12). */
#ifndef SMOL_TRAIN_PARAMS_H
#define SMOL_TRAIN_PARAMS_H

#include "train/net/net.h"

/* Lists the parameters, the tables first and then those of SPEC.md 3.2 in its order, and fills in
 * the tensors' references to them. learn_scale: so does the logit scale, which comes last. */
enum smol_status smol_params_register(struct smol_net *net, bool learn_scale,
                                      struct smol_error *error);

/* uniform: alphas start at 1 / sqrt(d) each. std: of the embeddings. */
void smol_params_initialise(struct smol_net *net, bool uniform, double std);

#endif
