/* What the approximate products of NEON share, with and without its dot-product instructions: rows
 * of high bytes. */
#ifndef SMOL_FAST_NEON_H
#define SMOL_FAST_NEON_H

#include "kernel/arm/registers_neon.h"

static void table_load(struct table *t, const int16_t *q)
{
    int16_t high[SMOL_TABLE_ENTRIES];

    for (unsigned u = 0; u < SMOL_TABLE_ENTRIES; u++)
        high[u] = (int16_t)high_byte(q[u]);
    table_load_integers(t, high);
}

ALWAYS_INLINE void row_put(int8_t *w, size_t n, uint32_t r, size_t step, unsigned k, uint8x16_t u,
                           const struct table *table, enum lookup lookup, bool is_first)
{
    (void)n, (void)r, (void)is_first;
    vst1q_u8((uint8_t *)w + SMOL_STEP_BYTES * step + STEP * k, look_up(table->low, u, lookup));
}

#endif
