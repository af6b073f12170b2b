/* The numbers of a history, fitted to a text. The loss, by the five numbers alone, goes down along
 * its gradient, each number by steps of its own that grow while its sign stays and shrink when it
 * changes (Rprop: Riedmiller and Braun 1993). */
#include "base/error.h"
#include "model/history/history.h"

#include <math.h>
#include <smol/history.h>
#include <smol/initial.h>
#include <stdlib.h>

#define N SMOL_HISTORY_LENGTHS
#define MAX_STEPS 100
#define MAX_NUMBER 12.0

/* What is known of a token: how often its length's tokens were there before, with how many
 * followers, and how often it was one. */
struct known {
    float p; /* of the network */
    uint32_t n[N], u[N], count[N];
};

/* The loss of a token and, added to slopes, its derivatives by the numbers. */
static double loss_of(const struct known *t, const double a[N], double slopes[N])
{
    double p = (double)t->p, by[N] = {0};

    for (unsigned k = 0; k < N && t->n[k] > 0; k++) {
        const double n = t->n[k], u = t->u[k], s = 0.125 + a[k] * u,
                     next = smol_history_share(p, a[k], t->n[k], t->u[k], t->count[k]);
        /* p = (c + g p') / (n + s), where g and s grow by u with a, and a by itself with its
         * logarithm. */
        for (unsigned i = 0; i < k; i++)
            by[i] *= (s + 0.125 * u) / (n + s);
        by[k] = a[k] * u * (p - next) / (n + s);
        p = next;
    }
    for (unsigned k = 0; k < N; k++)
        slopes[k] -= by[k] / p;
    return -log(p);
}

static double loss(const struct known *tokens, size_t n, const double numbers[N], double slopes[N])
{
    double a[N], sum = 0;

    for (unsigned k = 0; k < N; k++) {
        a[k] = exp(numbers[k]);
        slopes[k] = 0;
    }
    for (size_t i = 0; i < n; i++)
        sum += loss_of(tokens + i, a, slopes);
    return sum;
}

/* Returns the least loss. */
static double descend(double numbers[N], const struct known *tokens, size_t n)
{
    double steps[N], slopes[N], before[N] = {0}, best[N], least = INFINITY;

    for (unsigned k = 0; k < N; k++)
        steps[k] = 0.25;
    for (unsigned i = 0; i < MAX_STEPS; i++) {
        const double now = loss(tokens, n, numbers, slopes);
        if (now < least) {
            least = now;
            memcpy(best, numbers, sizeof best);
        }
        for (unsigned k = 0; k < N; k++) {
            const double turn = slopes[k] * before[k];
            steps[k] *= turn > 0 ? 1.2 : turn < 0 ? 0.5 : 1;
            numbers[k] -= slopes[k] > 0 ? steps[k] : slopes[k] < 0 ? -steps[k] : 0;
            numbers[k] = fmin(fmax(numbers[k], -MAX_NUMBER), MAX_NUMBER);
            before[k] = slopes[k];
        }
    }
    memcpy(numbers, best, sizeof best);
    return least;
}

/* What is known of each token but the first, from the tokens before it. */
static void look(struct known *known, struct followers *f, struct history *h,
                 const uint32_t *tokens, const double *nats, size_t n)
{
    const struct smol_kernels *kernels = smol_kernels_select(SMOL_ISA_BEST);

    for (size_t i = 1; i < n; i++, known++) {
        smol_history_push(h, tokens[i - 1]);
        smol_history_sort(h, f->shortest);
        smol_history_count(f, h, kernels);
        *known = (struct known){.p = (float)exp(-nats[i])};
        known->p = known->p > 0x1p-100f ? known->p : 0x1p-100f;
        for (unsigned k = 0; k < N; k++) {
            known->n[k] = f->n[k];
            known->u[k] = f->u[k];
            known->count[k] = f->counts[tokens[i] * N + k];
        }
        smol_followers_clear(f);
    }
}

static enum smol_status check(const uint32_t *tokens, const double *nats, size_t n, uint32_t vocab,
                              struct smol_error *error)
{
    if (n < 2 || vocab > SMOL_HISTORY_TOKENS)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "%zu tokens of a vocabulary of %lu, for a history at least 2 of at most "
                         "65536",
                         n, (unsigned long)vocab);
    for (size_t i = 0; i < n; i++)
        if (tokens[i] >= vocab || (i > 0 && !(nats[i] >= 0 && nats[i] < HUGE_VAL)))
            return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                             "token %zu is beyond the vocabulary, or its loss is no number", i);
    return SMOL_OK;
}

enum smol_status smol_history_fit(float numbers[SMOL_HISTORY_LENGTHS], double *mean,
                                  const uint32_t *tokens, const double *nats, size_t n,
                                  uint32_t vocab, struct smol_error *error)
{
    enum smol_status status = check(tokens, nats, n, vocab, error);
    struct known *known;
    struct history history;
    struct followers followers;
    double found[N];
    float initial[N];
    void *of_history, *of_followers;

    if (status)
        return status;
    known = malloc((n - 1) * sizeof *known);
    of_history = malloc(smol_history_bytes(SMOL_HISTORY_TOKENS));
    of_followers = malloc(smol_followers_bytes(vocab));
    if (known && of_history && of_followers) {
        smol_history_place(&history, SMOL_HISTORY_TOKENS, of_history);
        smol_followers_place(&followers, vocab, of_followers);
        look(known, &followers, &history, tokens, nats, n);
        smol_initial_history(initial);
        for (unsigned k = 0; k < N; k++)
            found[k] = (double)initial[k];
        *mean = descend(found, known, n - 1) / (double)(n - 1);
        for (unsigned k = 0; k < N; k++)
            numbers[k] = (float)found[k];
    } else {
        status = smol_fail_memory(error);
    }
    free(known);
    free(of_history);
    free(of_followers);
    return status;
}
