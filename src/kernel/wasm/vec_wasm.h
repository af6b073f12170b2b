/* f32x16 with WebAssembly's vectors: four of them. scalar/vec_scalar.h says what each operation
 * means. */
#ifndef SMOL_VEC_WASM_H
#define SMOL_VEC_WASM_H

#include "kernel/wasm/fma_wasm.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VEC_LANES 16u
#define VEC_SUMS 1u
#define VEC_IS_LONG
#define VEC_TILE_ROWS 1u
#define VEC_TILE_VECTORS 1u

typedef struct {
    v128_t v[4]; /* lanes 0..3, 4..7, ... */
} f32x16;

/* A function whose register k is the value. */
#define REGISTERS(name, arguments, value)                                                          \
    FMA_INLINE f32x16 name arguments                                                               \
    {                                                                                              \
        f32x16 result;                                                                             \
        for (unsigned k = 0; k < 4; k++)                                                           \
            result.v[k] = (value);                                                                 \
        return result;                                                                             \
    }

/* All bits of the lanes of register k that are among the first n, n < 16. */
FMA_INLINE v128_t mask_of(size_t n, unsigned k)
{
    static const uint32_t ones_then_zeros[32] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u,
                                                 ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u};

    return wasm_v128_load(ones_then_zeros + 16 - n + 4 * k);
}

REGISTERS(vec_set1, (float x), wasm_f32x4_splat(x))
REGISTERS(load_all, (const void *p), wasm_v128_load((const uint8_t *)p + 16 * k))

/* The first n of four lanes, the others being `rest`. */
FMA_INLINE v128_t load_lanes(const uint8_t *p, size_t n, float rest)
{
    v128_t v = wasm_f32x4_splat(rest);

    if (n >= 4)
        return wasm_v128_load(p);
    if (n > 0)
        v = wasm_v128_load32_lane(p, v, 0);
    if (n > 1)
        v = wasm_v128_load32_lane(p + 4, v, 1);
    return n > 2 ? wasm_v128_load32_lane(p + 8, v, 2) : v;
}

static __attribute__((noinline)) f32x16 load_part(const uint8_t *p, size_t n, float rest)
{
    f32x16 result;

    for (unsigned k = 0; k < 4; k++)
        result.v[k] = load_lanes(p + 16 * k, n > 4 * k ? n - 4 * k : 0, rest);
    return result;
}

FMA_INLINE f32x16 vec_load_first(const void *p, size_t n)
{
    return n >= VEC_LANES ? load_all(p) : load_part(p, n, 0);
}

/* Products of these, and sums of such, seldom end in zeros, so that vec_fma does not look twice. */
#define vec_load_some vec_load_some
FMA_INLINE f32x16 vec_load_some(const void *p, size_t n)
{
    return n >= VEC_LANES ? load_all(p) : load_part(p, n, 0x1.555556p0f);
}

/* A half's exponent is 112 less than a float's, and a product with 2^112 makes up for that, of
 * subnormal halves too. Infinities and NaN get all bits of the exponent. */
FMA_INLINE v128_t to_four_floats(v128_t halves)
{
    const v128_t sign = wasm_i32x4_shl(wasm_v128_and(halves, wasm_i32x4_splat(0x8000)), 16),
                 rest = wasm_i32x4_shl(wasm_v128_and(halves, wasm_i32x4_splat(0x7fff)), 13),
                 special = wasm_i32x4_ge(rest, wasm_i32x4_splat(0x7c00 << 13));

    return wasm_v128_or(wasm_v128_or(sign, wasm_v128_and(special, wasm_i32x4_splat(0x7f800000))),
                        wasm_f32x4_mul(rest, wasm_f32x4_splat(0x1p112f)));
}

static __attribute__((noinline)) f32x16 load_halves(const uint8_t *p)
{
    f32x16 result;

    for (unsigned k = 0; k < 4; k++)
        result.v[k] = to_four_floats(wasm_u32x4_load16x4(p + 8 * k));
    return result;
}

FMA_INLINE f32x16 vec_load_halves_first(const uint8_t *p, size_t n)
{
    uint8_t rest[2 * VEC_LANES] = {0};

    if (n >= VEC_LANES)
        return load_halves(p);
    memcpy(rest, p, 2 * n);
    return load_halves(rest);
}

REGISTERS(vec_first, (f32x16 a, f32x16 b, size_t n),
          n >= VEC_LANES ? a.v[k] : wasm_v128_bitselect(a.v[k], b.v[k], mask_of(n, k)))
REGISTERS(vec_add, (f32x16 a, f32x16 b), wasm_f32x4_add(a.v[k], b.v[k]))
REGISTERS(vec_sub, (f32x16 a, f32x16 b), wasm_f32x4_sub(a.v[k], b.v[k]))
REGISTERS(vec_mul, (f32x16 a, f32x16 b), wasm_f32x4_mul(a.v[k], b.v[k]))
REGISTERS(vec_div, (f32x16 a, f32x16 b), wasm_f32x4_div(a.v[k], b.v[k]))
REGISTERS(vec_abs, (f32x16 a), wasm_f32x4_abs(a.v[k]))
REGISTERS(vec_round, (f32x16 a), wasm_f32x4_nearest(a.v[k]))

/* The rare way, which leaves no code where that stands: of[0] = of[0] x of[1] + of[2]. */
static __attribute__((noinline)) void fma_again(f32x16 of[3])
{
    for (unsigned k = 0; k < 4; k++)
        of[0].v[k] = fma_with_care(of[0].v[k], of[1].v[k], of[2].v[k]);
}

/* Where most time goes; it is long. */
#define vec_fma_at_once vec_fma_at_once
FMA_INLINE f32x16 vec_fma_at_once(f32x16 a, f32x16 b, f32x16 c)
{
    v128_t doubtful = wasm_i32x4_splat(0);
    f32x16 result;

    for (unsigned k = 0; k < 4; k++) {
        v128_t s[2];
        for (unsigned i = 0; i < 2; i++)
            s[i] = wasm_f64x2_add(wasm_f64x2_mul(to_doubles(a.v[k], i), to_doubles(b.v[k], i)),
                                  to_doubles(c.v[k], i));
        result.v[k] = to_floats(s[0], s[1]);
        doubtful = wasm_v128_or(doubtful, ends_in(s[0], s[1], 0x0fffffff, 0));
    }
    if (wasm_v128_any_true(doubtful)) {
        f32x16 all[3] = {a, b, c};
        fma_again(all);
        result = all[0];
    }
    return result;
}

/* A lane is doubted whose sum of doubles has these last bits, of a mask. */
FMA_INLINE v128_t four_doubting(v128_t a, v128_t b, v128_t c, uint32_t mask, uint32_t these)
{
    v128_t s[2];

    for (unsigned i = 0; i < 2; i++)
        s[i] = wasm_f64x2_add(wasm_f64x2_mul(to_doubles(a, i), to_doubles(b, i)), to_doubles(c, i));
    if (wasm_v128_any_true(ends_in(s[0], s[1], mask, these)))
        return fma_with_care(a, b, c);
    return to_floats(s[0], s[1]);
}

static __attribute__((noinline)) v128_t fma_four(v128_t a, v128_t b, v128_t c)
{
    return four_doubting(a, b, c, 0x0fffffff, 0);
}

/* Sums that are floats, such as those with products of 0, are not doubted here. */
static __attribute__((noinline)) v128_t fma_four_normal(v128_t a, v128_t b, v128_t c)
{
    return four_doubting(a, b, c, 0x1fffffff, 0x10000000);
}

#define vec_fma_normal vec_fma_normal
REGISTERS(vec_fma, (f32x16 a, f32x16 b, f32x16 c), fma_four(a.v[k], b.v[k], c.v[k]))
REGISTERS(vec_fma_normal, (f32x16 a, f32x16 b, f32x16 c), fma_four_normal(a.v[k], b.v[k], c.v[k]))

/* Not those of WebAssembly that prefer what is not a number. */
REGISTERS(vec_min, (f32x16 a, f32x16 b), wasm_f32x4_pmin(b.v[k], a.v[k]))
REGISTERS(vec_max, (f32x16 a, f32x16 b), wasm_f32x4_pmax(b.v[k], a.v[k]))

FMA_INLINE v128_t power_of_two(v128_t n)
{
    return wasm_i32x4_shl(wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4(n), wasm_i32x4_splat(127)), 23);
}

REGISTERS(vec_scale, (f32x16 a, f32x16 n), wasm_f32x4_mul(a.v[k], power_of_two(n.v[k])))

FMA_INLINE void vec_store_first(float *p, f32x16 v, size_t n)
{
    float lane[VEC_LANES], *to = n < VEC_LANES ? lane : p;

    for (unsigned k = 0; k < 4; k++)
        wasm_v128_store(to + 4 * k, v.v[k]);
    if (n < VEC_LANES)
        memcpy(p, lane, n * sizeof *p);
}

/* Two registers as one of integers; the conversion makes 0 of what is not a number. */
FMA_INLINE v128_t to_int16(v128_t low, v128_t high)
{
    return wasm_i16x8_narrow_i32x4(wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(low)),
                                   wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(high)));
}

FMA_INLINE void vec_store_int16_first(int16_t *p, f32x16 v, size_t n)
{
    int16_t lane[VEC_LANES], *to = n < VEC_LANES ? lane : p;

    wasm_v128_store(to, to_int16(v.v[0], v.v[1]));
    wasm_v128_store(to + 8, to_int16(v.v[2], v.v[3]));
    if (n < VEC_LANES)
        memcpy(p, lane, n * sizeof *p);
}

FMA_INLINE float vec_sum(f32x16 v)
{
    const v128_t h4 =
                     wasm_f32x4_add(wasm_f32x4_add(v.v[0], v.v[2]), wasm_f32x4_add(v.v[1], v.v[3])),
                 h2 = wasm_f32x4_add(h4, upper_half(h4));

    return wasm_f32x4_extract_lane(h2, 0) + wasm_f32x4_extract_lane(h2, 1);
}

FMA_INLINE void vec_sums(float *sums, const f32x16 *v, size_t n)
{
    (void)n;
    *sums = vec_sum(*v);
}

FMA_INLINE float vec_largest(f32x16 v)
{
    const v128_t four =
        wasm_f32x4_pmax(wasm_f32x4_pmax(v.v[0], v.v[1]), wasm_f32x4_pmax(v.v[2], v.v[3]));
    const v128_t two = wasm_f32x4_pmax(four, upper_half(four));
    const float a = wasm_f32x4_extract_lane(two, 0), b = wasm_f32x4_extract_lane(two, 1);

    return a > b ? a : b;
}

#endif
