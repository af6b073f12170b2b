/* smoltrain --size, --minutes and --plan: the best file for a size and a time. */
#ifndef SMOLTRAIN_PLAN_H
#define SMOLTRAIN_PLAN_H

#include "smoltrain/data/data.h"

/* Chooses what the line leaves open, puts it into *args, and says in three lines what and why: on
 * the standard output if only the plan is asked for, else on the standard error. 0, or an exit
 * code after a message. */
int train_plan(struct train_args *args, const struct train_data *data);

/* What a plan leaves of a file of a size for the card. */
uint64_t train_plan_card_room(uint64_t size_bytes);

#endif
