/* How many pieces are hashed side by side, by what the processor can do. */
#include "hash/leaves.h"

#include <string.h>

struct side_by_side {
    uint32_t n_lanes;
    smol_leaves *leaves;
};

/* For n whole pieces: the fewest lanes that have room for all of them, or else the most. */
static struct side_by_side choose(uint64_t n, struct smol_cpu cpu)
{
    (void)n;
    (void)cpu;
#ifdef SMOL_HAVE_AVX512
    if (cpu.avx512bw && n > 4)
        return (struct side_by_side){8, smol_leaves_avx512bw};
#endif
#ifdef SMOL_HAVE_AVX2
    if (cpu.avx2 && n > 1)
        return (struct side_by_side){4, smol_leaves_avx2};
#endif
    return (struct side_by_side){1, NULL};
}

uint32_t smol_hash_lanes(struct smol_cpu cpu) { return choose(SMOL_MAX_LANES, cpu).n_lanes; }

/* At most n_lanes whole pieces; lanes without one hash the last once more, for nothing. */
static void hash_lanes(uint8_t *leaves, const uint8_t *pieces, uint64_t n,
                       const struct side_by_side *by)
{
    const uint8_t *lanes[SMOL_MAX_LANES];
    uint8_t found[SMOL_MAX_LANES * SMOL_HASH_BYTES];

    for (uint64_t i = 0; i < by->n_lanes; i++)
        lanes[i] = pieces + (i < n ? i : n - 1) * SMOL_PIECE_BYTES;
    by->leaves(found, lanes, SMOL_PIECE_BYTES);
    memcpy(leaves, found, n * SMOL_HASH_BYTES);
}

void smol_hash_leaves(uint8_t *leaves, const uint8_t *body, uint64_t body_bytes, uint64_t first,
                      uint64_t n, struct smol_cpu cpu)
{
    const uint64_t end = first + n, n_whole = body_bytes / SMOL_PIECE_BYTES;

    while (first < end) {
        const uint64_t whole = first < n_whole ? (end < n_whole ? end : n_whole) - first : 0;
        const struct side_by_side by = choose(whole, cpu);
        const uint64_t done = whole == 0 ? 1 : whole < by.n_lanes ? whole : by.n_lanes;

        if (by.n_lanes == 1)
            smol_hash_leaf(leaves, body, body_bytes, first);
        else
            hash_lanes(leaves, body + first * SMOL_PIECE_BYTES, done, &by);
        leaves += done * SMOL_HASH_BYTES;
        first += done;
    }
}
