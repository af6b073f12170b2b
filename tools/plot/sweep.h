/* The intrinsic dimension of a task, from finished runs: the smallest d that reaches 90 % of the
 * way from the baseline to training everything (Li et al. 2018). */
#ifndef SWEEP_H
#define SWEEP_H

#include "plot/run_log.h"

#define SWEEP_BASELINE "embed"
#define SWEEP_FULL "full"

/* Runs of one method and d count as one, at their mean. */
struct sweep_point {
    unsigned d, n_runs;
    double loss; /* validation, nats per token, as stored */
};

struct sweep_series {
    const char *method;         /* the log's */
    struct sweep_point *points; /* (n), in order of d */
    size_t n;
    unsigned d90; /* 0: none of them reaches it */
};

struct sweep {
    double baseline, full;       /* mean losses; NaN without such a run */
    double threshold;            /* baseline - 0.9 (baseline - full); NaN unless full is better */
    struct sweep_series *series; /* (n), in the order of the logs */
    size_t n;
};

/* logs, all finished, must outlive it. 0, or -1 if there is no memory. */
int sweep_make(struct sweep *sweep, const struct run_log *logs, size_t n);
void sweep_free(struct sweep *sweep);

/* Part of the way from the baseline to full that a loss has gone; NaN if there is no such way. */
double sweep_share(const struct sweep *sweep, double loss);

#endif
