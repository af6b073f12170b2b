/* Methods for some tensors, from the command line. */
#ifndef SMOLTRAIN_RULES_H
#define SMOLTRAIN_RULES_H

#include <smol/train.h>

/* The words of the line; NULL what is not there. */
struct train_rule_words {
    char *attn, *mlp; /* METHOD or METHOD:N */
    char *recipe;     /* a path */
};

/* The rules that these stand for, in the place of those that a checkpoint may have; the recipe's
 * come last and so decide. 0 or an exit code, after a message. */
int train_rules_apply(struct smol_train_options *options, const struct train_rule_words *words);

#endif
