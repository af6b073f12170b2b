/* See pace.h. Now and then two blocks of units with the chosen number of threads are compared with
 * two of another number, taken in turns; and, since a block may be slow by chance, the faster of
 * each two. A block lasts long enough to see what other programs take of it. */
#include "base/threads/pace.h"

#include <math.h>

#define BLOCK_SECONDS 0.005
#define SETTLING 0.025  /* seconds: a thread that wakes may have to wait for another's processor */
#define BLOCKS 4u       /* of a comparison */
#define FIRST_RESTS 16u /* the rest after the first comparison takes so many times as long, */
#define MOST_RESTS 128u /* and twice as many after each, up to this */
#define WORTH_IT 1.05   /* how much faster twice as many threads have to be */
#define DECISIVE 1.2    /* a number that is so much slower is not tried again in a comparison */

static void take(struct smol_pace *p, uint32_t threads)
{
    if (threads > p->threads)
        p->settling = SETTLING;
    p->threads = threads;
}

static void begin(struct smol_pace *p)
{
    take(p, p->chosen);
    p->blocks = 0;
    p->compared = 0;
    p->fastest[0] = p->fastest[1] = (double)INFINITY;
}

struct smol_pace smol_pace_of(uint32_t threads, double slow)
{
    struct smol_pace p = {.chosen = threads, .most = threads, .slow = slow, .rests = FIRST_RESTS};

    begin(&p);
    return p;
}

static void rest(struct smol_pace *p)
{
    p->rest = (uint32_t)fmin(p->rests * p->compared, 1e9);
    p->rests = p->rests < MOST_RESTS ? 2 * p->rests : MOST_RESTS;
    p->upwards = p->chosen == 1 || (p->chosen < p->most && !p->upwards);
    begin(p);
}

/* The number that is compared with the chosen one. */
static uint32_t other(const struct smol_pace *p)
{
    if (!p->upwards)
        return p->chosen / 2;
    return p->chosen <= p->most / 2 ? 2 * p->chosen : p->most;
}

/* All blocks are over. */
static void decide(struct smol_pace *p)
{
    const double fewer = p->fastest[p->upwards ? 0 : 1], more = p->fastest[p->upwards ? 1 : 0];
    const bool more_is_better = fewer > WORTH_IT * more;
    const uint32_t tried = other(p);

    if (more_is_better != p->upwards) {
        rest(p);
        return;
    }
    p->chosen = tried;
    if (tried == 1 || tried == p->most)
        rest(p);
    else
        begin(p);
}

void smol_pace_took(struct smol_pace *p, uint32_t units, double seconds)
{
    const unsigned kind = p->blocks % 2;

    if (smol_pace_rests(p)) {
        p->rest -= p->rest < units ? p->rest : units;
        return;
    }
    p->compared += units;
    if (p->settling > 0) {
        p->settling -= seconds;
        return;
    }
    p->seconds += seconds;
    p->units += units;
    if (p->seconds < BLOCK_SECONDS)
        return;
    p->fastest[kind] = fmin(p->fastest[kind], p->seconds / p->units);
    p->seconds = p->units = 0;
    p->blocks++;
    if ((!p->upwards && p->fastest[0] > p->slow) ||
        (kind == 1 && p->fastest[1] > DECISIVE * p->fastest[0]))
        rest(p);
    else if (p->blocks == BLOCKS)
        decide(p);
    else
        take(p, kind == 0 ? other(p) : p->chosen);
}
