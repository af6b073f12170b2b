/* How many threads take work that comes in like units, the steps of a training or the tokens of a
 * text: as many as there may be, or half of them, a quarter and so on down to one where that is
 * about as fast. So it is with units of little work, in which threads mostly wait for each other,
 * and while other programs want the same processors. No result may depend on it. */
#ifndef SMOL_PACE_H
#define SMOL_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct smol_pace {
    uint32_t threads;      /* of the next unit */
    uint32_t chosen;       /* what they are, unless another number is being tried */
    uint32_t most;         /* all that there may be */
    bool upwards;          /* the next to be tried is larger */
    double slow;           /* seconds; with units that take longer, no fewer threads are tried */
    uint32_t rest;         /* units until the next comparison */
    uint32_t rests;        /* how much longer than a comparison the rest after it is */
    uint32_t blocks;       /* of this comparison that are over */
    double settling;       /* seconds in which threads may still wait for a processor */
    double seconds, units; /* of this block */
    double compared;       /* units in all blocks */
    double fastest[2];     /* seconds of a unit, in the faster block as chosen and as tried */
};

struct smol_pace smol_pace_of(uint32_t threads, double slow);
/* After so many units, which took so long together. The time is used only if this was no rest. */
void smol_pace_took(struct smol_pace *pace, uint32_t units, double seconds);
static inline bool smol_pace_rests(const struct smol_pace *p)
{
    return p->most == 1 || p->rest > 0;
}

#endif
