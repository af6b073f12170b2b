/* One piece of memory, handed out in turn. A pass with no memory behind it counts what a second
 * pass, the same calls in the same order, will take. */
#ifndef SMOL_ARENA_H
#define SMOL_ARENA_H

#include "base/bytes.h"

struct smol_arena {
    uint8_t *base; /* NULL: only counts */
    uint64_t used;
};

/* count x size bytes, 64-byte aligned; NULL when only counting. The caller's limits keep sums far
 * below 2^64. */
static inline void *smol_arena_take(struct smol_arena *arena, uint64_t count, uint64_t size)
{
    void *p = arena->base ? arena->base + arena->used : NULL;

    arena->used += smol_round_up(count * size, 64);
    return p;
}

#endif
