/* The pieces of the arithmetic for all to see. */
#include "base/fpenv.h"
#include "frozen/frozen.h"
#include "kernel/kernel.h"
#include "model/rng.h"

#include <smol/primitives.h>

#include <string.h>

void smol_primitive_key(uint8_t key[32], uint64_t seed)
{
    struct smol_frozen_key k;

    smol_frozen_key_init(&k, seed);
    memcpy(key, k.bytes, sizeof k.bytes);
}

void smol_primitive_stream(uint8_t *bytes, uint64_t seed, uint32_t tensor, uint32_t plane,
                           uint32_t purpose, uint32_t row_block, size_t n_steps)
{
    struct smol_frozen_key key;
    struct smol_stream stream;

    smol_frozen_key_init(&key, seed);
    smol_stream_init(&stream, &key, tensor, plane, (enum smol_purpose)purpose, row_block);
    for (size_t i = 0; i < n_steps; i++)
        smol_stream_step(&stream, bytes + i * SMOL_STEP_BYTES);
}

double smol_primitive_table(int16_t *table, enum smol_dist dist, const double *alpha, uint32_t d)
{
    double scale;

    SMOL_IN_FPENV(scale = smol_frozen_table(table, dist, alpha, d));
    return scale;
}

float smol_primitive_exp(float x)
{
    SMOL_IN_FPENV(smol_kernels_scalar.exp(&x, &x, 1));
    return x;
}

float smol_primitive_gelu(float x)
{
    SMOL_IN_FPENV(smol_kernels_scalar.gelu(&x, 1));
    return x;
}

float smol_primitive_quantise(int16_t *X, const float *x, size_t n)
{
    float t;

    SMOL_IN_FPENV(t = smol_kernels_scalar.quantise(X, x, n));
    return t;
}

void smol_primitive_layernorm(float *y, const float *x, float epsilon, size_t n)
{
    SMOL_IN_FPENV(smol_kernels_scalar.layernorm(y, x, NULL, NULL, epsilon, n));
}

float smol_primitive_dot(const float *x, const float *y, size_t n)
{
    float dot;

    SMOL_IN_FPENV(dot = smol_kernels_scalar.dot(x, y, n));
    return dot;
}

void smol_primitive_draws(double *draws, uint64_t seed, size_t n)
{
    struct smol_fpenv host;
    struct smol_rng rng;

    smol_fpenv_set(&host, NULL);
    smol_rng_init(&rng, seed);
    for (size_t i = 0; i < n; i++)
        draws[i] = smol_rng_draw(&rng);
    smol_fpenv_restore(&host);
}
