/* See merge.h. A piece is a linked list of tokens, and a heap holds the pairs that may merge; so n
 * tokens take O(n log n) time, even if they are all one piece. */
#include "token/merge.h"
#include "base/bytes.h"
#include "base/error.h"

#include <stdlib.h>

#define NONE UINT32_MAX
#define MAX_PIECE 0x40000000u

/* A number of a piece, and the places of its neighbours. */
struct link {
    uint32_t number, before, after;
};

/* Merges by their left number: those of left l are starts[l]..starts[l + 1] - 1, by rising right
 * number. */
struct smol_merger {
    uint32_t *starts;   /* (n + 2) */
    uint32_t *rights;   /* (n_merges) */
    uint32_t *merges;   /* (n_merges) */
    struct link *links; /* (capacity) */
    uint64_t *heap; /* (2 capacity) merge << 32 | place of the left number; the least is heap[0] */
    size_t n_heap, capacity;
};

void smol_merger_destroy(struct smol_merger *m)
{
    if (!m)
        return;
    free(m->starts);
    free(m->rights);
    free(m->merges);
    free(m->links);
    free(m->heap);
    free(m);
}

/* Puts merges in order by left or by right number, those that agree in the order that they had:
 * from (n_merges), NULL for 0, 1, 2..., to (n_merges). starts: (n + 2), zeros; it becomes where
 * each number's begin. */
static void count_and_place(uint32_t *to, uint32_t *starts, const uint32_t *from,
                            const struct smol_tokn *t, bool by_left)
{
    for (uint32_t i = 0; i < t->n_merges; i++) {
        const struct smol_merge m = smol_tokn_merge(t, i);
        starts[(by_left ? m.left : m.right) + 2]++;
    }
    for (uint32_t l = 2; l < t->n + 2; l++)
        starts[l] += starts[l - 1];
    for (uint32_t i = 0; i < t->n_merges; i++) {
        const uint32_t merge = from ? from[i] : i;
        const struct smol_merge m = smol_tokn_merge(t, merge);
        to[starts[(by_left ? m.left : m.right) + 1]++] = merge;
    }
}

static bool fill(struct smol_merger *m, const struct smol_tokn *t)
{
    uint32_t *by_right = calloc((size_t)t->n_merges + 1, sizeof *by_right);
    uint32_t *right_starts = calloc((size_t)t->n + 2, sizeof *right_starts);
    const bool good = by_right && right_starts;

    if (good) {
        count_and_place(by_right, right_starts, NULL, t, false);
        count_and_place(m->merges, m->starts, by_right, t, true);
        for (uint32_t i = 0; i < t->n_merges; i++)
            m->rights[i] = smol_tokn_merge(t, m->merges[i]).right;
    }
    free(by_right);
    free(right_starts);
    return good;
}

enum smol_status smol_merger_create(struct smol_merger **merger, const struct smol_tokn *t,
                                    struct smol_error *error)
{
    struct smol_merger *m = calloc(1, sizeof *m);

    if (m) {
        m->starts = calloc((size_t)t->n + 2, sizeof *m->starts);
        m->rights = calloc((size_t)t->n_merges + 1, sizeof *m->rights);
        m->merges = calloc((size_t)t->n_merges + 1, sizeof *m->merges);
    }
    if (!m || !m->starts || !m->rights || !m->merges || !fill(m, t)) {
        smol_merger_destroy(m);
        return smol_fail_memory(error);
    }
    *merger = m;
    return SMOL_OK;
}

/* The merge of two numbers, or NONE. */
static uint32_t find(const struct smol_merger *m, uint32_t left, uint32_t right)
{
    uint32_t low = m->starts[left], high = m->starts[left + 1];

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (m->rights[middle] < right)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->starts[left + 1] && m->rights[low] == right ? m->merges[low] : NONE;
}

static void push(struct smol_merger *m, uint64_t key)
{
    size_t i = m->n_heap++;

    for (size_t up; i > 0 && m->heap[up = (i - 1) / 2] > key; i = up)
        m->heap[i] = m->heap[up];
    m->heap[i] = key;
}

static uint64_t pop(struct smol_merger *m)
{
    const uint64_t least = m->heap[0], last = m->heap[--m->n_heap];
    size_t i = 0;

    for (size_t down; (down = 2 * i + 1) < m->n_heap; i = down) {
        if (down + 1 < m->n_heap && m->heap[down + 1] < m->heap[down])
            down++;
        if (m->heap[down] >= last)
            break;
        m->heap[i] = m->heap[down];
    }
    m->heap[i] = last;
    return least;
}

/* The pair whose left number is at a place, if it is a merge. */
static void offer(struct smol_merger *m, uint32_t place)
{
    uint32_t after, merge;

    if (place == NONE || (after = m->links[place].after) == NONE)
        return;
    merge = find(m, m->links[place].number, m->links[after].number);
    if (merge != NONE)
        push(m, (uint64_t)merge << 32 | place);
}

/* The right one of a pair goes, and the left one becomes its merge. A pair that has changed since
 * it was offered stays. */
static void apply(struct smol_merger *m, uint32_t place, uint32_t merge)
{
    struct link *left = &m->links[place], *right;

    if (left->number == NONE || left->after == NONE)
        return;
    right = &m->links[left->after];
    if (find(m, left->number, right->number) != merge)
        return;
    right->number = NONE;
    left->number = 256 + merge;
    left->after = right->after;
    if (left->after != NONE)
        m->links[left->after].before = place;
    offer(m, left->before);
    offer(m, place);
}

static bool make_room(struct smol_merger *m, size_t n)
{
    const size_t capacity = n + m->capacity;

    if (n <= m->capacity)
        return true;
    if (n > MAX_PIECE)
        return false;
    free(m->links);
    free(m->heap);
    m->links = malloc(capacity * sizeof *m->links);
    m->heap = malloc(2 * capacity * sizeof *m->heap);
    m->capacity = m->links && m->heap ? capacity : 0;
    return m->capacity > 0;
}

/* There are at most 2 n entries at a time: n - 1 at first, and each of at most n - 1 merges removes
 * one and adds two. */
enum smol_status smol_merge(size_t *n_merged, struct smol_merger *m, uint32_t *numbers, size_t n,
                            struct smol_error *error)
{
    size_t left = 0;

    if (!make_room(m, n))
        return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET,
                         "no memory for a piece of %zu bytes of text", n);
    for (uint32_t i = 0; i < n; i++)
        m->links[i] = (struct link){numbers[i], i > 0 ? i - 1 : NONE, i + 1 < n ? i + 1 : NONE};
    m->n_heap = 0;
    for (uint32_t i = 0; i < n; i++)
        offer(m, i);
    while (m->n_heap > 0) {
        const uint64_t key = pop(m);
        apply(m, (uint32_t)key, (uint32_t)(key >> 32));
    }
    for (uint32_t i = 0; i != NONE && n > 0; i = m->links[i].after)
        numbers[left++] = m->links[i].number;
    *n_merged = left;
    return SMOL_OK;
}
