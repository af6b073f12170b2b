/* log and exp, for losses and perplexities: to 15 digits, and 6 kB smaller than the C library's. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LN_2 0.69314718055994530942
#define LN_2_HIGH 0x1.62e42fep-1 /* of 28 bits: whole numbers of 11 times it are exact */
#define LN_2_LOW 0x1.f473de6af278fp-30

static double from_bits(uint64_t bits)
{
    double x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* x: a normal number over 0. With x = m 2^e, m from 0.7 to 1.4, and s = (m - 1) / (m + 1) that is
 * e log 2 + 2 s (1 + s^2 / 3 + s^4 / 5 + ...). */
double log(double x)
{
    uint64_t bits;
    double e, s, sum = 0;

    memcpy(&bits, &x, sizeof bits);
    e = (double)((int)(bits >> 52) - 1023);
    x = from_bits((bits & 0x000fffffffffffffu) | 0x3ff0000000000000u);
    if (x > 1.4142135623730951) {
        x /= 2;
        e += 1;
    }
    s = (x - 1) / (x + 1);
    for (int k = 23; k > 0; k -= 2)
        sum = sum * (s * s) + 1.0 / k;
    return e * LN_2 + 2 * s * sum;
}

/* 0 for what would be subnormal. With x = n log 2 + r that is 2^n (1 + r (1 + r / 2 (1 + ...))),
 * r from -0.35 to 0.35. */
double exp(double x)
{
    double n, r, sum = 1;

    if (!(x < 709))
        return x >= 709 ? HUGE_VAL : x;
    if (x < -708)
        return 0;
    n = floor(x / LN_2 + 0.5);
    r = x - n * LN_2_HIGH - n * LN_2_LOW;
    for (int k = 14; k > 0; k--)
        sum = 1 + sum * r / k;
    return sum * from_bits((uint64_t)((int)n + 1023) << 52);
}
