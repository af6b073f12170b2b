/* The kernels for NEON of AArch64. The same bits as scalar.c, which defines them. Sixteen lanes are
 * four registers. */
#include "kernel/arm/registers_neon.h"
#include "kernel/scalar/fastfood_plain.h"

#include <math.h>
#include <string.h>

#define QUARTER 4u /* floats of a register */
#define LANES 16u

/* ---- floats ---- */

struct sum16 {
    float32x4_t lanes[4];
};

static inline struct sum16 zero_sum(void)
{
    const float32x4_t zero = vdupq_n_f32(0);

    return (struct sum16){{zero, zero, zero, zero}};
}

static inline float reduce_tree(struct sum16 s)
{
    const float32x4_t h8_low = vaddq_f32(s.lanes[0], s.lanes[2]),
                      h8_high = vaddq_f32(s.lanes[1], s.lanes[3]);
    const float32x4_t h4 = vaddq_f32(h8_low, h8_high);
    const float32x2_t h2 = vadd_f32(vget_low_f32(h4), vget_high_f32(h4));

    return vget_lane_f32(h2, 0) + vget_lane_f32(h2, 1);
}

/* Lanes 0..n - 1 of s, n < 16, become fma(x, y, lane); the others stay as they are. */
static struct sum16 add_tail(struct sum16 s, const float *x, const float *y, size_t n)
{
    float lane[LANES];

    for (unsigned k = 0; k < 4; k++)
        vst1q_f32(lane + QUARTER * k, s.lanes[k]);
    for (size_t i = 0; i < n; i++)
        lane[i] = fmaf(x[i], y[i], lane[i]);
    for (unsigned k = 0; k < 4; k++)
        s.lanes[k] = vld1q_f32(lane + QUARTER * k);
    return s;
}

static inline float32x4_t load_floats(const uint8_t *p)
{
    return vreinterpretq_f32_u8(vld1q_u8(p));
}

static inline float32x4_t load_halves(const uint8_t *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}

static float dot_f32(const uint8_t *row, const float *x, size_t n)
{
    struct sum16 s = zero_sum();
    float rest[LANES];
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < 4; k++)
            s.lanes[k] = vfmaq_f32(s.lanes[k], load_floats(row + 4 * (i + QUARTER * k)),
                                   vld1q_f32(x + i + QUARTER * k));
    memcpy(rest, row + 4 * i, 4 * (n - i));
    return reduce_tree(add_tail(s, rest, x + i, n - i));
}

static float dot_f16(const uint8_t *row, const float *x, size_t n)
{
    struct sum16 s = zero_sum();
    float rest[LANES];
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < 4; k++)
            s.lanes[k] = vfmaq_f32(s.lanes[k], load_halves(row + 2 * (i + QUARTER * k)),
                                   vld1q_f32(x + i + QUARTER * k));
    for (size_t j = 0; i + j < n; j++)
        rest[j] = smol_load_f16(row + 2 * (i + j));
    return reduce_tree(add_tail(s, rest, x + i, n - i));
}

/* exp of SPEC.md 7. So chosen, what is not a number becomes -87. */
static inline float32x4_t exp4(float32x4_t x)
{
    const float32x4_t most = vdupq_n_f32(88.0f), least = vdupq_n_f32(-87.0f);

    x = vbslq_f32(vcgtq_f32(x, most), most, x);
    x = vbslq_f32(vcgtq_f32(x, least), x, least);
    const float32x4_t n = vrndnq_f32(vmulq_f32(x, vdupq_n_f32(0x1.715476p+0f)));
    float32x4_t r = vfmaq_f32(x, n, vdupq_n_f32(-0x1.63p-1f));
    r = vfmaq_f32(r, n, vdupq_n_f32(0x1.bd0106p-13f));
    float32x4_t p = vdupq_n_f32(0x1.a0d2cep-13f);
    p = vfmaq_f32(vdupq_n_f32(0x1.6e879cp-10f), p, r);
    p = vfmaq_f32(vdupq_n_f32(0x1.11121p-7f), p, r);
    p = vfmaq_f32(vdupq_n_f32(0x1.555382p-5f), p, r);
    p = vfmaq_f32(vdupq_n_f32(0x1.555554p-3f), p, r);
    p = vfmaq_f32(vdupq_n_f32(0x1p-1f), p, r);
    p = vfmaq_f32(r, p, vmulq_f32(r, r));
    p = vaddq_f32(p, vdupq_n_f32(1.0f));
    const int32x4_t exponent = vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23);
    return vmulq_f32(p, vreinterpretq_f32_s32(exponent));
}

static inline float32x4_t gelu4(float32x4_t x)
{
    float32x4_t v = vmulq_f32(x, x);

    v = vfmaq_f32(vdupq_n_f32(-0x1.988454p+0f), v, vdupq_n_f32(-0x1.2444f2p-4f));
    v = vmulq_f32(v, x);
    return vdivq_f32(x, vaddq_f32(vdupq_n_f32(1.0f), exp4(v)));
}

static void exp_all(float *y, const float *x, size_t n)
{
    float rest[QUARTER] = {0};
    size_t i = 0;

    for (; i + QUARTER <= n; i += QUARTER)
        vst1q_f32(y + i, exp4(vld1q_f32(x + i)));
    memcpy(rest, x + i, (n - i) * sizeof *x);
    vst1q_f32(rest, exp4(vld1q_f32(rest)));
    memcpy(y + i, rest, (n - i) * sizeof *y);
}

static void gelu(float *x, size_t n)
{
    float rest[QUARTER] = {0};
    size_t i = 0;

    for (; i + QUARTER <= n; i += QUARTER)
        vst1q_f32(x + i, gelu4(vld1q_f32(x + i)));
    memcpy(rest, x + i, (n - i) * sizeof *x);
    vst1q_f32(rest, gelu4(vld1q_f32(rest)));
    memcpy(x + i, rest, (n - i) * sizeof *x);
}

static float sum16(const float *x, size_t n)
{
    struct sum16 s = zero_sum();
    float lane[LANES];
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < 4; k++)
            s.lanes[k] = vaddq_f32(s.lanes[k], vld1q_f32(x + i + QUARTER * k));
    for (unsigned k = 0; k < 4; k++)
        vst1q_f32(lane + QUARTER * k, s.lanes[k]);
    for (size_t j = 0; i + j < n; j++)
        lane[j] += x[i + j];
    for (unsigned k = 0; k < 4; k++)
        s.lanes[k] = vld1q_f32(lane + QUARTER * k);
    return reduce_tree(s);
}

static float variance(const float *x, float mean, size_t n)
{
    struct sum16 s = zero_sum();
    float rest[LANES];
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < 4; k++) {
            const float32x4_t a = vsubq_f32(vld1q_f32(x + i + QUARTER * k), vdupq_n_f32(mean));
            s.lanes[k] = vfmaq_f32(s.lanes[k], a, a);
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

    for (; i + QUARTER <= n; i += QUARTER) {
        float32x4_t z = vmulq_f32(vsubq_f32(vld1q_f32(x + i), vdupq_n_f32(mean)), vdupq_n_f32(rs));
        if (gain)
            z = vfmaq_f32(vld1q_f32(bias + i), z, vld1q_f32(gain + i));
        vst1q_f32(y + i, z);
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

    for (; i + QUARTER <= D; i += QUARTER) {
        float32x4_t sum = vdupq_n_f32(0);
        for (size_t j = 0; j < n_keys; j++)
            sum = vfmaq_n_f32(sum, vld1q_f32(V + j * stride + i), p[j]);
        vst1q_f32(o + i, sum);
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

static void from_f16(float *y, const uint8_t *data, size_t n)
{
    size_t i = 0;

    for (; i + QUARTER <= n; i += QUARTER)
        vst1q_f32(y + i, load_halves(data + 2 * i));
    for (; i < n; i++)
        y[i] = smol_load_f16(data + 2 * i);
}

/* ---- integers ---- */

static int16_t quantise_one(float x, float t)
{
    const float magic = 0x1.8p23f;
    const float sum = x / t + magic; /* half to even */

    return (int16_t)(sum - magic);
}

/* The largest magnitude and whether all are numbers. */
static float largest(bool *is_good, const float *x, size_t n)
{
    uint32x4_t most = vdupq_n_u32(0);
    uint32_t bits;
    size_t i = 0;

    /* Magnitudes are in the order of their bits; what is not a number comes last. */
    for (; i + QUARTER <= n; i += QUARTER)
        most = vmaxq_u32(
            most, vandq_u32(vreinterpretq_u32_f32(vld1q_f32(x + i)), vdupq_n_u32(0x7fffffffu)));
    bits = vmaxvq_u32(most);
    for (; i < n; i++) {
        const uint32_t b = smol_f32_bits(x[i]) & 0x7fffffffu;
        bits = b > bits ? b : bits;
    }
    *is_good = bits < 0x7f800000u;
    return smol_bits_f32(bits);
}

static float quantise(int16_t *X, const float *x, size_t n)
{
    bool is_good;
    const float t = largest(&is_good, x, n) / 32512.0f;
    size_t i = 0;

    /* Of numbers that are not finite nothing is laid down; zeros will do. */
    if (!is_good || !(t >= 0x1p-126f)) {
        memset(X, 0, n * sizeof *X);
        return 0;
    }
    for (; i + QUARTER <= n; i += QUARTER)
        vst1_s16(X + i, vqmovn_s32(vcvtnq_s32_f32(vdivq_f32(vld1q_f32(x + i), vdupq_n_f32(t)))));
    for (; i < n; i++)
        X[i] = quantise_one(x[i], t);
    return t;
}

static void scale_sums(float *y, const int64_t *sums, double scale, size_t n)
{
    size_t i = 0;

    for (; i + 2 <= n; i += 2)
        vst1_f32(y + i, vcvt_f32_f64(vmulq_n_f64(vcvtq_f64_s64(vld1q_s64(sums + i)), scale)));
    for (; i < n; i++)
        y[i] = (float)(scale * (double)sums[i]);
}

#define KERNELS(rows, fast)                                                                        \
    .quantise = quantise, .frozen = smol_frozen_neon, .frozen_fast = fast,                         \
    .rows_i16 = smol_rows_i16_neon, .fast_bases = 8, .scale_sums = scale_sums, .dot_f32 = dot_f32, \
    .dot_f16 = dot_f16, .rows_q8 = rows, .rows_q4 = smol_rows_q4_neon, .from_f16 = from_f16,       \
    .stream_bytes = smol_stream_bytes_neon, .hadamard = smol_hadamard_neon,                        \
    .scale_by_bytes = smol_scale_by_bytes_plain, .layernorm = layernorm, .gelu = gelu,             \
    .attention = attention, .exp = exp_all

const struct smol_kernels smol_kernels_neon = {.name = "neon",
                                               KERNELS(smol_rows_q8_neon, smol_frozen_fast_neon)};

const struct smol_kernels smol_kernels_neon_dotprod = {
    .name = "neon with dot products",
    KERNELS(smol_rows_q8_neon_dotprod, smol_frozen_fast_neon_dotprod),
};
