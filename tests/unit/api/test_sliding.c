/* Texts and scores of a model with distances: they slide, for ever and in bounded memory, or end
 * with the context if they are to. Expected tokens and losses come from sessions fed by hand. */
#include "model/running.h"

#include <math.h>
#include <smol/model.h>

#define CONTEXT 8u
#define N_TEXT 100u

static const struct model_recipe recipe = {.context = CONTEXT,
                                           .features = SMOL_ALL_FEATURES,
                                           .source = SMOL_MATRIX_MASK,
                                           .vocab = 41,
                                           .has_set = true,
                                           .has_other = true};
static const struct smol_sampler_options greedy = {
    .struct_bytes = sizeof greedy, .top_p = 1, .repeat_penalty = 1};
static const struct smol_session_options plain = {.struct_bytes = sizeof plain},
                                         fixed = {.struct_bytes = sizeof fixed, .is_fixed = true};

struct opened {
    uint8_t *bytes;
    struct smol_model *model;
    struct smol_text *text;
};

static void open_text(struct opened *o, const struct smol_session_options *options)
{
    struct smol_error error = {0};
    size_t size;

    o->bytes = model_make(&size, &recipe);
    cr_assert_eq(smol_model_open_memory(&o->model, o->bytes, size, 1, &error), SMOL_OK, "%s",
                 error.text);
    cr_assert_eq(smol_text_create(&o->text, o->model, options, &greedy, &error), SMOL_OK, "%s",
                 error.text);
}

static void close_text(struct opened *o)
{
    smol_text_destroy(o->text);
    smol_model_close(o->model);
    free(o->bytes);
}

static uint32_t best_of(const float *logits)
{
    uint32_t best = 0;

    for (uint32_t v = 1; v < recipe.vocab; v++)
        best = logits[v] > logits[best] ? v : best;
    return best;
}

/* Tokens n..N_TEXT - 1, each the most likely one after all those before it, and written. */
static void continue_by_hand(uint32_t tokens[N_TEXT], size_t n)
{
    struct running r;

    start(&r, &recipe, 1, 0);
    cr_assert_eq(smol_session_feed(r.session, tokens, n, NULL), SMOL_OK);
    for (; n < N_TEXT; n++) {
        tokens[n] = best_of(smol_session_logits(r.session));
        cr_assert_eq(smol_session_feed(r.session, &(uint32_t){tokens[n] | SMOL_WRITTEN}, 1, NULL),
                     SMOL_OK);
    }
    finish(&r);
}

static void fill_prompt(uint32_t *tokens, size_t n)
{
    uint64_t random = 5;

    for (size_t i = 0; i < n; i++)
        tokens[i] = test_random(&random) % recipe.vocab;
}

/* It is never full, and holds its last tokens, no more than a few contexts of them. */
Test(sliding, a_text_goes_on_without_end)
{
    uint32_t tokens[N_TEXT], token;
    struct opened o;

    fill_prompt(tokens, 3);
    continue_by_hand(tokens, 3);
    open_text(&o, &plain);
    cr_assert_eq(smol_text_append(o.text, tokens, 3, NULL), SMOL_OK);
    for (size_t n = 3; n < N_TEXT; n++) {
        size_t held;
        cr_assert_not(smol_text_is_full(o.text));
        cr_assert_eq(smol_text_next(&token, o.text, NULL), SMOL_OK);
        cr_assert_eq(token, tokens[n], "token %zu", n);
        held = smol_text_count(o.text);
        cr_assert(held <= 2 * CONTEXT + 1 && (held == n + 1 || held >= CONTEXT), "%zu held", held);
        cr_assert_arr_eq(smol_text_tokens(o.text), tokens + n + 1 - held, held * sizeof *tokens);
    }
    close_text(&o);
}

Test(sliding, a_prompt_may_be_longer_than_the_context)
{
    uint32_t tokens[N_TEXT], token;
    struct opened o;

    fill_prompt(tokens, 50);
    continue_by_hand(tokens, 50);
    open_text(&o, &plain);
    cr_assert_eq(smol_text_append(o.text, tokens, 50, NULL), SMOL_OK);
    for (size_t n = 50; n < N_TEXT; n++) {
        cr_assert_eq(smol_text_next(&token, o.text, NULL), SMOL_OK);
        cr_assert_eq(token, tokens[n], "token %zu", n);
    }
    close_text(&o);
}

/* A token past the vocabulary, far in the text, goes; what has been picked stays. */
Test(sliding, what_cannot_be_fed_is_gone)
{
    const uint32_t bad[2] = {3, 1u << 30};
    uint32_t tokens[N_TEXT], token;
    struct opened o;

    fill_prompt(tokens, 30);
    continue_by_hand(tokens, 30);
    open_text(&o, &plain);
    cr_assert_eq(smol_text_append(o.text, tokens, 30, NULL), SMOL_OK);
    for (size_t n = 30; n < N_TEXT; n++) {
        cr_assert_eq(smol_text_next(&token, o.text, NULL), SMOL_OK);
        cr_assert_eq(token, tokens[n], "token %zu", n);
        cr_assert_eq(smol_text_append(o.text, bad, 2, NULL), SMOL_OK);
        cr_assert_eq(smol_text_feed(o.text, NULL), SMOL_E_TOKEN);
    }
    close_text(&o);
}

/* Which tokens were chosen a text knows by itself: whoever says so gives it no token. */
Test(sliding, a_token_that_is_marked_is_none)
{
    const struct smol_sampler_options options = {
        .struct_bytes = sizeof options, .top_p = 1, .repeat_penalty = 1.5f, .repeat_last_n = -1};
    const uint32_t marked = 3 | SMOL_WRITTEN;
    struct smol_text *text;
    struct opened o;

    open_text(&o, &plain);
    cr_assert_eq(smol_text_create(&text, o.model, NULL, &options, NULL), SMOL_OK);
    cr_assert_eq(smol_text_append(text, &(uint32_t){3}, 1, NULL), SMOL_OK);
    cr_assert_eq(smol_text_feed(text, NULL), SMOL_OK);
    cr_assert_eq(smol_text_append(text, &marked, 1, NULL), SMOL_OK);
    cr_assert_eq(smol_text_feed(text, NULL), SMOL_E_TOKEN);
    cr_assert_eq(smol_text_count(text), 1);
    smol_text_destroy(text);
    close_text(&o);
}

/* After an overflow the session has nothing: the text goes on from the tokens that it holds. */
Test(sliding, a_text_goes_on_after_an_overflow)
{
    const float much = 3e38f;
    const uint32_t bad = 40;
    struct opened o;
    struct running r;
    uint32_t tokens[6], token;

    fill_prompt(tokens, 6);
    open_text(&o, &plain);
    memcpy((void *)(uintptr_t)(smol_model_file(o.model)->wte.data + bad * 16 * 4), &much, 4);
    cr_assert_eq(smol_text_append(o.text, tokens, 6, NULL), SMOL_OK);
    cr_assert_eq(smol_text_feed(o.text, NULL), SMOL_OK);
    cr_assert_eq(smol_text_append(o.text, &bad, 1, NULL), SMOL_OK);
    cr_assert_eq(smol_text_feed(o.text, NULL), SMOL_E_NUMERIC);
    cr_assert_eq(smol_text_count(o.text), 6);
    tokens[0] = 9; /* one more token, so that the text is fed again */
    cr_assert_eq(smol_text_append(o.text, tokens, 1, NULL), SMOL_OK);
    cr_assert_eq(smol_text_next(&token, o.text, NULL), SMOL_OK);
    fill_prompt(tokens, 6);
    start(&r, &recipe, 1, 0);
    cr_assert_eq(smol_session_feed(r.session, tokens, 6, NULL), SMOL_OK);
    cr_assert_eq(smol_session_feed(r.session, &(uint32_t){9}, 1, NULL), SMOL_OK);
    cr_assert_eq(token, best_of(smol_session_logits(r.session)));
    finish(&r);
    close_text(&o);
}

/* As every other model: full with its context, then from the last half of it, in which what was
 * chosen stays so. */
Test(sliding, a_fixed_text_feeds_its_last_half_again)
{
    uint32_t tokens[CONTEXT + 6], token;
    struct opened o;
    struct running r;

    fill_prompt(tokens, 1);
    open_text(&o, &fixed);
    model_open(&r.file, &recipe);
    begin_options(&r, &fixed);
    cr_assert_eq(smol_text_append(o.text, tokens, 1, NULL), SMOL_OK);
    for (size_t n = 1, first = 0; n < CONTEXT + 6; n++) {
        cr_assert_eq(smol_text_is_full(o.text), n - first > CONTEXT);
        if (n - first > CONTEXT)
            first = n - CONTEXT / 2;
        smol_session_rewind(r.session, 0);
        cr_assert_eq(smol_session_feed(r.session, tokens + first, n - first, NULL), SMOL_OK);
        token = best_of(smol_session_logits(r.session));
        tokens[n] = token | SMOL_WRITTEN;
        cr_assert_eq(smol_text_next(&token, o.text, NULL), SMOL_OK);
        cr_assert_eq(token | SMOL_WRITTEN, tokens[n], "token %zu", n);
    }
    cr_assert_eq(smol_text_count(o.text), CONTEXT + 6);
    finish(&r);
    close_text(&o);
}

static void open_two(struct smol_text *texts[2], const struct opened *o)
{
    struct smol_error error = {0};

    cr_assert_eq(smol_texts_create(texts, 2, o->model, &fixed, &greedy, &error), SMOL_OK, "%s",
                 error.text);
}

/* A copy feeds its last half again with what was chosen in the first text. Of two tokens, so that
 * the same come again. */
Test(sliding, a_copied_text_knows_what_was_chosen)
{
    const struct model_recipe two = {
        .context = CONTEXT, .features = SMOL_FEATURE_DISTANCES | SMOL_FEATURE_HISTORY, .vocab = 2};
    const size_t size = 2 * sizeof(float);
    struct smol_text *texts[2];
    struct opened o;
    uint32_t token[2];
    size_t n;

    o.bytes = model_make(&n, &two);
    cr_assert_eq(smol_model_open_memory(&o.model, o.bytes, n, 1, NULL), SMOL_OK);
    open_two(texts, &o);
    cr_assert_eq(smol_text_append(texts[1], (uint32_t[]){1, 0, 1, 0, 1, 1, 1}, 7, NULL), SMOL_OK);
    cr_assert_eq(smol_text_append(texts[0], (uint32_t[]){0, 1}, 2, NULL), SMOL_OK);
    for (int i = 0; i < 6; i++)
        cr_assert_eq(smol_text_next(token, texts[0], NULL), SMOL_OK);
    cr_assert_eq(smol_text_copy(texts[1], texts[0], 1, NULL), SMOL_OK);
    for (int i = 0; i < 2 * (int)CONTEXT; i++) {
        cr_assert_eq(smol_texts_next(token, texts, 2, NULL), SMOL_OK);
        cr_assert_eq(token[0], token[1]);
        cr_assert_arr_eq(smol_text_logits(texts[0]), smol_text_logits(texts[1]), size, "token %d",
                         i);
    }
    smol_text_destroy(texts[0]);
    smol_text_destroy(texts[1]);
    smol_model_close(o.model);
    free(o.bytes);
}

/* What is appended was read, whatever stood there before. */
Test(sliding, a_text_knows_what_was_read)
{
    const uint32_t tokens[] = {4, 5, 6, 5, 6, 5, 6, 5};
    struct smol_text *texts[2];
    struct running r;
    struct opened o;
    uint32_t token;

    open_text(&o, &fixed);
    open_two(texts, &o);
    cr_assert_eq(smol_text_append(texts[1], tokens, 1, NULL), SMOL_OK);
    for (int i = 0; i < 7; i++)
        cr_assert_eq(smol_text_next(&token, texts[1], NULL), SMOL_OK);
    cr_assert_eq(smol_text_append(texts[0], tokens, 1, NULL), SMOL_OK);
    cr_assert_eq(smol_text_copy(texts[1], texts[0], 1, NULL), SMOL_OK);
    cr_assert_eq(smol_text_append(texts[1], tokens + 1, 7, NULL), SMOL_OK);
    cr_assert_eq(smol_text_feed(texts[1], NULL), SMOL_OK);
    model_open(&r.file, &recipe);
    begin_options(&r, &fixed);
    cr_assert_eq(smol_session_feed(r.session, tokens, 8, NULL), SMOL_OK);
    cr_assert_arr_eq(smol_text_logits(texts[1]), smol_session_logits(r.session),
                     recipe.vocab * sizeof(float));
    finish(&r);
    smol_text_destroy(texts[0]);
    smol_text_destroy(texts[1]);
    close_text(&o);
}

/* Losses of tokens 1..n - 1, in one text or, each from an empty session, in windows. */
static double nats_by_hand(const uint32_t *tokens, size_t n, bool in_windows)
{
    struct running r;
    double sum = 0;

    start(&r, &recipe, 1, 0);
    for (size_t i = 0; i + 1 < n; i++) {
        const float *logits;
        double e = 0;
        if (in_windows && i % CONTEXT == 0)
            smol_session_rewind(r.session, 0);
        cr_assert_eq(smol_session_feed(r.session, tokens + i, 1, NULL), SMOL_OK);
        logits = smol_session_logits(r.session);
        for (uint32_t v = 0; v < recipe.vocab; v++)
            e += exp((double)logits[v]);
        sum += log(e) - (double)logits[tokens[i + 1]];
    }
    finish(&r);
    return sum;
}

static void score(struct smol_score *score, const struct opened *o,
                  const struct smol_session_options *options, const uint8_t *text, size_t n)
{
    cr_assert_eq(smol_model_score(score, o->model, options, text, n, NULL), SMOL_OK);
}

/* All bytes of the set, and some that are not. */
Test(sliding, a_score_is_of_one_text_or_of_windows)
{
    uint8_t text[77];
    uint32_t tokens[sizeof text];
    struct smol_score stream, windows;
    struct opened o;

    open_text(&o, &plain);
    for (uint32_t i = 0; i < sizeof text; i++)
        text[i] = model_byte(i * i % 47);
    for (uint32_t i = 0; i < sizeof text; i++) {
        /* The number of a byte is that of the set's bytes below it. */
        tokens[i] = 0;
        for (uint32_t k = 0; k < 40; k++)
            tokens[i] += model_byte(k) < text[i];
        if (i * i % 47 >= 40)
            tokens[i] = 40;
    }
    score(&stream, &o, NULL, text, sizeof text);
    score(&windows, &o, &fixed, text, sizeof text);
    cr_assert_float_eq(stream.nats, nats_by_hand(tokens, sizeof text, false), 1e-4);
    cr_assert_float_eq(windows.nats, nats_by_hand(tokens, sizeof text, true), 1e-4);
    cr_assert(fabs(stream.nats - windows.nats) > 1e-3);
    cr_assert(stream.n_tokens == 76 && stream.n_bytes == 76 && windows.n_bytes == 76);
    close_text(&o);
}
