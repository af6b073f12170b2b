/* The number type of training: float, or double in the build that checks the gradients.
 * Everything that depends on the choice is in this file. */
#ifndef SMOL_TRAIN_REAL_H
#define SMOL_TRAIN_REAL_H

#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* e^x for x within SMOL_EXP_LEAST..SMOL_EXP_MOST, by range reduction and a polynomial, in
 * operations that a compiler can put into vectors: a call of expf in the inner loops would cost
 * more than the matrix products. The kernels' exponential fuses its products, which a machine may
 * have to do by calls: other bits. The quotient by log 2 is rounded by the number format itself:
 * after adding 1.5 x 2^23 (2^52) no bit is left for a fraction, and the integer stands in the
 * lowest bits. */
#ifdef SMOL_REAL_DOUBLE

typedef double real;
#define SMOL_REAL_GEMM cblas_dgemm
#define SMOL_REAL_DOT cblas_ddot
#define SMOL_REAL_SQRT sqrt
#define SMOL_REAL_COPYSIGN copysign
#define SMOL_EXP_LEAST (-700.0)
#define SMOL_EXP_MOST 700.0

static inline double smol_real_exp(double x)
{
    static const double inverse_factorial[12] = {
        1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
        1.0 / 720,       1.0 / 120,      1.0 / 24,      1.0 / 6,      1.0 / 2,     1.0,
    };
    const double shifted = x * 0x1.71547652b82fep+0 + 0x1.8p+52;
    const double n = shifted - 0x1.8p+52;
    const double r = (x - n * 0x1.62e42fefa3800p-1) - n * 0x1.ef35793c76730p-45;
    double p = 1.0 / 6227020800, power;
    uint64_t bits;

    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    for (int i = 0; i < 12; i++)
        p = p * r + inverse_factorial[i];
    p = p * r + 1;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

#else

typedef float real;
#define SMOL_REAL_GEMM cblas_sgemm
#define SMOL_REAL_DOT cblas_sdot
#define SMOL_REAL_SQRT sqrtf
#define SMOL_REAL_COPYSIGN copysignf
#define SMOL_EXP_LEAST (-87.0f)
#define SMOL_EXP_MOST 88.0f

static inline float smol_real_exp(float x)
{
    const float shifted = x * 0x1.715476p+0f + 0x1.8p+23f;
    const float n = shifted - 0x1.8p+23f;
    const float r = (x - n * 0x1.63p-1f) + n * 0x1.bd0106p-13f;
    float p = 0x1.a0d2cep-13f, power;
    uint32_t bits;

    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127) << 23;
    p = p * r + 0x1.6e879cp-10f;
    p = p * r + 0x1.11121p-7f;
    p = p * r + 0x1.555382p-5f;
    p = p * r + 0x1.555554p-3f;
    p = p * r + 0.5f;
    p = p * (r * r) + r + 1.0f;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

#endif

/* The largest of x (n), n > 0. Eight at a time: compilers do not reorder a comparison of floats on
 * their own. */
static inline real smol_real_max(const real *x, size_t n)
{
    real lane[8], max = x[0];
    size_t i = 0;

    for (int j = 0; j < 8; j++)
        lane[j] = x[0];
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            lane[j] = x[i + (size_t)j] > lane[j] ? x[i + (size_t)j] : lane[j];
    for (; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (int j = 0; j < 8; j++)
        max = lane[j] > max ? lane[j] : max;
    return max;
}

/* x_i = e^(x_i - shift), with the argument clamped to the range. There are two loops because
 * compilers would otherwise carry the comparisons through the polynomial, at three times the
 * cost. */
static inline void smol_real_exp_all(real *x, size_t n, real shift)
{
    for (size_t i = 0; i < n; i++) {
        const real y = x[i] - shift;
        const real z = y < SMOL_EXP_LEAST ? SMOL_EXP_LEAST : y;

        x[i] = z > SMOL_EXP_MOST ? SMOL_EXP_MOST : z;
    }
    for (size_t i = 0; i < n; i++)
        x[i] = smol_real_exp(x[i]);
}

#endif
