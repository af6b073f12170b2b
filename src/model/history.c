/* See history.h. */
#include "model/history.h"

#include "kernel/scalar/fma.h"

#include <smol/session.h>
#include <string.h>

#define RECENT 1024u /* tokens before the next one */
#define RECENT_TIMES 4u

/* ---- the tokens ---- */

void smol_history_push(struct history *h, uint32_t token)
{
    const uint8_t bit = (uint8_t)(1u << h->end % 8);
    uint8_t *bits = h->is_written + h->end / 8;

    *bits = (uint8_t)(token & SMOL_WRITTEN ? *bits | bit : *bits & ~bit);
    h->tokens[h->end] = (uint16_t)token;
    h->end = h->end + 1 == h->capacity ? 0 : h->end + 1;
    h->held += h->held < h->capacity;
}

void smol_history_drop(struct history *h, uint32_t n)
{
    h->end = h->end >= n ? h->end - n : h->end + h->capacity - n;
    h->held -= n;
    if (h->held == 0)
        h->end = 0;
}

void smol_history_copy(struct history *to, const struct history *from)
{
    uint16_t *tokens = to->tokens;
    uint8_t *bits = to->is_written;
    const uint32_t n = from->held == from->end ? from->end : from->capacity;

    *to = *from;
    to->tokens = tokens;
    to->is_written = bits;
    if (n == 0)
        return;
    memcpy(tokens, from->tokens, n * sizeof *tokens);
    memcpy(bits, from->is_written, smol_history_bits_bytes(n));
}

/* Where the token is that is `back` tokens before the last one; back < held. */
static uint32_t place_before(const struct history *h, uint32_t back)
{
    const uint32_t to = back + 1;

    return h->end >= to ? h->end - to : h->end + h->capacity - to;
}

static uint16_t token_before(const struct history *h, uint32_t back)
{
    return h->tokens[place_before(h, back)];
}

/* ---- what followed ---- */

size_t smol_followers_bytes(uint32_t vocab)
{
    return (size_t)vocab * (sizeof(double) + SMOL_HISTORY_LENGTHS * sizeof(uint32_t) + sizeof(uint16_t));
}

void smol_followers_place(struct followers *f, uint32_t vocab, void *memory)
{
    memset(memory, 0, smol_followers_bytes(vocab));
    f->shares = memory;
    f->counts = (uint32_t *)(void *)(f->shares + vocab);
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

/* A token followed as many of the last ones as n_lengths lengths have. */
static void note(struct followers *f, uint16_t token, uint32_t n_lengths, uint32_t times)
{
    uint32_t *counts = counts_of(f, token);

    if (counts[0] == 0)
        f->seen[f->n_seen++] = token;
    for (uint32_t k = 0; k < n_lengths; k++) {
        f->n[k] += times;
        f->u[k] += counts[k] == 0;
        counts[k] += times;
    }
}

/* The first place from.. below to where a token is, or to: four at a time, of which one may be it
 * if its 16 bits are 0 in their difference. */
static uint32_t find(const uint16_t *tokens, uint32_t from, uint32_t to, uint16_t token)
{
    const uint64_t ones = 0x0001000100010001u, all = ones * token;
    uint64_t four;

    while (to - from >= 4) {
        memcpy(&four, tokens + from, sizeof four);
        four ^= all;
        if ((four - ones) & ~four & ones << 15)
            break;
        from += 4;
    }
    while (from < to && tokens[from] != token)
        from++;
    return from;
}

/* The token `back` before the last one is the last one too: notes its follower, if that was read and
 * enough before it is as it was. */
static void compare(struct followers *f, const struct history *h, uint32_t back)
{
    const uint32_t longest = f->shortest + SMOL_HISTORY_LENGTHS - 1,
                   most = h->held - back < longest ? h->held - back : longest;
    const uint32_t next = place_before(h, back - 1);
    uint32_t n = 1;

    if (h->is_written[next / 8] >> next % 8 & 1)
        return;
    while (n < most && token_before(h, back + n) == token_before(h, n))
        n++;
    if (n >= f->shortest)
        note(f, h->tokens[next], n - f->shortest + 1,
             back <= RECENT ? RECENT_TIMES : 1);
}

/* The places begin..end - 1 of the ring, the last of which is `back` before the last token. */
static void scan(struct followers *f, const struct history *h, uint32_t begin, uint32_t end,
                 uint32_t back)
{
    const uint16_t last = token_before(h, 0);

    for (uint32_t at = find(h->tokens, begin, end, last); at < end;
         at = find(h->tokens, at + 1, end, last))
        compare(f, h, back + (end - 1 - at));
}

void smol_history_count(struct followers *f, const struct history *h)
{
    const uint32_t behind = h->held < h->end ? h->held : h->end; /* from the ring's start on */

    memset(f->n, 0, sizeof f->n);
    memset(f->u, 0, sizeof f->u);
    if (h->held < 2)
        return;
    /* Without the last token itself. */
    if (behind > 0)
        scan(f, h, h->end - behind, h->end - 1, 1);
    if (h->held > behind) {
        const uint32_t begin = h->capacity - (h->held - behind);
        scan(f, h, begin, behind ? h->capacity : h->capacity - 1, behind ? behind : 1);
    }
}

/* ---- what that makes of logits ---- */

double smol_history_share(double share, double a, uint32_t n, uint32_t u, uint32_t count)
{
    const double s = 0.125 + a * u, g = s + 0.125 * u;

    return ((count ? count - 0.125 : 0.0) + g * share) / (n + s);
}

double smol_history_rest(double rest, double a, uint32_t n, uint32_t u)
{
    const double s = 0.125 + a * u, g = s + 0.125 * u;

    return g * rest / (n + s);
}

float smol_log(double x)
{
    /* log(1 + t) = t - t^2 / 2 + t^3 p(t), p as in Cephes (Moshier), logf. */
    static const float p[] = {0x1.204376p-4f,  -0x1.d7a370p-4f, 0x1.de4a34p-4f,
                              -0x1.fcba9ep-4f, 0x1.23d37ep-3f,  -0x1.555ca0p-3f,
                              0x1.999d58p-3f,  -0x1.fffff8p-3f, 0x1.555554p-2f};
    uint64_t bits;
    float e, t, q, y = 0;

    memcpy(&bits, &x, sizeof bits);
    e = (float)((int)(bits >> 52) - 1023);
    bits = (bits & 0x000fffffffffffffu) | 0x3ff0000000000000u;
    memcpy(&x, &bits, sizeof x);
    if (x >= 0x1.6a09e6p0) {
        x = x * 0.5;
        e = e + 1;
    }
    t = (float)(x - 1);
    for (unsigned i = 0; i < sizeof p / sizeof *p; i++)
        y = smol_fmaf(y, t, p[i]);
    q = t * t;
    y = y * t * q;
    y = smol_fmaf(e, -0x1.bd0106p-13f, y);
    y = smol_fmaf(q, -0.5f, y);
    return smol_fmaf(e, 0x1.63p-1f, t + y);
}

void smol_history_mix(float *logits, struct followers *f,
                      const double strengths[SMOL_HISTORY_LENGTHS], float most, double sum,
                      void (*exp)(float *y, const float *x, size_t n))
{
    double rest = 1;

    for (uint32_t i = 0; i < f->n_seen; i++)
        f->shares[i] = 0;
    for (uint32_t k = 0; k < SMOL_HISTORY_LENGTHS && f->n[k] > 0; k++) {
        for (uint32_t i = 0; i < f->n_seen; i++)
            f->shares[i] = smol_history_share(f->shares[i], strengths[k], f->n[k], f->u[k],
                                              counts_of(f, f->seen[i])[k]);
        rest = smol_history_rest(rest, strengths[k], f->n[k], f->u[k]);
    }
    for (uint32_t i = 0; i < f->n_seen; i++) {
        float *logit = logits + f->seen[i], x = *logit - most;
        exp(&x, &x, 1);
        *logit += smol_log(1 + f->shares[i] * sum / (rest * x));
    }
}
