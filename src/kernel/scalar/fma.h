/* x y + z rounded once, which SPEC.md 1 asks for. Where the processor has no instruction for it,
 * newlib and picolibc round twice, and musl takes some subnormal results to the wrong side: of the
 * libraries only glibc's is used, and else plain integers, which are faster than floats that are
 * computed by software, too. */
#ifndef SMOL_FMA_H
#define SMOL_FMA_H

#include <math.h>

/* To nearest even, whatever the rounding mode; subnormals kept. */
float smol_fma_plain(float x, float y, float z);

static inline float smol_fmaf(float x, float y, float z)
{
#if defined(__FP_FAST_FMAF) || defined(__ARM_FEATURE_FMA) || defined(__GLIBC__)
    return fmaf(x, y, z);
#else
    return smol_fma_plain(x, y, z);
#endif
}

#endif
