/* See ngram.h. */
#include "smoltrain/plan/ngram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_COUNT 255u

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Sorted strings to different ones and their counts; returns how many are left. */
static size_t merge(uint64_t *strings, uint8_t *counts, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && strings[i] == strings[kept - 1]) {
            counts[kept - 1] = (uint8_t)(counts[kept - 1] + (counts[kept - 1] < MOST_COUNT));
            continue;
        }
        strings[kept] = strings[i];
        counts[kept++] = 1;
    }
    return kept;
}

/* All strings of order + 1 bytes of a text. */
static bool count_order(struct ngram_order *o, unsigned order, const uint8_t *text, size_t n)
{
    const uint64_t mask = order < 7 ? (UINT64_C(1) << 8 * (order + 1)) - 1 : UINT64_MAX;
    uint64_t string = 0;

    if (n <= order)
        return true;
    o->strings = malloc((n - order) * sizeof *o->strings);
    o->counts = malloc(n - order);
    if (!o->strings || !o->counts)
        return false;
    for (size_t i = 0; i < n; i++) {
        string = (string << 8 | text[i]) & mask;
        if (i >= order)
            o->strings[i - order] = string;
    }
    qsort(o->strings, n - order, sizeof *o->strings, compare);
    o->n = merge(o->strings, o->counts, n - order);
    return true;
}

bool ngram_count(struct ngram_counts *out, const uint8_t *text, size_t n)
{
    struct ngram_counts c = {.vocab = 0};
    bool good = true;

    for (unsigned k = 0; k <= NGRAM_MOST_ORDER && good; k++)
        good = count_order(&c.order[k], k, text, n);
    if (!good) {
        ngram_free(&c);
        return false;
    }
    c.vocab = (uint32_t)(c.order[0].n < 256 ? c.order[0].n + 1 : 256);
    *out = c;
    return true;
}

void ngram_free(struct ngram_counts *c)
{
    for (unsigned k = 0; k <= NGRAM_MOST_ORDER; k++) {
        free(c->order[k].strings);
        free(c->order[k].counts);
    }
}

/* ---- the table ---- */

/* Writes one context's followers, the strings from *at on that begin with it; those that are not
 * kept are passed over. Returns the end. */
static uint8_t *put_context(uint8_t *to, size_t *at, const struct ngram_order *o, uint64_t context,
                            unsigned m, bool is_empty)
{
    unsigned n = 0;
    uint8_t *counts;

    for (size_t i = *at; i < o->n && (is_empty || o->strings[i] >> 8 == context); i++)
        n += o->counts[i] >= m;
    if (!is_empty && n == 256)
        n = 255;
    *to++ = (uint8_t)(is_empty ? n - 1 : n);
    for (counts = to + n; *at < o->n && (is_empty || o->strings[*at] >> 8 == context); ++*at) {
        if (o->counts[*at] < m || n == 0)
            continue;
        n--;
        *to++ = (uint8_t)o->strings[*at];
        *counts++ = o->counts[*at];
    }
    return counts;
}

/* The contexts of an order, which are the kept strings of the order before. A string whose last
 * context is not kept is not kept either, since it does not occur more often. */
static uint8_t *put_order(uint8_t *to, const struct ngram_order *before,
                          const struct ngram_order *o, unsigned m)
{
    size_t at = 0;

    for (size_t i = 0; i < before->n; i++) {
        if (before->counts[i] < m)
            continue;
        while (at < o->n && o->strings[at] >> 8 < before->strings[i])
            at++;
        to = put_context(to, &at, o, before->strings[i], m, false);
    }
    return to;
}

bool ngram_table(uint8_t **bytes, size_t *size_bytes, const struct ngram_counts *c, unsigned k,
                 unsigned m)
{
    size_t most = 1, at = 0;
    uint8_t *to;

    for (unsigned j = 0; j <= k; j++)
        most += 3 * c->order[j].n;
    *bytes = malloc(most);
    if (!*bytes)
        return false;
    to = put_context(*bytes, &at, &c->order[0], 0, m, true);
    for (unsigned j = 1; j <= k; j++)
        to = put_order(to, &c->order[j - 1], &c->order[j], m);
    *size_bytes = (size_t)(to - *bytes);
    return true;
}

/* ---- its predictions ---- */

/* The index of the first string that is not below. */
static size_t find(const struct ngram_order *o, uint64_t string)
{
    size_t first = 0, n = o->n;

    while (n > 0) {
        const size_t half = n / 2;

        if (o->strings[first + half] < string) {
            first += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return first;
}

/* From p of the order below. context: the bytes before, as in strings. */
static double interpolate(double p, const struct ngram_order *o, uint64_t context, uint8_t byte,
                          unsigned m, bool is_empty)
{
    double own = 0, sum = 0, followers = 0;

    for (size_t i = find(o, context << 8); i < o->n && (is_empty || o->strings[i] >> 8 == context);
         i++) {
        if (o->counts[i] < m)
            continue;
        own = (uint8_t)o->strings[i] == byte ? o->counts[i] : own;
        sum += o->counts[i];
        followers++;
    }
    return followers > 0 ? (own + followers * p) / (sum + followers) : p;
}

double ngram_score(const struct ngram_counts *c, unsigned k, unsigned m, const uint8_t *text,
                   size_t n)
{
    uint64_t before = text[0];
    double nats = 0;

    for (size_t i = 1; i < n; i++) {
        double p = 1.0 / c->vocab;

        for (unsigned j = 0; j <= k && j <= i; j++) {
            const uint64_t mask = (UINT64_C(1) << 8 * j) - 1;

            p = interpolate(p, &c->order[j], before & mask, text[i], m, j == 0);
        }
        nats -= log(p);
        before = before << 8 | text[i];
    }
    return nats / (double)(n - 1);
}
