/* See history.h. */
#include "model/history/history.h"

#include "base/bytes.h"

#include <smol/session.h>

#include <string.h>

#define RECENT 1024u /* tokens before the next one */
#define RECENT_TIMES 4u

/* ---- the tokens ---- */

/* Places that are there beyond the capacity, more than ROOM, so that the tokens are seldom moved to
 * the front, by whole bytes of bits. */
static uint32_t n_places(uint32_t capacity)
{
    const uint32_t spare = capacity / 8 / 8 * 8;

    return capacity + (spare > 64 ? spare : 64);
}

size_t smol_history_bytes(uint32_t capacity)
{
    const size_t n = n_places(capacity);

    return (n + 1) * sizeof(uint16_t) + (n + 7) / 8;
}

void smol_history_place(struct history *h, uint32_t capacity, void *memory)
{
    uint16_t *tokens = memory;

    tokens[0] = 0; /* which is looked at, before the first */
    *h = (struct history){.tokens = tokens + 1,
                          .is_written = (uint8_t *)(tokens + 1 + n_places(capacity)),
                          .capacity = capacity};
}

static void move_to_front(struct history *h)
{
    const uint32_t by = h->begin / 8 * 8;

    memmove(h->tokens, h->tokens + by, (h->begin - by + h->held) * sizeof *h->tokens);
    memmove(h->is_written, h->is_written + by / 8, (h->begin - by + h->held + 7) / 8);
    h->begin -= by;
    h->read -= h->read < by ? h->read : by;
}

void smol_history_push(struct history *h, uint32_t token)
{
    if (h->begin + h->held == n_places(h->capacity))
        move_to_front(h);

    const uint32_t at = h->begin + h->held;
    const uint8_t bit = (uint8_t)(1u << at % 8);
    uint8_t *bits = h->is_written + at / 8;

    *bits = (uint8_t)(token & SMOL_WRITTEN ? *bits | bit : *bits & ~bit);
    h->tokens[at] = (uint16_t)token;
    if (!(token & SMOL_WRITTEN))
        h->read = at + 1;
    if (h->held < h->capacity)
        h->held++;
    else
        h->begin++;
}

void smol_history_reserve(struct history *h, uint32_t n)
{
    if (h->begin + h->held + n > n_places(h->capacity))
        move_to_front(h);
}

struct history smol_history_after(const struct history *before, uint32_t n)
{
    struct history h = *before;
    const uint32_t end = h.begin + h.held + n;

    h.held = h.held + n < h.capacity ? h.held + n : h.capacity;
    h.begin = end - h.held;
    h.read = end; /* at most */
    return h;
}

void smol_history_drop(struct history *h, uint32_t n)
{
    h->held -= n;
    if (h->held == 0)
        h->begin = 0;
    if (h->read > h->begin + h->held)
        h->read = h->begin + h->held;
}

void smol_history_copy(struct history *to, const struct history *from)
{
    const uint32_t n = from->begin + from->held;

    to->begin = from->begin;
    to->held = from->held;
    to->read = from->read;
    if (n == 0) /* nor need there be any memory */
        return;
    memcpy(to->tokens, from->tokens, n * sizeof *to->tokens);
    memcpy(to->is_written, from->is_written, (n + 7) / 8);
}

/* ---- what followed ---- */

size_t smol_followers_bytes(uint32_t vocab)
{
    return (size_t)vocab * (SMOL_HISTORY_LENGTHS * sizeof(uint32_t) + sizeof(uint16_t));
}

void smol_followers_place(struct followers *f, uint32_t vocab, void *memory)
{
    memset(memory, 0, smol_followers_bytes(vocab));
    f->counts = memory;
    f->seen = (uint16_t *)(void *)(f->counts + (size_t)vocab * SMOL_HISTORY_LENGTHS);
    f->shortest = vocab > SMOL_BYTES_VOCAB ? 1 : 2;
    f->n_seen = 0;
}

static uint32_t *counts_of(const struct followers *f, uint16_t token)
{
    return f->counts + (size_t)token * SMOL_HISTORY_LENGTHS;
}

void smol_followers_clear(struct followers *f)
{
    for (uint32_t i = 0; i < f->n_seen; i++)
        memset(counts_of(f, f->seen[i]), 0, SMOL_HISTORY_LENGTHS * sizeof *f->counts);
    f->n_seen = 0;
}

/* The tokens up to place `at` are like the last ones, as many as the shortest length has: notes
 * what follows them, for all lengths that they have, if that was read. */
static void note(struct followers *f, const struct history *h, uint32_t at, uint32_t times)
{
    const uint32_t last = h->begin + h->held - 1, next = at + 1;
    uint32_t *counts = counts_of(f, h->tokens[next]), n = f->shortest;

    if (h->is_written[next / 8] >> next % 8 & 1)
        return;
    if (counts[0] == 0)
        f->seen[f->n_seen++] = h->tokens[next];
    for (unsigned k = 0; k < SMOL_HISTORY_LENGTHS; k++, n++) {
        if (k > 0 && (at < h->begin + n - 1 || h->tokens[at - n + 1] != h->tokens[last - n + 1]))
            return;
        counts[k] += times;
    }
}

/* Notes the followers of places from..to - 1, each of which counts the same. */
static void look(struct followers *f, const struct history *h, const struct smol_kernels *kernels,
                 uint32_t from, uint32_t to, uint32_t times)
{
    const uint32_t last = h->begin + h->held - 1;
    uint16_t places[SMOL_FIND_TOKENS];

    for (uint32_t n; from < to; from += n) {
        n = to - from < SMOL_FIND_TOKENS ? to - from : SMOL_FIND_TOKENS;
        const size_t found = kernels->find(places, h->tokens + from, n, h->tokens[last],
                                           h->tokens[last - 1], f->shortest > 1 ? 0xffff : 0);
        for (size_t i = 0; i < found; i++)
            note(f, h, from + places[i], times);
    }
}

void smol_history_count(struct followers *f, const struct history *h,
                        const struct smol_kernels *kernels)
{
    memset(f->n, 0, sizeof f->n);
    memset(f->u, 0, sizeof f->u);
    if (h->held <= f->shortest)
        return;

    const uint32_t first = h->begin + f->shortest - 1, last = h->begin + h->held - 1,
                   recent = last - first > RECENT ? last - RECENT : first,
                   end = h->read > 0 ? h->read - 1 : 0;

    look(f, h, kernels, first, recent < end ? recent : end, 1);
    look(f, h, kernels, recent, end, RECENT_TIMES);
    for (uint32_t i = 0; i < f->n_seen; i++)
        for (unsigned k = 0; k < SMOL_HISTORY_LENGTHS; k++) {
            f->n[k] += counts_of(f, f->seen[i])[k];
            f->u[k] += counts_of(f, f->seen[i])[k] > 0;
        }
}
