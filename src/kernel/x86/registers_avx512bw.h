/* What the kernels for AVX-512 share that needs no more of it than F, BW, DQ and VL: tails, sums,
 * the generator in registers. */
#ifndef SMOL_REGISTERS_AVX512BW_H
#define SMOL_REGISTERS_AVX512BW_H

#include "base/bytes.h"
#include "kernel/product.h"

#include <immintrin.h>

#define BYTES 64u /* of a register, and of a step of a stream */
#define LANES 16u /* floats of a register */
#define FOLD 8u   /* whose sums are brought together at once */

smol_frozen_product smol_frozen_avx512bw, smol_frozen_avx2;

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

/* Words a, b, c, d of 16 lanes. */
struct generator {
    __m512i a, b, c, d;
};

#define PARTS 1u /* registers of a step's bytes */

/* ---- ChaCha20: the states in which streams start ----
 *
 * Four blocks to a register and three row blocks at once, instead of one call of libsodium after
 * the other: with that, one vector times 3,072 x 768 weights of five bases went from 20.9 to 24.2
 * Gweights/s, times 768 x 3,072 from 26.1 to 27.1 (one thread at 3.63 GHz). */

/* A quarter round of four columns, in each of the four blocks that lie side by side. */
static inline void quarter_rounds(struct generator *s)
{
    s->a = _mm512_add_epi32(s->a, s->b);
    s->d = _mm512_rol_epi32(_mm512_xor_si512(s->d, s->a), 16);
    s->c = _mm512_add_epi32(s->c, s->d);
    s->b = _mm512_rol_epi32(_mm512_xor_si512(s->b, s->c), 12);
    s->a = _mm512_add_epi32(s->a, s->b);
    s->d = _mm512_rol_epi32(_mm512_xor_si512(s->d, s->a), 8);
    s->c = _mm512_add_epi32(s->c, s->d);
    s->b = _mm512_rol_epi32(_mm512_xor_si512(s->b, s->c), 7);
}

static inline void double_round(struct generator *s)
{
    quarter_rounds(s);
    s->b = _mm512_shuffle_epi32(s->b, _MM_PERM_ADCB);
    s->c = _mm512_shuffle_epi32(s->c, _MM_PERM_BADC);
    s->d = _mm512_shuffle_epi32(s->d, _MM_PERM_CBAD);
    quarter_rounds(s);
    s->b = _mm512_shuffle_epi32(s->b, _MM_PERM_CBAD);
    s->c = _mm512_shuffle_epi32(s->c, _MM_PERM_BADC);
    s->d = _mm512_shuffle_epi32(s->d, _MM_PERM_ADCB);
}

/* Rows of four blocks, side by side, to the four blocks, which are the words a, b, c, d of the
 * lanes. */
static inline void blocks_apart(struct generator *s)
{
    const __m512i ab = _mm512_shuffle_i32x4(s->a, s->b, 0x44),
                  cd = _mm512_shuffle_i32x4(s->c, s->d, 0x44);
    const __m512i AB = _mm512_shuffle_i32x4(s->a, s->b, 0xee),
                  CD = _mm512_shuffle_i32x4(s->c, s->d, 0xee);

    s->a = _mm512_shuffle_i32x4(ab, cd, 0x88);
    s->b = _mm512_shuffle_i32x4(ab, cd, 0xdd);
    s->c = _mm512_shuffle_i32x4(AB, CD, 0x88);
    s->d = _mm512_shuffle_i32x4(AB, CD, 0xdd);
}

/* The streams of some row blocks at their start, SPEC.md 5.2; side by side, since a round waits for
 * the one before it. */
ALWAYS_INLINE void generators_init(struct generator *s, const struct smol_frozen *t, uint32_t plane,
                                   uint32_t block, uint32_t n_blocks)
{
    const __m512i counters = _mm512_set_epi32(0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0);
    struct generator first[SMOL_BLOCK_BATCH];

    for (uint32_t i = 0; i < n_blocks; i++) {
        const __m128i tail =
            _mm_set_epi32((int)t->purpose, (int)plane, (int)t->tensor, (int)(4 * (block + i)));
        first[i].a =
            _mm512_broadcast_i32x4(_mm_set_epi32(0x6b206574, 0x79622d32, 0x3320646e, 0x61707865));
        first[i].b =
            _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)t->key->bytes));
        first[i].c = _mm512_broadcast_i32x4(
            _mm_loadu_si128((const __m128i *)(const void *)(t->key->bytes + 16)));
        first[i].d = _mm512_add_epi32(_mm512_broadcast_i32x4(tail), counters);
        s[i] = first[i];
    }
    for (unsigned round = 0; round < 20; round += 2)
        for (uint32_t i = 0; i < n_blocks; i++)
            double_round(&s[i]);
    for (uint32_t i = 0; i < n_blocks; i++) {
        s[i].a = _mm512_add_epi32(s[i].a, first[i].a);
        s[i].b = _mm512_add_epi32(s[i].b, first[i].b);
        s[i].c = _mm512_add_epi32(s[i].c, first[i].c);
        s[i].d = _mm512_add_epi32(s[i].d, first[i].d);
        blocks_apart(&s[i]);
    }
}

/* ---- the generator ---- */

/* One step; the emitted bytes are the new d. */
static inline __m512i generator_step(struct generator *s, unsigned k)
{
    (void)k;
    const __m512i e = _mm512_sub_epi32(s->a, _mm512_rol_epi32(s->b, 27));

    s->a = _mm512_xor_si512(s->b, _mm512_rol_epi32(s->c, 17));
    s->b = _mm512_add_epi32(s->c, s->d);
    s->c = _mm512_add_epi32(s->d, e);
    s->d = _mm512_add_epi32(e, s->a);
    return s->d;
}

#endif
