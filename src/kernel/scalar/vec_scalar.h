/* f32x16, the 16 lanes of SPEC.md 7, in plain C. No table of the library is built on it: it says
 * what each operation of vec_*.h means, and the tests compile floats.inc over it. */
#ifndef SMOL_VEC_SCALAR_H
#define SMOL_VEC_SCALAR_H

#include "base/number.h"
#include "kernel/scalar/fma.h"

#include <math.h>

#define VEC_LANES 16u
#define VEC_SUMS 1u      /* vectors that vec_sums takes at once */
#define VEC_TILE_ROWS 2u /* of sums of rows with vectors that registers hold side by side */
#define VEC_TILE_VECTORS 3u

typedef struct {
    float lane[VEC_LANES];
} f32x16;

/* A function whose lane i is the value. */
#define LANES(name, arguments, value)                                                              \
    static inline f32x16 name arguments                                                            \
    {                                                                                              \
        f32x16 result;                                                                             \
        for (unsigned i = 0; i < VEC_LANES; i++)                                                   \
            result.lane[i] = (value);                                                              \
        return result;                                                                             \
    }

LANES(vec_set1, (float x), x)

/* In memory at any address; little-endian. The first n lanes are read, or all if n is more, and the
 * others are 0; the same of numbers of 16 bits. */
LANES(vec_load_first, (const void *p, size_t n),
      i < n ? smol_load_f32((const uint8_t *)p + 4 * i) : 0)
LANES(vec_load_halves_first, (const uint8_t *p, size_t n), i < n ? smol_load_f16(p + 2 * i) : 0)

/* The first n lanes of a, or all if n is more, the others of b. */
LANES(vec_first, (f32x16 a, f32x16 b, size_t n), i < n ? a.lane[i] : b.lane[i])

LANES(vec_add, (f32x16 a, f32x16 b), a.lane[i] + b.lane[i])
LANES(vec_sub, (f32x16 a, f32x16 b), a.lane[i] - b.lane[i])
LANES(vec_mul, (f32x16 a, f32x16 b), a.lane[i] * b.lane[i])
LANES(vec_div, (f32x16 a, f32x16 b), a.lane[i] / b.lane[i])
LANES(vec_fma, (f32x16 a, f32x16 b, f32x16 c), smol_fmaf(a.lane[i], b.lane[i], c.lane[i]))
LANES(vec_abs, (f32x16 a), fabsf(a.lane[i]))

/* b's where one of the two is not a number. */
LANES(vec_min, (f32x16 a, f32x16 b), a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i])
LANES(vec_max, (f32x16 a, f32x16 b), a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i])

/* To an integer, half to even. */
LANES(vec_round, (f32x16 a), rintf(a.lane[i]))

/* a x 2^n, n integers from -126 to 127. */
LANES(vec_scale, (f32x16 a, f32x16 n), ldexpf(a.lane[i], (int)n.lane[i]))

/* The first n lanes, or all if n is more. */
static inline void vec_store_first(float *p, f32x16 v, size_t n)
{
    for (size_t i = 0; i < n && i < VEC_LANES; i++)
        p[i] = v.lane[i];
}

/* The same as integers, half to even: |v| < 32767, and what is not a number is 0. */
static inline void vec_store_int16_first(int16_t *p, f32x16 v, size_t n)
{
    for (size_t i = 0; i < n && i < VEC_LANES; i++)
        p[i] = isnan(v.lane[i]) ? 0 : (int16_t)rintf(v.lane[i]);
}

/* The halving tree of lanes16. */
static inline float vec_sum(f32x16 v)
{
    for (unsigned h = VEC_LANES / 2; h > 0; h /= 2)
        for (unsigned i = 0; i < h; i++)
            v.lane[i] += v.lane[i + h];
    return v.lane[0];
}

/* sums (n, at most VEC_SUMS) of so many vectors v (VEC_SUMS). */
static inline void vec_sums(float *sums, const f32x16 *v, size_t n)
{
    (void)n;
    *sums = vec_sum(*v);
}

/* The largest lane of v, all of which are numbers. */
static inline float vec_largest(f32x16 v)
{
    float most = v.lane[0];

    for (unsigned i = 1; i < VEC_LANES; i++)
        most = v.lane[i] > most ? v.lane[i] : most;
    return most;
}

#endif
