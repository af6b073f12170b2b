/* Trainers of architecture smol, of masks and of stored matrices, as test_train_trainer.c has those
 * of older methods; and that the runtime computes what they evaluate. */
#include "train/trainers.h"

#include <criterion/criterion.h>
#include <smol/model.h>
#include <stdlib.h>

/* What a case has besides a method and an architecture; zeros leave the defaults. */
struct variant {
    const char *method;
    bool gpt2, no_gains, gains, bias, learn_scale;
    uint16_t features; /* instead of all */
    enum smol_dtype matrix_type, embedding_type, param_type;
    uint32_t rank;
    double sparse;
    double dropout;
    double rounded; /* share of the steps with rounding */
    const char *rules;
};

static const struct variant variants[] = {
    {.method = "embed"},
    {.method = "mask"},
    {.method = "mask", .gpt2 = true},
    {.method = "mask", .no_gains = true, .bias = true},
    {.method = "mask", .rank = 2, .sparse = 0.3, .param_type = SMOL_Q8_BLOCKS, .rounded = 0.5},
    {.method = "mask", .embedding_type = SMOL_Q4, .rounded = 0.5},
    {.method = "mask", .embedding_type = SMOL_TERNARY, .rounded = 1},
    {.method = "mask", .embedding_type = SMOL_F16, .features = SMOL_FEATURE_DISTANCES},
    {.method = "mask", .features = SMOL_FEATURE_TEMPERATURES},
    {.method = "mask", .features = SMOL_FEATURE_HALF_SHIFT},
    {.method = "mask", .features = SMOL_FEATURE_RELU2},
    {.method = "mask", .features = SMOL_FEATURE_OUTPUT_TABLE},
    {.method = "ternary"},
    {.method = "ternary", .gpt2 = true},
    {.method = "ternary", .gains = true, .rank = 2, .sparse = 0.3, .bias = true},
    {.method = "full", .matrix_type = SMOL_Q4, .rounded = 0.5},
    {.method = "full", .matrix_type = SMOL_Q8, .gpt2 = true, .rounded = 1},
    {.method = "full", .matrix_type = SMOL_F16},
    {.method = "full", .matrix_type = SMOL_F32, .gpt2 = true},
    {.method = "full", .matrix_type = SMOL_TERNARY},
    {.method = "lora", .param_type = SMOL_Q8_BLOCKS, .rounded = 0.5},
    {.method = "alpha", .gains = true},
    {.method = "mask", .dropout = 0.1, .embedding_type = SMOL_Q4, .rounded = 0.5},
    {.method = "alpha", .gpt2 = true, .learn_scale = true},
    {.method = "mask", .embedding_type = SMOL_Q4_ROW, .rounded = 0.5},
    {.method = "embed", .gpt2 = true, .embedding_type = SMOL_Q4_ROW},
    {.method = "mask",
     .rounded = 0.5,
     .rules = "[{\"tensors\": \"*c_fc\", \"method\": \"ternary\"},"
              " {\"tensors\": \"h.0.attn.c_proj\", \"method\": \"full\", \"matrix-type\": \"q4\"},"
              " {\"tensors\": \"h.1.attn.*\", \"method\": \"embed\"}]"},
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static struct smol_train_options options_of(const struct variant *v)
{
    struct smol_train_options o;
    struct smol_error error;

    cr_assert(smol_train_defaults(&o, sizeof o, v->method));
    if (!v->gpt2)
        smol_train_use(&o, SMOL_ARCH_SMOL);
    o.n_layers = 2;
    o.width = 24;
    o.n_heads = 3;
    o.context = 20;
    o.batch = 4;
    o.n_steps = 12;
    o.gains = (o.gains || v->gains) && !v->no_gains;
    o.bias = v->bias;
    o.learn_logit_scale = o.learn_logit_scale || v->learn_scale;
    o.features = v->features != 0 ? v->features : o.features;
    o.matrix_type = o.full ? v->matrix_type : o.matrix_type;
    o.embedding_type = v->embedding_type != 0 ? v->embedding_type : o.embedding_type;
    o.param_type = v->param_type != 0 ? v->param_type : o.param_type;
    o.rank = v->rank > 0 ? v->rank : o.rank;
    o.sparse = v->sparse;
    o.dropout = v->dropout;
    o.qat_start = 1 - v->rounded;
    if (v->rules)
        cr_assert_eq(smol_train_rules(&o, v->rules, strlen(v->rules), &error), SMOL_OK, "%s",
                     error.text);
    return o;
}

Test(train_smol, learns)
{
    for (size_t i = 0; i < N_VARIANTS; i++) {
        struct smol_train_options o = options_of(variants + i);
        struct smol_trainer *t;

        o.n_steps = 60;
        t = create(&o);
        cr_assert_float_eq(steps(t, 1), log(256), 0.4, "variant %zu", i);
        cr_assert_lt(steps(t, 60), log(256) - 1.5, "variant %zu", i);
        smol_trainer_destroy(t);
    }
}

Test(train_smol, the_number_of_threads_changes_nothing)
{
    for (size_t i = 0; i < N_VARIANTS; i++) {
        struct smol_train_options o = options_of(variants + i);
        struct smol_trainer *one = create(&o), *three;

        o.n_threads = 3;
        three = create(&o);
        end_alike(one, three, 8, false, i);
    }
}

/* Saved before, at and after the step from which numbers are rounded. */
Test(train_smol, goes_on_to_the_same_numbers)
{
    for (size_t i = 0; i < 3 * N_VARIANTS; i++) {
        const uint32_t at[] = {5, 6, 9};
        struct smol_train_options o = options_of(variants + i / 3);
        struct smol_trainer *whole, *rest;
        uint8_t *bytes;
        size_t size;

        o.keep_best = true;
        whole = create(&o);
        steps(whole, 4);
        evaluate(whole);
        steps(whole, at[i % 3]);
        cr_assert_eq(smol_trainer_save(&bytes, &size, whole, NULL), SMOL_OK);
        rest = create(&o);
        cr_assert_eq(smol_trainer_load(rest, bytes, size, NULL), SMOL_OK);
        cr_assert(evaluate(whole) == evaluate(rest), "variant %zu", i / 3);
        free(bytes);
        end_alike(whole, rest, 12, true, i / 3);
    }
}

/* In windows, the text for validation by itself. */
static double runtime_score(const uint8_t *bytes, size_t size, size_t n_train)
{
    const struct smol_session_options windows = {.struct_bytes = sizeof windows, .is_fixed = true};
    struct smol_model *model;
    struct smol_score score;
    struct smol_error error;

    cr_assert_eq(smol_model_open_memory(&model, bytes, size, 1, &error), SMOL_OK, "%s", error.text);
    cr_assert_eq(
        smol_model_score(&score, model, &windows, text + n_train, TEXT_BYTES - n_train, &error),
        SMOL_OK, "%s", error.text);
    smol_model_close(model);
    return score.nats_per_token;
}

/* What a file will take is known from the options alone. */
Test(train_smol, sizes_of_files_are_known_before)
{
    static const char card[] = "{\"a\": 1}";

    for (size_t i = 0; i < N_VARIANTS; i++)
        for (size_t card_bytes = 0; card_bytes < sizeof card; card_bytes += sizeof card - 1) {
            struct smol_train_options o = options_of(variants + i);
            struct smol_trainer *t = create(&o);
            struct smol_error error;
            uint64_t expected;
            uint8_t *bytes;
            size_t size;

            cr_assert_eq(smol_train_file_size(&expected, &o, NULL, card_bytes, &error), SMOL_OK,
                         "%s", error.text);
            cr_assert_eq(smol_trainer_finish(t, &error), SMOL_OK, "%s", error.text);
            cr_assert_eq(smol_trainer_model(&bytes, &size, t, card, card_bytes, &error), SMOL_OK,
                         "%s", error.text);
            cr_assert_eq(size, expected, "variant %zu: %zu, not %lu", i, size,
                         (unsigned long)expected);
            smol_trainer_destroy(t);
            free(bytes);
        }
}

Test(train_smol, evaluates_what_the_runtime_computes)
{
    for (size_t i = 0; i < N_VARIANTS; i++) {
        struct smol_train_options o = options_of(variants + i);
        struct smol_trainer *t = create(&o);
        struct smol_error error;
        double expected;
        uint8_t *bytes;
        size_t size;

        steps(t, 12);
        cr_assert_eq(smol_trainer_finish(t, &error), SMOL_OK, "%s", error.text);
        cr_assert_eq(smol_trainer_model(&bytes, &size, t, NULL, 0, &error), SMOL_OK, "%s",
                     error.text);
        expected = runtime_score(bytes, size, (size_t)smol_trainer_train_tokens(t));
        cr_assert_float_eq(evaluate(t), expected, 1e-4 * expected, "variant %zu: %g, runtime %g", i,
                           evaluate(t), expected);
        free(bytes);
        smol_trainer_destroy(t);
    }
}

/* With rounding from the first step on, the last one has used what the file holds. */
Test(train_smol, rounding_at_the_end_changes_nothing_that_was_rounded)
{
    for (size_t i = 0; i < N_VARIANTS; i++) {
        struct smol_train_options o = options_of(variants + i);
        struct smol_trainer *t;
        double before;

        if (!(variants[i].rounded > 0))
            continue;
        o.qat_start = 0;
        t = create(&o);
        steps(t, 12);
        before = evaluate(t);
        cr_assert_eq(smol_trainer_finish(t, NULL), SMOL_OK);
        /* Factors of ternary rows and the scales of masks are rounded only then. */
        cr_assert_float_eq(evaluate(t), before, 3e-3, "variant %zu: %g, %g", i, evaluate(t),
                           before);
        smol_trainer_destroy(t);
    }
}

/* What was best before rounding began may be worse once rounded. */
Test(train_smol, the_best_is_one_that_was_rounded)
{
    struct smol_train_options o = options_of(&variants[15]);
    struct smol_trainer *t;
    double rounded;

    o.keep_best = true;
    o.matrix_type = SMOL_Q8;
    t = create(&o);
    steps(t, 6);
    evaluate(t);
    steps(t, 7);
    cr_assert(isinf(t->best_nats));
    rounded = evaluate(t);
    steps(t, 12);
    cr_assert(t->best_nats == rounded);
    smol_trainer_destroy(t);
}

Test(train_smol, safetensors_hold_full_alone)
{
    struct smol_train_options o = options_of(&(struct variant){.method = "full", .gpt2 = true});
    struct smol_trainer *t = create(&o);
    struct smol_error error;
    double before;
    uint8_t *bytes;
    size_t size;

    cr_assert_eq(smol_train_safetensors_check(&o, NULL), SMOL_OK);
    steps(t, 5);
    before = evaluate(t);
    cr_assert_eq(smol_trainer_finish_exact(t, NULL), SMOL_OK);
    cr_assert(evaluate(t) == before);
    cr_assert_eq(smol_trainer_model(&bytes, &size, t, NULL, 0, &error), SMOL_E_ARGUMENT);
    smol_trainer_destroy(t);
    o = options_of(&(struct variant){.method = "full"});
    cr_assert_eq(smol_train_safetensors_check(&o, NULL), SMOL_E_ARGUMENT);
    o = options_of(&(struct variant){.method = "mask"});
    cr_assert_eq(smol_train_safetensors_check(&o, NULL), SMOL_E_ARGUMENT);
    t = create(&o);
    cr_assert_eq(smol_trainer_finish_exact(t, &error), SMOL_E_ARGUMENT);
    smol_trainer_destroy(t);
}

/* GPT-2's 4-bit tables keep the steps of SPEC.md 12, which smol_encode_q4 has; smol's are searched
 * for. */
Test(train_smol, tables_of_four_bits)
{
    for (unsigned gpt2 = 0; gpt2 < 2; gpt2++) {
        struct smol_train_options o = options_of(
            &(struct variant){.method = "alpha", .gpt2 = gpt2 != 0, .embedding_type = SMOL_Q4});
        struct smol_trainer *t = create(&o);
        float row[24], scale;
        uint8_t data[32], multipliers[2];

        steps(t, 5);
        for (size_t c = 0; c < 24; c++)
            row[c] = (float)smol_net_value(t->net, t->net->wte)[24 * 'e' + c];
        cr_assert_eq(smol_trainer_finish(t, NULL), SMOL_OK);
        scale = gpt2 ? smol_encode_q4(data, multipliers, row, 24)
                     : smol_encode_q4_best(data, multipliers, row, 24);
        for (size_t c = 0; c < 24; c++) {
            const int nibble = data[c] & 15, q = nibble - 16 * (nibble > 7);

            cr_assert((float)smol_net_value(t->net, t->net->wte)[24 * 'e' + c] ==
                      scale * (float)(multipliers[0] * q));
        }
        smol_trainer_destroy(t);
    }
}
