/* The hashes of a file's pieces, by one thread: several side by side where the processor has wide
 * registers, each piece in a lane of its own. The same bytes as of smol_hash_leaf. SPEC.md 4. */
#ifndef SMOL_LEAVES_H
#define SMOL_LEAVES_H

#include "cpu/cpu.h"

#include <smol/file.h>

#define SMOL_MAX_LANES 8u

/* How many pieces take this processor no longer than one, or little longer. */
uint32_t smol_hash_lanes(struct smol_cpu cpu);

/* Leaves first .. first + n - 1 of a body, to leaves (n, 64). */
void smol_hash_leaves(uint8_t *leaves, const uint8_t *body, uint64_t body_bytes, uint64_t first,
                      uint64_t n, struct smol_cpu cpu);

/* The leaves of 4 or 8 pieces of piece_bytes each, a multiple of 128 above 0, to leaves (4, 64) or
 * (8, 64): blake2b_*.c. */
typedef void smol_leaves(uint8_t *leaves, const uint8_t *const *pieces, size_t piece_bytes);
smol_leaves smol_leaves_avx2, smol_leaves_avx512bw;

#endif
