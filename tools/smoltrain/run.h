/* One run of smoltrain. */
#ifndef SMOLTRAIN_RUN_H
#define SMOLTRAIN_RUN_H

#include "smoltrain/data/data.h"

/* Trains and writes the model, or the checkpoint of a run that a signal stopped. data NULL: reads
 * args' files. An exit code. */
int train_run(const struct train_args *args, const struct train_data *data);

#endif
