/* Running architecture 1, masks and stored matrices: the numbers are those of an independent
 * forward pass in double over the whole text, each feature by itself and all together, far past the
 * context; the bits depend on nothing. SPEC.md 8. */
#include "model/running.h"
#include "model/slow.h"

#define N_TOKENS 45u

#define DISTANCES SMOL_FEATURE_DISTANCES
#define ALL_BUT(feature) (SMOL_ALL_FEATURES & ~(unsigned)(feature))

static const struct model_recipe recipes[] = {
    {.features = DISTANCES, .context = 7},
    {.features = DISTANCES, .context = 7, .n_heads = 1, .width = 5},
    {.features = DISTANCES | SMOL_FEATURE_SLOPE_FACTORS, .context = 7, .n_heads = 4},
    {.features = SMOL_FEATURE_TEMPERATURES, .context = N_TOKENS},
    {.features = SMOL_FEATURE_HALF_SHIFT, .context = N_TOKENS, .width = 15, .n_heads = 3},
    {.features = SMOL_FEATURE_RELU2, .context = N_TOKENS},
    {.features = SMOL_FEATURE_OUTPUT_TABLE, .context = N_TOKENS, .output_type = SMOL_F16},
    {.features = SMOL_ALL_FEATURES,
     .context = 11,
     .width = 140, /* more pairs than a byte, more columns than a step */
     .n_heads = 5,
     .head_type = SMOL_F16,
     .norms = SMOL_NORM_STORED,
     .source = SMOL_MATRIX_MASK,
     .value_type = SMOL_F16,
     .terms = SMOL_TERM_GAINS,
     .wte_type = SMOL_Q8,
     .output_type = SMOL_Q4},
    {.features = SMOL_ALL_FEATURES,
     .context = 1,
     .head_type = SMOL_Q8_BLOCKS,
     .output_type = SMOL_TERNARY},
    {.features = SMOL_ALL_FEATURES,
     .context = 2,
     .wte_type = SMOL_TERNARY,
     .width = 33,
     .n_heads = 3},
    {.features = SMOL_ALL_FEATURES,
     .context = 3,
     .wte_type = SMOL_Q4_ROW,
     .output_type = SMOL_Q4_ROW,
     .width = 135,
     .n_heads = 3},
    {.features = ALL_BUT(DISTANCES | SMOL_FEATURE_SLOPE_FACTORS | SMOL_FEATURE_HISTORY),
     .context = N_TOKENS},
    {.features = DISTANCES | SMOL_FEATURE_HISTORY, .context = 7},
    {.features = DISTANCES | SMOL_FEATURE_HISTORY,
     .context = 5,
     .vocab = 258, /* the fewest whose lengths begin at 1 */
     .n_merges = 1,
     .n_layers = 1},
    {.features = ALL_BUT(SMOL_FEATURE_HALF_SHIFT),
     .context = 9,
     .vocab = 70,
     .has_set = true,
     .has_other = true},
    {.source = SMOL_MATRIX_MASK, .context = N_TOKENS, .width = 70, .n_heads = 5, .n_ff = 67},
    {.source = SMOL_MATRIX_MASK,
     .context = N_TOKENS,
     .rank = 2,
     .value_type = SMOL_F16,
     .dimensions = 33,
     .terms = SMOL_TERM_SPARSE | SMOL_TERM_GAINS | SMOL_TERM_BIASES,
     .width = 70,
     .n_heads = 5},
    {.source = SMOL_MATRIX_STORED,
     .alpha_type = SMOL_F32,
     .context = N_TOKENS,
     .width = 33,
     .n_heads = 3},
    {.source = SMOL_MATRIX_STORED,
     .alpha_type = SMOL_F16,
     .context = N_TOKENS,
     .width = 33,
     .n_heads = 3},
    {.source = SMOL_MATRIX_STORED,
     .alpha_type = SMOL_Q8,
     .context = N_TOKENS,
     .width = 33,
     .n_heads = 3},
    {.source = SMOL_MATRIX_STORED,
     .alpha_type = SMOL_Q4,
     .context = N_TOKENS,
     .width = 33,
     .n_heads = 3},
    {.source = SMOL_MATRIX_STORED,
     .alpha_type = SMOL_TERNARY,
     .context = N_TOKENS,
     .width = 33,
     .n_heads = 3},
    {.source = SMOL_MATRIX_STORED,
     .alpha_type = SMOL_TERNARY,
     .context = N_TOKENS,
     .rank = 2,
     .value_type = SMOL_Q8_BLOCKS,
     .dimensions = 33,
     .terms = SMOL_TERM_SPARSE | SMOL_TERM_GAINS | SMOL_TERM_BIASES,
     .width = 70,
     .n_heads = 5,
     .n_ff = 203},
    {.source = SMOL_MATRIX_STORED,
     .alpha_type = SMOL_F16,
     .features = SMOL_ALL_FEATURES,
     .context = 16,
     .rank = 1,
     .terms = SMOL_TERM_GAINS,
     .n_layers = 1,
     .width = 60,
     .n_heads = 2},
    {.source = SMOL_MATRIX_OWN, .d = 12, .features = SMOL_ALL_FEATURES, .context = 16},
    {.source = SMOL_MATRIX_FASTFOOD,
     .dimensions = 100,
     .features = SMOL_ALL_FEATURES,
     .context = 16},
};
#define N_RECIPES (sizeof recipes / sizeof recipes[0])

static void fill_tokens(uint32_t tokens[N_TOKENS], uint32_t vocab)
{
    uint64_t random = 77;

    test_text(tokens, N_TOKENS, vocab, &random);
}

static void feed(struct smol_session *session, const uint32_t *tokens, size_t n)
{
    struct smol_error error = {0};

    cr_assert_eq(smol_session_feed(session, tokens, n, &error), SMOL_OK, "%s", error.text);
}

Test(architecture, logits_are_those_of_a_forward_pass_in_double)
{
    for (size_t i = 0; i < N_RECIPES; i++) {
        struct running r;
        uint32_t tokens[N_TOKENS];
        char what[32];
        double *logits;

        start(&r, &recipes[i], 1, 0);
        fill_tokens(tokens, r.file.config.vocab);
        logits = slow_logits(&r.file, tokens, N_TOKENS, r.file.config.context);
        snprintf(what, sizeof what, "recipe %zu", i);
        for (uint32_t p = 0; p < N_TOKENS; p++) {
            feed(r.session, &tokens[p], 1);
            assert_close(smol_session_logits(r.session), logits + p * r.file.config.vocab,
                         r.file.config.vocab, what, p);
        }
        free(logits);
        finish(&r);
    }
}

/* Every token's logits, the text fed 1, 2, 3, ... tokens at a time, or all at once with step 0: of
 * these only the last. (N_TOKENS, V), for free(). */
static float *logits_of(const struct model_recipe *recipe,
                        const struct smol_session_options *options, size_t step)
{
    uint32_t tokens[N_TOKENS];
    float *logits;
    struct running r;
    size_t V;

    model_open(&r.file, recipe);
    begin_options(&r, options);
    V = r.file.config.vocab;
    logits = calloc(N_TOKENS * V, sizeof *logits);
    fill_tokens(tokens, (uint32_t)V);
    for (size_t fed = 0, n = step ? 1 : N_TOKENS; fed < N_TOKENS; n += step) {
        n = n < N_TOKENS - fed ? n : N_TOKENS - fed;
        feed(r.session, tokens + fed, n);
        fed += n;
        memcpy(logits + (fed - 1) * V, smol_session_logits(r.session), V * sizeof *logits);
    }
    finish(&r);
    return logits;
}

/* Wherever both have them. */
static void assert_same(const float *a, const float *b, size_t V, const char *what)
{
    for (size_t p = 0; p < N_TOKENS; p++)
        if (a[p * V] != 0 && b[p * V] != 0)
            cr_assert_arr_eq(a + p * V, b + p * V, V * sizeof *a, "%s, position %zu", what, p);
}

/* What sessions with these options compute, threads and batches and splits apart, is the same. */
static void check_bits(const struct smol_session_options *options, size_t n_variants,
                       const char *kind)
{
    static const uint32_t threads[] = {1, 3, 7}, batches[] = {1, 2, 5, 64, 0};

    for (size_t i = 0; i < N_RECIPES; i++) {
        const uint32_t V = recipes[i].vocab ? recipes[i].vocab : 256;
        struct smol_session_options o = *options;
        char what[64];
        float *expected, *got;

        o.batch = 1;
        expected = logits_of(&recipes[i], &o, 1);
        for (size_t k = 0; k < n_variants; k += test_is_sanitized() ? 2 : 1) {
            o.n_threads = threads[k % 3];
            o.batch = batches[k % 5];
            got = logits_of(&recipes[i], &o, k % 4);
            snprintf(what, sizeof what, "%s, recipe %zu, variant %zu", kind, i, k);
            assert_same(got, expected, V, what);
            free(got);
        }
        free(expected);
    }
}

Test(architecture, bits_do_not_depend_on_threads_batches_or_splits)
{
    check_bits(&(struct smol_session_options){.struct_bytes = sizeof(struct smol_session_options)},
               8, "f32");
}

Test(architecture, a_smaller_cache_does_not_change_that)
{
    check_bits(&(struct smol_session_options){.struct_bytes = sizeof(struct smol_session_options),
                                              .kv_type = SMOL_F16},
               3, "f16");
    check_bits(&(struct smol_session_options){.struct_bytes = sizeof(struct smol_session_options),
                                              .kv_type = SMOL_Q8},
               3, "q8");
}

/* Memory in which signs are kept. */
Test(architecture, kept_signs_change_no_bit)
{
    const struct smol_session_options plain = {.struct_bytes = sizeof plain},
                                      roomy = {.struct_bytes = sizeof roomy,
                                               .memory_bytes = 1 << 28};

    for (size_t i = 0; i < N_RECIPES; i++) {
        float *a = logits_of(&recipes[i], &plain, 3), *b = logits_of(&recipes[i], &roomy, 2);
        assert_same(a, b, recipes[i].vocab ? recipes[i].vocab : 256, "kept");
        free(a);
        free(b);
    }
}

/* A smaller window than the model was trained with. */
Test(architecture, positions_see_as_far_as_the_context_in_use)
{
    const struct smol_session_options options = {.struct_bytes = sizeof options, .context = 4};
    struct running r;
    uint32_t tokens[N_TOKENS];
    double *logits;

    model_open(&r.file, &recipes[7]);
    begin_options(&r, &options);
    fill_tokens(tokens, r.file.config.vocab);
    logits = slow_logits(&r.file, tokens, N_TOKENS, 4);
    feed(r.session, tokens, N_TOKENS);
    cr_assert_eq(smol_session_position(r.session), N_TOKENS);
    cr_assert_eq(smol_session_context(r.session), 4);
    assert_close(smol_session_logits(r.session), logits + (N_TOKENS - 1) * r.file.config.vocab,
                 r.file.config.vocab, "a context of 4", N_TOKENS - 1);
    free(logits);
    finish(&r);
}

Test(architecture, a_fixed_session_ends_at_the_context)
{
    const struct smol_session_options options = {.struct_bytes = sizeof options, .is_fixed = true};
    struct running fixed, sliding;
    uint32_t tokens[N_TOKENS];

    model_open(&fixed.file, &recipes[7]);
    begin_options(&fixed, &options);
    start(&sliding, &recipes[7], 1, 0);
    fill_tokens(tokens, fixed.file.config.vocab);
    feed(fixed.session, tokens, 11);
    feed(sliding.session, tokens, 11);
    cr_assert_arr_eq(smol_session_logits(fixed.session), smol_session_logits(sliding.session),
                     fixed.file.config.vocab * sizeof(float));
    cr_assert_eq(smol_session_feed(fixed.session, tokens, 1, NULL), SMOL_E_CONTEXT);
    cr_assert_eq(smol_session_position(fixed.session), 11);
    finish(&fixed);
    finish(&sliding);
}

/* Its second text begins with nothing before it. */
Test(architecture, a_session_that_is_rewound_begins_anew)
{
    for (size_t i = 0; i < N_RECIPES; i++) {
        struct running r;
        uint32_t tokens[N_TOKENS];
        float *first;
        size_t size;

        start(&r, &recipes[i], 1, 0);
        fill_tokens(tokens, r.file.config.vocab);
        size = r.file.config.vocab * sizeof *first;
        first = malloc(size);
        feed(r.session, tokens, 20);
        memcpy(first, smol_session_logits(r.session), size);
        feed(r.session, tokens, N_TOKENS - 20);
        cr_assert_eq(smol_session_rewind(r.session, 0), 0);
        feed(r.session, tokens, 20);
        cr_assert_arr_eq(smol_session_logits(r.session), first, size, "recipe %zu", i);
        free(first);
        finish(&r);
    }
}

/* With what a session keeps it goes back to a position, or else to the start. */
Test(architecture, a_rewound_session_says_where_it_is)
{
    const struct model_recipe shifts = {.features = SMOL_FEATURE_HALF_SHIFT},
                              slides = {.features = DISTANCES, .context = 4};
    uint32_t tokens[N_TOKENS];
    float expected[256];
    struct running r;

    fill_tokens(tokens, 256);
    start(&r, &shifts, 1, 0);
    feed(r.session, tokens, 6);
    cr_assert_eq(smol_session_rewind(r.session, 6), 6);
    cr_assert_eq(smol_session_rewind(r.session, 5), 0);
    cr_assert_eq(smol_session_position(r.session), 0);
    finish(&r);
    start(&r, &slides, 1, 0);
    feed(r.session, tokens, 3);
    memcpy(expected, smol_session_logits(r.session), sizeof expected);
    cr_assert_eq(smol_session_rewind(r.session, 2), 2);
    feed(r.session, tokens + 2, 1);
    cr_assert_arr_eq(smol_session_logits(r.session), expected, sizeof expected);
    feed(r.session, tokens + 3, 30);
    cr_assert_eq(smol_session_rewind(r.session, 20), 0);
    finish(&r);
}

/* Rows that a sliding cache still has serve a rewound session too. */
Test(architecture, a_rewind_past_the_context_is_exact_or_total)
{
    uint32_t tokens[N_TOKENS];
    float *expected = logits_of(
        &recipes[0],
        &(struct smol_session_options){.struct_bytes = sizeof(struct smol_session_options)}, 0);

    fill_tokens(tokens, 256);
    for (uint32_t back = 0; back < 20; back++) {
        struct running r;
        uint32_t position;
        start(&r, &recipes[0], 1, 3);
        feed(r.session, tokens, 30);
        position = smol_session_rewind(r.session, 30 - back);
        cr_assert(position == 0 || position == 30 - back);
        feed(r.session, tokens + position, N_TOKENS - position);
        cr_assert_arr_eq(smol_session_logits(r.session), expected + (N_TOKENS - 1) * 256, 1024,
                         "%u tokens back", back);
        finish(&r);
    }
    free(expected);
}

/* Losses over a text without end are those of its logits. */
Test(architecture, a_text_without_end_is_scored)
{
    struct running r;
    uint32_t tokens[N_TOKENS];
    double nats[N_TOKENS], *logits;

    start(&r, &recipes[7], 2, 5);
    fill_tokens(tokens, r.file.config.vocab);
    logits = slow_logits(&r.file, tokens, N_TOKENS, 11);
    cr_assert_eq(smol_session_score(r.session, nats, tokens, tokens + 1, N_TOKENS - 1, NULL),
                 SMOL_OK);
    for (uint32_t p = 0; p + 1 < N_TOKENS; p++) {
        double sum = 0;
        for (uint32_t v = 0; v < r.file.config.vocab; v++)
            sum += exp(logits[p * r.file.config.vocab + v]);
        cr_assert_float_eq(nats[p], log(sum) - logits[p * r.file.config.vocab + tokens[p + 1]],
                           1e-3);
    }
    free(logits);
    finish(&r);
}
