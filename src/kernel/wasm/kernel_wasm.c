/* The kernels for WebAssembly's vectors: the functions on floats, and the table. */
#include "kernel/wasm/registers_wasm.h"
#include "kernel/wasm/vec_wasm.h"

#include "kernel/floats.inc"

/* Looked up one by one. */
static void scale_by_bytes(float *x, const uint8_t *bytes, const float *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= table[bytes[i]];
}

const struct smol_kernels smol_kernels_wasm = {
    .name = "wasm",
    .scratch_bytes = smol_scratch_wide,
    .block_batch = 3,
    .block_batch_wide = 3,
    .frozen = smol_frozen_wasm,
    .frozen_fast = smol_frozen_fast_wasm,
    .rows_i16 = smol_rows_i16_wasm,
    .fast_bases = 8,
    .rows_q8 = smol_rows_q8_wasm,
    .rows_q4 = smol_rows_q4_wasm,
    .rows_ternary = smol_rows_ternary_wasm,
    .rows_mask = smol_rows_mask_wasm,
    .stream_bytes = smol_stream_bytes_wasm,
    .hadamard = smol_hadamard_wasm,
    .scale_by_bytes = scale_by_bytes,
    .log = smol_log_all,
    .find = smol_find,
    SMOL_FLOAT_KERNELS,
};
