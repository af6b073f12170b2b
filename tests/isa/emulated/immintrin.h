/* What src/hash/blake2b_avx512bw.c, src/kernel/x86/vec_avx512.h and bits_avx512.h take of AVX-512,
 * in plain C, as Intel's manual describes each instruction: so that its bits are tested on every
 * machine. It stands before the compiler's header of this name. */
#ifndef EMULATED_IMMINTRIN_H
#define EMULATED_IMMINTRIN_H

#include "base/bytes.h"
#include "base/number.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    float f[16];
} __m512;
typedef struct {
    double d[8];
} __m512d;
typedef union {
    int32_t i[16];
    int16_t h[32];
    uint8_t b[64];
    int64_t q[8];
} __m512i;
typedef struct {
    float f[8];
} __m256;
typedef union {
    int16_t h[16];
    int32_t i[8];
    uint8_t b[32];
} __m256i;
typedef struct {
    float f[4];
} __m128;
typedef struct {
    uint8_t b[16];
} __m128i;
typedef uint8_t __mmask8;
typedef uint16_t __mmask16;
typedef uint32_t __mmask32;
typedef uint64_t __mmask64;

#define _MM_FROUND_TO_NEAREST_INT 0
#define _MM_FROUND_NO_EXC 8

/* A function whose lane i is the value. */
#define LANEWISE(type, member, n, name, arguments, value)                                          \
    static inline type name arguments                                                              \
    {                                                                                              \
        type result;                                                                               \
        for (unsigned i = 0; i < n; i++)                                                           \
            result.member[i] = (value);                                                            \
        return result;                                                                             \
    }
#define FLOATS(name, arguments, value) LANEWISE(__m512, f, 16, name, arguments, value)
#define INTEGERS(name, arguments, value) LANEWISE(__m512i, i, 16, name, arguments, value)

static inline int is_set(__mmask64 k, unsigned i) { return k >> i & 1; }

static inline float float_at(const void *p, unsigned i)
{
    float x;

    memcpy(&x, (const uint8_t *)p + 4 * i, sizeof x);
    return x;
}

static inline int16_t int16_at(const void *p, unsigned i)
{
    int16_t x;

    memcpy(&x, (const uint8_t *)p + 2 * i, sizeof x);
    return x;
}

/* By the rounding of the environment, which is half to even. */
static inline int32_t to_int32(float x)
{
    return x >= -0x1p31f && x < 0x1p31f ? (int32_t)lrintf(x) : INT32_MIN;
}

/* ---- memory ---- */

FLOATS(_mm512_set1_ps, (float a), a)
FLOATS(_mm512_maskz_loadu_ps, (__mmask16 k, const void *p), is_set(k, i) ? float_at(p, i) : 0)
LANEWISE(__m256i, h, 16, _mm256_maskz_loadu_epi16, (__mmask16 k, const void *p),
         is_set(k, i) ? int16_at(p, i) : 0)

static inline void _mm512_mask_storeu_ps(float *p, __mmask16 k, __m512 a)
{
    for (unsigned i = 0; i < 16; i++)
        if (is_set(k, i))
            p[i] = a.f[i];
}

static inline void _mm256_mask_storeu_epi16(int16_t *p, __mmask16 k, __m256i a)
{
    for (unsigned i = 0; i < 16; i++)
        if (is_set(k, i))
            p[i] = a.h[i];
}

/* ---- arithmetic ---- */

FLOATS(_mm512_add_ps, (__m512 a, __m512 b), a.f[i] + b.f[i])
FLOATS(_mm512_sub_ps, (__m512 a, __m512 b), a.f[i] - b.f[i])
FLOATS(_mm512_mul_ps, (__m512 a, __m512 b), a.f[i] * b.f[i])
FLOATS(_mm512_div_ps, (__m512 a, __m512 b), a.f[i] / b.f[i])
FLOATS(_mm512_fmadd_ps, (__m512 a, __m512 b, __m512 c), fmaf(a.f[i], b.f[i], c.f[i]))
FLOATS(_mm512_min_ps, (__m512 a, __m512 b), a.f[i] < b.f[i] ? a.f[i] : b.f[i])
FLOATS(_mm512_max_ps, (__m512 a, __m512 b), a.f[i] > b.f[i] ? a.f[i] : b.f[i])
FLOATS(_mm512_abs_ps, (__m512 a), fabsf(a.f[i]))
FLOATS(_mm512_roundscale_ps, (__m512 a, int how), how == _MM_FROUND_NO_EXC ? rintf(a.f[i]) : NAN)
FLOATS(_mm512_mask_blend_ps, (__mmask16 k, __m512 a, __m512 b), is_set(k, i) ? b.f[i] : a.f[i])
FLOATS(_mm512_cvtph_ps, (__m256i a), smol_f16_to_f32((uint16_t)a.h[i]))
INTEGERS(_mm512_set1_epi32, (int32_t a), a)
INTEGERS(_mm512_cvtps_epi32, (__m512 a), to_int32(a.f[i]))
INTEGERS(_mm512_add_epi32, (__m512i a, __m512i b), (int32_t)((uint32_t)a.i[i] + (uint32_t)b.i[i]))
INTEGERS(_mm512_slli_epi32, (__m512i a, unsigned n), (int32_t)((uint32_t)a.i[i] << n))
LANEWISE(__m256i, h, 16, _mm512_cvtepi32_epi16, (__m512i a), (int16_t)a.i[i])

static inline float _mm512_reduce_max_ps(__m512 a)
{
    for (unsigned i = 1; i < 16; i++)
        a.f[0] = a.f[i] > a.f[0] ? a.f[i] : a.f[0];
    return a.f[0];
}

/* ---- lanes moved ---- */

static inline __m512i _mm512_set_epi32(int32_t p, int32_t o, int32_t n, int32_t m, int32_t l,
                                       int32_t k, int32_t j, int32_t i, int32_t h, int32_t g,
                                       int32_t f, int32_t e, int32_t d, int32_t c, int32_t b,
                                       int32_t a)
{
    return (__m512i){{a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p}};
}

static inline __m512 _mm512_castsi512_ps(__m512i a)
{
    __m512 b;

    memcpy(&b, &a, sizeof b);
    return b;
}

static inline __m512i _mm512_castps_si512(__m512 a)
{
    __m512i b;

    memcpy(&b, &a, sizeof b);
    return b;
}

static inline __m512d _mm512_castps_pd(__m512 a)
{
    __m512d b;

    memcpy(&b, &a, sizeof b);
    return b;
}

static inline __m512 _mm512_castpd_ps(__m512d a)
{
    __m512 b;

    memcpy(&b, &a, sizeof b);
    return b;
}

/* Of each four lanes two from a, two from b; the same of quarters; of each two doubles one each. */
FLOATS(_mm512_shuffle_ps, (__m512 a, __m512 b, unsigned order),
       (i % 4 < 2 ? a : b).f[i / 4 * 4 + (order >> 2 * (i % 4) & 3)])
FLOATS(_mm512_shuffle_f32x4, (__m512 a, __m512 b, unsigned order),
       (i < 8 ? a : b).f[4 * (order >> 2 * (i / 4) & 3) + i % 4])
FLOATS(_mm512_permutexvar_ps, (__m512i order, __m512 a), a.f[order.i[i] & 15])
LANEWISE(__m512d, d, 8, _mm512_unpacklo_pd, (__m512d a, __m512d b), (i % 2 ? b : a).d[i / 2 * 2])
LANEWISE(__m512d, d, 8, _mm512_unpackhi_pd, (__m512d a, __m512d b),
         (i % 2 ? b : a).d[i / 2 * 2 + 1])
LANEWISE(__m256, f, 8, _mm512_castps512_ps256, (__m512 a), a.f[i])
LANEWISE(__m256, f, 8, _mm512_extractf32x8_ps, (__m512 a, unsigned half), a.f[8 * half + i])
LANEWISE(__m256, f, 8, _mm256_add_ps, (__m256 a, __m256 b), a.f[i] + b.f[i])
LANEWISE(__m128, f, 4, _mm256_castps256_ps128, (__m256 a), a.f[i])
LANEWISE(__m128, f, 4, _mm256_extractf128_ps, (__m256 a, unsigned half), a.f[4 * half + i])
LANEWISE(__m128, f, 4, _mm_add_ps, (__m128 a, __m128 b), a.f[i] + b.f[i])
LANEWISE(__m128, f, 4, _mm_add_ss, (__m128 a, __m128 b), i ? a.f[i] : a.f[i] + b.f[i])
LANEWISE(__m128, f, 4, _mm_movehl_ps, (__m128 a, __m128 b), i < 2 ? b.f[i + 2] : a.f[i])
LANEWISE(__m128, f, 4, _mm_movehdup_ps, (__m128 a), a.f[i | 1])

static inline float _mm_cvtss_f32(__m128 a) { return a.f[0]; }

#include "integers.h"

#endif
