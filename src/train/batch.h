/* Which windows a step sees. */
#ifndef SMOL_TRAIN_BATCH_H
#define SMOL_TRAIN_BATCH_H

#include <smol/train.h>

/* Batches: windows whose starts, below n_starts, are a function of the seed, the step and their
 * index alone. */
void smol_batch_key(uint8_t key[32], enum smol_order order, uint64_t seed);
uint64_t smol_batch_start(const uint8_t key[32], uint32_t step, uint32_t window, uint64_t n_starts);
/* The start of window n, counted over all steps, in a shuffled order. n_starts > 0. */
uint64_t smol_shuffled_start(const uint8_t key[32], uint64_t n, uint32_t context,
                             uint64_t n_starts);

#endif
