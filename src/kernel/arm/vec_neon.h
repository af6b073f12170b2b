/* f32x16 with NEON: four registers. scalar/vec_scalar.h says what each operation means. */
#ifndef SMOL_VEC_NEON_H
#define SMOL_VEC_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VEC_LANES 16u
#define VEC_SUMS 1u
#define VEC_TILE_ROWS 2u
#define VEC_TILE_VECTORS 2u

typedef struct {
    float32x4_t v[4]; /* lanes 0..3, 4..7, ... */
} f32x16;

/* A function whose register k is the value. */
#define REGISTERS(name, arguments, value)                                                          \
    static inline f32x16 name arguments                                                            \
    {                                                                                              \
        f32x16 result;                                                                             \
        for (unsigned k = 0; k < 4; k++)                                                           \
            result.v[k] = (value);                                                                 \
        return result;                                                                             \
    }

/* All bits of the lanes of register k that are among the first n, n < 16. */
static inline uint32x4_t mask_of(size_t n, unsigned k)
{
    static const uint32_t ones_then_zeros[32] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u,
                                                 ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u};

    return vld1q_u32(ones_then_zeros + 16 - n + 4 * k);
}

REGISTERS(vec_set1, (float x), vdupq_n_f32(x))
REGISTERS(load_all, (const void *p), vreinterpretq_f32_u8(vld1q_u8((const uint8_t *)p + 16 * k)))
REGISTERS(halves, (const uint8_t *p), vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p + 8 * k))))

static inline f32x16 vec_load_first(const void *p, size_t n)
{
    float lane[VEC_LANES] = {0};

    if (n >= VEC_LANES)
        return load_all(p);
    memcpy(lane, p, n * sizeof *lane);
    return load_all(lane);
}

static inline f32x16 vec_load_halves_first(const uint8_t *p, size_t n)
{
    uint8_t rest[2 * VEC_LANES] = {0};

    if (n >= VEC_LANES)
        return halves(p);
    memcpy(rest, p, 2 * n);
    return halves(rest);
}

REGISTERS(vec_first, (f32x16 a, f32x16 b, size_t n),
          n >= VEC_LANES ? a.v[k] : vbslq_f32(mask_of(n, k), a.v[k], b.v[k]))
REGISTERS(vec_add, (f32x16 a, f32x16 b), vaddq_f32(a.v[k], b.v[k]))
REGISTERS(vec_sub, (f32x16 a, f32x16 b), vsubq_f32(a.v[k], b.v[k]))
REGISTERS(vec_mul, (f32x16 a, f32x16 b), vmulq_f32(a.v[k], b.v[k]))
REGISTERS(vec_div, (f32x16 a, f32x16 b), vdivq_f32(a.v[k], b.v[k]))
REGISTERS(vec_fma, (f32x16 a, f32x16 b, f32x16 c), vfmaq_f32(c.v[k], a.v[k], b.v[k]))
REGISTERS(vec_abs, (f32x16 a), vabsq_f32(a.v[k]))
REGISTERS(vec_round, (f32x16 a), vrndnq_f32(a.v[k]))

/* Not NEON's minimum and maximum, which prefer what is not a number. */
REGISTERS(vec_min, (f32x16 a, f32x16 b), vbslq_f32(vcltq_f32(a.v[k], b.v[k]), a.v[k], b.v[k]))
REGISTERS(vec_max, (f32x16 a, f32x16 b), vbslq_f32(vcgtq_f32(a.v[k], b.v[k]), a.v[k], b.v[k]))

static inline float32x4_t power_of_two(float32x4_t n)
{
    const int32x4_t exponent = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));

    return vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23));
}

REGISTERS(vec_scale, (f32x16 a, f32x16 n), vmulq_f32(a.v[k], power_of_two(n.v[k])))

static inline void vec_store_first(float *p, f32x16 v, size_t n)
{
    float lane[VEC_LANES], *to = n < VEC_LANES ? lane : p;

    for (unsigned k = 0; k < 4; k++)
        vst1q_f32(to + 4 * k, v.v[k]);
    if (n < VEC_LANES)
        memcpy(p, lane, n * sizeof *p);
}

/* The conversion makes 0 of what is not a number. */
static inline void vec_store_int16_first(int16_t *p, f32x16 v, size_t n)
{
    int16_t lane[VEC_LANES], *to = n < VEC_LANES ? lane : p;

    for (unsigned k = 0; k < 4; k++)
        vst1_s16(to + 4 * k, vqmovn_s32(vcvtnq_s32_f32(v.v[k])));
    if (n < VEC_LANES)
        memcpy(p, lane, n * sizeof *p);
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

#endif
