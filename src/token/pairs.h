/* Pairs of neighbouring tokens while a tokenizer is trained: how often each occurs, where, and
 * which is the most frequent. SPEC.md appendix D. */
#ifndef SMOL_PAIRS_H
#define SMOL_PAIRS_H

#include <smol/tokenizer.h>

/* A byte of a word. */
struct smol_place {
    uint32_t word, at;
};

struct smol_pair {
    struct smol_merge numbers;
    uint64_t count;
    struct smol_place *places; /* (n_places) where it begins or began, in rising order; owned */
    size_t n_places, capacity;
};

struct smol_pairs {
    struct smol_pair *pairs; /* (n) */
    size_t n, capacity;
    uint32_t *slots; /* (n_slots) index + 1, 0 where there is none; a power of two */
    size_t n_slots;
    struct smol_candidate {
        uint64_t count; /* when it came in; it may have shrunk since */
        uint32_t pair;
    } * heap; /* (n_heap), the first in order on top */
    size_t n_heap, heap_capacity;
};

void smol_pairs_free(struct smol_pairs *pairs);

/* A pair begins at a place of a word that occurs count times; places come in rising order. false if
 * memory is out. */
bool smol_pairs_add(struct smol_pairs *pairs, struct smol_merge numbers, struct smol_place place,
                    uint64_t count);
/* A pair that has been added occurs so many times less. */
void smol_pairs_take(struct smol_pairs *pairs, struct smol_merge numbers, uint64_t count);

/* Makes pairs from index first on candidates, with their present counts, which can only shrink
 * later. False if out of memory. */
bool smol_pairs_offer(struct smol_pairs *pairs, size_t first);
/* Removes and returns the candidate that occurs most often, among equals the one with the lowest
 * ids; NULL if there is none. */
struct smol_pair *smol_pairs_best(struct smol_pairs *pairs);

#endif
