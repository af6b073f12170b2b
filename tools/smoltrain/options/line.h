/* smoltrain's command line, as it was given. */
#ifndef SMOLTRAIN_LINE_H
#define SMOLTRAIN_LINE_H

#include "cli/cli.h"
#include "smoltrain/options/args.h"
#include "smoltrain/options/rules.h"

struct train_line {
    struct train_args args; /* of its options, only what the line gives is filled in */
    /* Words that become numbers; NULL: not given. */
    char *arch, *method, *d, *dist, *norms, *param_type, *embedding_type, *matrix_type, *keep,
        *init_alpha, *order, *seed, *format, *vocab, *isa, *size, *base, *bases, *mix,
        *embedding_rows;
    struct cli_feature_words features;
    int gains, no_gains, bias, layer_gains, learn_logit_scale, no_learn_logit_scale, recompute,
        documents;
    struct train_rule_words rules;
};

/* Reads it, once a process; what it holds lives as long as the program. NULL after a message, with
 * the exit code. */
const struct train_line *train_line_read(int *code, int argc, const char **argv);

/* Whether it gives an option, by its long name. */
bool train_line_gives(const char *name);

/* Puts the numbers that it gives over those of options. */
void train_line_numbers(struct smol_train_options *options);

#endif
