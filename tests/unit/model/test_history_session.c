/* Sessions of models with a history: their logits are those of a forward pass in double with all
 * that followed counted anew, the same bits however a text is fed, and of the same network without
 * a history if that is asked for. SPEC.md 8. */
#include "model/running.h"
#include "model/slow.h"

#include <smol/params.h>
#include <stddef.h>

#define N_TOKENS 110u
#define HISTORY (SMOL_FEATURE_DISTANCES | SMOL_FEATURE_HISTORY)

/* Tokens of bytes and others; with and without a half-shift; numbers of each type. */
static const struct model_recipe recipes[] = {
    {.features = HISTORY, .vocab = 5, .width = 8, .n_layers = 1, .context = 6},
    {.features = SMOL_ALL_FEATURES, .vocab = 70, .context = 40, .head_type = SMOL_F16},
    {.features = HISTORY,
     .vocab = 290,
     .n_merges = 20,
     .width = 8,
     .n_layers = 1,
     .context = 200,
     .head_type = SMOL_Q8_BLOCKS},
};
enum { N_RECIPES = sizeof recipes / sizeof *recipes };

static struct smol_session_options of_history(uint64_t history)
{
    return (struct smol_session_options){.struct_bytes = sizeof(struct smol_session_options),
                                         .history = history};
}

/* Some of the tokens are written. */
static void fill_tokens(uint32_t tokens[N_TOKENS], const struct model_recipe *recipe)
{
    uint64_t random = 11;

    test_text(tokens, N_TOKENS, recipe->vocab < 12 ? recipe->vocab : 12, &random);
    for (uint32_t i = 0; i < N_TOKENS; i++) {
        tokens[i] *= recipe->vocab < 12 ? 1 : recipe->vocab / 12;
        tokens[i] |= test_random(&random) % 7 == 0 ? SMOL_WRITTEN : 0;
    }
}

static void feed(struct smol_session *session, const uint32_t *tokens, size_t n)
{
    struct smol_error error = {0};

    cr_assert_eq(smol_session_feed(session, tokens, n, &error), SMOL_OK, "%s", error.text);
}

/* ---- what is computed ---- */

static void check_logits(const struct model_recipe *recipe, uint64_t history)
{
    const struct smol_session_options options = of_history(history);
    const size_t H = history ? (size_t)history : 65536, V = recipe->vocab;
    uint32_t tokens[N_TOKENS];
    struct running r;
    char what[64];
    double *logits;

    model_open(&r.file, recipe);
    begin_options(&r, &options);
    fill_tokens(tokens, recipe);
    snprintf(what, sizeof what, "vocabulary %zu, history %zu", V, H);
    logits = slow_logits_within(&r.file, tokens, N_TOKENS, r.file.config.context, H);
    for (uint32_t p = 0; p < N_TOKENS; p++) {
        feed(r.session, tokens + p, 1);
        assert_close(smol_session_logits(r.session), logits + p * V, (uint32_t)V, what, p);
    }
    free(logits);
    finish(&r);
}

Test(history_session, logits_are_those_of_counting_anew)
{
    static const uint64_t histories[] = {0, 2, 3, 5, 8, 21, 64, N_TOKENS};

    for (size_t i = 0; i < N_RECIPES; i++)
        for (size_t k = 0; k < sizeof histories / sizeof *histories; k++)
            check_logits(recipes + i, histories[k]);
}

/* Where the number's exponential ends, and shares of next to nothing and of all. */
Test(history_session, numbers_may_be_as_large_as_they_can)
{
    static const float numbers[][5] = {{65504, 65504, 65504, 65504, 65504},
                                       {-65504, -65504, -65504, -65504, -65504},
                                       {-100, 80, -3, 65504, 0}};

    for (size_t i = 0; i < 3; i++) {
        uint32_t tokens[N_TOKENS];
        struct running r;
        double *logits;
        model_open(&r.file, recipes);
        memcpy((void *)(uintptr_t)(r.file.params.data + smol_params_history_at(&r.file.config)),
               numbers[i], sizeof numbers[i]);
        begin(&r, 1, 0);
        fill_tokens(tokens, recipes);
        logits = slow_logits(&r.file, tokens, N_TOKENS, r.file.config.context);
        for (uint32_t p = 0; p < N_TOKENS; p++) {
            feed(r.session, tokens + p, 1);
            assert_close(smol_session_logits(r.session), logits + p * 5, 5, "large numbers", p);
        }
        free(logits);
        finish(&r);
    }
}

/* ---- the same bits ---- */

/* Every token's losses, and the last logits. */
struct outcome {
    double nats[N_TOKENS];
    float logits[300];
};

static void run(struct outcome *o, const struct model_recipe *recipe,
                const struct smol_session_options *options, const uint32_t *tokens, size_t step)
{
    uint32_t targets[N_TOKENS];
    struct running r;

    memset(o, 0, sizeof *o);
    for (uint32_t i = 0; i < N_TOKENS; i++)
        targets[i] = slow_token(tokens[(i + 1) % N_TOKENS]);
    model_open(&r.file, recipe);
    begin_options(&r, options);
    for (size_t at = 0, n; at < N_TOKENS; at += n) {
        n = N_TOKENS - at < step ? N_TOKENS - at : step;
        cr_assert_eq(
            smol_session_score(r.session, o->nats + at, tokens + at, targets + at, n, NULL),
            SMOL_OK);
    }
    memcpy(o->logits, smol_session_logits(r.session), recipe->vocab * sizeof(float));
    finish(&r);
}

Test(history_session, bits_do_not_depend_on_splits_batches_and_threads)
{
    static const uint32_t batches[] = {1, 2, 7, 64, 0};
    static const size_t steps[] = {1, 3, 50, N_TOKENS};

    for (size_t i = 0; i < N_RECIPES; i++)
        for (uint64_t history = 0; history <= 20; history += 20) {
            struct smol_session_options options = of_history(history);
            struct outcome expected, got;
            uint32_t tokens[N_TOKENS];
            fill_tokens(tokens, recipes + i);
            options.batch = 1;
            run(&expected, recipes + i, &options, tokens, 1);
            for (uint32_t k = 0; k < 20; k += test_is_sanitized() ? 3 : 1) {
                options.batch = batches[k % 5];
                options.n_threads = 1 + k % 3;
                run(&got, recipes + i, &options, tokens, steps[k % 4]);
                cr_assert_arr_eq(&got, &expected, sizeof got, "recipe %zu, variant %u", i, k);
            }
        }
}

/* Text t begins after t tokens; half of them are copied to others on the way. */
static void check_texts(const struct model_recipe *recipe, uint64_t history, uint32_t n_threads)
{
    enum { N = 6 };
    struct smol_session_options options = of_history(history);
    uint32_t tokens[N_TOKENS];
    struct running several, alone;

    fill_tokens(tokens, recipe);
    options.n_threads = n_threads;
    options.n_texts = N;
    options.batch = 11;
    model_open(&several.file, recipe);
    begin_options(&several, &options);
    for (uint32_t n = 0; n < 60; n += 4) {
        uint32_t of[4 * N], fed[4 * N];
        for (uint32_t i = 0; i < 4 * N; i++) {
            of[i] = i / 4;
            fed[i] = tokens[i / 4 + n + i % 4];
        }
        cr_assert_eq(smol_session_feed_texts(several.session, of, fed, 4 * N, NULL), SMOL_OK);
        if (n != 48)
            continue;
        /* Text 5 becomes text 1, and goes on as itself: from token 53 to 57. */
        smol_session_copy_text(several.session, 5, 1);
        cr_assert_eq(smol_session_feed_texts(several.session, (uint32_t[]){5, 5, 5, 5}, tokens + 53,
                                             4, NULL),
                     SMOL_OK);
    }
    const uint32_t n_fed = smol_session_position(several.session);
    for (uint32_t i = 0; i < N; i++) {
        options = of_history(history);
        model_open(&alone.file, recipe);
        begin_options(&alone, &options);
        if (i < 5) {
            feed(alone.session, tokens + i, n_fed);
        } else {
            feed(alone.session, tokens + 1, 56);
            feed(alone.session, tokens + 57, n_fed - 52);
        }
        cr_assert_arr_eq(smol_session_logits_of(several.session, i),
                         smol_session_logits(alone.session), recipe->vocab * sizeof(float),
                         "text %u, history %u", i, (unsigned)history);
        finish(&alone);
    }
    finish(&several);
}

Test(history_session, each_of_several_texts_has_its_own)
{
    for (size_t i = 0; i < N_RECIPES; i++)
        for (uint32_t n_threads = 1; n_threads <= 3; n_threads++) {
            check_texts(recipes + i, 0, n_threads);
            check_texts(recipes + i, 13, n_threads);
        }
}

/* ---- without ---- */

Test(history_session, a_history_of_one_token_is_none)
{
    for (size_t i = 0; i < N_RECIPES; i++) {
        struct smol_session_options options = of_history(1), whole = of_history(0);
        struct model_recipe without = recipes[i];
        struct outcome none, expected, full;
        uint32_t tokens[N_TOKENS];
        without.features &= (uint16_t)~SMOL_FEATURE_HISTORY;
        if (without.features == SMOL_FEATURE_DISTANCES)
            without.head_type = 0;
        fill_tokens(tokens, recipes + i);
        run(&none, recipes + i, &options, tokens, N_TOKENS);
        run(&expected, &without, &whole, tokens, N_TOKENS);
        run(&full, recipes + i, &whole, tokens, N_TOKENS);
        cr_assert_arr_eq(&none, &expected, sizeof none, "recipe %zu", i);
        cr_assert_arr_neq(&full, &expected, sizeof none, "recipe %zu", i);
        /* Marks are of no consequence then, nor is the option. */
        options = of_history(7);
        run(&expected, &without, &options, tokens, N_TOKENS);
        cr_assert_arr_eq(&none, &expected, sizeof none, "recipe %zu", i);
        for (uint32_t p = 0; p < N_TOKENS; p++)
            tokens[p] = slow_token(tokens[p]);
        run(&expected, &without, &options, tokens, N_TOKENS);
        cr_assert_arr_eq(&none, &expected, sizeof none, "recipe %zu", i);
        run(&expected, recipes + i, &whole, tokens, N_TOKENS);
        cr_assert_arr_neq(&full, &expected, sizeof full, "recipe %zu", i);
    }
}

/* ---- going back ---- */

/* The logits after all of n tokens but the last `back`, then others, are those of a new session. */
static void check_rewind(struct running *r, const uint32_t *tokens, uint32_t n, uint32_t back)
{
    struct running fresh;

    smol_session_rewind(r->session, 0);
    feed(r->session, tokens, n);
    cr_assert_eq(smol_session_rewind(r->session, n - back), n - back, "%u of %u", back, n);
    cr_assert_eq(smol_session_position(r->session), n - back);
    feed(r->session, tokens + n - back + 1, back + 5);
    start(&fresh, recipes, 1, 0);
    feed(fresh.session, tokens, n - back);
    feed(fresh.session, tokens + n - back + 1, back + 5);
    cr_assert_arr_eq(smol_session_logits(r->session), smol_session_logits(fresh.session),
                     recipes[0].vocab * sizeof(float), "%u of %u tokens back", back, n);
    finish(&fresh);
}

/* A history that has all tokens, and a cache that does. */
Test(history_session, goes_back_while_all_is_there)
{
    uint32_t tokens[N_TOKENS];
    struct running r;

    start(&r, recipes, 2, 3);
    fill_tokens(tokens, recipes);
    for (uint32_t n = 1; n <= 6; n++)
        for (uint32_t back = 0; back <= n; back++)
            check_rewind(&r, tokens, n, back);
    finish(&r);
}

/* 9 tokens of history: of 10 the first is lost, with which a shorter text would begin. The cache
 * still has what it needs. */
Test(history_session, does_not_go_back_past_what_is_lost)
{
    const struct model_recipe long_context = {
        .features = HISTORY, .vocab = 5, .width = 8, .n_layers = 1, .context = 100};
    const struct smol_session_options options = of_history(9);
    uint32_t tokens[N_TOKENS];
    struct running r;

    model_open(&r.file, &long_context);
    begin_options(&r, &options);
    fill_tokens(tokens, &long_context);
    for (uint32_t n = 8; n < 30; n++)
        for (uint32_t back = 0; back < 8; back++) {
            const bool is_there = n <= 9 || back == 0;
            uint32_t position;
            float logits[5];
            smol_session_rewind(r.session, 0);
            feed(r.session, tokens, n);
            position = smol_session_rewind(r.session, n - back);
            cr_assert_eq(position, is_there ? n - back : 0, "%u of %u", back, n);
            feed(r.session, tokens + position, 40 - position);
            memcpy(logits, smol_session_logits(r.session), sizeof logits);
            smol_session_rewind(r.session, 0);
            feed(r.session, tokens, 40);
            cr_assert_arr_eq(logits, smol_session_logits(r.session), sizeof logits);
        }
    finish(&r);
}

/* What overflowed is in no history. */
Test(history_session, an_overflow_leaves_nothing_in_it)
{
    const float much = 3e38f;
    uint32_t tokens[N_TOKENS];
    struct running r, fresh;

    model_open(&r.file, recipes + 1);
    r.file.config.features &= (uint16_t)~SMOL_FEATURE_HALF_SHIFT; /* so that it can go back */
    model_open(&fresh.file, recipes + 1);
    fresh.file.config.features = r.file.config.features;
    memcpy((void *)(uintptr_t)(r.file.wte.data + 69 * 16 * 4), &much, 4);
    begin(&r, 2, 4);
    begin(&fresh, 1, 0);
    fill_tokens(tokens, recipes + 1);
    feed(r.session, tokens, 20);
    cr_assert_eq(smol_session_feed(r.session, (uint32_t[]){1, 2, 3, 4, 5, 6, 69, 7}, 8, NULL),
                 SMOL_E_NUMERIC);
    cr_assert_eq(smol_session_position(r.session), 20);
    feed(r.session, tokens + 20, 15);
    feed(fresh.session, tokens, 35);
    cr_assert_arr_eq(smol_session_logits(r.session), smol_session_logits(fresh.session),
                     70 * sizeof(float));
    finish(&r);
    finish(&fresh);
}

/* ---- options and tokens ---- */

Test(history_session, options_are_checked)
{
    static const size_t older[] = {offsetof(struct smol_session_options, is_fixed),
                                   offsetof(struct smol_session_options, n_texts),
                                   offsetof(struct smol_session_options, history)};
    struct smol_session_options options = of_history(65537);
    struct smol_error error = {0};
    size_t full, none, size;
    struct smol_file file;

    model_open(&file, recipes);
    cr_assert_eq(smol_session_size(&size, &file, &options, &error), SMOL_E_ARGUMENT);
    cr_assert_not_null(strstr(error.text, "65537"), "%s", error.text);
    options.history = UINT64_MAX;
    cr_assert_eq(smol_session_size(&size, &file, &options, NULL), SMOL_E_ARGUMENT);
    options.history = 65536;
    cr_assert_eq(smol_session_size(&full, &file, &options, NULL), SMOL_OK);
    options.history = 1;
    cr_assert_eq(smol_session_size(&none, &file, &options, NULL), SMOL_OK);
    cr_assert_geq(full - none, 6 * 65536);
    cr_assert_lt(full - none, 7 * 65536);
    options.history = 4096; /* which has no index */
    cr_assert_eq(smol_session_size(&size, &file, &options, NULL), SMOL_OK);
    cr_assert_geq(size - none, 2 * 4096);
    cr_assert_lt(size - none, 3 * 4096);
    options.history = 0;
    cr_assert_eq(smol_session_size(&size, &file, &options, NULL), SMOL_OK);
    cr_assert_eq(size, full);
    /* Programs of before do not know of it; what lies behind theirs is not read. */
    memset(&options, 0, sizeof options);
    options.history = 65537;
    for (size_t i = 0; i < 3; i++) {
        options.struct_bytes = older[i];
        cr_assert_eq(smol_session_size(&size, &file, &options, NULL), SMOL_OK, "%zu", older[i]);
        cr_assert_eq(size, full);
    }
    options.struct_bytes = older[2] - 1;
    cr_assert_eq(smol_session_size(&size, &file, &options, NULL), SMOL_E_ARGUMENT);
    free((void *)(uintptr_t)file.bytes.data);
}

Test(history_session, marks_make_no_token)
{
    const uint32_t fine = 4 | SMOL_WRITTEN;
    double nats;
    struct running r;

    start(&r, recipes, 1, 0);
    for (uint32_t wrong = 5; wrong < 0x70000000; wrong = 2 * wrong + 7) {
        cr_assert_eq(smol_session_feed(r.session, &(uint32_t){wrong | SMOL_WRITTEN}, 1, NULL),
                     SMOL_E_TOKEN);
        cr_assert_eq(smol_session_feed(r.session, &wrong, 1, NULL), SMOL_E_TOKEN);
    }
    feed(r.session, &fine, 1);
    cr_assert_eq(smol_session_score(r.session, &nats, &fine, &fine, 1, NULL), SMOL_E_TOKEN);
    finish(&r);
}
