/* Instruction sets. Every one gives the same bits: SPEC.md 7. Plain data: there is nothing here
 * that threads could share. */
#ifndef SMOL_ISA_H
#define SMOL_ISA_H

/* Whose instructions compute: those of the fastest set that processor and operating system allow,
 * or of the one named. */
enum smol_isa {
    SMOL_ISA_BEST = 0,
    SMOL_ISA_SCALAR = 1,
    SMOL_ISA_AVX2 = 2,
    SMOL_ISA_AVX512 = 3,
    SMOL_ISA_NEON = 4
};

#endif
