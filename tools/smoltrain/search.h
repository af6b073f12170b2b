/* Looking for a good seed before training: smoltrain --seed-search. */
#ifndef SMOLTRAIN_SEARCH_H
#define SMOLTRAIN_SEARCH_H

#include "smoltrain/bases.h"
#include "smoltrain/data/data.h"

/* Trains the first steps with each of args->seed_search seeds, from the options' own on, and gives
 * the one with the lowest validation loss; says so on stderr. An exit code: CLI_FAILED after a
 * message, also when a signal asked to stop. */
int train_seed_search(uint64_t *seed, const struct train_args *args, const struct train_data *data,
                      const struct train_bases *bases);

#endif
