/* Making and freeing a network. */
#ifndef SMOL_TRAIN_BUILD_H
#define SMOL_TRAIN_BUILD_H

#include "train/net/net.h"

#include <smol/isa.h>

struct smol_net_options {
    uint32_t batch, n_threads;
    enum smol_isa isa; /* which this machine has */
    bool smooth, recompute, learn_logit_scale;
    bool may_round;  /* parameters may be rounded in the forward pass */
    bool unit_rates; /* of stored matrices */
    enum smol_dist dist;
    float sigma[SMOL_N_SLOTS]; /* what stored matrices begin with */
    bool uniform_alphas;       /* 1 / sqrt(d) each, not (1, 0, ...) */
    double embedding_std;
    /* Of a delta. */
    const struct smol_file_part *models; /* (n_models) with their factors; not needed later */
    uint32_t n_models;
    bool learn_factors;
    const uint32_t *rows; /* (config's input_rows) tokens; must outlive the network */
};

/* Allocates everything and sets the initial values of SPEC.md 12. config: canonical. MEMORY if
 * there is not enough. */
enum smol_status smol_net_create(struct smol_net **net, const struct smol_config *config,
                                 const struct smol_net_options *options, struct smol_error *error);
/* Accepts NULL. */
void smol_net_destroy(struct smol_net *net);

#endif
