/* Instruction sets, which all give the same bits (SPEC.md 7). Plain data, so thread-safe. */
#ifndef SMOL_ISA_H
#define SMOL_ISA_H

/* The instruction set to compute with: the fastest that processor and operating system allow, or
 * the one named. */
enum smol_isa {
    SMOL_ISA_BEST = 0,
    SMOL_ISA_SCALAR = 1, /* plain C; where WebAssembly has vectors, only in programs that use
                            smol/primitives.h */
    SMOL_ISA_AVX2 = 2,
    SMOL_ISA_AVX512 = 3,
    SMOL_ISA_NEON = 4,
    SMOL_ISA_WASM = 5 /* WebAssembly's vectors of 128 bits */
};

#endif
