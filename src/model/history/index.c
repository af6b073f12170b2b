/* See index.h. The places are sorted twice, by the token after them and then by slot, each time
 * into as many heaps as there are slots. */
#include "model/history/index.h"

#include <string.h>

#define MOST_WITHOUT 4096u /* tokens of a history without one: those are soon looked through */

static uint32_t n_slots(uint32_t capacity)
{
    uint32_t n = 1;

    while (n < capacity / 16)
        n *= 2;
    return n;
}

size_t smol_index_bytes(uint32_t capacity)
{
    if (capacity <= MOST_WITHOUT)
        return 0;
    return (2 * (size_t)capacity + n_slots(capacity) + 2) * sizeof(uint16_t);
}

void smol_index_place(struct index *x, uint32_t capacity, void *memory)
{
    *x = (struct index){0};
    if (capacity <= MOST_WITHOUT)
        return;
    x->places = memory;
    x->runs = x->places + capacity;
    x->slots = x->runs + capacity + 1;
    x->n_slots = n_slots(capacity);
}

void smol_index_copy(struct index *to, const struct index *from, uint32_t capacity)
{
    to->origin = from->origin;
    to->end = from->end;
    if (to->end > 0)
        memcpy(to->places, from->places, smol_index_bytes(capacity));
}

static uint32_t slot(const struct index *x, const uint16_t *last, uint32_t length)
{
    const uint32_t tokens = length > 1 ? last[0] * 257u + last[-1] : last[0];

    return (tokens * 0x9e3779b1u >> 16) & (x->n_slots - 1);
}

/* Sorts places in (n), or 0..n - 1 if it is NULL, by the slot of the `length` tokens that end at
 * them; slots then says where slots begin. */
static void sort(struct index *x, uint16_t *out, const uint16_t *in, uint32_t n,
                 const uint16_t *tokens, uint32_t length)
{
    uint16_t *at = x->slots + 1, sum = 0, count;

    memset(x->slots, 0, (x->n_slots + 1) * sizeof *x->slots);
    for (uint32_t i = 0; i < n; i++)
        at[slot(x, tokens + i, length)]++;
    for (uint32_t s = 0; s < x->n_slots; s++) {
        count = at[s];
        at[s] = sum;
        sum = (uint16_t)(sum + count);
    }
    for (uint32_t i = 0; i < n; i++) {
        const uint16_t place = in ? in[i] : (uint16_t)i;
        out[at[slot(x, tokens + place, length)]++] = place;
    }
}

/* The tokens of a run, and whether the last one was written. */
static uint64_t run_of(const uint16_t *tokens, const uint8_t *is_written, uint32_t at,
                       uint32_t length)
{
    const uint64_t before = length > 1 ? tokens[at - 1] : 0,
                   written = is_written[(at + 1) / 8] >> (at + 1) % 8 & 1;

    return written << 48 | before << 32 | (uint32_t)tokens[at] << 16 | tokens[at + 1];
}

void smol_index_sort(struct index *x, const uint16_t *tokens, const uint8_t *is_written,
                     uint32_t from, uint32_t to, uint32_t length)
{
    uint64_t run, before = UINT64_MAX;
    uint16_t n = 0;

    sort(x, x->runs, NULL, to - from, tokens + from + 1, 1);
    sort(x, x->places, x->runs, to - from, tokens + from, length);
    for (uint32_t s = 0, i = 0; s < x->n_slots; s++) {
        const uint32_t end = x->slots[s + 1];
        for (x->slots[s] = n; i < end; i++, before = run) {
            run = run_of(tokens, is_written, from + x->places[i], length);
            if (run != before)
                x->runs[n++] = (uint16_t)i;
        }
    }
    x->slots[x->n_slots] = n;
    x->runs[n] = (uint16_t)(to - from);
    x->origin = from;
    x->end = to;
}

void smol_index_slot(uint32_t *begin, uint32_t *end, const struct index *x, const uint16_t *last,
                     uint32_t length)
{
    const uint32_t s = slot(x, last, length);

    *begin = x->slots[s];
    *end = x->slots[s + 1];
}
