/* What this processor and its operating system can do. */
#ifndef SMOL_CPU_H
#define SMOL_CPU_H

#include <stdbool.h>

/* Each is a bundle that is used as a whole or not at all. */
struct smol_cpu {
    bool avx2;     /* AVX2, FMA, F16C; the system saves ymm */
    bool avxvnni;  /* the above, and dot products of bytes in ymm registers without AVX-512 */
    bool avx512bw; /* F, BW, VL, DQ and all of avx2; the system saves zmm */
    bool avx512;   /* F, BW, VL, DQ, VBMI, VNNI and all of avx2; the system saves zmm */
    bool neon;     /* Advanced SIMD of AArch64 */
    bool dotprod;  /* and its dot products of bytes */
};

/* Asked of the machine each time; cheap, thread-safe. */
struct smol_cpu smol_cpu_detect(void);

/* From now on only what is allowed is detected, if it is there: for tests, which run the kernels of
 * lesser processors too. Not thread-safe. */
void smol_cpu_mask(struct smol_cpu allowed);

#endif
