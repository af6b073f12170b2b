/* See fma.h: a fused multiplication and addition in integers. */
#include "kernel/scalar/fma.h"
#include "base/bytes.h"

#define SIGN 0x80000000u
#define INFINITE 0x7f800000u
#define HIDDEN 0x800000u
#define TOP ((uint64_t)1 << 62) /* of a normal magnitude */

/* m x 2^(e - 150), m with 24 bits. */
struct parts {
    uint32_t m;
    int32_t e;
};

static inline int32_t exponent(uint32_t bits) { return (int32_t)(bits >> 23 & 255); }

/* Of a finite number that is not 0. */
static struct parts parts_of(uint32_t bits)
{
    struct parts p = {bits & (HIDDEN - 1), exponent(bits)};

    if (p.e > 0) {
        p.m |= HIDDEN;
        return p;
    }
    for (p.e = 1; p.m < HIDDEN; p.e--)
        p.m <<= 1;
    return p;
}

/* v / 2^n, its last bit set if any that is lost was. */
static inline uint64_t shifted(uint64_t v, uint32_t n)
{
    if (n == 0)
        return v;
    return n > 63 ? v != 0 : v >> n | ((v << (64 - n)) != 0);
}

/* v x 2^e rounded, v > 0 and below 2^63. */
static float rounded(uint32_t sign, uint64_t v, int32_t e)
{
    uint32_t high;

    for (; v < TOP >> 16; e -= 16)
        v <<= 16;
    for (; v < TOP; e--)
        v <<= 1;
    e += 189; /* the exponent of the 24 bits that are kept, as it is stored */
    if (e < 1) {
        v = shifted(v, (uint32_t)(1 - e));
        e = 1;
    }
    high = (uint32_t)(v >> 32) | ((uint32_t)v != 0); /* seven bits more than are kept */
    if (e > 254)
        return smol_bits_f32(sign | INFINITE);
    /* The hidden bit, if there is one, adds 1 to the exponent, and rounding up may add one more. */
    return smol_bits_f32(sign + ((uint32_t)(e - 1) << 23) + ((high + 63 + (high >> 7 & 1)) >> 7));
}

/* Numbers that are neither 0 nor infinite nor no numbers. */
static inline float fused(struct parts x, struct parts y, struct parts z, uint32_t sign,
                          uint32_t sign_z)
{
    uint64_t p = (uint64_t)x.m * y.m << 14, q = (uint64_t)z.m << 38; /* both below 2^62 */
    int32_t e = x.e + y.e - 314;
    const int32_t before = e - (z.e - 188);

    if (before >= 0) {
        q = shifted(q, (uint32_t)before);
    } else {
        p = shifted(p, (uint32_t)-before);
        e -= before;
    }
    if (sign == sign_z)
        return rounded(sign, p + q, e);
    if (p == q)
        return 0;
    return p > q ? rounded(sign, p - q, e) : rounded(sign_z, q - p, e);
}

/* What has no exponent of its own, or the largest. */
static float special(float x, float y, float z, uint32_t sign)
{
    const uint32_t a = smol_f32_bits(x), b = smol_f32_bits(y), c = smol_f32_bits(z);

    if (exponent(a) == 255 || exponent(b) == 255 || x == 0 || y == 0)
        return x * y + z; /* the product is exact */
    if (exponent(c) == 255)
        return z + z;
    if (z == 0)
        return x * y;
    return fused(parts_of(a), parts_of(b), parts_of(c), sign, c & SIGN);
}

float smol_fma_plain(float x, float y, float z)
{
    const uint32_t a = smol_f32_bits(x), b = smol_f32_bits(y), c = smol_f32_bits(z),
                   sign = (a ^ b) & SIGN;
    const struct parts u = {(a & (HIDDEN - 1)) | HIDDEN, exponent(a)},
                       v = {(b & (HIDDEN - 1)) | HIDDEN, exponent(b)},
                       w = {(c & (HIDDEN - 1)) | HIDDEN, exponent(c)};

    /* 1..254, all three. */
    if ((uint32_t)(u.e - 1) > 253 || (uint32_t)(v.e - 1) > 253 || (uint32_t)(w.e - 1) > 253)
        return special(x, y, z, sign);
    return fused(u, v, w, sign, c & SIGN);
}
