/* See pace.h. Now and then the fastest of two steps with the number of threads in use is compared
 * with the fastest of two with the other. */
#include "train/pace.h"

#include <math.h>

#define MEASURED 2u      /* steps */
#define FIRST_REST 64u   /* steps between comparisons, */
#define MOST_REST 1024u  /* twice as many each time */
#define WORTH_IT 1.1     /* how much faster all threads have to be */
#define SLOW_SECONDS 0.1 /* a step of all threads in which their waiting is a small part */

struct smol_pace smol_pace_of(uint32_t threads)
{
    return (struct smol_pace){.threads = threads,
                              .most = threads,
                              .next_rest = FIRST_REST,
                              .left = MEASURED,
                              .fastest = {(double)INFINITY, (double)INFINITY}};
}

static void rest(struct smol_pace *p)
{
    p->rest = p->next_rest;
    p->next_rest = p->next_rest < MOST_REST ? 2 * p->next_rest : MOST_REST;
    p->is_trial = false;
    for (unsigned i = 0; i < 2; i++)
        p->fastest[i] = (double)INFINITY;
}

void smol_pace_took(struct smol_pace *p, double seconds)
{
    const bool all = p->threads == p->most;

    if (p->most == 1)
        return;
    if (p->rest > 0) {
        p->rest--;
        return;
    }
    p->fastest[all] = fmin(p->fastest[all], seconds);
    if (--p->left > 0)
        return;
    p->left = MEASURED;
    if (!p->is_trial && !(all && p->fastest[1] > SLOW_SECONDS)) {
        p->is_trial = true;
        p->threads = all ? 1 : p->most;
        return;
    }
    if (p->is_trial)
        p->threads = p->fastest[0] <= WORTH_IT * p->fastest[1] ? 1 : p->most;
    rest(p);
}
