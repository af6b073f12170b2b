/* Vectors as bytes, with AVX-512 VNNI. */
#ifndef SMOL_SPLIT_AVX512_H
#define SMOL_SPLIT_AVX512_H

#include "kernel/x86/sums_avx512.h"

/* X as bytes h, then l, each padded with zeros to whole registers; returns the sum of X. */
static inline int64_t split_vector(uint8_t *split, const int16_t *X, size_t cols)
{
    const size_t n = smol_round_up(cols, BYTES);
    const __m512i ones = _mm512_set1_epi8(1);
    __m512i sum_h = _mm512_setzero_si512(), sum_l = sum_h;

    for (size_t i = 0; i < n; i += BYTES) {
        __m512i h, l;
        split64(&h, &l, X + i, cols - i);
        _mm512_store_si512(split + i, h);
        _mm512_store_si512(split + n + i, l);
        sum_h = _mm512_dpbusd_epi32(sum_h, ones, h);
        sum_l = _mm512_dpbusd_epi32(sum_l, ones, l);
    }
    return 256 * sum_i32(sum_h) + sum_i32(sum_l);
}

#endif
