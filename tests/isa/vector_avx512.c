/* floats.inc over AVX-512's vectors, its instructions emulated. */
#include "isa.h"
#include "kernel/x86/vec_avx512.h"

#include "kernel/floats.inc"

const struct smol_kernels isa_vector_avx512 = {
    .name = "avx512 emulated", .log = log_all, .find = smol_find, SMOL_FLOAT_KERNELS};
