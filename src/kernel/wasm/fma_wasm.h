/* The fused multiply-add of floats with WebAssembly's vectors, which have none: the bits of C's
 * fmaf, whatever the arguments.
 *
 * In doubles a x b is exact: it has at most 48 of their 53 bits, and its exponent, -298 to 255, is
 * far from either end. s = a x b + c is rounded once there, and once more when it becomes a float.
 * That is another number than the sum rounded once only if s is halfway between two floats and the
 * sum is not: then s goes to the even float, and the sum to the nearer one. A float has at most 24
 * bits, and what is halfway between two of them one more; subnormal floats have fewer. So such an s
 * ends in 28 zeros at least, and in a one and 28 zeros if the floats are normal. That is what
 * ends_in looks for. It finds other sums as well, floats above all, which are then only computed
 * twice.
 *
 * fma_with_care does without the first rounding: s is made odd where it is not the sum, one step
 * towards it (Boldo and Melquiond, 2008). What was lost, e, is a double, which Knuth's sum of two
 * finds. An odd s is not halfway, for that is even; and it lies on the sum's side of all that is,
 * so that it becomes the float that the sum becomes. Of infinities and NaN e is not a number, and
 * nothing is done to them; no s overflows before it becomes a float; and a sum of 0 is exact, with
 * the sign that the addition gives it. */
#ifndef SMOL_FMA_WASM_H
#define SMOL_FMA_WASM_H

#include <wasm_simd128.h>

#define FMA_INLINE static inline __attribute__((always_inline))

FMA_INLINE v128_t upper_half(v128_t v) { return wasm_i64x2_shuffle(v, v, 1, 1); }

/* Two doubles of four floats: those of register half 0 or 1. */
FMA_INLINE v128_t to_doubles(v128_t v, unsigned half)
{
    return wasm_f64x2_promote_low_f32x4(half ? upper_half(v) : v);
}

FMA_INLINE v128_t to_floats(v128_t low, v128_t high)
{
    return wasm_i64x2_shuffle(wasm_f32x4_demote_f64x2_zero(low), wasm_f32x4_demote_f64x2_zero(high),
                              0, 2);
}

/* All bits of a lane where the last bits, of a mask, of the sum of doubles are these. */
FMA_INLINE v128_t ends_in(v128_t low, v128_t high, uint32_t mask, uint32_t these)
{
    const v128_t last = wasm_i32x4_shuffle(low, high, 0, 2, 4, 6);

    return wasm_i32x4_eq(wasm_v128_and(last, wasm_u32x4_splat(mask)), wasm_u32x4_splat(these));
}

/* p + c in doubles, made odd if it is not exact. */
FMA_INLINE v128_t sum_to_odd(v128_t p, v128_t c)
{
    const v128_t zero = wasm_i64x2_splat(0), one = wasm_i64x2_splat(1), s = wasm_f64x2_add(p, c),
                 t = wasm_f64x2_sub(s, p),
                 e = wasm_f64x2_add(wasm_f64x2_sub(p, wasm_f64x2_sub(s, t)), wasm_f64x2_sub(c, t)),
                 towards = wasm_i64x2_sub(wasm_f64x2_lt(e, zero), wasm_f64x2_gt(e, zero)),
                 sign = wasm_i64x2_shr(s, 63), /* bits grow away from 0 */
        step = wasm_i64x2_sub(wasm_v128_xor(towards, sign), sign),
                 is_even = wasm_i64x2_sub(wasm_v128_and(s, one), one);

    return wasm_i64x2_add(s, wasm_v128_and(step, is_even));
}

/* a x b + c of four lanes. */
FMA_INLINE v128_t fma_with_care(v128_t a, v128_t b, v128_t c)
{
    v128_t s[2];

    for (unsigned i = 0; i < 2; i++)
        s[i] = sum_to_odd(wasm_f64x2_mul(to_doubles(a, i), to_doubles(b, i)), to_doubles(c, i));
    return to_floats(s[0], s[1]);
}

#endif
