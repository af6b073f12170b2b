/* What a history makes of logits once more, slowly and in double: every place of the text is
 * compared with its end, for every position and length anew. SPEC.md 8. */
#ifndef TEST_SLOW_HISTORY_H
#define TEST_SLOW_HISTORY_H

#include <math.h>
#include <smol/session.h>
#include <stdlib.h>
#include <string.h>

/* What followed, of one length. */
struct slow_followers {
    uint32_t n, u;
    uint32_t *counts; /* (V) */
};

/* exp(x) of SPEC.md 7 goes no further. */
static inline double slow_exp(double x) { return exp(fmin(fmax(x, -87), 88)); }

static inline uint32_t slow_token(uint32_t token) { return token & ~SMOL_WRITTEN; }

/* Whether the last `length` tokens before `end` are those before place `at`, too. */
static inline bool slow_matches(const uint32_t *tokens, size_t end, size_t at, size_t length)
{
    for (size_t i = 1; i <= length; i++)
        if (slow_token(tokens[at - i]) != slow_token(tokens[end - i]))
            return false;
    return true;
}

/* Length k, from 1, after the first `end` tokens, of which the last H are the history. */
static inline void slow_count(struct slow_followers *f, const uint32_t *tokens, size_t end,
                              size_t H, uint32_t vocab, size_t k)
{
    const size_t length = k + (vocab <= 257 ? 1 : 0), first = end > H ? end - H : 0;

    f->n = f->u = 0;
    memset(f->counts, 0, vocab * sizeof *f->counts);
    for (size_t at = first + length; at < end; at++) {
        if (tokens[at] & SMOL_WRITTEN || !slow_matches(tokens, end, at, length))
            continue;
        f->counts[slow_token(tokens[at])] += end - at <= 1024 ? 4 : 1;
    }
    for (uint32_t v = 0; v < vocab; v++) {
        f->n += f->counts[v];
        f->u += f->counts[v] > 0;
    }
}

/* shares (V) and *rest: the probabilities become share + rest x the network's. */
static inline void slow_shares(double *shares, double *rest, const double *numbers,
                               const uint32_t *tokens, size_t end, size_t H, uint32_t vocab)
{
    struct slow_followers f = {.counts = malloc(vocab * sizeof *f.counts)};

    *rest = 1;
    memset(shares, 0, vocab * sizeof *shares);
    for (size_t k = 1; k <= SMOL_HISTORY_LENGTHS; k++) {
        slow_count(&f, tokens, end, H, vocab, k);
        if (f.n == 0)
            break;
        const double s = 1.0 / 8 + slow_exp(numbers[k - 1]) * f.u, g = s + f.u / 8.0;
        for (uint32_t v = 0; v < vocab; v++)
            shares[v] = ((f.counts[v] > 0 ? f.counts[v] - 1.0 / 8 : 0) + g * shares[v]) / (f.n + s);
        *rest = g * *rest / (f.n + s);
    }
    free(f.counts);
}

/* Logits (V) after the first `end` tokens, changed. */
static inline void slow_mix(double *logits, const double *numbers, const uint32_t *tokens,
                            size_t end, size_t H, uint32_t vocab)
{
    double *shares = malloc(vocab * sizeof *shares), rest, most = -INFINITY, sum = 0;

    slow_shares(shares, &rest, numbers, tokens, end, H, vocab);
    for (uint32_t v = 0; v < vocab; v++)
        most = fmax(most, logits[v]);
    for (uint32_t v = 0; v < vocab; v++)
        sum += slow_exp(logits[v] - most);
    for (uint32_t v = 0; v < vocab; v++)
        if (shares[v] > 0)
            logits[v] += log(1 + shares[v] * sum / (rest * slow_exp(logits[v] - most)));
    free(shares);
}

#endif
