/* f32x16, the 16 lanes of SPEC.md 7, in plain C. No table of the library is built on it: it says
 * what each operation of vec_*.h means, and the tests compile floats.inc over it. */
#ifndef SMOL_VEC_SCALAR_H
#define SMOL_VEC_SCALAR_H

#include "base/bytes.h"

#include <math.h>

#define VEC_LANES 16u
#define VEC_SUMS 1u /* vectors that vec_sums takes at once */

#define EACH_LANE(i) for (unsigned i = 0; i < VEC_LANES; i++)

typedef struct {
    float lane[VEC_LANES];
} f32x16;

static inline f32x16 vec_set1(float x)
{
    f32x16 v;

    EACH_LANE(i) v.lane[i] = x;
    return v;
}

static inline f32x16 vec_zero(void) { return vec_set1(0); }

/* The first n lanes, or all if there are more, are numbers from p, at any address; the others 0. */
static inline f32x16 vec_load_first(const void *p, size_t n)
{
    f32x16 v = vec_zero();

    memcpy(v.lane, p, (n < VEC_LANES ? n : VEC_LANES) * sizeof(float));
    return v;
}

static inline f32x16 vec_load(const void *p) { return vec_load_first(p, VEC_LANES); }

/* The same from numbers of 16 bits. */
static inline f32x16 vec_load_halves_first(const void *p, size_t n)
{
    const uint8_t *halves = p;
    f32x16 v = vec_zero();

    for (size_t i = 0; i < n && i < VEC_LANES; i++)
        v.lane[i] = smol_load_f16(halves + 2 * i);
    return v;
}

static inline void vec_store_first(float *p, f32x16 v, size_t n)
{
    memcpy(p, v.lane, (n < VEC_LANES ? n : VEC_LANES) * sizeof *p);
}

/* The first n lanes of a, or all if there are fewer, the others of b. */
static inline f32x16 vec_first(f32x16 a, f32x16 b, size_t n)
{
    EACH_LANE(i) a.lane[i] = i < n ? a.lane[i] : b.lane[i];
    return a;
}

#define OPERATION(name, result)                                                                    \
    static inline f32x16 vec_##name(f32x16 first, f32x16 second)                                   \
    {                                                                                              \
        EACH_LANE(i)                                                                               \
        {                                                                                          \
            const float a = first.lane[i], b = second.lane[i];                                     \
            first.lane[i] = result;                                                                \
        }                                                                                          \
        return first;                                                                              \
    }

OPERATION(add, a + b)
OPERATION(sub, a - b)
OPERATION(mul, (a * b))
OPERATION(div, a / b)
OPERATION(min, a < b ? a : b) /* b where one of the two is not a number */
OPERATION(max, a > b ? a : b)

/* a x b + c, rounded once. */
static inline f32x16 vec_fma(f32x16 a, f32x16 b, f32x16 c)
{
    EACH_LANE(i) a.lane[i] = fmaf(a.lane[i], b.lane[i], c.lane[i]);
    return a;
}

static inline f32x16 vec_abs(f32x16 a)
{
    EACH_LANE(i) a.lane[i] = fabsf(a.lane[i]);
    return a;
}

/* To an integer, half to even; of either sign where that is 0. |a| < 2^22. */
static inline f32x16 vec_round(f32x16 a)
{
    EACH_LANE(i)
    {
        const float sum = a.lane[i] + 0x1.8p23f; /* leaves no room for a fraction */
        a.lane[i] = sum - 0x1.8p23f;
    }
    return a;
}

/* a x 2^n, n integers from -126 to 127. */
static inline f32x16 vec_scale(f32x16 a, f32x16 n)
{
    EACH_LANE(i) a.lane[i] *= smol_bits_f32((uint32_t)((int32_t)n.lane[i] + 127) << 23);
    return a;
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

    EACH_LANE(i) most = v.lane[i] > most ? v.lane[i] : most;
    return most;
}

/* The first n lanes, or all if there are fewer, as integers, half to even: |v| < 32767, and what
 * is not a number is 0. */
static inline void vec_store_int16_first(int16_t *p, f32x16 v, size_t n)
{
    const f32x16 q = vec_round(v);

    for (size_t i = 0; i < n && i < VEC_LANES; i++)
        p[i] = q.lane[i] == q.lane[i] ? (int16_t)q.lane[i] : 0;
}

#endif
