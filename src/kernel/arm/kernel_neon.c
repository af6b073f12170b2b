/* The kernels for NEON of AArch64: the functions on floats, and the tables of those sets that use
 * them. */
#include "kernel/arm/registers_neon.h"
#include "kernel/arm/vec_neon.h"

#include "kernel/floats.inc"

/* Looked up one by one. */
static void scale_by_bytes(float *x, const uint8_t *bytes, const float *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= table[bytes[i]];
}

#define KERNELS(set)                                                                               \
    .scratch_bytes = smol_scratch_wide, .block_batch = 3, .block_batch_wide = 3,                   \
    .frozen = smol_frozen_neon, .frozen_fast = smol_frozen_fast_##set,                             \
    .rows_i16 = smol_rows_i16_neon, .fast_bases = 8, .rows_q8 = smol_rows_q8_##set,                \
    .rows_q4 = smol_rows_q4_neon, .rows_ternary = smol_rows_ternary_##set,                         \
    .rows_mask = smol_rows_mask_##set, .stream_bytes = smol_stream_bytes_neon,                     \
    .hadamard = smol_hadamard_neon, .scale_by_bytes = scale_by_bytes, .log = log_all,              \
    .find = smol_find, SMOL_FLOAT_KERNELS

const struct smol_kernels smol_kernels_neon = {.name = "neon", KERNELS(neon)};

const struct smol_kernels smol_kernels_neon_dotprod = {
    .name = "neon with dot products",
    KERNELS(neon_dotprod),
};
