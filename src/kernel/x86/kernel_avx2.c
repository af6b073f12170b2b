/* The kernels for AVX2, FMA and F16C. The same bits as scalar.c, which defines them. Sixteen lanes
 * are two registers. */
#include "kernel/x86/registers_avx2.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define HALF 8u /* floats of a register */
#define LANES 16u

/* ---- floats ---- */

struct sum16 {
    __m256 low, high; /* lanes 0..7 and 8..15 */
};

static inline float reduce_tree(struct sum16 s)
{
    const __m256 h8 = _mm256_add_ps(s.low, s.high);
    const __m128 h4 = _mm_add_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    const __m128 h2 = _mm_add_ps(h4, _mm_movehl_ps(h4, h4));
    return _mm_cvtss_f32(_mm_add_ss(h2, _mm_movehdup_ps(h2)));
}

static inline struct sum16 zero_sum(void)
{
    return (struct sum16){_mm256_setzero_ps(), _mm256_setzero_ps()};
}

/* Lanes 0..n - 1 of s, n < 16, become fma(x, y, lane); the others stay as they are. */
static struct sum16 add_tail(struct sum16 s, const float *x, const float *y, size_t n)
{
    float lane[LANES];

    _mm256_storeu_ps(lane, s.low);
    _mm256_storeu_ps(lane + HALF, s.high);
    for (size_t i = 0; i < n; i++)
        lane[i] = fmaf(x[i], y[i], lane[i]);
    return (struct sum16){_mm256_loadu_ps(lane), _mm256_loadu_ps(lane + HALF)};
}

static float dot_f32(const uint8_t *row, const float *x, size_t n)
{
    struct sum16 s = zero_sum();
    float rest[LANES];
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        const float *a = (const float *)(const void *)(row + 4 * i);
        s.low = _mm256_fmadd_ps(_mm256_loadu_ps(a), _mm256_loadu_ps(x + i), s.low);
        s.high = _mm256_fmadd_ps(_mm256_loadu_ps(a + HALF), _mm256_loadu_ps(x + i + HALF), s.high);
    }
    memcpy(rest, row + 4 * i, 4 * (n - i));
    return reduce_tree(add_tail(s, rest, x + i, n - i));
}

static inline __m256 load_halves(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static float dot_f16(const uint8_t *row, const float *x, size_t n)
{
    struct sum16 s = zero_sum();
    float rest[LANES];
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        s.low = _mm256_fmadd_ps(load_halves(row + 2 * i), _mm256_loadu_ps(x + i), s.low);
        s.high = _mm256_fmadd_ps(load_halves(row + 2 * i + LANES), _mm256_loadu_ps(x + i + HALF),
                                 s.high);
    }
    for (size_t j = 0; i + j < n; j++)
        rest[j] = smol_load_f16(row + 2 * (i + j));
    return reduce_tree(add_tail(s, rest, x + i, n - i));
}

/* exp of SPEC.md 7. The order of min's and max's operands makes -87 of what is not a number. */
static inline __m256 exp256(__m256 x)
{
    x = _mm256_min_ps(_mm256_set1_ps(88.0f), x);
    x = _mm256_max_ps(x, _mm256_set1_ps(-87.0f));
    const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(0x1.715476p+0f)),
                                     _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fmadd_ps(n, _mm256_set1_ps(-0x1.63p-1f), x);
    r = _mm256_fmadd_ps(n, _mm256_set1_ps(0x1.bd0106p-13f), r);
    __m256 p = _mm256_set1_ps(0x1.a0d2cep-13f);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.6e879cp-10f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.11121p-7f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.555382p-5f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.555554p-3f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1p-1f));
    p = _mm256_fmadd_ps(p, _mm256_mul_ps(r, r), r);
    p = _mm256_add_ps(p, _mm256_set1_ps(1.0f));
    const __m256i exponent =
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(p, _mm256_castsi256_ps(exponent));
}

static inline __m256 gelu256(__m256 x)
{
    __m256 v = _mm256_mul_ps(x, x);

    v = _mm256_fmadd_ps(v, _mm256_set1_ps(-0x1.2444f2p-4f), _mm256_set1_ps(-0x1.988454p+0f));
    v = _mm256_mul_ps(v, x);
    return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0f), exp256(v)));
}

static void exp_all(float *y, const float *x, size_t n)
{
    float rest[HALF] = {0};
    size_t i = 0;

    for (; i + HALF <= n; i += HALF)
        _mm256_storeu_ps(y + i, exp256(_mm256_loadu_ps(x + i)));
    memcpy(rest, x + i, (n - i) * sizeof *x);
    _mm256_storeu_ps(rest, exp256(_mm256_loadu_ps(rest)));
    memcpy(y + i, rest, (n - i) * sizeof *y);
}

static void gelu(float *x, size_t n)
{
    float rest[HALF] = {0};
    size_t i = 0;

    for (; i + HALF <= n; i += HALF)
        _mm256_storeu_ps(x + i, gelu256(_mm256_loadu_ps(x + i)));
    memcpy(rest, x + i, (n - i) * sizeof *x);
    _mm256_storeu_ps(rest, gelu256(_mm256_loadu_ps(rest)));
    memcpy(x + i, rest, (n - i) * sizeof *x);
}

static float sum16(const float *x, size_t n)
{
    struct sum16 s = zero_sum();
    float lane[LANES];
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        s.low = _mm256_add_ps(s.low, _mm256_loadu_ps(x + i));
        s.high = _mm256_add_ps(s.high, _mm256_loadu_ps(x + i + HALF));
    }
    _mm256_storeu_ps(lane, s.low);
    _mm256_storeu_ps(lane + HALF, s.high);
    for (size_t j = 0; i + j < n; j++)
        lane[j] += x[i + j];
    return reduce_tree((struct sum16){_mm256_loadu_ps(lane), _mm256_loadu_ps(lane + HALF)});
}

static float variance(const float *x, float mean, size_t n)
{
    const __m256 mean8 = _mm256_set1_ps(mean);
    struct sum16 s = zero_sum();
    float rest[LANES];
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        const __m256 a = _mm256_sub_ps(_mm256_loadu_ps(x + i), mean8);
        const __m256 b = _mm256_sub_ps(_mm256_loadu_ps(x + i + HALF), mean8);
        s.low = _mm256_fmadd_ps(a, a, s.low);
        s.high = _mm256_fmadd_ps(b, b, s.high);
    }
    for (size_t j = 0; i + j < n; j++)
        rest[j] = x[i + j] - mean;
    return reduce_tree(add_tail(s, rest, rest, n - i)) / (float)n;
}

static void layernorm(float *y, const float *x, const float *gain, const float *bias, float epsilon,
                      size_t n)
{
    const float mean = sum16(x, n) / (float)n;
    const float rs = 1.0f / sqrtf(variance(x, mean, n) + epsilon);
    size_t i = 0;

    for (; i + HALF <= n; i += HALF) {
        __m256 z = _mm256_sub_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(mean));
        z = _mm256_mul_ps(z, _mm256_set1_ps(rs));
        if (gain)
            z = _mm256_fmadd_ps(z, _mm256_loadu_ps(gain + i), _mm256_loadu_ps(bias + i));
        _mm256_storeu_ps(y + i, z);
    }
    for (; i < n; i++) {
        const float z = (x[i] - mean) * rs;
        y[i] = gain ? fmaf(z, gain[i], bias[i]) : z;
    }
}

/* o = the sum of p_j V_j, keys in their order. */
static void mix_values(float *o, const float *p, const float *V, size_t stride, size_t n_keys,
                       size_t D)
{
    size_t i = 0;

    for (; i + HALF <= D; i += HALF) {
        __m256 acc = _mm256_setzero_ps();
        for (size_t j = 0; j < n_keys; j++)
            acc = _mm256_fmadd_ps(_mm256_set1_ps(p[j]), _mm256_loadu_ps(V + j * stride + i), acc);
        _mm256_storeu_ps(o + i, acc);
    }
    for (; i < D; i++) {
        o[i] = 0;
        for (size_t j = 0; j < n_keys; j++)
            o[i] = fmaf(p[j], V[j * stride + i], o[i]);
    }
}

static void attention(float *o, const float *q, const float *K, const float *V, size_t stride,
                      size_t n_keys, size_t D, float *scores)
{
    const float scale = 1.0f / sqrtf((float)D);
    float max = -INFINITY;

    for (size_t j = 0; j < n_keys; j++) {
        scores[j] = dot_f32((const uint8_t *)(K + j * stride), q, D) * scale;
        max = scores[j] > max ? scores[j] : max;
    }
    for (size_t j = 0; j < n_keys; j++)
        scores[j] -= max;
    exp_all(scores, scores, n_keys);
    const float inverse = 1.0f / sum16(scores, n_keys);
    mix_values(o, scores, V, stride, n_keys, D);
    for (size_t i = 0; i < D; i++)
        o[i] *= inverse;
}

/* ---- integers ---- */

static int16_t quantise_one(float x, float t)
{
    const float magic = 0x1.8p23f;
    const float sum = x / t + magic; /* half to even */

    return (int16_t)(sum - magic);
}

static float quantise(int16_t *X, const float *x, size_t n)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 max8 = _mm256_setzero_ps();
    float maxima[HALF], max = 0;
    size_t i = 0;

    /* A number that is none is never larger: max keeps its second operand. */
    for (; i + HALF <= n; i += HALF)
        max8 = _mm256_max_ps(_mm256_andnot_ps(sign, _mm256_loadu_ps(x + i)), max8);
    _mm256_storeu_ps(maxima, max8);
    for (size_t j = 0; j < HALF; j++)
        max = maxima[j] > max ? maxima[j] : max;
    for (; i < n; i++)
        max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
    const float t = max / 32512.0f;
    bool is_bad = !(t <= 0x1p120f);
    for (i = 0; i < n; i++)
        is_bad = is_bad || x[i] != x[i];
    /* Of numbers that are not finite nothing is laid down; zeros will do. */
    if (is_bad || !(t >= 0x1p-126f)) {
        memset(X, 0, n * sizeof *X);
        return 0;
    }
    for (i = 0; i + LANES <= n; i += LANES) {
        const __m256 t8 = _mm256_set1_ps(t);
        const __m256i a = _mm256_cvtps_epi32(_mm256_div_ps(_mm256_loadu_ps(x + i), t8));
        const __m256i b = _mm256_cvtps_epi32(_mm256_div_ps(_mm256_loadu_ps(x + i + HALF), t8));
        const __m256i packed = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
        _mm256_storeu_si256((__m256i *)(void *)(X + i), packed);
    }
    for (; i < n; i++)
        X[i] = quantise_one(x[i], t);
    return t;
}

static void scale_sums(float *y, const int64_t *sums, double scale, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (float)(scale * (double)sums[i]);
}

static void from_f16(float *y, const uint8_t *data, size_t n)
{
    size_t i = 0;

    for (; i + HALF <= n; i += HALF)
        _mm256_storeu_ps(
            y + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(data + 2 * i))));
    for (; i < n; i++)
        y[i] = smol_load_f16(data + 2 * i);
}

#define KERNELS(product, rows)                                                                     \
    .quantise = quantise, .frozen = product, .frozen_fast = smol_frozen_fast_avx2,                 \
    .rows_i16 = smol_rows_i16_avx2, .fast_bases = 6, .scale_sums = scale_sums, .dot_f32 = dot_f32, \
    .dot_f16 = dot_f16, .rows_q8 = rows, .rows_q4 = smol_rows_q4_avx2, .from_f16 = from_f16,       \
    .stream_bytes = smol_stream_bytes_avx2, .hadamard = smol_hadamard_avx2,                        \
    .scale_by_bytes = smol_scale_by_bytes_avx2, .layernorm = layernorm, .gelu = gelu,              \
    .attention = attention, .exp = exp_all

const struct smol_kernels smol_kernels_avx2 = {.name = "avx2",
                                               KERNELS(smol_frozen_avx2, smol_rows_q8_avx2)};

const struct smol_kernels smol_kernels_avxvnni = {
    .name = "avx2 with VNNI",
    KERNELS(smol_frozen_avxvnni, smol_rows_q8_avxvnni),
};

/* AVX-512 without VBMI and VNNI: one vector times frozen rows gains by wider registers. */
const struct smol_kernels smol_kernels_avx512bw = {
    .name = "avx512 without VBMI and VNNI",
    KERNELS(smol_frozen_avx512bw, smol_rows_q8_avx2),
};
