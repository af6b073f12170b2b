/* The sampler's random numbers. SPEC.md 10. */
#ifndef SMOL_RNG_H
#define SMOL_RNG_H

#include <stdint.h>

struct smol_rng {
    uint8_t key[32];
    uint8_t block[64]; /* eight draws */
    uint64_t n_draws;
};

void smol_rng_init(struct smol_rng *rng, uint64_t seed);

/* The next number, 0 <= x < 1. */
double smol_rng_draw(struct smol_rng *rng);

#endif
