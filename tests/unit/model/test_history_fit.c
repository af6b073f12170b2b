/* The numbers of a history that are found for a text: near a minimum of the loss as it is counted
 * slowly, and what a session with them has. */
#include "model/running.h"
#include "model/slow_history.h"

#include <smol/history.h>
#include <smol/initial.h>
#include <smol/params.h>

#define N_TOKENS 1400u
#define LENGTHS SMOL_HISTORY_LENGTHS

/* A text, the network's losses, and of each token but the first what was there before it. */
struct known {
    uint32_t vocab, tokens[N_TOKENS];
    double nats[N_TOKENS];
    uint32_t n[N_TOKENS][LENGTHS], u[N_TOKENS][LENGTHS], count[N_TOKENS][LENGTHS];
};

static void look(struct known *t)
{
    struct slow_followers f = {.counts = malloc(t->vocab * sizeof *f.counts)};

    for (size_t i = 1; i < N_TOKENS; i++)
        for (size_t k = 0; k < LENGTHS; k++) {
            slow_count(&f, t->tokens, i, i, t->vocab, k + 1);
            t->n[i][k] = f.n;
            t->u[i][k] = f.u;
            t->count[i][k] = f.counts[t->tokens[i]];
        }
    free(f.counts);
}

/* The mean loss, from the formula for probabilities. */
static double loss(const struct known *t, const float numbers[LENGTHS])
{
    double sum = 0;

    for (size_t i = 1; i < N_TOKENS; i++) {
        double share = 0, rest = 1;
        for (size_t k = 0; k < LENGTHS && t->n[i][k] > 0; k++) {
            const double s = 0.125 + exp((double)numbers[k]) * t->u[i][k], g = s + t->u[i][k] / 8.0,
                         c = t->count[i][k];
            share = ((c > 0 ? c - 0.125 : 0) + g * share) / (t->n[i][k] + s);
            rest = g * rest / (t->n[i][k] + s);
        }
        sum -= log(share + rest * exp(-t->nats[i]));
    }
    return sum / (N_TOKENS - 1);
}

/* In which what was there comes again more or less often, and a network that knows something. */
static struct known *make_text(uint32_t vocab, uint32_t n_different, uint64_t random)
{
    struct known *t = malloc(sizeof *t);

    t->vocab = vocab;
    test_text(t->tokens, N_TOKENS, n_different, &random);
    for (size_t i = 0; i < N_TOKENS; i++)
        t->nats[i] = log(n_different) * (1 + 0.5 * (double)test_uniform(&random));
    t->nats[0] = NAN; /* which does not count */
    look(t);
    return t;
}

static void check_text(const struct known *t)
{
    float numbers[LENGTHS], initial[LENGTHS];
    struct smol_error error = {0};
    double mean, least, without = 0;

    cr_assert_eq(smol_history_fit(numbers, &mean, t->tokens, t->nats, N_TOKENS, t->vocab, &error),
                 SMOL_OK, "%s", error.text);
    least = loss(t, numbers);
    cr_assert_float_eq(mean, least, 1e-6 * least, "%.9g, counted %.9g", mean, least);
    smol_initial_history(initial);
    for (size_t i = 1; i < N_TOKENS; i++)
        without += t->nats[i] / (N_TOKENS - 1);
    cr_assert_lt(least, loss(t, initial));
    cr_assert_lt(least, without);
    for (size_t k = 0; k < LENGTHS; k++)
        for (int sign = -1; sign <= 1; sign += 2) {
            const float found = numbers[k];
            cr_assert(fabsf(found) <= 12);
            numbers[k] += (float)sign * 0.3f;
            cr_assert_geq(loss(t, numbers), least - 1e-7, "number %zu of %g, %+d", k, (double)found,
                          sign);
            numbers[k] = found;
        }
}

Test(history_fit, finds_a_minimum)
{
    static const struct {
        uint32_t vocab, n_different;
    } cases[] = {{20, 20}, {256, 5}, {1000, 60}, {257, 257}, {65536, 300}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct known *t =
            make_text(cases[i].vocab > 2000 ? 2000 : cases[i].vocab, cases[i].n_different, 5 + i);
        t->vocab = cases[i].vocab;
        check_text(t);
        free(t);
    }
}

/* A session's losses with these numbers are what was promised. */
Test(history_fit, a_session_has_the_loss_that_was_found)
{
    const struct model_recipe recipe = {.features = SMOL_FEATURE_DISTANCES | SMOL_FEATURE_HISTORY,
                                        .vocab = 30,
                                        .width = 8,
                                        .n_layers = 1,
                                        .context = 9};
    const struct smol_session_options none = {.struct_bytes = sizeof none, .history = 1};
    struct known *t = make_text(30, 30, 1);
    float numbers[LENGTHS];
    double mean, sum = 0;
    struct running r;

    model_open(&r.file, &recipe);
    begin_options(&r, &none);
    cr_assert_eq(
        smol_session_score(r.session, t->nats + 1, t->tokens, t->tokens + 1, N_TOKENS - 1, NULL),
        SMOL_OK);
    smol_session_finish(r.session);
    free(r.memory);
    cr_assert_eq(smol_history_fit(numbers, &mean, t->tokens, t->nats, N_TOKENS, 30, NULL), SMOL_OK);
    memcpy((void *)(uintptr_t)(r.file.params.data + smol_params_history_at(&r.file.config)),
           numbers, sizeof numbers);
    begin(&r, 1, 0);
    cr_assert_eq(
        smol_session_score(r.session, t->nats + 1, t->tokens, t->tokens + 1, N_TOKENS - 1, NULL),
        SMOL_OK);
    for (size_t i = 1; i < N_TOKENS; i++)
        sum += t->nats[i] / (N_TOKENS - 1);
    cr_assert_float_eq(mean, sum, 1e-5 * sum, "%g, session %g", mean, sum);
    free(t);
    finish(&r);
}

/* The longest history there is: a token is 65,536 or 65,535 tokens after itself. */
Test(history_fit, a_text_may_be_longer_than_a_history)
{
    enum { N = 65536 + 9 };
    uint32_t *tokens = malloc(N * sizeof *tokens);
    double *nats = malloc(N * sizeof *nats), mean;
    float numbers[LENGTHS];

    for (uint32_t period = 65535; period <= 65536; period++) {
        for (uint32_t i = 0; i < N; i++) {
            tokens[i] = i % period;
            nats[i] = 1;
        }
        cr_assert_eq(smol_history_fit(numbers, &mean, tokens, nats, N, 65536, NULL), SMOL_OK);
        cr_assert_eq(mean < 1 - 1e-6, period == 65535, "%.9g", mean);
        cr_assert(mean < 1 + 1e-12);
    }
    free(tokens);
    free(nats);
}

Test(history_fit, wrong_arguments)
{
    static const double wrong[] = {-1e-9, -1, (double)NAN, (double)INFINITY, -(double)INFINITY};
    uint32_t tokens[4] = {1, 2, 1, 2};
    double nats[4] = {-5, 1, 1, 0}, mean = 7;
    float numbers[LENGTHS] = {1, 2, 3, 4, 5};
    struct smol_error error;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        for (size_t k = 1; k < 4; k++) {
            const double kept = nats[k];
            nats[k] = wrong[i];
            cr_assert_eq(smol_history_fit(numbers, &mean, tokens, nats, 4, 3, &error),
                         SMOL_E_ARGUMENT, "%g at %zu", wrong[i], k);
            nats[k] = kept;
        }
    cr_assert_eq(smol_history_fit(numbers, &mean, tokens, nats, 4, 2, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_history_fit(numbers, &mean, tokens, nats, 0, 3, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_history_fit(numbers, &mean, tokens, nats, 4, 65537, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(error.code, SMOL_E_ARGUMENT);
    for (size_t k = 0; k < LENGTHS; k++)
        cr_assert_eq(numbers[k], (float)(k + 1));
    cr_assert_eq(mean, 7);
    cr_assert_eq(smol_history_fit(numbers, &mean, tokens, nats, 4, 3, NULL), SMOL_OK);
    cr_assert(mean > 0 && mean < 1);
}
