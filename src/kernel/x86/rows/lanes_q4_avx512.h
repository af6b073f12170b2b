/* Stored rows of 4 bits times several vectors, as lanes_avx512.h has them: a row in each lane.
 *
 * A group of 32 columns takes nine quads: of rows their multipliers first, of vectors -8 times the
 * sum of the bytes h, and of l, less 1. So the sums of q h and of q l - 1 / 32 fit 16 bits, and are
 * multiplied as such; the multipliers' sum is what the ones then lack. */
#ifndef SMOL_LANES_Q4_AVX512_H
#define SMOL_LANES_Q4_AVX512_H

#include "kernel/x86/rows/lanes_avx512.h"

#define TILE_Q4 3u /* vectors at most: 24 sums with those of a group */

/* Adds low + 256 high, in 64 bits, to the sums of 16 rows. */
ALWAYS_INLINE void add_wide_lanes(int64_t *sums, __m512i high, __m512i low, size_t left,
                                  bool is_first)
{
    const __mmask16 m = tail16(left);

    for (unsigned half = 0; half < 2; half++, sums += 8) {
        const __mmask8 some = (__mmask8)(m >> 8 * half);
        const __m256i h = half ? _mm512_extracti64x4_epi64(high, 1) : _mm512_castsi512_si256(high),
                      l = half ? _mm512_extracti64x4_epi64(low, 1) : _mm512_castsi512_si256(low);
        __m512i v = _mm512_add_epi64(_mm512_slli_epi64(_mm512_cvtepi32_epi64(h), 8),
                                     _mm512_cvtepi32_epi64(l));
        if (!is_first)
            v = _mm512_add_epi64(v, _mm512_maskz_loadu_epi64(some, sums));
        _mm512_mask_storeu_epi64(sums, some, v);
    }
}

ALWAYS_INLINE void multiply_q4(const struct lanes_tile *t, unsigned n_x)
{
    const __m512i zero = _mm512_setzero_si512();
    __m512i h[2 * TILE_Q4], l[2 * TILE_Q4], ones[REGISTERS];
    const uint8_t *w = t->w, *x = t->x + BYTES;

    UNROLL
    for (unsigned i = 0; i < n_x * REGISTERS; i++)
        h[i] = l[i] = zero;
    UNROLL
    for (unsigned r = 0; r < REGISTERS; r++)
        ones[r] = zero;
    for (size_t group = 0; group < t->n_quads; group += 9) {
        const uint8_t *multipliers = w;
        __m512i sum_h[2 * TILE_Q4], sum_l[2 * TILE_Q4];
        UNROLL
        for (unsigned i = 0; i < REGISTERS * n_x; i++) {
            sum_h[i] = broadcast(x + i / REGISTERS * t->x_stride);
            sum_l[i] = broadcast(x + i / REGISTERS * t->x_stride + 4);
        }
        w += REGISTERS * BYTES;
        x += QUAD_X;
        UNROLL
        for (unsigned q = 0; q < 8; q++, w += REGISTERS * BYTES, x += QUAD_X)
            add_quad(sum_h, sum_l, w, x, t->x_stride, n_x);
        UNROLL
        for (unsigned r = 0; r < REGISTERS; r++) {
            const __m512i m = _mm512_load_si512(multipliers + r * BYTES);
            ones[r] = _mm512_add_epi32(ones[r], m);
            UNROLL
            for (unsigned i = 0; i < n_x; i++) {
                const unsigned k = i * REGISTERS + r;
                h[k] = _mm512_dpwssd_epi32(h[k], sum_h[k], m);
                l[k] = _mm512_dpwssd_epi32(l[k], sum_l[k], m);
            }
        }
    }
    UNROLL
    for (unsigned i = 0; i < REGISTERS * n_x; i++)
        add_wide_lanes(t->sums + i / REGISTERS * t->stride + i % REGISTERS * LANES, h[i],
                       _mm512_add_epi32(l[i], ones[i % REGISTERS]), left_of(t, i % REGISTERS),
                       t->is_first);
}

static void q4_1(const struct lanes_tile *t) { multiply_q4(t, 1); }

static void q4_2(const struct lanes_tile *t) { multiply_q4(t, 2); }

static void q4_3(const struct lanes_tile *t) { multiply_q4(t, 3); }

static multiply_tile *const q4_tiles[TILE_Q4] = {q4_1, q4_2, q4_3};

/* A group of 32 columns, whose numbers are the low halves of bytes. */
ALWAYS_INLINE void put_group(uint8_t *w, size_t step, __m512i multipliers, const __m512i words[8])
{
    const __m512i half = _mm512_set1_epi8(15), flip = _mm512_set1_epi8(8);

    _mm512_store_si512(w, _mm512_and_si512(multipliers, _mm512_set1_epi32(255)));
    for (unsigned j = 0; j < 8; j++)
        _mm512_store_si512(w + (1 + j) * step,
                           _mm512_xor_si512(_mm512_and_si512(words[j], half), flip));
}

ALWAYS_INLINE void put_weights_q4(uint8_t *w, size_t step, const struct lanes *lanes, size_t at,
                                  size_t n)
{
    __m512i multipliers[4];

    load_words(multipliers, lanes->more, at / 16, n / 16);
    for (size_t i = 0; i < n; i += 32, w += 18 * step) {
        __m512i words[8], m = multipliers[i / 64];
        load_words(words, lanes->rows, at + i, 16);
        load_words(words + 4, lanes->rows, at + i + 16, 16);
        if (i % 64)
            m = _mm512_srli_epi32(m, 16);
        put_group(w, step, m, words);
        for (unsigned j = 0; j < 8; j++)
            words[j] = _mm512_srli_epi32(words[j], 4);
        put_group(w + 9 * step, step, _mm512_srli_epi32(m, 8), words);
    }
}

ALWAYS_INLINE int32_t put_vector_q4(uint8_t *x, const int16_t *X, size_t cols, size_t at, size_t n)
{
    const __m512i order = plain_order(), zero = _mm512_setzero_si512(),
                  eights = _mm512_set1_epi8(8), one_l = _mm512_set1_epi64(-((int64_t)1 << 32));

    for (size_t c = 2 * at; c < 2 * (at + n); c += 32, x += 9 * QUAD_X) {
        const size_t left = c < cols ? cols - c : 0;
        put_columns(x + QUAD_X, X + (left ? c : 0), left, order, zero);
        __m512i sum = _mm512_dpbusd_epi32(zero, eights, _mm512_loadu_si512(x + QUAD_X));
        sum = _mm512_add_epi32(sum, _mm512_shuffle_i64x2(sum, sum, 0x4e));
        sum = _mm512_add_epi32(sum, _mm512_shuffle_i64x2(sum, sum, 0xb1));
        sum = _mm512_add_epi32(sum, _mm512_unpackhi_epi64(sum, sum));
        _mm512_mask_storeu_epi64((int64_t *)(void *)x, 1, _mm512_sub_epi32(one_l, sum));
    }
    return 0;
}

#endif
