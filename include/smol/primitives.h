/* The building blocks of SPEC.md's arithmetic, one by one: to compare another implementation with,
 * and for `smoltool generate-vectors`. Pure functions, thread-safe.
 *
 * Advanced: may change between minor versions until 1.0. */
#ifndef SMOL_PRIMITIVES_H
#define SMOL_PRIMITIVES_H

#include <smol/config.h>

SMOL_BEGIN_DECLS

/* SPEC.md 5.1. */
void smol_primitive_key(uint8_t key[32], uint64_t seed);

/* The first n_steps x 64 bytes of a row block's stream (SPEC.md 5.2, 5.3). */
void smol_primitive_stream(uint8_t *bytes, uint64_t seed, uint32_t tensor, uint32_t plane,
                           uint32_t purpose, uint32_t row_block, size_t n_steps);

/* table: (planes, 256), planes = ceil(d / 8) for SMOL_SIGN, d for SMOL_GAUSS; returns s
 * (SPEC.md 5.5, 5.6). */
double smol_primitive_table(int16_t *table, enum smol_dist dist, const double *alpha, uint32_t d);

/* SPEC.md 7. quantise returns t. */
float smol_primitive_exp(float x);
float smol_primitive_gelu(float x);
float smol_primitive_quantise(int16_t *X, const float *x, size_t n);
void smol_primitive_layernorm(float *y, const float *x, float epsilon, size_t n);
float smol_primitive_dot(const float *x, const float *y, size_t n);

/* The first n random numbers of a sampler (SPEC.md 10). */
void smol_primitive_draws(double *draws, uint64_t seed, size_t n);

SMOL_END_DECLS
#endif
