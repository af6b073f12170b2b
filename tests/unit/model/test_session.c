/* Running a model: the bits do not depend on threads, batches or splits, and the numbers are those
 * of an independent forward pass in double over the exact weights. SPEC.md 7 and 8. */
#include "model/running.h"
#include "model/slow.h"

#include <math.h>
#include <smol/session.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct model_recipe recipes[] = {
    {.wte_type = SMOL_Q8, .wpe_type = SMOL_Q8},
    {.source = SMOL_MATRIX_OWN,
     .alpha_type = SMOL_F16,
     .width = 65,
     .n_heads = 5,
     .n_ff = 131,
     .vocab = 257,
     .wte_type = SMOL_Q8},
    {.source = SMOL_MATRIX_SHARED,
     .dist = SMOL_GAUSS,
     .d = 9,
     .width = 15,
     .n_heads = 3,
     .n_ff = 7,
     .norms = SMOL_NORM_OWN},
    {.rank = 3,
     .value_type = SMOL_F16,
     .norms = SMOL_NORM_STORED,
     .width = 130,
     .n_heads = 2,
     .n_ff = 64,
     .wte_type = SMOL_F16},
    {.source = SMOL_MATRIX_OWN,
     .d = 64,
     .rank = 17,
     .width = 1,
     .n_heads = 1,
     .n_ff = 3,
     .vocab = 11},
    {.source = SMOL_MATRIX_OWN,
     .dist = SMOL_GAUSS,
     .d = 8,
     .n_layers = 5,
     .width = 64,
     .n_heads = 4},
    {.source = SMOL_MATRIX_OWN,
     .alpha_type = SMOL_Q8_BLOCKS,
     .rank = 3,
     .value_type = SMOL_Q8_BLOCKS,
     .norms = SMOL_NORM_STORED,
     .width = 33,
     .n_heads = 3},
    {.rank = 2,
     .value_type = SMOL_F16,
     .terms = SMOL_TERM_GAINS | SMOL_TERM_BIASES,
     .width = 70,
     .n_heads = 5,
     .n_ff = 67},
    {.source = SMOL_MATRIX_FASTFOOD_SHARED,
     .dimensions = 90,
     .value_type = SMOL_Q8_BLOCKS,
     .terms = SMOL_TERM_GAINS | SMOL_TERM_LAYER_GAIN,
     .width = 30,
     .n_heads = 3},
    {.source = SMOL_MATRIX_NOLA,
     .d = 9,
     .rank = 67,
     .alpha_type = SMOL_F16,
     .terms = SMOL_TERM_BIASES,
     .width = 33,
     .n_heads = 3},
    {.rank = 2,
     .value_type = SMOL_F16,
     .dimensions = 33,
     .terms = SMOL_TERM_SPARSE,
     .width = 70,
     .n_heads = 5,
     .n_ff = 67},
    {.source = SMOL_MATRIX_OWN,
     .value_type = SMOL_Q8_BLOCKS,
     .dimensions = 17,
     .terms = SMOL_TERM_SPARSE | SMOL_TERM_GAINS,
     .width = 70,
     .n_heads = 5,
     .n_ff = 67},
    {.source = SMOL_MATRIX_FASTFOOD,
     .dimensions = 100,
     .rank = 2,
     .width = 33,
     .n_heads = 3,
     .n_ff = 50},
    {.source = SMOL_MATRIX_FASTFOOD,
     .dimensions = 130,
     .alpha_type = SMOL_Q8_BLOCKS,
     .norms = SMOL_NORM_OWN,
     .width = 30,
     .n_heads = 3},
    {.source = SMOL_MATRIX_FASTFOOD_SHARED,
     .dimensions = 700,
     .alpha_type = SMOL_F16,
     .width = 30,
     .n_heads = 3,
     .wte_type = SMOL_Q8},
    {.source = SMOL_MATRIX_FOURIER,
     .dimensions = 100,
     .alpha_type = SMOL_F16,
     .width = 33,
     .n_heads = 3,
     .n_ff = 50},
    {.source = SMOL_MATRIX_OWN,
     .d = 5,
     .width = 100,
     .n_heads = 4,
     .vocab = 300,
     .wte_type = SMOL_Q4,
     .wpe_type = SMOL_Q4},
    {.width = 22, .n_heads = 2, .vocab = 66, .wte_type = SMOL_Q4_ROW, .wpe_type = SMOL_Q4_ROW},
};
#define N_RECIPES (sizeof recipes / sizeof recipes[0])
#define N_TOKENS 12u

static void fill_tokens(uint32_t tokens[N_TOKENS], uint32_t vocab)
{
    uint64_t random = 77;

    for (uint32_t i = 0; i < N_TOKENS; i++)
        tokens[i] = test_random(&random) % vocab;
}

Test(session, logits_are_those_of_a_forward_pass_in_double)
{
    for (size_t i = 0; i < N_RECIPES; i++) {
        struct running r;
        uint32_t tokens[N_TOKENS];
        char what[32];
        double *logits;

        start(&r, &recipes[i], 1, 0);
        fill_tokens(tokens, r.file.config.vocab);
        logits = slow_logits(&r.file, tokens, 4, r.file.config.context);
        snprintf(what, sizeof what, "recipe %zu", i);
        for (uint32_t p = 0; p < 4; p++) {
            cr_assert_eq(smol_session_feed(r.session, &tokens[p], 1, NULL), SMOL_OK);
            assert_close(smol_session_logits(r.session), logits + p * r.file.config.vocab,
                         r.file.config.vocab, what, p);
        }
        free(logits);
        finish(&r);
    }
}

Test(session, bits_do_not_depend_on_threads_batches_or_splits)
{
    static const uint32_t threads[] = {1, 2, 3, 7}, batches[] = {0, 1, 2, 5};

    for (size_t i = 0; i < N_RECIPES; i++) {
        uint32_t tokens[N_TOKENS];
        float *expected = NULL;
        /* Under the sanitizers each number of threads and each size of batches once. */
        for (size_t k = 0; k < 16; k += test_is_sanitized() ? 5 : 1) {
            struct running r;
            size_t fed = 0, size;
            start(&r, &recipes[i], threads[k % 4], batches[k / 4]);
            fill_tokens(tokens, r.file.config.vocab);
            /* Splits 1, 2, 3, ... tokens for odd k; all at once for even k. */
            for (size_t n = k % 2 ? 1 : N_TOKENS; fed < N_TOKENS; n++) {
                const size_t m = n < N_TOKENS - fed ? n : N_TOKENS - fed;
                cr_assert_eq(smol_session_feed(r.session, tokens + fed, m, NULL), SMOL_OK);
                fed += m;
            }
            size = r.file.config.vocab * sizeof(float);
            if (!expected) {
                expected = malloc(size);
                memcpy(expected, smol_session_logits(r.session), size);
            }
            cr_assert_arr_eq(smol_session_logits(r.session), expected, size,
                             "recipe %zu variant %zu", i, k);
            finish(&r);
        }
        free(expected);
    }
}

/* So many that threads share them out. */
Test(session, bits_of_many_positions_do_not_depend_on_threads)
{
    static const struct model_recipe recipe = {.source = SMOL_MATRIX_OWN,
                                               .d = 5,
                                               .width = 132,
                                               .n_heads = 4,
                                               .context = 150,
                                               .vocab = 66,
                                               .wte_type = SMOL_Q8};
    enum { MANY = 150 };
    uint32_t tokens[MANY];
    float expected[66];
    uint64_t random = 5;

    for (uint32_t i = 0; i < MANY; i++)
        tokens[i] = test_random(&random) % 66;
    for (uint32_t k = 0; k < 6; k++) {
        struct running r;
        start(&r, &recipe, 1 + k % 2, k < 2 ? 5 : k < 4 ? 128 : MANY);
        cr_assert_eq(smol_session_feed(r.session, tokens, MANY, NULL), SMOL_OK);
        if (k == 0)
            memcpy(expected, smol_session_logits(r.session), sizeof expected);
        cr_assert_arr_eq(smol_session_logits(r.session), expected, sizeof expected, "variant %u",
                         k);
        finish(&r);
    }
}

Test(session, a_rewound_session_computes_the_same_again)
{
    struct running r;
    uint32_t tokens[N_TOKENS];
    float first[256];

    start(&r, &recipes[0], 2, 0);
    fill_tokens(tokens, 256);
    cr_assert_eq(smol_session_feed(r.session, tokens, 9, NULL), SMOL_OK);
    memcpy(first, smol_session_logits(r.session), sizeof first);
    smol_session_rewind(r.session, 4);
    cr_assert_null(smol_session_logits(r.session));
    cr_assert_eq(smol_session_position(r.session), 4);
    cr_assert_eq(smol_session_feed(r.session, tokens + 4, 5, NULL), SMOL_OK);
    cr_assert_arr_eq(smol_session_logits(r.session), first, sizeof first);
    finish(&r);
}

Test(session, what_does_not_fit_changes_nothing)
{
    struct running r;
    struct smol_error error;
    uint32_t tokens[N_TOKENS + 1] = {0};

    start(&r, &recipes[0], 1, 0);
    cr_assert_eq(smol_session_feed(r.session, tokens, N_TOKENS + 1, &error), SMOL_E_CONTEXT);
    cr_assert_eq(smol_session_position(r.session), 0);
    tokens[3] = 256;
    cr_assert_eq(smol_session_feed(r.session, tokens, 4, &error), SMOL_E_TOKEN);
    cr_assert_eq(smol_session_position(r.session), 0);
    cr_assert_eq(smol_session_feed(r.session, tokens, 0, &error), SMOL_OK);
    cr_assert_null(smol_session_logits(r.session));
    finish(&r);
}

/* log(sum exp) - logit from the logits themselves, in double by libm. */
Test(session, scores_are_losses_of_the_logits)
{
    const uint32_t vocab = 257;
    struct running r;
    uint32_t tokens[N_TOKENS];
    double nats[N_TOKENS];
    float last[257];

    start(&r, &recipes[1], 2, 5);
    fill_tokens(tokens, r.file.config.vocab);
    cr_assert_eq(smol_session_score(r.session, nats, tokens, &vocab, 1, NULL), SMOL_E_TOKEN);
    cr_assert_eq(smol_session_position(r.session), 0);
    cr_assert_eq(smol_session_score(r.session, nats, tokens, tokens + 1, N_TOKENS - 1, NULL),
                 SMOL_OK);
    memcpy(last, smol_session_logits(r.session), sizeof last);
    smol_session_rewind(r.session, 0);
    for (uint32_t i = 0; i + 1 < N_TOKENS; i++) {
        double sum = 0;
        const float *logits;
        cr_assert_eq(smol_session_feed(r.session, &tokens[i], 1, NULL), SMOL_OK);
        logits = smol_session_logits(r.session);
        for (uint32_t v = 0; v < r.file.config.vocab; v++)
            sum += exp((double)logits[v]);
        cr_assert_float_eq(nats[i], log(sum) - (double)logits[tokens[i + 1]], 1e-5);
    }
    cr_assert_arr_eq(smol_session_logits(r.session), last, sizeof last);
    finish(&r);
}

/* A session of a shorter context computes the same, and holds no more. */
Test(session, may_have_a_shorter_context)
{
    const struct smol_session_options options = {.struct_bytes = sizeof options, .context = 3};
    struct smol_session *session;
    uint32_t tokens[N_TOKENS];
    struct running r;
    void *memory;
    size_t size;

    start(&r, &recipes[0], 1, 0);
    fill_tokens(tokens, 256);
    cr_assert_eq(smol_session_size(&size, &r.file, &options, NULL), SMOL_OK);
    memory = aligned_alloc(64, (size + 63) / 64 * 64);
    cr_assert_eq(smol_session_init(&session, &r.file, &options, memory, size, NULL), SMOL_OK);
    cr_assert_eq(smol_session_context(session), 3);
    cr_assert_eq(smol_session_feed(session, tokens, 4, NULL), SMOL_E_CONTEXT);
    cr_assert_eq(smol_session_feed(session, tokens, 3, NULL), SMOL_OK);
    cr_assert_eq(smol_session_feed(session, tokens, 1, NULL), SMOL_E_CONTEXT);
    cr_assert_eq(smol_session_position(session), 3);
    cr_assert_eq(smol_session_feed(r.session, tokens, 3, NULL), SMOL_OK);
    cr_assert_arr_eq(smol_session_logits(session), smol_session_logits(r.session),
                     256 * sizeof(float));
    smol_session_finish(session);
    free(memory);
    finish(&r);
}

Test(session, options_are_checked)
{
    struct smol_file file;
    struct smol_error error;
    struct smol_session *session;
    _Alignas(64) uint8_t memory[64];
    size_t size;

    model_open(&file, &recipes[0]);
    cr_assert_eq(
        smol_session_size(&size, &file,
                          &(struct smol_session_options){
                              .struct_bytes = sizeof(struct smol_session_options), .context = 13},
                          &error),
        SMOL_E_ARGUMENT);
    cr_assert_eq(smol_session_size(
                     &size, &file,
                     &(struct smol_session_options){
                         .struct_bytes = sizeof(struct smol_session_options), .n_threads = 257},
                     &error),
                 SMOL_E_ARGUMENT);
    cr_assert_eq(smol_session_init(&session, &file, NULL, memory, sizeof memory, &error),
                 SMOL_E_ARGUMENT);
    smol_session_finish(NULL);
    free((void *)(uintptr_t)file.bytes.data);
}
