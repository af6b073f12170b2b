/* How fast a training will be, by doing its first steps. */
#ifndef SMOLTRAIN_SPEED_H
#define SMOLTRAIN_SPEED_H

#include "smoltrain/data/data.h"

/* Seconds of a step with these options, rounding included, from some steps that are thrown away:
 * for half a second or so, at least two. 0, or an exit code after a message. */
int plan_measure(double *seconds_per_step, const struct smol_train_options *options,
                 const struct train_data *data);

#endif
