/* One run of smoltrain, and many. */
#ifndef SMOLTRAIN_H
#define SMOLTRAIN_H

#include "smoltrain_args.h"

/* The whole text, for free(). False after a message. */
bool train_read_text(struct smol_span *text, const char *path);

/* Trains and writes the model, or the checkpoint of a run that a signal stopped. An exit code. */
int train_run(const struct train_args *args, struct smol_span text);
/* Whether a signal has asked for an orderly end. */
bool train_stop_asked(void);

/* smoltrain sweep: argv[0] is that word. An exit code. */
int train_sweep(int argc, const char **argv);

#endif
