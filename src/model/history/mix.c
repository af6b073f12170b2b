/* What followed the same tokens before, mixed into logits. SPEC.md 8, History. */
#include "model/history/history.h"

#define PORTION 64u /* tokens at once */

/* The shares (n) of tokens. */
static void take_shares(double *shares, const struct followers *f, const double *strengths,
                        const uint16_t *tokens, size_t n)
{
    for (size_t i = 0; i < n; i++)
        shares[i] = 0;
    for (uint32_t k = 0; k < SMOL_HISTORY_LENGTHS && f->n[k] > 0; k++)
        for (size_t i = 0; i < n; i++)
            shares[i] = smol_history_share(shares[i], strengths[k], f->n[k], f->u[k],
                                           f->counts[tokens[i] * SMOL_HISTORY_LENGTHS + k]);
}

void smol_history_mix(float *logits, const struct followers *f,
                      const double strengths[SMOL_HISTORY_LENGTHS], float most, double sum,
                      const struct smol_kernels *kernels)
{
    double x[PORTION], rest = 1;
    float e[PORTION];

    for (uint32_t k = 0; k < SMOL_HISTORY_LENGTHS && f->n[k] > 0; k++)
        rest = smol_history_rest(rest, strengths[k], f->n[k], f->u[k]);
    for (size_t at = 0, n; at < f->n_seen; at += n) {
        const uint16_t *tokens = f->seen + at;
        n = f->n_seen - at < PORTION ? f->n_seen - at : PORTION;
        take_shares(x, f, strengths, tokens, n);
        for (size_t i = 0; i < n; i++)
            e[i] = logits[tokens[i]] - most;
        kernels->exp(e, e, n);
        for (size_t i = 0; i < n; i++)
            x[i] = 1 + x[i] * sum / (rest * (double)e[i]);
        kernels->log(e, x, n);
        for (size_t i = 0; i < n; i++)
            logits[tokens[i]] += e[i];
    }
}
