/* Options of a training that changes other models: --base and --bases, and what goes with them. */
#ifndef SMOLTRAIN_DELTA_H
#define SMOLTRAIN_DELTA_H

#include "smoltrain/options/line.h"

/* Finds the bases that the line names in args, and takes their tokenizer; none: args is left as it
 * is, and what is for deltas alone is refused. 0, or an exit code after a message. */
int train_delta_find(struct train_args *args, const struct train_line *line);

/* The method of a delta if the line names none. */
const char *train_delta_method(const struct train_args *args);

/* Goes on from a method's defaults to those of a delta of the bases of args. */
int train_delta_use(struct smol_train_options *options, const struct train_args *args);

/* Whether a checkpoint's options are of these bases. */
int train_delta_check(const struct smol_train_options *saved, const struct train_args *args);

/* The line's words about deltas over the options of args. run: that of a sweep, or NULL. */
int train_delta_apply(struct train_args *args, const struct train_line *line,
                      const struct train_sweep_run *run);

#endif
