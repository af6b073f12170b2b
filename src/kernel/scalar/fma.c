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

/* v / 2^n, its last bit set if any that is lost was; in halves, for processors of 32 bits. */
static inline uint64_t shifted(uint64_t v, uint32_t n)
{
    uint32_t high = (uint32_t)(v >> 32), low = (uint32_t)v, lost = 0;

    if (n > 63)
        return v != 0;
    if (n > 31) {
        lost = low;
        low = high;
        high = 0;
        n -= 32;
    }
    if (n > 0) {
        lost |= low << (32 - n);
        low = low >> n | high << (32 - n);
        high >>= n;
    }
    return (uint64_t)high << 32 | low | (lost != 0);
}

/* v x 2^e rounded, v > 0 and below 2^63. */
static inline float rounded(uint32_t sign, uint64_t v, int32_t e)
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

/* Whether the result needs no integers: of a number that is 0, infinite or none. Every sum begins
 * with a 0. */
static bool is_special(float *result, float x, float y, float z)
{
    const uint32_t a = smol_f32_bits(x) & ~SIGN, b = smol_f32_bits(y) & ~SIGN,
                   c = smol_f32_bits(z) & ~SIGN;

    if (a >= INFINITE || b >= INFINITE || a == 0 || b == 0)
        *result = x * y + z; /* the product is exact */
    else if (c >= INFINITE)
        *result = z + z;
    else if (c == 0)
        *result = x * y;
    else
        return false;
    return true;
}

/* One function, called for each term of a sum: on small processors calls are dear. */
float smol_fma_plain(float x, float y, float z)
{
    const uint32_t a = smol_f32_bits(x), b = smol_f32_bits(y), c = smol_f32_bits(z);
    struct parts u = {(a & (HIDDEN - 1)) | HIDDEN, exponent(a)},
                 v = {(b & (HIDDEN - 1)) | HIDDEN, exponent(b)},
                 w = {(c & (HIDDEN - 1)) | HIDDEN, exponent(c)};
    uint32_t sign = (a ^ b) & SIGN;
    uint64_t p, q, sum;
    int32_t e, before;
    float result;

    /* Not 1..254, all three. */
    if ((uint32_t)(u.e - 1) > 253 || (uint32_t)(v.e - 1) > 253 || (uint32_t)(w.e - 1) > 253) {
        if (is_special(&result, x, y, z))
            return result;
        u = parts_of(a);
        v = parts_of(b);
        w = parts_of(c);
    }
    p = (uint64_t)(u.m << 7) * (v.m << 7); /* below 2^62, like q */
    q = (uint64_t)w.m << 38;
    e = u.e + v.e - 314;
    before = e - (w.e - 188);
    if (before >= 0) {
        q = shifted(q, (uint32_t)before);
    } else {
        p = shifted(p, (uint32_t)-before);
        e -= before;
    }
    if (sign == (c & SIGN)) {
        sum = p + q;
    } else {
        sum = p > q ? p - q : q - p;
        sign ^= p > q ? 0 : SIGN;
    }
    return sum ? rounded(sign, sum, e) : 0;
}
