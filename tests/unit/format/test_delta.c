/* Deltas joined with the files that they change. SPEC.md 16. */
#include "golden.h"

#include <criterion/criterion.h>
#include <math.h>
#include <smol/file.h>
#include <string.h>

#define MOST_FILES 20u /* of a test, which is a process of its own */

/* A golden file, parsed. */
static struct smol_file golden(const char *path)
{
    static uint8_t bytes[MOST_FILES][GOLDEN_MAX_BYTES];
    static unsigned n;
    struct smol_file file;

    cr_assert_lt(n, MOST_FILES);
    golden_open_path(&file, bytes[n++], path);
    return file;
}

/* What joining says; *joined is left alone on failure. */
static enum smol_status join(struct smol_file *joined, const struct smol_file *delta,
                             const struct smol_file *a, const struct smol_file *b,
                             struct smol_error *error)
{
    const struct smol_file_part parts[] = {{a, NAN}, {b, NAN}};

    *error = (struct smol_error){.code = SMOL_OK};
    return smol_file_join(joined, delta, parts, a && b ? 2 : a ? 1 : 0, NAN, error);
}

Test(delta, takes_the_tables_of_its_model)
{
    const struct smol_file model = golden("good/embed-f32.smol"),
                           delta = golden("deltas/lora.smol");
    struct smol_error error;
    struct smol_file joined;

    cr_assert(smol_file_is_whole(&model));
    cr_assert_not(smol_file_is_whole(&delta));
    cr_assert_eq(join(&joined, &delta, &model, NULL, &error), SMOL_OK, "%s", error.text);
    cr_assert(smol_file_is_whole(&joined));
    cr_assert_eq(joined.wte.data, model.wte.data);
    cr_assert_eq(joined.wpe.data, model.wpe.data);
    cr_assert_eq(joined.output.data, model.output.data);
    cr_assert_eq(joined.parts[0].file, &model);
    cr_assert_eq(joined.parts[0].factor, 1.0f);
    cr_assert_eq(joined.factor, 1.0f);
}

Test(delta, takes_its_parts_in_any_order_with_their_factors)
{
    const struct smol_file model = golden("good/embed-f32.smol"), sum = golden("deltas/sum.smol"),
                           lora = golden("deltas/lora.smol"), mix = golden("deltas/mix.smol"),
                           other = golden("deltas/other-model.smol");
    struct smol_error error;
    struct smol_file joined;

    cr_assert_eq(join(&joined, &sum, &lora, &model, &error), SMOL_OK, "%s", error.text);
    cr_assert_eq(joined.n_models, 1);
    cr_assert_eq(joined.n_deltas, 1);
    cr_assert_eq(joined.parts[1].file, &lora);
    cr_assert_eq(joined.parts[1].factor, -0.5f);
    cr_assert_eq(join(&joined, &mix, &other, &model, &error), SMOL_OK, "%s", error.text);
    cr_assert_eq(joined.parts[0].file, &model);
    cr_assert_eq(joined.parts[1].file, &other);
    cr_assert_eq(joined.parts[0].factor, 0.625f);
    cr_assert_eq(joined.parts[1].factor, 0.5f);
}

Test(delta, adds_a_delta_that_it_does_not_name)
{
    const struct smol_file model = golden("good/embed-f32.smol"),
                           nothing = golden("deltas/nothing.smol"),
                           lora = golden("deltas/lora.smol");
    const struct smol_file_part parts[] = {{&model, 2}, {&lora, 0.25f}};
    struct smol_error error;
    struct smol_file joined;

    cr_assert_eq(smol_file_join(&joined, &nothing, parts, 2, 0.5f, &error), SMOL_OK);
    cr_assert_eq(joined.n_deltas, 1);
    cr_assert_eq(joined.parts[0].factor, 2.0f);
    cr_assert_eq(joined.parts[1].file, &lora);
    cr_assert_eq(joined.parts[1].factor, 0.25f);
    cr_assert_eq(joined.factor, 0.5f);
}

Test(delta, refuses_what_does_not_belong_to_it)
{
    const struct smol_file model = golden("good/embed-f32.smol"), smol = golden("good/smol.smol"),
                           lora = golden("deltas/lora.smol"), alpha = golden("deltas/alpha.smol"),
                           sum = golden("deltas/sum.smol"), mix = golden("deltas/mix.smol");
    struct smol_error error;
    struct smol_file joined = {.n_models = 77};

    cr_assert_eq(join(&joined, &model, &model, NULL, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(join(&joined, &lora, NULL, NULL, &error), SMOL_E_BASE);
    cr_assert(strstr(error.text, "is not there"), "%s", error.text);
    cr_assert_eq(join(&joined, &lora, &smol, NULL, &error), SMOL_E_BASE);
    cr_assert(strstr(error.text, "but was given model"), "%s", error.text);
    cr_assert_eq(join(&joined, &mix, &model, NULL, &error), SMOL_E_BASE);
    cr_assert_eq(join(&joined, &sum, &model, NULL, &error), SMOL_E_BASE);
    cr_assert(strstr(error.text, "changes delta"), "%s", error.text);
    cr_assert_eq(join(&joined, &lora, &model, &alpha, &error), SMOL_E_BASE);
    cr_assert(strstr(error.text, "none of the models"), "%s", error.text);
    cr_assert_eq(join(&joined, &lora, &model, &sum, &error), SMOL_E_BASE);
    cr_assert(strstr(error.text, "itself a sum"), "%s", error.text);
    cr_assert_eq(joined.n_models, 77);
}

Test(delta, refuses_factors_that_are_none)
{
    const struct smol_file model = golden("good/embed-f32.smol"), lora = golden("deltas/lora.smol");
    const float bad[] = {INFINITY, -INFINITY, 0x1.000002p60f};
    struct smol_error error;
    struct smol_file joined;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct smol_file_part part = {&model, bad[i]}, good = {&model, NAN};
        cr_assert_eq(smol_file_join(&joined, &lora, &part, 1, NAN, &error), SMOL_E_ARGUMENT);
        cr_assert_eq(smol_file_join(&joined, &lora, &good, 1, bad[i], &error), SMOL_E_ARGUMENT);
    }
}

/* A model of that configuration, passed off as the one that a delta names. */
static void check_misfit(const struct smol_config *config, const char *what)
{
    struct smol_file model = golden("good/embed-f32.smol");
    const struct smol_file lora = golden("deltas/lora.smol");
    struct smol_error error;
    struct smol_file joined;

    model.config = *config;
    cr_assert_eq(join(&joined, &lora, &model, NULL, &error), SMOL_E_BASE, "%s", what);
    cr_assert(strstr(error.text, "does not fit its model") && strstr(error.text, what), "%s",
              error.text);
}

Test(delta, names_what_does_not_fit)
{
    const struct smol_config good = golden("good/embed-f32.smol").config;
    struct smol_config c = good;

#define MISFIT(field, value, what)                                                                 \
    c.field = value;                                                                               \
    check_misfit(&c, what);                                                                        \
    c = good
    MISFIT(n_layers, 3, "layers 2 here, 3 there");
    MISFIT(n_heads, 3, "heads 2 here, 3 there");
    MISFIT(width, 8, "the width 6 here, 8 there");
    MISFIT(n_ff, 25, "the feed-forward width 24 here, 25 there");
    MISFIT(context, 6, "the context 5 here, 6 there");
    MISFIT(vocab, 10, "the vocabulary 9 here, 10 there");
    MISFIT(features, SMOL_FEATURE_RELU2, "features 0 here, 16 there");
    MISFIT(tokenizer, SMOL_TOKENIZER_BPE, "the tokenizer 0 here, 1 there");
    MISFIT(ln_epsilon, 0.5f, "another epsilon of LayerNorm");
#undef MISFIT
}

/* Models that are mixed have one tokenizer and, with a half-shift, one seed. */
Test(delta, names_what_models_do_not_share)
{
    struct smol_file model = golden("good/embed-f32.smol"), mix = golden("deltas/mix.smol"),
                     other = golden("deltas/other-model.smol");
    struct smol_error error;
    struct smol_file joined;

    other.config.seed = model.config.seed + 1;
    cr_assert_eq(join(&joined, &mix, &model, &other, &error), SMOL_OK, "%s", error.text);
    model.config.features = mix.config.features = other.config.features = SMOL_FEATURE_HALF_SHIFT;
    cr_assert_eq(join(&joined, &mix, &model, &other, &error), SMOL_E_BASE);
    cr_assert(strstr(error.text, "half-shift with different seeds"), "%s", error.text);
    other.config.seed = model.config.seed;
    cr_assert_eq(join(&joined, &mix, &model, &other, &error), SMOL_OK, "%s", error.text);
    other.tokenizer = (struct smol_span){(const uint8_t *)"x", 1};
    cr_assert_eq(join(&joined, &mix, &model, &other, &error), SMOL_E_BASE);
    cr_assert(strstr(error.text, "different tokenizers"), "%s", error.text);
}

Test(delta, adds_as_many_deltas_as_there_may_be)
{
    const struct smol_file model = golden("good/embed-f32.smol"),
                           nothing = golden("deltas/nothing.smol"),
                           lora = golden("deltas/lora.smol");
    struct smol_file loras[SMOL_MAX_DELTAS + 1], joined;
    struct smol_file_part parts[SMOL_MAX_DELTAS + 2] = {{&model, NAN}};
    struct smol_error error;

    for (uint8_t i = 0; i <= SMOL_MAX_DELTAS; i++) {
        loras[i] = lora;
        loras[i].hash[0] = i;
        parts[i + 1] = (struct smol_file_part){&loras[i], NAN};
    }
    cr_assert_eq(smol_file_join(&joined, &nothing, parts, SMOL_MAX_DELTAS + 1, NAN, &error),
                 SMOL_OK);
    cr_assert_eq(joined.n_deltas, SMOL_MAX_DELTAS);
    cr_assert_eq(smol_file_join(&joined, &nothing, parts, SMOL_MAX_DELTAS + 2, NAN, &error),
                 SMOL_E_BASE);
    cr_assert(strstr(error.text, "more than 8 deltas"), "%s", error.text);
    loras[0].config.n_ff = 25;
    cr_assert_eq(smol_file_join(&joined, &nothing, parts, 2, NAN, &error), SMOL_E_BASE);
    cr_assert(strstr(error.text, "does not fit its other delta"), "%s", error.text);
}
