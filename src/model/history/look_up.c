/* What followed at the places of a history that are sorted. */
#include "model/history/history.h"

/* Some places of a run, less the index's origin: they ascend. */
struct part {
    const uint16_t *places;
    uint32_t n;
    uint32_t n_recent; /* the last ones */
};

/* Those from..to - 1 of run i; recent ones are so, or followed by one that is. */
static struct part part_of_run(const struct search *s, uint32_t i, uint32_t from, uint32_t to,
                               uint32_t ahead)
{
    const struct index *x = &s->h->index;
    const uint32_t origin = x->origin;
    struct part p = {x->places + x->runs[i], (uint32_t)x->runs[i + 1] - x->runs[i], 0};

    for (; p.n > 0 && p.places[0] < from - origin; p.n--)
        p.places++;
    while (p.n > 0 && p.places[p.n - 1] >= to - origin)
        p.n--;
    while (p.n_recent < p.n && origin + p.places[p.n - 1 - p.n_recent] + ahead >= s->recent)
        p.n_recent++;
    return p;
}

static bool is_like(const uint16_t *a, const uint16_t *b, uint32_t length)
{
    return a[0] == b[0] && (length == 1 || a[-1] == b[-1]);
}

/* Those of the shortest length are counted run by run; the longer ones are in the run of the tokens
 * before the last one, and of that. */
void smol_search_look_up(const struct search *s, uint32_t from, uint32_t to)
{
    const struct index *x = &s->h->index;
    const uint16_t *tokens = s->h->tokens;
    const uint32_t origin = x->origin;
    struct part p;
    uint32_t i, end, at;

    smol_index_slot(&i, &end, x, s->last, s->length);
    for (; i < end; i++) {
        p = part_of_run(s, i, from, to, 0);
        if (p.n == 0)
            continue;
        at = origin + p.places[0];
        if (is_like(tokens + at, s->last, s->length) && !smol_is_written(s->h->is_written, at + 1))
            smol_search_note(s->f, tokens[at + 1], p.n + (SMOL_RECENT_TIMES - 1) * p.n_recent);
    }
    smol_index_slot(&i, &end, x, s->last - 1, s->length);
    for (; i < end; i++) {
        p = part_of_run(s, i, from, to - 1, 1);
        if (p.n == 0)
            continue;
        at = origin + p.places[0];
        if (tokens[at + 1] != s->last[0] || !is_like(tokens + at, s->last - 1, s->length))
            continue;
        smol_search_note_longer(s, p.places, p.n - p.n_recent, origin + 1, 1);
        smol_search_note_longer(s, p.places + p.n - p.n_recent, p.n_recent, origin + 1,
                                SMOL_RECENT_TIMES);
    }
}
