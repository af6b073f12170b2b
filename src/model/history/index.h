/* The places of a long history, sorted by the tokens there, so that those which are like the last
 * ones are looked up. SPEC.md 8, History. */
#ifndef SMOL_MODEL_INDEX_H
#define SMOL_MODEL_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A place is that of the last of some tokens, and has another token after it. Those of a run have
 * the same tokens, the one after them included, which was read or was not; of each run the places
 * ascend. What has the same tokens but for the one after them is of the same slot, others may be.
 */
struct index {
    uint16_t *places; /* sorted, less origin */
    uint16_t *runs;   /* where each begins in places, and behind them the end of the last one */
    uint16_t *slots;  /* (n_slots + 1) where each begins in runs */
    uint32_t n_slots; /* a power of two, or 0: the history is too short for an index */
    uint32_t origin;  /* modulo 2^32: the first places may be no more */
    uint32_t end;     /* those before it are there */
};

/* Bytes of memory that the index of a history takes, aligned to 2, and that memory taken for an
 * empty one. */
size_t smol_index_bytes(uint32_t capacity);
void smol_index_place(struct index *x, uint32_t capacity, void *memory);

/* Makes it what another one of the same capacity is. */
void smol_index_copy(struct index *to, const struct index *from, uint32_t capacity);

/* Places that have to be there besides its own before it is sorted anew. */
#define SMOL_INDEX_AFTER 2048u

/* Sorts places from..to - 1 of the tokens by the last `length` there, 1 or 2. */
void smol_index_sort(struct index *x, const uint16_t *tokens, const uint8_t *is_written,
                     uint32_t from, uint32_t to, uint32_t length);

/* Where the runs of the slot of tokens that end at *last begin and end. */
void smol_index_slot(uint32_t *begin, uint32_t *end, const struct index *x, const uint16_t *last,
                     uint32_t length);

#endif
