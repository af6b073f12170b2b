/* f32x16 with AVX2, FMA and F16C: two registers. scalar/vec_scalar.h says what each operation
 * means. */
#ifndef SMOL_VEC_AVX2_H
#define SMOL_VEC_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VEC_LANES 16u
#define VEC_SUMS 1u

typedef struct {
    __m256 low, high; /* lanes 0..7 and 8..15 */
} f32x16;

static inline f32x16 vec_set1(float x) { return (f32x16){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }

static inline f32x16 vec_zero(void) { return (f32x16){_mm256_setzero_ps(), _mm256_setzero_ps()}; }

static inline f32x16 vec_load(const void *p)
{
    const float *x = p;

    return (f32x16){_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8)};
}

/* All bits of the first n lanes, n < 16, as the sign of which loads and blends want. */
static inline f32x16 vec_mask(size_t n)
{
    static const int32_t ones_then_zeros[32] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                -1, -1, -1, -1, -1, -1, -1, -1};

    return vec_load(ones_then_zeros + 16 - n);
}

static inline f32x16 vec_load_first(const void *p, size_t n)
{
    const float *x = p;

    if (n >= VEC_LANES)
        return vec_load(p);
    const f32x16 mask = vec_mask(n);
    return (f32x16){_mm256_maskload_ps(x, _mm256_castps_si256(mask.low)),
                    _mm256_maskload_ps(x + 8, _mm256_castps_si256(mask.high))};
}

/* Eight of them, or fewer. */
static inline __m256 load_halves(const uint8_t *p, size_t n)
{
    uint8_t rest[16] = {0};

    if (n < 8)
        memcpy(rest, p, 2 * n);
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(n < 8 ? rest : p)));
}

static inline f32x16 vec_load_halves_first(const void *p, size_t n)
{
    const uint8_t *halves = p;

    return (f32x16){load_halves(halves, n),
                    n > 8 ? load_halves(halves + 16, n - 8) : _mm256_setzero_ps()};
}

/* Eight of them, or fewer. */
static inline void store_part(float *p, __m256 v, __m256 mask, size_t n)
{
    if (n >= 8)
        _mm256_storeu_ps(p, v);
    else
        _mm256_maskstore_ps(p, _mm256_castps_si256(mask), v);
}

static inline void vec_store_first(float *p, f32x16 v, size_t n)
{
    const f32x16 mask = vec_mask(n < VEC_LANES ? n : VEC_LANES);

    store_part(p, v.low, mask.low, n);
    if (n > 8)
        store_part(p + 8, v.high, mask.high, n - 8);
}

static inline f32x16 vec_first(f32x16 a, f32x16 b, size_t n)
{
    if (n >= VEC_LANES)
        return a;
    const f32x16 mask = vec_mask(n);
    return (f32x16){_mm256_blendv_ps(b.low, a.low, mask.low),
                    _mm256_blendv_ps(b.high, a.high, mask.high)};
}

#define OPERATION(name, of_half)                                                                   \
    static inline f32x16 vec_##name(f32x16 a, f32x16 b)                                            \
    {                                                                                              \
        return (f32x16){of_half(a.low, b.low), of_half(a.high, b.high)};                           \
    }

OPERATION(add, _mm256_add_ps)
OPERATION(sub, _mm256_sub_ps)
OPERATION(mul, _mm256_mul_ps)
OPERATION(div, _mm256_div_ps)
OPERATION(min, _mm256_min_ps)
OPERATION(max, _mm256_max_ps)

static inline f32x16 vec_fma(f32x16 a, f32x16 b, f32x16 c)
{
    return (f32x16){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}

static inline f32x16 vec_abs(f32x16 a)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);

    return (f32x16){_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
}

#define NEAREST (_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)

static inline f32x16 vec_round(f32x16 a)
{
    return (f32x16){_mm256_round_ps(a.low, NEAREST), _mm256_round_ps(a.high, NEAREST)};
}

static inline __m256 power_of_two(__m256 n)
{
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}

static inline f32x16 vec_scale(f32x16 a, f32x16 n)
{
    return vec_mul(a, (f32x16){power_of_two(n.low), power_of_two(n.high)});
}

static inline float vec_sum(f32x16 v)
{
    const __m256 h8 = _mm256_add_ps(v.low, v.high);
    const __m128 h4 = _mm_add_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    const __m128 h2 = _mm_add_ps(h4, _mm_movehl_ps(h4, h4));

    return _mm_cvtss_f32(_mm_add_ss(h2, _mm_movehdup_ps(h2)));
}

static inline void vec_sums(float *sums, const f32x16 *v, size_t n)
{
    (void)n;
    *sums = vec_sum(*v);
}

static inline float vec_largest(f32x16 v)
{
    const __m256 h8 = _mm256_max_ps(v.low, v.high);
    const __m128 h4 = _mm_max_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    const __m128 h2 = _mm_max_ps(h4, _mm_movehl_ps(h4, h4));

    return _mm_cvtss_f32(_mm_max_ss(h2, _mm_movehdup_ps(h2)));
}

/* What is not a number is cleared: the conversion would make -2^31 of it. */
static inline __m256i to_int32(__m256 x)
{
    return _mm256_cvtps_epi32(_mm256_and_ps(x, _mm256_cmp_ps(x, x, _CMP_ORD_Q)));
}

static inline void vec_store_int16_first(int16_t *p, f32x16 v, size_t n)
{
    const __m256i packed =
        _mm256_permute4x64_epi64(_mm256_packs_epi32(to_int32(v.low), to_int32(v.high)), 0xd8);
    int16_t lane[VEC_LANES], *to = n < VEC_LANES ? lane : p;

    _mm256_storeu_si256((__m256i *)(void *)to, packed);
    if (n < VEC_LANES)
        memcpy(p, lane, n * sizeof *p);
}

#endif
