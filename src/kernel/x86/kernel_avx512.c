/* The kernels for AVX-512 (F, BW, VL, DQ, VBMI, VNNI): the functions on floats, the search of
 * histories, and the table of them all. */
#include "kernel/x86/registers_avx512.h"
#include "kernel/x86/vec_avx512.h"

#include "kernel/floats.inc"

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

static size_t scratch_bytes(size_t cols, size_t n_x, uint32_t n_planes)
{
    if (n_planes == 0)
        return smol_scratch_wide(cols, n_x, n_planes);
    return most(smol_scratch_wide(cols, n_x, n_planes),
                most(smol_frozen_batch_scratch_avx512(cols, n_x, n_planes),
                     smol_frozen_fast_batch_scratch_avx512(cols, n_x)));
}

static size_t find(uint16_t *places, const uint16_t *tokens, size_t n, uint16_t last,
                   uint16_t before, uint16_t mask)
{
    const __m512i l = _mm512_set1_epi16((int16_t)last), b = _mm512_set1_epi16((int16_t)before),
                  m = _mm512_set1_epi16((int16_t)mask);
    size_t found = 0;

    for (size_t i = 0; i < n; i += 32) {
        const __mmask32 some = n - i < 32 ? (1u << (n - i)) - 1 : 0xffffffffu;
        const __m512i here = _mm512_maskz_loadu_epi16(some, tokens + i),
                      previous = _mm512_maskz_loadu_epi16(some, tokens + i - 1);
        uint32_t bits = _mm512_mask_testn_epi16_mask(_mm512_mask_cmpeq_epi16_mask(some, here, l),
                                                     _mm512_xor_si512(previous, b), m);
        for (; bits; bits &= bits - 1)
            places[found++] = (uint16_t)(i + (uint32_t)__builtin_ctz(bits));
    }
    return found;
}

const struct smol_kernels smol_kernels_avx512 = {
    .name = "avx512",
    .scratch_bytes = scratch_bytes,
    .block_batch = SMOL_BLOCK_BATCH,
    .block_batch_wide = 3,
    .frozen = smol_frozen_avx512,
    .frozen_fast = smol_frozen_fast_avx512,
    .runs = smol_runs_avx512,
    .runs_fast = smol_runs_fast_avx512,
    .streams = smol_streams_avx512,
    .numbers = smol_numbers_batch_avx512,
    .numbers_fast = smol_numbers_fast_batch_avx512,
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
    .log = log_all,
    .find = find,
    SMOL_FLOAT_KERNELS,
};
