/* The kernels for AVX-512 (F, BW, VL, DQ, VBMI, VNNI): the functions on floats, and the table of
 * them all. */
#include "kernel/x86/registers_avx512.h"
#include "kernel/x86/vec_avx512.h"

#include "kernel/floats.inc"

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

static size_t scratch_bytes(size_t cols, size_t n_x, uint32_t n_planes)
{
    return most(smol_scratch_wide(cols, n_x, n_planes),
                most(smol_frozen_batch_scratch_avx512(cols, n_x, n_planes),
                     smol_frozen_fast_batch_scratch_avx512(cols, n_x)));
}

const struct smol_kernels smol_kernels_avx512 = {
    .name = "avx512",
    .scratch_bytes = scratch_bytes,
    .block_batch = SMOL_BLOCK_BATCH,
    .block_batch_wide = 3,
    .frozen = smol_frozen_avx512,
    .frozen_fast = smol_frozen_fast_avx512,
    .rows_i16 = smol_rows_i16_avx512,
    .fast_bases = 16,
    .streams_floats = true,
    .rows_q8 = smol_rows_q8_avx512,
    .rows_q4 = smol_rows_q4_avx512,
    .rows_ternary = smol_rows_ternary_avx512,
    .rows_mask = smol_rows_mask_avx512,
    .stream_bytes = smol_stream_bytes_avx512,
    .hadamard = smol_hadamard_avx512,
    .scale_by_bytes = smol_scale_by_bytes_avx512,
    SMOL_FLOAT_KERNELS,
};
