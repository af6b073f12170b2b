/* Tails, integers as bytes, ternary digits, and sums of rows, with F, BW, DQ and VL of AVX-512. */
#ifndef SMOL_SUMS_AVX512_H
#define SMOL_SUMS_AVX512_H

#include "base/bytes.h"
#include "kernel/product.h"

#include <immintrin.h>

#define BYTES 64u /* of a register, and of a step of a stream */
#define LANES 16u /* floats of a register */
#define FOLD 8u   /* rows whose sums are brought together at once */

smol_rows_product smol_rows_mask_avx512, smol_rows_ternary_avx512;
smol_rows_product smol_rows_q8_avx512, smol_rows_q4_avx512;
void smol_rows_i16_avx512(int64_t *sums, const int16_t *w, size_t n_rows, size_t cols,
                          const int16_t *X);
smol_rows_product smol_rows_mask_avx512bw, smol_rows_ternary_avx512bw;

static inline __mmask16 tail16(size_t n)
{
    return (__mmask16)(n >= LANES ? 0xffffu : (1u << n) - 1u);
}

static inline __mmask64 tail64(size_t n)
{
    return n >= BYTES ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1;
}

/* ---- integers ---- */

static inline int64_t sum_i32(__m512i v)
{
    const __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(v));
    const __m512i high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(v, 1));

    return _mm512_reduce_add_epi64(_mm512_add_epi64(low, high));
}

/* The sums of the 32-bit lanes of 16 registers, in their order: pairs are folded into one register,
 * four times. */
static inline __m512i sum_lanes(const __m512i v[16])
{
    const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 13, 9, 5, 1, 14, 10, 6, 2, 12, 8, 4, 0);
    __m512i a[8], b[4], c[2];

    for (unsigned i = 0; i < 8; i++)
        a[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(v[i], v[i + 8]),
                                _mm512_unpackhi_epi32(v[i], v[i + 8]));
    for (unsigned i = 0; i < 4; i++)
        b[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(a[i], a[i + 4]),
                                _mm512_unpackhi_epi64(a[i], a[i + 4]));
    for (unsigned i = 0; i < 2; i++)
        c[i] = _mm512_add_epi32(_mm512_shuffle_i32x4(b[2 * i], b[2 * i + 1], 0x88),
                                _mm512_shuffle_i32x4(b[2 * i], b[2 * i + 1], 0xdd));
    const __m512i sums = _mm512_add_epi32(_mm512_shuffle_i32x4(c[0], c[1], 0x88),
                                          _mm512_shuffle_i32x4(c[0], c[1], 0xdd));
    return _mm512_permutexvar_epi32(order, sums);
}

/* sums[i] = 2^shift x (sum of lanes of high[i]) + sum of lanes of low[i], for eight pairs v = low
 * 0..7, high 0..7. */
static inline __m512i sum_pairs(const __m512i v[16], unsigned shift)
{
    const __m512i s = sum_lanes(v);
    const __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(s));
    const __m512i high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(s, 1));

    return _mm512_add_epi64(low, _mm512_slli_epi64(high, shift));
}

/* The low and high signed bytes of 64 integers X = 256 h + l. */
static inline void split64(__m512i *h, __m512i *l, const int16_t *X, size_t n)
{
    const __m512i bias = _mm512_set1_epi16(128);
    const __m512i a = _mm512_maskz_loadu_epi16((__mmask32)tail64(n), X);
    const __m512i b = _mm512_maskz_loadu_epi16((__mmask32)(tail64(n) >> 32), X + 32);
    const __m256i h0 = _mm512_cvtepi16_epi8(_mm512_srai_epi16(_mm512_add_epi16(a, bias), 8));
    const __m256i h1 = _mm512_cvtepi16_epi8(_mm512_srai_epi16(_mm512_add_epi16(b, bias), 8));

    *l = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi16_epi8(a)),
                            _mm512_cvtepi16_epi8(b), 1);
    *h = _mm512_inserti64x4(_mm512_castsi256_si512(h0), h1, 1);
}

/* ---- ternary numbers ---- */

#define DIGITS 5u /* of a byte: it has a column of each of five planes */

/* The first digit of bytes b is w + 1 = 3 b / 256. */
ALWAYS_INLINE __m512i first_digit(__m512i b)
{
    const __mmask64 some = _mm512_cmpge_epu8_mask(b, _mm512_set1_epi8(86)),
                    more = _mm512_cmpge_epu8_mask(b, _mm512_set1_epi8((char)171));

    return _mm512_mask_blend_epi8(more, _mm512_maskz_mov_epi8(some, _mm512_set1_epi8(1)),
                                  _mm512_set1_epi8(2));
}

/* 3 b modulo 256. */
ALWAYS_INLINE __m512i without_first(__m512i b) { return _mm512_add_epi8(b, _mm512_add_epi8(b, b)); }

/* ---- sums of rows ---- */

/* The sums of rows from their pairs of registers, low + 2^shift high, added to those that are there
 * unless is_first. */
static inline void finish_rows(int64_t *sums, const __m512i pairs[2 * FOLD], unsigned shift,
                               int64_t offset, uint32_t rows, bool is_narrow, bool is_first)
{
    const __mmask8 mask = (__mmask8)((1u << rows) - 1);

    if (is_narrow) {
        const __m512i v = _mm512_sub_epi64(sum_pairs(pairs, shift), _mm512_set1_epi64(offset));
        const __m512i before = _mm512_maskz_loadu_epi64(is_first ? 0 : mask, sums);
        _mm512_mask_storeu_epi64(sums, mask, _mm512_add_epi64(before, v));
    } else {
        for (uint32_t r = 0; r < rows; r++)
            sums[r] = sum_i32(pairs[r]) + ((int64_t)1 << shift) * sum_i32(pairs[r + FOLD]) -
                      offset + (is_first ? 0 : sums[r]);
    }
}

#endif
