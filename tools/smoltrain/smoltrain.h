/* One run of smoltrain, and many. */
#ifndef SMOLTRAIN_H
#define SMOLTRAIN_H

#include "smoltrain/data.h"

/* Trains and writes the model, or the checkpoint of a run that a signal stopped. data NULL: reads
 * args' files. An exit code. */
int train_run(const struct train_args *args, const struct train_data *data);

/* smoltrain sweep: argv[0] is that word. An exit code. */
int train_sweep(int argc, const char **argv);

#endif
