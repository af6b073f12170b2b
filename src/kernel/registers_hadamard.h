/* Hadamard's transform in registers, for the file of one instruction set. That has before: LANES;
 * vector, a register of so many floats; load_vector(p), store_vector(p, v), add(a, b), subtract(a,
 * b); and stages_within(v), the stages over distances below LANES. */
#ifndef SMOL_REGISTERS_HADAMARD_H
#define SMOL_REGISTERS_HADAMARD_H

#include <stdbool.h>
#include <stddef.h>

#define REGISTERS 8u

/* Stages between n registers, n a power of two. */
static inline __attribute__((always_inline)) void stages_between(vector *v, unsigned n)
{
    for (unsigned h = 1; h < n; h *= 2)
        for (unsigned i = 0; i < n; i++)
            if (!(i & h)) {
                const vector a = v[i], b = v[i + h];
                v[i] = add(a, b);
                v[i + h] = subtract(a, b);
            }
}

/* n registers that lie stride numbers apart; if they are neighbours, the stages within them too. */
static inline __attribute__((always_inline)) void transform(float *x, size_t stride, unsigned n,
                                                            bool within)
{
    vector v[REGISTERS];

    for (unsigned i = 0; i < n; i++) {
        v[i] = load_vector(x + i * stride);
        if (within)
            v[i] = stages_within(v[i]);
    }
    stages_between(v, n);
    for (unsigned i = 0; i < n; i++)
        store_vector(x + i * stride, v[i]);
}

/* The stages over distances h, 2 h, ... (count / 2) h. */
static inline __attribute__((always_inline)) void pass(float *x, size_t n, size_t h, unsigned count)
{
    for (size_t i = 0; i < n; i += count * h)
        for (size_t j = i; j < i + h; j += LANES)
            transform(x + j, h, count, false);
}

/* n, a power of two, is at least 64. */
static inline void hadamard(float *x, size_t n)
{
    const unsigned first = n < REGISTERS * LANES ? 4 : REGISTERS;
    size_t h = first * LANES;

    for (size_t i = 0; i < n; i += h) {
        if (first == REGISTERS)
            transform(x + i, LANES, REGISTERS, true);
        else
            transform(x + i, LANES, 4, true);
    }
    for (; h * 8 <= n; h *= 8)
        pass(x, n, h, 8);
    if (h * 4 <= n)
        pass(x, n, h, 4);
    else if (h * 2 <= n)
        pass(x, n, h, 2);
}

#endif
