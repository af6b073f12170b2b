/* The kernels for AVX2, FMA and F16C: the functions on floats, and the tables of those sets that
 * use them. */
#include "kernel/x86/registers_avx2.h"
#include "kernel/x86/vec_avx2.h"

#include "kernel/floats.inc"

#define KERNELS(product, q8, bits)                                                                 \
    .scratch_bytes = smol_scratch_wide, .block_batch = 3, .block_batch_wide = 3,                   \
    .frozen = product, .frozen_fast = smol_frozen_fast_avx2, .rows_i16 = smol_rows_i16_avx2,       \
    .fast_bases = 6, .rows_q8 = q8, .rows_q4 = smol_rows_q4_avx2,                                  \
    .rows_ternary = smol_rows_ternary_##bits, .rows_mask = smol_rows_mask_##bits,                  \
    .stream_bytes = smol_stream_bytes_avx2, .hadamard = smol_hadamard_avx2,                        \
    .scale_by_bytes = smol_scale_by_bytes_avx2, SMOL_FLOAT_KERNELS

const struct smol_kernels smol_kernels_avx2 = {.name = "avx2",
                                               KERNELS(smol_frozen_avx2, smol_rows_q8_avx2, avx2)};

const struct smol_kernels smol_kernels_avxvnni = {
    .name = "avx2 with VNNI",
    KERNELS(smol_frozen_avxvnni, smol_rows_q8_avxvnni, avx2),
};

/* AVX-512 without VBMI and VNNI: one vector times frozen rows, masks and ternary rows gain by wider
 * registers. */
const struct smol_kernels smol_kernels_avx512bw = {
    .name = "avx512 without VBMI and VNNI",
    KERNELS(smol_frozen_avx512bw, smol_rows_q8_avx2, avx512bw),
};
