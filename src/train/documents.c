/* See documents.h. */
#include "train/documents.h"

#include "base/error.h"
#include "train/alloc.h"
#include "train/batch.h"
#include "train/corpus/corpus.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

uint32_t smol_document_token(const struct smol_document_text *t, uint64_t position)
{
    return position == 0 || position > t->end - t->first
               ? t->end_token
               : smol_corpus_token(t->corpus, t->first + position - 1);
}

/* Positions that have something to predict. */
static uint64_t count_positions(const struct smol_document_text *t)
{
    const uint64_t n = t->end - t->first;

    return n + (smol_document_token(t, n) != t->end_token);
}

uint64_t smol_document_start(const struct smol_document_text *t, uint64_t at)
{
    uint64_t i = at;

    while (i > t->first && smol_corpus_token(t->corpus, i - 1) != t->end_token)
        i--;
    if (i > t->first)
        return i;
    for (i = at + 1; i < t->end; i++)
        if (smol_corpus_token(t->corpus, i - 1) == t->end_token)
            return i;
    return 0;
}

/* ---- pieces ---- */

/* Adds the pieces of positions begin..end - 1, one document; returns how many. pieces NULL: only
 * counts. */
static uint64_t cut(struct smol_piece *pieces, uint64_t begin, uint64_t end, uint32_t context)
{
    uint64_t n = 0;

    if (end - begin < 2) /* an end after an end */
        return 0;
    for (uint64_t at = begin; at < end; at += context, n++)
        if (pieces)
            pieces[n] = (struct smol_piece){at, (uint32_t)(end - at < context ? end - at : context),
                                            at > begin && end - at >= context};
    return n;
}

static uint64_t cut_all(struct smol_piece *pieces, const struct smol_document_text *t,
                        uint32_t context)
{
    const uint64_t n_positions = count_positions(t);
    uint64_t begin = 0, n = 0;

    for (uint64_t i = 1; i <= n_positions; i++)
        if (i == n_positions || smol_document_token(t, i) == t->end_token) {
            n += cut(pieces ? pieces + n : NULL, begin, i, context);
            begin = i;
        }
    return n;
}

/* ---- packing ---- */

/* Windows by the room that is left in them. */
struct packing {
    uint32_t context;
    uint32_t *head;     /* (context + 1) a window with that room, or NONE */
    uint32_t *next;     /* (n) the next one with the same room */
    uint32_t *order;    /* (n) pieces, the longest first */
    uint32_t *window;   /* (n) of each piece */
    uint64_t *has_room; /* (context / 64 + 1) bits: whether there is such a window */
    uint32_t n_windows;
};

static void put(struct packing *p, uint32_t window, uint32_t room)
{
    p->next[window] = p->head[room];
    p->head[room] = window;
    p->has_room[room / 64] |= UINT64_C(1) << room % 64;
}

static uint32_t take(struct packing *p, uint32_t room)
{
    const uint32_t window = p->head[room];

    p->head[room] = p->next[window];
    if (p->head[room] == NONE)
        p->has_room[room / 64] &= ~(UINT64_C(1) << room % 64);
    return window;
}

/* The least room of at least n that a window has; context + 1 if none has. */
static uint32_t find_room(const struct packing *p, uint32_t n)
{
    uint64_t bits = p->has_room[n / 64] & (UINT64_MAX << n % 64);
    uint32_t word = n / 64;

    while (bits == 0 && ++word <= p->context / 64)
        bits = p->has_room[word];
    if (bits == 0)
        return p->context + 1;
    for (word *= 64; (bits & 1) == 0; bits >>= 1)
        word++;
    return word;
}

/* Counting sort, in an order of the key's among those of one length. head serves as counters. */
static void sort(struct packing *p, const struct smol_piece *pieces, uint64_t n,
                 const uint8_t key[32])
{
    uint32_t at = 0;

    memset(p->head, 0, ((size_t)p->context + 1) * sizeof *p->head);
    for (uint64_t i = 0; i < n; i++)
        p->head[pieces[i].n]++;
    for (uint32_t length = p->context; length > 0; length--) {
        const uint32_t count = p->head[length];

        p->head[length] = at;
        at += count;
    }
    for (uint64_t i = 0; i < n; i++) {
        const uint32_t which = (uint32_t)smol_shuffled_start(key, i, 1, n);

        p->order[p->head[pieces[which].n]++] = which;
    }
}

static void fit(struct packing *p, const struct smol_piece *pieces, uint64_t n)
{
    for (uint32_t room = 0; room <= p->context; room++)
        p->head[room] = NONE;
    for (uint64_t i = 0; i < n; i++) {
        const uint32_t piece = p->order[i], length = pieces[piece].n;
        const uint32_t room = find_room(p, length);
        const bool is_new = room > p->context;
        const uint32_t window = is_new ? p->n_windows++ : take(p, room);
        const uint32_t left = (is_new ? p->context : room) - length;

        p->window[piece] = window;
        if (left > 0)
            put(p, window, left);
    }
}

/* Pieces by window, each in the order of the text. */
static bool arrange(struct smol_document_windows *w, const struct packing *p)
{
    struct smol_piece *sorted = smol_train_alloc(w->n_pieces, sizeof *sorted);

    w->n_windows = p->n_windows;
    w->first = smol_train_alloc(w->n_windows + 1, sizeof *w->first);
    if (!sorted || !w->first) {
        free(sorted);
        return false;
    }
    for (uint64_t i = 0; i < w->n_pieces; i++)
        w->first[p->window[i] + 1]++;
    for (uint64_t i = 0; i < w->n_windows; i++)
        w->first[i + 1] += w->first[i];
    for (uint64_t i = w->n_pieces; i-- > 0;)
        sorted[--w->first[p->window[i] + 1]] = w->pieces[i];
    for (uint64_t i = 0; i < w->n_windows; i++) /* each has become the first of the one before */
        w->first[i] = w->first[i + 1];
    w->first[w->n_windows] = w->n_pieces;
    free(w->pieces);
    w->pieces = sorted;
    return true;
}

static bool pack(struct smol_document_windows *w, uint32_t context, const uint8_t key[32])
{
    const size_t n = (size_t)w->n_pieces;
    struct packing p = {.context = context,
                        .head = smol_train_alloc((size_t)context + 1, sizeof *p.head),
                        .next = smol_train_alloc(n, sizeof *p.next),
                        .order = smol_train_alloc(n, sizeof *p.order),
                        .window = smol_train_alloc(n, sizeof *p.window),
                        .has_room = smol_train_alloc(context / 64 + 1, sizeof *p.has_room)};
    bool good = p.head && p.next && p.order && p.window && p.has_room;

    if (good) {
        sort(&p, w->pieces, n, key);
        fit(&p, w->pieces, n);
        good = arrange(w, &p);
    }
    free(p.head);
    free(p.next);
    free(p.order);
    free(p.window);
    free(p.has_room);
    return good;
}

enum smol_status smol_document_windows_create(struct smol_document_windows *out,
                                              const struct smol_document_text *text,
                                              uint32_t context, const uint8_t key[32],
                                              struct smol_error *error)
{
    struct smol_document_windows w = {.text = *text, .n_pieces = cut_all(NULL, text, context)};

    if (w.n_pieces == 0 || w.n_pieces >= NONE)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "%s",
                         w.n_pieces == 0 ? "the text has no documents" : "too many documents");
    w.pieces = smol_train_alloc(w.n_pieces, sizeof *w.pieces);
    if (w.pieces)
        cut_all(w.pieces, text, context);
    if (!w.pieces || !pack(&w, context, key)) {
        smol_document_windows_destroy(&w);
        return smol_fail_memory(error);
    }
    *out = w;
    return SMOL_OK;
}

void smol_document_windows_destroy(struct smol_document_windows *w)
{
    free(w->pieces);
    free(w->first);
}
