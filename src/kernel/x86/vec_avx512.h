/* f32x16 with AVX-512: one register. scalar/vec_scalar.h says what each operation means. */
#ifndef SMOL_VEC_AVX512_H
#define SMOL_VEC_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define VEC_LANES 16u
#define VEC_SUMS 16u
#define VEC_TILE_ROWS 4u
#define VEC_TILE_VECTORS 4u
#define VEC_QUERIES 4u
#define vec_fetch(p) _mm_prefetch((const char *)(p), _MM_HINT_T0)

typedef __m512 f32x16;

static inline __mmask16 vec_mask(size_t n)
{
    return (__mmask16)(n >= VEC_LANES ? 0xffffu : (1u << n) - 1u);
}

static inline f32x16 vec_set1(float x) { return _mm512_set1_ps(x); }

static inline f32x16 vec_load_first(const void *p, size_t n)
{
    return _mm512_maskz_loadu_ps(vec_mask(n), p);
}

static inline f32x16 vec_load_halves_first(const uint8_t *p, size_t n)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(vec_mask(n), p));
}

static inline void vec_store_first(float *p, f32x16 v, size_t n)
{
    _mm512_mask_storeu_ps(p, vec_mask(n), v);
}

static inline f32x16 vec_first(f32x16 a, f32x16 b, size_t n)
{
    return _mm512_mask_blend_ps(vec_mask(n), b, a);
}

static inline f32x16 vec_add(f32x16 a, f32x16 b) { return _mm512_add_ps(a, b); }

static inline f32x16 vec_sub(f32x16 a, f32x16 b) { return _mm512_sub_ps(a, b); }

static inline f32x16 vec_mul(f32x16 a, f32x16 b) { return _mm512_mul_ps(a, b); }

static inline f32x16 vec_div(f32x16 a, f32x16 b) { return _mm512_div_ps(a, b); }

static inline f32x16 vec_fma(f32x16 a, f32x16 b, f32x16 c) { return _mm512_fmadd_ps(a, b, c); }

static inline f32x16 vec_min(f32x16 a, f32x16 b) { return _mm512_min_ps(a, b); }

static inline f32x16 vec_max(f32x16 a, f32x16 b) { return _mm512_max_ps(a, b); }

static inline f32x16 vec_abs(f32x16 a) { return _mm512_abs_ps(a); }

static inline f32x16 vec_round(f32x16 a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline f32x16 vec_scale(f32x16 a, f32x16 n)
{
    const __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));

    return _mm512_mul_ps(a, _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23)));
}

static inline float vec_sum(f32x16 v)
{
    const __m256 h8 = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 h4 = _mm_add_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    const __m128 h2 = _mm_add_ps(h4, _mm_movehl_ps(h4, h4));

    return _mm_cvtss_f32(_mm_add_ss(h2, _mm_movehdup_ps(h2)));
}

/* The same additions for 16 vectors, pairs of which are folded into one, four times. */
static inline void vec_sums(float *sums, const f32x16 *v, size_t n)
{
    const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    __m512 a[8], b[4];
    __m512d c[2];

    for (unsigned i = 0; i < 8; i++)
        a[i] = _mm512_add_ps(_mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0x44),
                             _mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0xee));
    for (unsigned i = 0; i < 4; i++)
        b[i] = _mm512_add_ps(_mm512_shuffle_f32x4(a[2 * i], a[2 * i + 1], 0x88),
                             _mm512_shuffle_f32x4(a[2 * i], a[2 * i + 1], 0xdd));
    for (unsigned i = 0; i < 2; i++) {
        const __m512d x = _mm512_castps_pd(b[2 * i]), y = _mm512_castps_pd(b[2 * i + 1]);
        c[i] = _mm512_castps_pd(_mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)),
                                              _mm512_castpd_ps(_mm512_unpackhi_pd(x, y))));
    }
    const __m512 x = _mm512_castpd_ps(c[0]), y = _mm512_castpd_ps(c[1]);
    const __m512 folded =
        _mm512_add_ps(_mm512_shuffle_ps(x, y, 0x88), _mm512_shuffle_ps(x, y, 0xdd));
    vec_store_first(sums, _mm512_permutexvar_ps(order, folded), n);
}

static inline float vec_largest(f32x16 v) { return _mm512_reduce_max_ps(v); }

/* The conversion makes -2^31 of what is not a number, and that is 0 in 16 bits. */
static inline void vec_store_int16_first(int16_t *p, f32x16 v, size_t n)
{
    _mm256_mask_storeu_epi16(p, vec_mask(n), _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(v)));
}

#endif
