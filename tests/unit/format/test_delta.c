/* Deltas joined with the files that they change. SPEC.md 16. */
#include "golden.h"

#include <criterion/criterion.h>
#include <math.h>
#include <smol/file.h>
#include <string.h>

#define MOST_FILES 8u /* of a test, which is a process of its own */

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

/* The one model that does not fit a delta, though the delta names it, field by field. */
Test(delta, names_what_does_not_fit)
{
    struct smol_file model = golden("good/embed-f32.smol");
    const struct smol_file lora = golden("deltas/lora.smol");
    struct smol_error error;
    struct smol_file joined;

    model.config.n_ff = 25;
    cr_assert_eq(join(&joined, &lora, &model, NULL, &error), SMOL_E_BASE);
    cr_assert(strstr(error.text, "feed-forward width 24 here, 25 there"), "%s", error.text);
}
