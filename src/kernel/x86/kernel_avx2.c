/* The kernels for AVX2, FMA and F16C: the functions on floats, the search of histories, and the
 * tables of those sets that use them. */
#include "kernel/x86/registers_avx2.h"
#include "kernel/x86/vec_avx2.h"

#include "kernel/floats.inc"

/* Of 16 tokens from *tokens on, all bits of those that are to be found. */
static __m256i sought(const uint16_t *tokens, __m256i last, __m256i before, __m256i mask)
{
    const __m256i here = _mm256_loadu_si256((const __m256i *)tokens),
                  previous = _mm256_loadu_si256((const __m256i *)(tokens - 1)),
                  differs =
                      _mm256_or_si256(_mm256_xor_si256(here, last),
                                      _mm256_and_si256(_mm256_xor_si256(previous, before), mask));

    return _mm256_cmpeq_epi16(differs, _mm256_setzero_si256());
}

static size_t find(uint16_t *places, const uint16_t *tokens, size_t n, uint16_t last,
                   uint16_t before, uint16_t mask)
{
    const __m256i l = _mm256_set1_epi16((int16_t)last), b = _mm256_set1_epi16((int16_t)before),
                  m = _mm256_set1_epi16((int16_t)mask);
    const uint16_t *const previous = tokens - 1;
    size_t found = 0, i = 0;

    for (; i + 32 <= n; i += 32) {
        const __m256i packed =
            _mm256_packs_epi16(sought(tokens + i, l, b, m), sought(tokens + i + 16, l, b, m));
        uint32_t bits = (uint32_t)_mm256_movemask_epi8(_mm256_permute4x64_epi64(packed, 0xd8));
        for (; bits; bits &= bits - 1)
            places[found++] = (uint16_t)(i + (uint32_t)__builtin_ctz(bits));
    }
    for (; i < n; i++) {
        places[found] = (uint16_t)i;
        found += ((tokens[i] ^ last) | ((previous[i] ^ before) & mask)) == 0;
    }
    return found;
}

#define KERNELS(product, q8, bits)                                                                 \
    .scratch_bytes = smol_scratch_wide, .block_batch = 3, .block_batch_wide = 3,                   \
    .frozen = product, .frozen_fast = smol_frozen_fast_avx2, .rows_i16 = smol_rows_i16_avx2,       \
    .fast_bases = 6, .rows_q8 = q8, .rows_q4 = smol_rows_q4_avx2,                                  \
    .rows_ternary = smol_rows_ternary_##bits, .rows_mask = smol_rows_mask_##bits,                  \
    .stream_bytes = smol_stream_bytes_avx2, .hadamard = smol_hadamard_avx2,                        \
    .scale_by_bytes = smol_scale_by_bytes_avx2, .log = log_all, .find = find, SMOL_FLOAT_KERNELS

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
