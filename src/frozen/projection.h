/* Projections: P theta, entry by entry, from n parameters theta to all weights of a tensor,
 * row by row. SPEC.md 5.8. They come in blocks of D entries, D the power of two at or over n and
 * 64, so that a product needs O(D) memory. */
#ifndef SMOL_PROJECTION_H
#define SMOL_PROJECTION_H

#include "frozen/frozen.h"

#define SMOL_MIN_BLOCK 64u

struct smol_projection {
    bool is_fourier;
    const struct smol_frozen_key *key;
    uint32_t tensor;
    uint32_t n;    /* parameters */
    uint32_t size; /* D */
    double sigma;
};

/* D for n numbers. */
static inline uint32_t smol_projection_size(uint32_t n)
{
    uint32_t size = SMOL_MIN_BLOCK;

    while (size < n)
        size *= 2;
    return size;
}

/* The place of D in a list of all its values, 64, 128, ... 2^20. */
#define SMOL_N_BLOCK_SIZES 15u
static inline uint32_t smol_block_size_index(uint32_t size)
{
    uint32_t i = 0;

    while (size > SMOL_MIN_BLOCK << i)
        i++;
    return i;
}

static inline bool smol_scheme_is_fourier(const struct smol_scheme *s)
{
    return s->kind == SMOL_MATRIX &&
           (s->source == SMOL_MATRIX_FOURIER || s->source == SMOL_MATRIX_FOURIER_SHARED);
}

/* The projection of a tensor by its scheme. */
static inline struct smol_projection
smol_projection_of(const struct smol_scheme *s, const struct smol_frozen_key *key, uint32_t tensor)
{
    return (struct smol_projection){.is_fourier = smol_scheme_is_fourier(s),
                                    .key = key,
                                    .tensor = tensor,
                                    .n = s->dimensions,
                                    .size = smol_projection_size(s->dimensions),
                                    .sigma = (double)s->sigma};
}

/* A bijection of 0..2^bits - 1: three rounds of multiplication by odd numbers and shifts, from the
 * stream of a plane. */
struct smol_order {
    uint32_t odd[3], add, mask, shift;
};

void smol_order_init(struct smol_order *order, const struct smol_projection *p, uint32_t plane,
                     uint32_t bits);

static inline uint32_t smol_order_at(const struct smol_order *o, uint32_t i)
{
    for (unsigned round = 0; round < 3; round++) {
        i = (i * o->odd[round] + o->add) & o->mask;
        i ^= i >> o->shift;
    }
    return i;
}

/* The factors of the D entries of a Fastfood block; tables by byte, in the doubles of SPEC.md
 * 5.8. */
struct smol_fastfood_tables {
    double g[SMOL_TABLE_ENTRIES], s[SMOL_TABLE_ENTRIES];
};

void smol_fastfood_tables(struct smol_fastfood_tables *tables, const struct smol_projection *p);

#endif
