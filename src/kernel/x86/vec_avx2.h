/* f32x16 with AVX2, FMA and F16C: two registers. scalar/vec_scalar.h says what each operation
 * means. */
#ifndef SMOL_VEC_AVX2_H
#define SMOL_VEC_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VEC_LANES 16u
#define VEC_SUMS 4u
#define VEC_TILE_ROWS 2u
#define VEC_TILE_VECTORS 3u

typedef struct {
    __m256 v[2]; /* lanes 0..7 and 8..15 */
} f32x16;

/* A function whose register k is the value. */
#define REGISTERS(name, arguments, value)                                                          \
    static inline f32x16 name arguments                                                            \
    {                                                                                              \
        f32x16 result;                                                                             \
        for (unsigned k = 0; k < 2; k++)                                                           \
            result.v[k] = (value);                                                                 \
        return result;                                                                             \
    }

REGISTERS(vec_set1, (float x), _mm256_set1_ps(x))
REGISTERS(load_all, (const void *p), _mm256_loadu_ps((const float *)p + 8 * k))

/* All bits of the first n lanes, or of all if n is more, as loads, blends and stores want them. */
static inline f32x16 vec_mask(size_t n)
{
    static const int32_t ones_then_zeros[32] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                -1, -1, -1, -1, -1, -1, -1, -1};

    return load_all(ones_then_zeros + 16 - (n < VEC_LANES ? n : VEC_LANES));
}

static inline __m256i mask_of(size_t n, unsigned k)
{
    return _mm256_castps_si256(vec_mask(n).v[k]);
}

/* Eight halves, or fewer. */
static inline __m256 load_halves(const uint8_t *p, size_t n)
{
    uint8_t rest[16] = {0};

    if (n < 8)
        memcpy(rest, p, 2 * n);
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(n < 8 ? rest : p)));
}

REGISTERS(vec_load_first, (const void *p, size_t n),
          n >= VEC_LANES ? _mm256_loadu_ps((const float *)p + 8 * k)
                         : _mm256_maskload_ps((const float *)p + 8 * k, mask_of(n, k)))
REGISTERS(vec_load_halves_first, (const uint8_t *p, size_t n),
          n > 8 * k ? load_halves(p + 16 * k, n - 8 * k) : _mm256_setzero_ps())
REGISTERS(vec_first, (f32x16 a, f32x16 b, size_t n),
          n >= VEC_LANES ? a.v[k] : _mm256_blendv_ps(b.v[k], a.v[k], vec_mask(n).v[k]))
REGISTERS(vec_add, (f32x16 a, f32x16 b), _mm256_add_ps(a.v[k], b.v[k]))
REGISTERS(vec_sub, (f32x16 a, f32x16 b), _mm256_sub_ps(a.v[k], b.v[k]))
REGISTERS(vec_mul, (f32x16 a, f32x16 b), _mm256_mul_ps(a.v[k], b.v[k]))
REGISTERS(vec_div, (f32x16 a, f32x16 b), _mm256_div_ps(a.v[k], b.v[k]))
REGISTERS(vec_fma, (f32x16 a, f32x16 b, f32x16 c), _mm256_fmadd_ps(a.v[k], b.v[k], c.v[k]))
REGISTERS(vec_abs, (f32x16 a), _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v[k]))
REGISTERS(vec_min, (f32x16 a, f32x16 b), _mm256_min_ps(a.v[k], b.v[k]))
REGISTERS(vec_max, (f32x16 a, f32x16 b), _mm256_max_ps(a.v[k], b.v[k]))
REGISTERS(vec_round, (f32x16 a),
          _mm256_round_ps(a.v[k], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))

static inline __m256 power_of_two(__m256 n)
{
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));

    return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}

REGISTERS(vec_scale, (f32x16 a, f32x16 n), _mm256_mul_ps(a.v[k], power_of_two(n.v[k])))

static inline void vec_store_first(float *p, f32x16 v, size_t n)
{
    for (unsigned k = 0; k < 2 && n > 8 * k; k++) {
        if (n >= 8 * k + 8)
            _mm256_storeu_ps(p + 8 * k, v.v[k]);
        else
            _mm256_maskstore_ps(p + 8 * k, mask_of(n, k), v.v[k]);
    }
}

/* What is not a number is cleared: the conversion would make -2^31 of it. */
static inline __m256i to_int32(__m256 x)
{
    return _mm256_cvtps_epi32(_mm256_and_ps(x, _mm256_cmp_ps(x, x, _CMP_ORD_Q)));
}

static inline void vec_store_int16_first(int16_t *p, f32x16 v, size_t n)
{
    const __m256i packed =
        _mm256_permute4x64_epi64(_mm256_packs_epi32(to_int32(v.v[0]), to_int32(v.v[1])), 0xd8);
    int16_t lane[VEC_LANES], *to = n < VEC_LANES ? lane : p;

    _mm256_storeu_si256((__m256i *)(void *)to, packed);
    if (n < VEC_LANES)
        memcpy(p, lane, n * sizeof *p);
}

static inline float vec_sum(f32x16 v)
{
    const __m256 h8 = _mm256_add_ps(v.v[0], v.v[1]);
    const __m128 h4 = _mm_add_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    const __m128 h2 = _mm_add_ps(h4, _mm_movehl_ps(h4, h4));

    return _mm_cvtss_f32(_mm_add_ss(h2, _mm_movehdup_ps(h2)));
}

/* The same additions for four vectors, which are folded into one. */
static inline void vec_sums(float *sums, const f32x16 *v, size_t n)
{
    __m256 a[2];

    for (unsigned i = 0; i < 2; i++) { /* of vectors i and i + 2 */
        const __m256 x = _mm256_add_ps(v[i].v[0], v[i].v[1]),
                     y = _mm256_add_ps(v[i + 2].v[0], v[i + 2].v[1]);
        a[i] =
            _mm256_add_ps(_mm256_permute2f128_ps(x, y, 0x20), _mm256_permute2f128_ps(x, y, 0x31));
    }
    const __m256 b =
        _mm256_add_ps(_mm256_shuffle_ps(a[0], a[1], 0x44), _mm256_shuffle_ps(a[0], a[1], 0xee));
    const __m128 low = _mm256_castps256_ps128(b), high = _mm256_extractf128_ps(b, 1);
    const __m128 folded =
        _mm_add_ps(_mm_shuffle_ps(low, high, 0x88), _mm_shuffle_ps(low, high, 0xdd));
    float four[4];

    _mm_storeu_ps(n < 4 ? four : sums, folded);
    if (n < 4)
        memcpy(sums, four, n * sizeof *sums);
}

static inline float vec_largest(f32x16 v)
{
    const __m256 h8 = _mm256_max_ps(v.v[0], v.v[1]);
    const __m128 h4 = _mm_max_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    const __m128 h2 = _mm_max_ps(h4, _mm_movehl_ps(h4, h4));

    return _mm_cvtss_f32(_mm_max_ss(h2, _mm_movehdup_ps(h2)));
}

#endif
