/* The kernels for AVX2, FMA and F16C: the functions on floats, and the tables of those sets that
 * use them. */
#include "kernel/x86/registers_avx2.h"
#include "kernel/x86/vec_avx2.h"

#include "kernel/floats.inc"

#define KERNELS(product, rows)                                                                     \
    .frozen = product, .frozen_fast = smol_frozen_fast_avx2, .rows_i16 = smol_rows_i16_avx2,       \
    .fast_bases = 6, .rows_q8 = rows, .rows_q4 = smol_rows_q4_avx2,                                \
    .rows_ternary = smol_rows_ternary_avx2, .rows_mask = smol_rows_mask_avx2,                      \
    .stream_bytes = smol_stream_bytes_avx2, .hadamard = smol_hadamard_avx2,                        \
    .scale_by_bytes = smol_scale_by_bytes_avx2, SMOL_FLOAT_KERNELS

const struct smol_kernels smol_kernels_avx2 = {.name = "avx2",
                                               KERNELS(smol_frozen_avx2, smol_rows_q8_avx2)};

const struct smol_kernels smol_kernels_avxvnni = {
    .name = "avx2 with VNNI",
    KERNELS(smol_frozen_avxvnni, smol_rows_q8_avxvnni),
};

/* AVX-512 without VBMI and VNNI: one vector times frozen rows gains by wider registers. */
const struct smol_kernels smol_kernels_avx512bw = {
    .name = "avx512 without VBMI and VNNI",
    KERNELS(smol_frozen_avx512bw, smol_rows_q8_avx2),
};
