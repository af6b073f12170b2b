/* The kernels for AVX-512 (F, BW, VL, DQ, VBMI, VNNI): the functions on floats, and the table of
 * them all. The same bits as scalar.c, which defines them. */
#include "kernel/x86/registers_avx512.h"

#include <math.h>
#include <string.h>

static float dot_f32(const uint8_t *row, const float *x, size_t n)
{
    __m512 acc = _mm512_setzero_ps();
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        acc = _mm512_fmadd_ps(_mm512_loadu_ps(row + 4 * i), _mm512_loadu_ps(x + i), acc);
    if (i < n) {
        const __mmask16 m = tail16(n - i);
        acc = _mm512_mask3_fmadd_ps(_mm512_maskz_loadu_ps(m, row + 4 * i),
                                    _mm512_maskz_loadu_ps(m, x + i), acc, m);
    }
    return reduce_tree(acc);
}

static float dot_f16(const uint8_t *row, const float *x, size_t n)
{
    __m512 acc = _mm512_setzero_ps();
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        acc = _mm512_fmadd_ps(_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(row + 2 * i))),
                              _mm512_loadu_ps(x + i), acc);
    if (i < n) {
        const __mmask16 m = tail16(n - i);
        acc = _mm512_mask3_fmadd_ps(_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, row + 2 * i)),
                                    _mm512_maskz_loadu_ps(m, x + i), acc, m);
    }
    return reduce_tree(acc);
}

/* exp of SPEC.md 7. */
static __m512 exp512(__m512 x)
{
    x = _mm512_min_ps(x, _mm512_set1_ps(88.0f));
    x = _mm512_max_ps(x, _mm512_set1_ps(-87.0f));
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(0x1.715476p+0f)),
                                          _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-0x1.63p-1f), x);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(0x1.bd0106p-13f), r);
    __m512 p = _mm512_set1_ps(0x1.a0d2cep-13f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.6e879cp-10f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.11121p-7f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.555382p-5f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.555554p-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1p-1f));
    p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r);
    p = _mm512_add_ps(p, _mm512_set1_ps(1.0f));
    const __m512i exponent =
        _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23);
    return _mm512_mul_ps(p, _mm512_castsi512_ps(exponent));
}

static void exp_all(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 m = tail16(n - i);
        _mm512_mask_storeu_ps(y + i, m, exp512(_mm512_maskz_loadu_ps(m, x + i)));
    }
}

static void gelu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 m = tail16(n - i);
        const __m512 a = _mm512_maskz_loadu_ps(m, x + i);
        __m512 v = _mm512_mul_ps(a, a);
        v = _mm512_fmadd_ps(v, _mm512_set1_ps(-0x1.2444f2p-4f), _mm512_set1_ps(-0x1.988454p+0f));
        v = _mm512_mul_ps(v, a);
        v = _mm512_add_ps(_mm512_set1_ps(1.0f), exp512(v));
        _mm512_mask_storeu_ps(x + i, m, _mm512_div_ps(a, v));
    }
}

static float sum16(const float *x, size_t n)
{
    __m512 acc = _mm512_setzero_ps();

    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 m = tail16(n - i);
        acc = _mm512_mask_add_ps(acc, m, acc, _mm512_maskz_loadu_ps(m, x + i));
    }
    return reduce_tree(acc);
}

static void layernorm(float *y, const float *x, const float *gain, const float *bias, float epsilon,
                      size_t n)
{
    const float mean = sum16(x, n) / (float)n;
    const __m512 mean16 = _mm512_set1_ps(mean);
    __m512 acc = _mm512_setzero_ps();

    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 m = tail16(n - i);
        const __m512 c = _mm512_sub_ps(_mm512_maskz_loadu_ps(m, x + i), mean16);
        acc = _mm512_mask3_fmadd_ps(c, c, acc, m);
    }
    const __m512 rs = _mm512_set1_ps(1.0f / sqrtf(reduce_tree(acc) / (float)n + epsilon));
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 m = tail16(n - i);
        __m512 z = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(m, x + i), mean16), rs);
        if (gain)
            z = _mm512_fmadd_ps(z, _mm512_maskz_loadu_ps(m, gain + i),
                                _mm512_maskz_loadu_ps(m, bias + i));
        _mm512_mask_storeu_ps(y + i, m, z);
    }
}

/* The halving trees of 16 registers at once: the same additions, pairs of registers folded into
 * one. */
static inline __m512 reduce_trees(const __m512 v[LANES])
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
    return _mm512_permutexvar_ps(
        order, _mm512_add_ps(_mm512_shuffle_ps(x, y, 0x88), _mm512_shuffle_ps(x, y, 0xdd)));
}

/* dot16 of q with each of n <= 16 rows. */
static inline __m512 dot_rows(const float *q, const float *rows, size_t stride, size_t n, size_t D)
{
    __m512 acc[LANES];

    for (size_t r = 0; r < LANES; r++) {
        const float *row = rows + (r < n ? r : 0) * stride;
        acc[r] = _mm512_setzero_ps();
        for (size_t i = 0; i < D; i += LANES) {
            const __mmask16 m = tail16(D - i);
            acc[r] = _mm512_mask3_fmadd_ps(_mm512_maskz_loadu_ps(m, row + i),
                                           _mm512_maskz_loadu_ps(m, q + i), acc[r], m);
        }
    }
    return reduce_trees(acc);
}

static void attention(float *o, const float *q, const float *K, const float *V, size_t stride,
                      size_t n_keys, size_t D, float *scores)
{
    const __m512 scale = _mm512_set1_ps(1.0f / sqrtf((float)D));
    __m512 max16 = _mm512_set1_ps(-INFINITY);

    for (size_t j = 0; j < n_keys; j += LANES) {
        const __m512 dots = dot_rows(q, K + j * stride, stride, n_keys - j, D);
        _mm512_mask_storeu_ps(scores + j, tail16(n_keys - j), _mm512_mul_ps(dots, scale));
    }
    for (size_t j = 0; j < n_keys; j += LANES) {
        const __mmask16 m = tail16(n_keys - j);
        max16 = _mm512_mask_max_ps(max16, m, max16, _mm512_maskz_loadu_ps(m, scores + j));
    }
    const __m512 max = _mm512_set1_ps(_mm512_reduce_max_ps(max16));
    for (size_t j = 0; j < n_keys; j += LANES) {
        const __mmask16 m = tail16(n_keys - j);
        _mm512_mask_storeu_ps(scores + j, m,
                              exp512(_mm512_sub_ps(_mm512_maskz_loadu_ps(m, scores + j), max)));
    }
    const __m512 inverse = _mm512_set1_ps(1.0f / sum16(scores, n_keys));
    for (size_t i = 0; i < D; i += 4 * LANES) {
        __m512 acc[4];
        __mmask16 m[4];
        for (size_t k = 0; k < 4; k++) {
            acc[k] = _mm512_setzero_ps();
            m[k] = i + k * LANES < D ? tail16(D - i - k * LANES) : 0;
        }
        for (size_t j = 0; j < n_keys; j++) {
            const __m512 p = _mm512_set1_ps(scores[j]);
            for (size_t k = 0; k < 4; k++)
                acc[k] = _mm512_fmadd_ps(
                    p, _mm512_maskz_loadu_ps(m[k], V + j * stride + i + k * LANES), acc[k]);
        }
        for (size_t k = 0; k < 4; k++)
            _mm512_mask_storeu_ps(o + i + k * LANES, m[k], _mm512_mul_ps(acc[k], inverse));
    }
}

static float quantise(int16_t *X, const float *x, size_t n)
{
    __m512 max = _mm512_setzero_ps();
    __mmask16 unordered = 0;
    float t;

    for (size_t i = 0; i < n; i += LANES) {
        const __m512 v = _mm512_maskz_loadu_ps(tail16(n - i), x + i);
        unordered |= _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
        max = _mm512_max_ps(max, _mm512_abs_ps(v));
    }
    t = _mm512_reduce_max_ps(max) / 32512.0f;
    /* Not-a-number makes the plain version's results unspecified as well; zeros will do. */
    if (unordered || !(t >= 0x1p-126f)) {
        memset(X, 0, n * sizeof *X);
        return 0;
    }
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 m = tail16(n - i);
        const __m512 q = _mm512_div_ps(_mm512_maskz_loadu_ps(m, x + i), _mm512_set1_ps(t));
        _mm256_mask_storeu_epi16(X + i, m, _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(q)));
    }
    return t;
}

static void scale_sums(float *y, const int64_t *sums, double scale, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        const __mmask8 m = (__mmask8)tail16(n - i);
        const __m512d v = _mm512_cvtepi64_pd(_mm512_maskz_loadu_epi64(m, sums + i));
        _mm256_mask_storeu_ps(y + i, m, _mm512_cvtpd_ps(_mm512_mul_pd(_mm512_set1_pd(scale), v)));
    }
}

static void from_f16(float *y, const uint8_t *data, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 m = tail16(n - i);
        _mm512_mask_storeu_ps(y + i, m, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, data + 2 * i)));
    }
}

const struct smol_kernels smol_kernels_avx512 = {
    .name = "avx512",
    .quantise = quantise,
    .frozen = smol_frozen_avx512,
    .frozen_fast = smol_frozen_fast_avx512,
    .rows_i16 = smol_rows_i16_avx512,
    .fast_bases = 16,
    .scale_sums = scale_sums,
    .dot_f32 = dot_f32,
    .dot_f16 = dot_f16,
    .rows_q8 = smol_rows_q8_avx512,
    .rows_q4 = smol_rows_q4_avx512,
    .from_f16 = from_f16,
    .stream_bytes = smol_stream_bytes_avx512,
    .hadamard = smol_hadamard_avx512,
    .scale_by_bytes = smol_scale_by_bytes_avx512,
    .layernorm = layernorm,
    .gelu = gelu,
    .attention = attention,
    .exp = exp_all,
};
