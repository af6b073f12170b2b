/* See history.h. */
#include "model/history/history.h"

#include "base/bytes.h"

#include <smol/session.h>

#include <string.h>

#define MORE                                                                                       \
    (SMOL_HISTORY_LENGTHS - 1) /* tokens that longer lengths compare, beyond the shortest */

/* ---- the tokens ---- */

/* Places that are there beyond the capacity, more than ROOM, so that the tokens are seldom moved to
 * the front, by whole bytes of bits. */
static uint32_t n_places(uint32_t capacity)
{
    const uint32_t spare = capacity / 32 / 8 * 8;

    return capacity + (spare > 64 ? spare : 64);
}

size_t smol_history_bytes(uint32_t capacity)
{
    const size_t n = n_places(capacity);

    return (MORE + n) * sizeof(uint16_t) + smol_index_bytes(capacity) + (n + 7) / 8;
}

void smol_history_place(struct history *h, uint32_t capacity, void *memory)
{
    uint16_t *tokens = (uint16_t *)memory + MORE, *index = tokens + n_places(capacity);

    memset(memory, 0, MORE * sizeof *tokens); /* which are looked at, before the first */
    *h = (struct history){.tokens = tokens,
                          .is_written = (uint8_t *)index + smol_index_bytes(capacity),
                          .capacity = capacity};
    smol_index_place(&h->index, capacity, index);
}

static void move_to_front(struct history *h)
{
    const uint32_t by = h->begin / 8 * 8;

    memmove(h->tokens, h->tokens + by, (h->begin - by + h->held) * sizeof *h->tokens);
    memmove(h->is_written, h->is_written + by / 8, (h->begin - by + h->held + 7) / 8);
    h->begin -= by;
    h->read -= h->read < by ? h->read : by;
    h->index.origin -= by;
    h->index.end -= h->index.end < by ? h->index.end : by;
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

void smol_history_sort(struct history *h, uint32_t shortest)
{
    struct index *x = &h->index;

    if (x->n_slots == 0)
        return;

    const uint32_t first = h->begin + shortest - 1, from = x->end > first ? x->end : first,
                   end = h->read > 0 ? h->read - 1 : 0;

    if (end >= from + SMOL_INDEX_AFTER)
        smol_index_sort(x, h->tokens, h->is_written, first, end, shortest);
}

void smol_history_drop(struct history *h, uint32_t n)
{
    h->held -= n;
    if (h->held == 0)
        h->begin = 0;
    if (h->read > h->begin + h->held)
        h->read = h->begin + h->held;
    /* Places that have no token after them any more. */
    if (h->index.end >= h->begin + h->held)
        h->index.end = h->held > 0 ? h->begin + h->held - 1 : 0;
}

void smol_history_copy(struct history *to, const struct history *from)
{
    const uint32_t n = from->begin + from->held;

    to->begin = from->begin;
    to->held = from->held;
    to->read = from->read;
    smol_index_copy(&to->index, &from->index, from->capacity);
    if (n == 0) /* nor need there be any memory */
        return;
    memcpy(to->tokens, from->tokens, n * sizeof *to->tokens);
    memcpy(to->is_written, from->is_written, (n + 7) / 8);
}

/* ---- counts ---- */

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

/* ---- what followed the last tokens ---- */

static uint64_t more_at(const uint16_t *tokens)
{
    uint64_t more;

    memcpy(&more, tokens, sizeof more);
    return more;
}

void smol_search_note(struct followers *f, uint16_t token, uint32_t times)
{
    uint32_t *counts = counts_of(f, token);

    if (counts[0] == 0)
        f->seen[f->n_seen++] = token;
    counts[0] += times;
}

/* Without branches: none is likely. */
void smol_search_note_longer(const struct search *s, const uint16_t *places, uint32_t n,
                             uint32_t origin, uint32_t times)
{
    /* The last 1..MORE of so many tokens. */
    static const uint16_t ends[MORE][MORE] = {{0, 0, 0, 0xffff},
                                              {0, 0, 0xffff, 0xffff},
                                              {0, 0xffff, 0xffff, 0xffff},
                                              {0xffff, 0xffff, 0xffff, 0xffff}};
    const uint16_t *tokens = s->h->tokens;
    const uint8_t *written = s->h->is_written;
    const size_t n_compared = s->length + MORE;
    const uint32_t begin = s->h->begin;
    const uint64_t sought = s->before;
    uint32_t *const counts = s->f->counts;

    for (uint32_t i = 0; i < n; i++) {
        const uint32_t next = origin + places[i] + 1;
        const uint64_t differs = more_at(tokens + next - n_compared) ^ sought;
        const uint32_t n_before = next - s->length - begin; /* tokens before them, of the history */
        uint32_t n_alike = 0;
        if (smol_is_written(written, next))
            continue;
        for (unsigned k = 0; k < MORE; k++)
            n_alike += (differs & more_at(ends[k])) == 0;
        n_alike = n_alike < n_before ? n_alike : n_before;
        counts[(size_t)tokens[next] * SMOL_HISTORY_LENGTHS + n_alike] += n_alike > 0 ? times : 0;
    }
}

/* Notes the followers of places from..to - 1. */
static void look(const struct search *s, const struct smol_kernels *kernels, uint32_t from,
                 uint32_t to, uint32_t times)
{
    const uint16_t *tokens = s->h->tokens;
    uint16_t places[SMOL_FIND_TOKENS];

    for (uint32_t n; from < to; from += n) {
        n = to - from < SMOL_FIND_TOKENS ? to - from : SMOL_FIND_TOKENS;
        const size_t found = kernels->find(places, tokens + from, n, s->last[0], s->last[-1],
                                           s->length > 1 ? 0xffff : 0);
        for (size_t i = 0; i < found; i++)
            if (!smol_is_written(s->h->is_written, from + places[i] + 1))
                smol_search_note(s->f, tokens[from + places[i] + 1], times);
        smol_search_note_longer(s, places, (uint32_t)found, from, times);
    }
}

/* What was counted at its longest length counts for all between that and the shortest; and what all
 * counts of a length add up to. */
static void sum_up(struct followers *f)
{
    uint32_t n[SMOL_HISTORY_LENGTHS] = {0}, u[SMOL_HISTORY_LENGTHS] = {0};

    for (uint32_t i = 0; i < f->n_seen; i++) {
        uint32_t *counts = counts_of(f, f->seen[i]), sum = 0;
        for (unsigned k = MORE; k > 0; k--) {
            counts[k] = sum += counts[k];
            n[k] += sum;
            u[k] += sum > 0;
        }
        n[0] += counts[0];
    }
    u[0] = f->n_seen;
    memcpy(f->n, n, sizeof n);
    memcpy(f->u, u, sizeof u);
}

void smol_history_count(struct followers *f, const struct history *h,
                        const struct smol_kernels *kernels)
{
    if (h->held <= f->shortest) {
        sum_up(f);
        return;
    }

    const uint32_t first = h->begin + f->shortest - 1, last = h->begin + h->held - 1,
                   recent = last - first > SMOL_RECENT ? last - SMOL_RECENT : first,
                   end = h->read > 0 ? h->read - 1 : 0, old = recent < end ? recent : end;
    const struct search s = {
        f,           h,      h->tokens + last,
        f->shortest, recent, more_at(h->tokens + last + 1 - f->shortest - MORE)};
    const uint32_t from = h->index.end > first ? h->index.end : first;

    if (from > first)
        smol_search_look_up(&s, first, from);
    look(&s, kernels, from, old, 1);
    look(&s, kernels, from > old ? from : old, end, SMOL_RECENT_TIMES);
    sum_up(f);
}
