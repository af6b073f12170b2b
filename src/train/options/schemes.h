/* From options and their rules to a scheme for every tensor. */
#ifndef SMOL_TRAIN_SCHEMES_H
#define SMOL_TRAIN_SCHEMES_H

#include <smol/train.h>

/* The part of a configuration that is schemes: one for every tensor, by the options and the rules
 * that fit its name. ARGUMENT if a rule says nothing of any. config has its shape. */
enum smol_status smol_train_schemes(struct smol_config *config,
                                    const struct smol_train_options *options,
                                    struct smol_error *error);

/* The standard deviation of the initial weights of a matrix slot (SPEC.md 12). config has its
 * shape. */
float smol_train_sigma(const struct smol_train_options *options, const struct smol_config *config,
                       enum smol_slot slot);

/* What no tensor can have, in words, or NULL. is_norm: of what matters to a norm with alphas. */
const char *smol_schemes_wrong(const struct smol_train_options *options, bool is_norm);

#endif
