/* f32x16 with NEON: four registers. scalar/vec_scalar.h says what each operation means. */
#ifndef SMOL_VEC_NEON_H
#define SMOL_VEC_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VEC_LANES 16u
#define VEC_SUMS 1u

typedef struct {
    float32x4_t v[4]; /* lanes 0..3, 4..7, ... */
} f32x16;

#define EACH_REGISTER(k) for (unsigned k = 0; k < 4; k++)

static inline f32x16 vec_set1(float x)
{
    const float32x4_t v = vdupq_n_f32(x);

    return (f32x16){{v, v, v, v}};
}

static inline f32x16 vec_zero(void) { return vec_set1(0); }

static inline f32x16 vec_load(const void *p)
{
    const uint8_t *bytes = p;
    f32x16 a;

    EACH_REGISTER(k) a.v[k] = vreinterpretq_f32_u8(vld1q_u8(bytes + 16 * k));
    return a;
}

static inline f32x16 vec_load_first(const void *p, size_t n)
{
    float lane[VEC_LANES] = {0};

    if (n >= VEC_LANES)
        return vec_load(p);
    memcpy(lane, p, n * sizeof *lane);
    return vec_load(lane);
}

static inline f32x16 vec_load_halves_first(const void *p, size_t n)
{
    uint8_t rest[32] = {0};
    const uint8_t *halves = p;
    f32x16 a;

    if (n < VEC_LANES) {
        memcpy(rest, p, 2 * n);
        halves = rest;
    }
    EACH_REGISTER(k) a.v[k] = vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(halves + 8 * k)));
    return a;
}

static inline void vec_store_first(float *p, f32x16 v, size_t n)
{
    float lane[VEC_LANES], *to = n < VEC_LANES ? lane : p;

    EACH_REGISTER(k) vst1q_f32(to + 4 * k, v.v[k]);
    if (n < VEC_LANES)
        memcpy(p, lane, n * sizeof *p);
}

static inline f32x16 vec_first(f32x16 a, f32x16 b, size_t n)
{
    static const uint32_t ones_then_zeros[32] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u,
                                                 ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u};

    if (n >= VEC_LANES)
        return a;
    EACH_REGISTER(k)
    a.v[k] = vbslq_f32(vld1q_u32(ones_then_zeros + 16 - n + 4 * k), a.v[k], b.v[k]);
    return a;
}

#define OPERATION(name, of_quarter)                                                                \
    static inline f32x16 vec_##name(f32x16 a, f32x16 b)                                            \
    {                                                                                              \
        EACH_REGISTER(k) a.v[k] = of_quarter(a.v[k], b.v[k]);                                      \
        return a;                                                                                  \
    }

/* Not NEON's minimum and maximum, which prefer what is not a number. */
#define SMALLER(a, b) vbslq_f32(vcltq_f32(a, b), a, b)
#define LARGER(a, b) vbslq_f32(vcgtq_f32(a, b), a, b)

OPERATION(add, vaddq_f32)
OPERATION(sub, vsubq_f32)
OPERATION(mul, vmulq_f32)
OPERATION(div, vdivq_f32)
OPERATION(min, SMALLER)
OPERATION(max, LARGER)

static inline f32x16 vec_fma(f32x16 a, f32x16 b, f32x16 c)
{
    EACH_REGISTER(k) c.v[k] = vfmaq_f32(c.v[k], a.v[k], b.v[k]);
    return c;
}

static inline f32x16 vec_abs(f32x16 a)
{
    EACH_REGISTER(k) a.v[k] = vabsq_f32(a.v[k]);
    return a;
}

static inline f32x16 vec_round(f32x16 a)
{
    EACH_REGISTER(k) a.v[k] = vrndnq_f32(a.v[k]);
    return a;
}

static inline f32x16 vec_scale(f32x16 a, f32x16 n)
{
    EACH_REGISTER(k)
    {
        const int32x4_t exponent = vaddq_s32(vcvtq_s32_f32(n.v[k]), vdupq_n_s32(127));
        a.v[k] = vmulq_f32(a.v[k], vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23)));
    }
    return a;
}

static inline float vec_sum(f32x16 v)
{
    const float32x4_t h8[2] = {vaddq_f32(v.v[0], v.v[2]), vaddq_f32(v.v[1], v.v[3])};
    const float32x4_t h4 = vaddq_f32(h8[0], h8[1]);
    const float32x2_t h2 = vadd_f32(vget_low_f32(h4), vget_high_f32(h4));

    return vget_lane_f32(h2, 0) + vget_lane_f32(h2, 1);
}

static inline void vec_sums(float *sums, const f32x16 *v, size_t n)
{
    (void)n;
    *sums = vec_sum(*v);
}

static inline float vec_largest(f32x16 v)
{
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(v.v[0], v.v[1]), vmaxq_f32(v.v[2], v.v[3])));
}

/* The conversion makes 0 of what is not a number. */
static inline void vec_store_int16_first(int16_t *p, f32x16 v, size_t n)
{
    int16_t lane[VEC_LANES], *to = n < VEC_LANES ? lane : p;

    EACH_REGISTER(k) vst1_s16(to + 4 * k, vqmovn_s32(vcvtnq_s32_f32(v.v[k])));
    if (n < VEC_LANES)
        memcpy(p, lane, n * sizeof *p);
}

#endif
