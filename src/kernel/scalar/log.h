/* log(x) of SPEC.md 7, which defines that of all instruction sets. */
#ifndef SMOL_LOG_H
#define SMOL_LOG_H

#include "kernel/scalar/fma.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* log(1 + t) = t - t^2 / 2 + t^3 p(t), p as in Cephes (Moshier), logf: from the highest power. */
static const float smol_log_series[] = {0x1.204376p-4f,  -0x1.d7a370p-4f, 0x1.de4a34p-4f,
                                        -0x1.fcba9ep-4f, 0x1.23d37ep-3f,  -0x1.555ca0p-3f,
                                        0x1.999d58p-3f,  -0x1.fffff8p-3f, 0x1.555554p-2f};
#define SMOL_LOG_SERIES (sizeof smol_log_series / sizeof *smol_log_series)
#define SMOL_LOG_2_HIGH 0x1.63p-1f /* which add up to log(2) */
#define SMOL_LOG_2_LOW -0x1.bd0106p-13f

/* The t and e with x = (1 + t) x 2^e, x at least 1. */
static inline void smol_log_parts(float *t, float *e, double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    *e = (float)((int)(bits >> 52) - 1023);
    bits = (bits & 0x000fffffffffffffu) | 0x3ff0000000000000u;
    memcpy(&x, &bits, sizeof x);
    if (x >= 0x1.6a09e6p0) {
        x = x * 0.5;
        *e = *e + 1;
    }
    *t = (float)(x - 1);
}

static inline float smol_log(double x)
{
    float t, e, q, y = smol_log_series[0];

    smol_log_parts(&t, &e, x);
    for (unsigned i = 1; i < SMOL_LOG_SERIES; i++)
        y = smol_fmaf(y, t, smol_log_series[i]);
    q = t * t;
    y = y * t * q;
    y = smol_fmaf(e, SMOL_LOG_2_LOW, y);
    y = smol_fmaf(q, -0.5f, y);
    return smol_fmaf(e, SMOL_LOG_2_HIGH, t + y);
}

static inline void smol_log_all(float *y, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = smol_log(x[i]);
}

#endif
