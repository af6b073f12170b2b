/* Several texts of a model side by side: each becomes what smol_text_next makes of it alone, with
 * the same seed, while others end, are copied or begin anew. */
#include "make_model.h"

#include <criterion/criterion.h>
#include <smol/model.h>
#include <smol/text.h>
#include <stdlib.h>
#include <string.h>

#define N 5u
#define N_TOKENS 40u

static const struct model_recipe sliding = {.context = 8,
                                            .features = SMOL_ALL_FEATURES,
                                            .source = SMOL_MATRIX_MASK,
                                            .vocab = 41,
                                            .has_set = true,
                                            .has_other = true},
                                 whole = {.vocab = 60}; /* whose context is full after 12 */
static const struct smol_session_options two = {.struct_bytes = sizeof two, .n_threads = 2},
                                         fixed = {.struct_bytes = sizeof fixed, .is_fixed = true};

struct opened {
    uint8_t *bytes;
    struct smol_model *model;
    struct smol_sampler_options sampler;
    struct smol_text *texts[N];
};

static void open_texts(struct opened *o, const struct model_recipe *recipe,
                       const struct smol_session_options *options)
{
    struct smol_error error = {0};
    size_t size;

    o->bytes = model_make(&size, recipe);
    cr_assert_eq(smol_model_open_memory(&o->model, o->bytes, size, 1, &error), SMOL_OK, "%s",
                 error.text);
    smol_sampler_defaults(&o->sampler, sizeof o->sampler);
    o->sampler.seed = 70;
    o->sampler.repeat_penalty = 1.1f;
    o->sampler.repeat_last_n = 9;
    cr_assert_eq(smol_texts_create(o->texts, N, o->model, options, &o->sampler, &error), SMOL_OK,
                 "%s", error.text);
}

/* In an order that is none. */
static void close_texts(struct opened *o)
{
    for (size_t i = 0; i < N; i++)
        smol_text_destroy(o->texts[(3 * i + 1) % N]);
    smol_model_close(o->model);
    free(o->bytes);
}

/* tokens (n): what follows the prompt with that seed, alone and in plain C. */
static void continue_alone(uint32_t *tokens, size_t n, const struct opened *o,
                           const struct smol_session_options *options, uint64_t seed,
                           const uint32_t *prompt, size_t n_prompt)
{
    struct smol_session_options plain =
        options ? *options : (struct smol_session_options){.struct_bytes = sizeof plain};
    struct smol_sampler_options sampler = o->sampler;
    struct smol_text *text;

    plain.isa = SMOL_ISA_SCALAR;
    plain.n_threads = 1;
    sampler.seed = seed;
    cr_assert_eq(smol_text_create(&text, o->model, &plain, &sampler, NULL), SMOL_OK);
    cr_assert_eq(smol_text_append(text, prompt, n_prompt, NULL), SMOL_OK);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(smol_text_next(&tokens[i], text, NULL), SMOL_OK);
    smol_text_destroy(text);
}

/* Prompts of 1 to N tokens; text i gets every (i + 1)th turn left out, so that they part. */
static void check_prompts(const struct model_recipe *recipe,
                          const struct smol_session_options *options)
{
    uint32_t expected[N][N_TOKENS], prompt[N], n[N] = {0};
    struct opened o;

    open_texts(&o, recipe, options);
    for (uint32_t i = 0; i < N; i++) {
        prompt[i] = 3 * i + 1;
        continue_alone(expected[i], N_TOKENS, &o, options, 70 + i, prompt, i + 1);
    }
    for (uint32_t i = 0; i < N; i++) /* prompt has them all now */
        cr_assert_eq(smol_text_append(o.texts[i], prompt, i + 1, NULL), SMOL_OK);
    for (uint32_t turn = 0; turn < N_TOKENS; turn++) {
        struct smol_text *some[N];
        uint32_t which[N], tokens[N];
        size_t n_some = 0;
        for (uint32_t i = N; i-- > 0;)
            if (turn % (i + 2)) {
                which[n_some] = i;
                some[n_some++] = o.texts[i];
            }
        cr_assert_eq(smol_texts_next(tokens, some, n_some, NULL), SMOL_OK);
        for (size_t k = 0; k < n_some; k++) {
            const uint32_t i = which[k];
            cr_assert_eq(tokens[k], expected[i][n[i]], "text %u token %u", i, n[i]);
            n[i]++;
        }
    }
    close_texts(&o);
}

Test(several, each_goes_as_it_would_alone)
{
    check_prompts(&sliding, &two);
    check_prompts(&sliding, &fixed);
    check_prompts(&whole, &two);
    check_prompts(&whole, NULL);
}

/* A prompt is fed once; a text that is written already begins anew. */
static void check_copies(const struct model_recipe *recipe)
{
    const uint32_t prompt[] = {5, 6, 7};
    uint32_t expected[N_TOKENS], tokens[N];
    struct opened o;

    open_texts(&o, recipe, &two);
    cr_assert_eq(smol_text_append(o.texts[0], prompt, 3, NULL), SMOL_OK);
    cr_assert_eq(smol_text_feed(o.texts[0], NULL), SMOL_OK);
    for (uint64_t round = 0; round < 2; round++) {
        for (uint32_t i = 1; i < N; i++)
            cr_assert_eq(smol_text_copy(o.texts[i], o.texts[0], 10 * round + i, NULL), SMOL_OK);
        for (size_t n = 0; n < 20; n++)
            cr_assert_eq(smol_texts_next(tokens, o.texts + 1, N - 1, NULL), SMOL_OK);
        for (uint32_t i = 1; i < N; i++) {
            const size_t held = smol_text_count(o.texts[i]);
            continue_alone(expected, 20, &o, NULL, 10 * round + i, prompt, 3);
            cr_assert_geq(held, 8);
            cr_assert_arr_eq(smol_text_tokens(o.texts[i]) + held - 8, expected + 12,
                             8 * sizeof *expected, "round %u text %u", (unsigned)round, i);
        }
    }
    cr_assert_eq(smol_text_count(o.texts[0]), 3);
    close_texts(&o);
}

Test(several, a_copy_goes_on_by_itself)
{
    check_copies(&sliding);
    check_copies(&whole);
}

/* What one text's token has done to it is undone, of the others too, and their logits are made
 * again. */
static void check_overflow(const struct model_recipe *recipe)
{
    const uint32_t prompt[] = {5, 6, 7}, bad = 40;
    const float much = 3e38f;
    uint32_t expected[2][4], tokens[2];
    struct opened o;

    open_texts(&o, recipe, &two);
    memcpy((void *)(uintptr_t)(smol_model_file(o.model)->wte.data + bad * recipe->width * 4), &much,
           4);
    for (uint32_t i = 0; i < 2; i++) {
        continue_alone(expected[i], 4, &o, &two, 70 + i, prompt, 2 + i);
        cr_assert_eq(smol_text_append(o.texts[i], prompt, 2 + i, NULL), SMOL_OK);
    }
    cr_assert_eq(smol_texts_feed(o.texts, 2, NULL), SMOL_OK);
    cr_assert_eq(smol_text_append(o.texts[0], prompt, 1, NULL), SMOL_OK);
    cr_assert_eq(smol_text_append(o.texts[1], &bad, 1, NULL), SMOL_OK);
    cr_assert_eq(smol_texts_feed(o.texts, 2, NULL), SMOL_E_NUMERIC);
    for (uint32_t n = 0; n < 2; n++) { /* nor do further failures lose anything */
        cr_assert_eq(smol_text_append(o.texts[1], (uint32_t[]){256}, 1, NULL), SMOL_OK);
        cr_assert_eq(smol_texts_feed(o.texts, 2, NULL), SMOL_E_TOKEN);
    }
    for (uint32_t n = 0; n < 4; n++) {
        cr_assert_eq(smol_texts_next(tokens, o.texts, 2, NULL), SMOL_OK);
        for (uint32_t i = 0; i < 2; i++)
            cr_assert_eq(tokens[i], expected[i][n], "text %u token %u", i, n);
    }
    close_texts(&o);
}

Test(several, all_go_on_after_an_overflow)
{
    static const uint16_t features[] = {SMOL_FEATURE_OUTPUT_TABLE,
                                        SMOL_FEATURE_OUTPUT_TABLE | SMOL_FEATURE_DISTANCES,
                                        SMOL_ALL_FEATURES};

    for (size_t i = 0; i < 3; i++)
        check_overflow(&(struct model_recipe){.features = features[i], .width = 16, .n_heads = 2});
}

/* A text that is full has made room for what it cannot be fed then. */
Test(several, a_full_text_goes_on_after_a_wrong_token)
{
    uint32_t tokens[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, token;
    struct opened o;

    open_texts(&o, &whole, NULL);
    cr_assert_eq(smol_text_append(o.texts[0], tokens, 12, NULL), SMOL_OK);
    cr_assert_eq(smol_text_feed(o.texts[0], NULL), SMOL_OK);
    cr_assert_eq(smol_text_append(o.texts[0], (uint32_t[]){99}, 1, NULL), SMOL_OK);
    cr_assert_eq(smol_text_feed(o.texts[0], NULL), SMOL_E_TOKEN);
    cr_assert_eq(smol_text_next(&token, o.texts[0], NULL), SMOL_OK);
    cr_assert_eq(smol_text_count(o.texts[0]), 13);
    close_texts(&o);
}

Test(several, their_number_is_not_the_options)
{
    struct smol_session_options options = two;
    struct smol_text *texts[3];
    struct opened o;

    open_texts(&o, &sliding, &two);
    options.n_texts = SMOL_MAX_TEXTS + 1;
    for (size_t n = 1; n <= 3; n += 2) {
        cr_assert_eq(smol_texts_create(texts, n, o.model, &options, NULL, NULL), SMOL_OK);
        for (size_t i = 0; i < n; i++)
            smol_text_destroy(texts[i]);
    }
    close_texts(&o);
}

Test(several, wrong_calls_are_refused)
{
    struct opened o, other;
    struct smol_text *wrong[2], *made[1];
    uint32_t tokens[2] = {1, 99};

    open_texts(&o, &sliding, &two);
    open_texts(&other, &sliding, &two);
    cr_assert_eq(smol_texts_create(made, 0, o.model, NULL, NULL, NULL), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_texts_create(made, 4097, o.model, NULL, NULL, NULL), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_texts_next(tokens, o.texts, 0, NULL), SMOL_OK);
    cr_assert_eq(smol_texts_next(tokens, o.texts, 2, NULL), SMOL_E_ARGUMENT); /* empty */
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(smol_text_append(o.texts[i], tokens, 1, NULL), SMOL_OK);
        cr_assert_eq(smol_text_append(other.texts[i], tokens, 1, NULL), SMOL_OK);
    }
    wrong[0] = wrong[1] = o.texts[0];
    cr_assert_eq(smol_texts_next(tokens, wrong, 2, NULL), SMOL_E_ARGUMENT);
    wrong[1] = other.texts[0];
    cr_assert_eq(smol_texts_feed(wrong, 2, NULL), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_text_copy(o.texts[0], other.texts[0], 1, NULL), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_text_copy(o.texts[0], o.texts[0], 1, NULL), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_text_append(o.texts[1], (uint32_t[]){99}, 1, NULL), SMOL_OK);
    cr_assert_eq(smol_texts_feed(o.texts, 2, NULL), SMOL_E_TOKEN); /* of one, and none is fed */
    cr_assert_eq(smol_text_count(o.texts[0]) + smol_text_count(o.texts[1]), 0);
    close_texts(&other);
    close_texts(&o);
}
