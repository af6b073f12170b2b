/* How many threads steps take: all that they may, or one where that is about as fast. So it is in
 * small networks, and in larger ones while other programs want the same cores, since then threads
 * wait for each other again and again. No number that is trained depends on it. */
#ifndef SMOL_TRAIN_PACE_H
#define SMOL_TRAIN_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct smol_pace {
    uint32_t threads, most; /* those of the next step; all */
    uint32_t rest;          /* steps until both are compared again, and how many that will be the */
    uint32_t next_rest;     /* time after */
    uint32_t left;          /* steps of this number that are still measured */
    bool is_trial;          /* the other number is being measured */
    double fastest[2];      /* seconds of a step with one thread and with all */
};

struct smol_pace smol_pace_of(uint32_t threads);
/* After each step, how long it took. */
void smol_pace_took(struct smol_pace *pace, double seconds);

#endif
