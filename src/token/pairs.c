/* See pairs.h. */
#include "token/pairs.h"

#include <stdlib.h>
#include <string.h>

void smol_pairs_free(struct smol_pairs *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->pairs[i].places);
    free(p->pairs);
    free(p->slots);
    free(p->heap);
}

/* An array with room for one more of size bytes, or NULL. */
static void *grown(void *array, size_t n, size_t *capacity, size_t size)
{
    const size_t larger = 2 * *capacity + 4;
    void *moved;

    if (n < *capacity)
        return array;
    moved = larger > SIZE_MAX / size ? NULL : realloc(array, larger * size);
    if (moved)
        *capacity = larger;
    return moved;
}

/* The slot of a pair, or the empty one where it would be. */
static size_t slot_of(const struct smol_pairs *p, struct smol_merge m)
{
    uint64_t x = ((uint64_t)m.left << 32 | m.right) * UINT64_C(0x9e3779b97f4a7c15);
    size_t slot = (size_t)(x ^ x >> 32) & (p->n_slots - 1);

    for (; p->slots[slot] != 0; slot = (slot + 1) & (p->n_slots - 1)) {
        const struct smol_merge *at = &p->pairs[p->slots[slot] - 1].numbers;
        if (at->left == m.left && at->right == m.right)
            break;
    }
    return slot;
}

static bool make_slots(struct smol_pairs *p)
{
    uint32_t *slots;

    if (2 * (p->n + 1) <= p->n_slots)
        return true;
    slots =
        p->n < UINT32_MAX / 4 ? calloc(p->n_slots ? 2 * p->n_slots : 1024, sizeof *slots) : NULL;
    if (!slots)
        return false;
    free(p->slots);
    p->slots = slots;
    p->n_slots = p->n_slots ? 2 * p->n_slots : 1024;
    for (size_t i = 0; i < p->n; i++)
        p->slots[slot_of(p, p->pairs[i].numbers)] = (uint32_t)i + 1;
    return true;
}

bool smol_pairs_add(struct smol_pairs *p, struct smol_merge numbers, struct smol_place place,
                    uint64_t count)
{
    struct smol_pair *pair;
    size_t slot;
    void *larger;

    if (!make_slots(p) || !(larger = grown(p->pairs, p->n, &p->capacity, sizeof *p->pairs)))
        return false;
    p->pairs = larger;
    slot = slot_of(p, numbers);
    if (p->slots[slot] == 0) {
        p->pairs[p->n++] = (struct smol_pair){.numbers = numbers};
        p->slots[slot] = (uint32_t)p->n;
    }
    pair = &p->pairs[p->slots[slot] - 1];
    pair->count += count;
    larger = grown(pair->places, pair->n_places, &pair->capacity, sizeof *pair->places);
    if (!larger)
        return false;
    pair->places = larger;
    pair->places[pair->n_places++] = place;
    return true;
}

void smol_pairs_take(struct smol_pairs *p, struct smol_merge numbers, uint64_t count)
{
    p->pairs[p->slots[slot_of(p, numbers)] - 1].count -= count;
}

static bool is_before(const struct smol_pairs *p, struct smol_candidate a, struct smol_candidate b)
{
    const struct smol_merge x = p->pairs[a.pair].numbers, y = p->pairs[b.pair].numbers;

    if (a.count != b.count)
        return a.count > b.count;
    return x.left != y.left ? x.left < y.left : x.right < y.right;
}

static bool push(struct smol_pairs *p, struct smol_candidate c)
{
    struct smol_candidate *larger = grown(p->heap, p->n_heap, &p->heap_capacity, sizeof *p->heap);
    size_t i = p->n_heap;

    if (!larger)
        return false;
    p->heap = larger;
    p->n_heap++;
    for (size_t up; i > 0 && is_before(p, c, p->heap[up = (i - 1) / 2]); i = up)
        p->heap[i] = p->heap[up];
    p->heap[i] = c;
    return true;
}

static struct smol_candidate pop(struct smol_pairs *p)
{
    const struct smol_candidate first = p->heap[0], last = p->heap[--p->n_heap];
    size_t i = 0;

    for (size_t down; (down = 2 * i + 1) < p->n_heap; i = down) {
        if (down + 1 < p->n_heap && is_before(p, p->heap[down + 1], p->heap[down]))
            down++;
        if (!is_before(p, p->heap[down], last))
            break;
        p->heap[i] = p->heap[down];
    }
    p->heap[i] = last;
    return first;
}

bool smol_pairs_offer(struct smol_pairs *p, size_t first)
{
    for (size_t i = first; i < p->n; i++)
        if (p->pairs[i].count > 0 &&
            !push(p, (struct smol_candidate){p->pairs[i].count, (uint32_t)i}))
            return false;
    return true;
}

/* A candidate that has shrunk goes back to where it belongs; there is room, since it has just
 * left. */
struct smol_pair *smol_pairs_best(struct smol_pairs *p)
{
    while (p->n_heap > 0) {
        const struct smol_candidate c = pop(p);
        struct smol_pair *pair = &p->pairs[c.pair];
        if (pair->count == c.count)
            return pair;
        if (pair->count > 0)
            push(p, (struct smol_candidate){pair->count, c.pair});
    }
    return NULL;
}
