/* Trainers of networks with a history: its numbers are not learned by steps but set at the end, and
 * those of a delta are added to its models'. */
#include "model/slow_history.h"
#include "train/trainers.h"

#include <criterion/criterion.h>
#include <math.h>
#include <smol/session.h>
#include <smol/weights.h>
#include <stdlib.h>

#define LENGTHS SMOL_HISTORY_LENGTHS

static const float initial[LENGTHS] = {5.5f, 3.25f, 2.25f, 2.25f, 1.75f}; /* SPEC.md 12 */

static struct smol_train_options options_of(uint16_t features, enum smol_dtype type)
{
    struct smol_train_options o;

    cr_assert(smol_train_defaults(&o, sizeof o, "mask"));
    smol_train_use(&o, SMOL_ARCH_SMOL);
    o.n_layers = 2;
    o.width = 24;
    o.n_heads = 3;
    o.context = 20;
    o.batch = 4;
    o.n_steps = 12;
    o.seed = 7;
    o.features = features;
    o.param_type = type;
    o.weight_decay = 0.5;
    o.clip = 0; /* which would depend on the order of a sum over all numbers */
    return o;
}

static void finish(struct smol_trainer *t)
{
    struct smol_error error = {0};

    cr_assert_eq(smol_trainer_finish(t, &error), SMOL_OK, "%s", error.text);
}

/* The trainer's model; file->bytes.data is for free(). */
static void open_model(struct smol_file *file, const struct smol_trainer *t)
{
    struct smol_error error = {0};
    uint8_t *bytes;
    size_t size;

    cr_assert_eq(smol_trainer_model(&bytes, &size, t, NULL, 0, &error), SMOL_OK, "%s", error.text);
    cr_assert_eq(smol_file_parse(file, bytes, size, &error), SMOL_OK, "%s", error.text);
}

static void close_model(struct smol_file *file) { free((void *)(uintptr_t)file->bytes.data); }

/* By its name, as smoltool shows it. */
static void read_history(double numbers[LENGTHS], const struct smol_file *file)
{
    struct smol_tensor t;
    void *scratch;

    cr_assert_eq(smol_file_tensor_find(&t, file, "history", NULL), SMOL_OK);
    cr_assert(t.rows == 1 && t.cols == LENGTHS);
    scratch = aligned_alloc(64, (smol_tensor_scratch_bytes(file, &t) + 63) / 64 * 64);
    cr_assert_eq(smol_tensor_read(numbers, file, &t, 0, 1, scratch, NULL), SMOL_OK);
    free(scratch);
}

static void check_file(const struct smol_trainer *t, const float expected[LENGTHS])
{
    double numbers[LENGTHS];
    struct smol_file file;

    open_model(&file, t);
    read_history(numbers, &file);
    for (unsigned k = 0; k < LENGTHS; k++)
        cr_assert_eq(numbers[k], (double)expected[k], "number %u: %g", k, numbers[k]);
    close_model(&file);
}

/* Everything else is learned as it is without them. */
Test(train_history, no_step_changes_the_numbers)
{
    const struct smol_train_options with = options_of(SMOL_ALL_FEATURES, SMOL_F32),
                                    without = options_of(SMOL_NETWORK_FEATURES, SMOL_F32);
    struct smol_trainer *t = create(&with), *other = create(&without);
    const struct smol_param *history = t->net->params + t->net->history;
    const size_t n = history->offset;

    cr_assert_eq(smol_param_size(history), LENGTHS);
    cr_assert_eq(other->net->history, SMOL_NO_PARAM);
    cr_assert_eq(t->net->n_values, other->net->n_values + LENGTHS);
    cr_assert_lt(steps(t, 12), log(256) - 0.5);
    steps(other, 12);
    for (unsigned k = 0; k < LENGTHS; k++) {
        cr_assert_eq(t->net->value[n + k], (real)initial[k]);
        cr_assert_eq(t->net->grad[n + k], 0);
    }
    cr_assert_arr_eq(t->net->value, other->net->value, n * sizeof(real));
    cr_assert_arr_eq(t->net->value + n + LENGTHS, other->net->value + n,
                     (other->net->n_values - n) * sizeof(real));
    cr_assert(evaluate(t) == evaluate(other));
    finish(t);
    check_file(t, initial);
    smol_trainer_destroy(t);
    smol_trainer_destroy(other);
}

/* Saved and loaded they are the same, and a trainer without them refuses that. */
Test(train_history, a_checkpoint_has_them)
{
    struct smol_train_options o = options_of(SMOL_ALL_FEATURES, SMOL_F16);
    struct smol_trainer *whole = create(&o), *rest = create(&o), *other;
    uint8_t *bytes;
    size_t size;

    steps(whole, 5);
    cr_assert_eq(smol_trainer_save(&bytes, &size, whole, NULL), SMOL_OK);
    cr_assert_eq(smol_trainer_load(rest, bytes, size, NULL), SMOL_OK);
    o.features = SMOL_NETWORK_FEATURES;
    other = create(&o);
    cr_assert_eq(smol_trainer_load(other, bytes, size, NULL), SMOL_E_ARGUMENT);
    free(bytes);
    smol_trainer_destroy(other);
    end_alike(whole, rest, 12, true, 0);
}

/* 5.1 and -0.3 as f16 by hand, and a block of 8 bits: its scale is 6 / 127 with the lower 16 bits
 * rounded up, 0x3d418306 to 0x3d420000. */
Test(train_history, numbers_are_rounded_to_their_type)
{
    static const struct {
        enum smol_dtype type;
        float rounded[LENGTHS];
    } cases[] = {
        {SMOL_F32, {5.1f, -0.3f, 6, 2.25f, 0}},
        {SMOL_F16, {5.1015625f, -0.300048828125f, 6, 2.25f, 0}},
        {SMOL_Q8_BLOCKS, {108 * 0x1.84p-5f, -6 * 0x1.84p-5f, 127 * 0x1.84p-5f, 48 * 0x1.84p-5f, 0}},
    };

    for (size_t i = 0; i < 3; i++) {
        const struct smol_train_options o = options_of(SMOL_ALL_FEATURES, cases[i].type);
        struct smol_trainer *t = create(&o);
        float numbers[LENGTHS] = {5.1f, -0.3f, 6, 2.25f, 0};
        struct smol_error error = {0};
        steps(t, 2);
        finish(t);
        cr_assert_eq(smol_trainer_set_history(t, numbers, &error), SMOL_OK, "%s", error.text);
        for (unsigned k = 0; k < LENGTHS; k++)
            cr_assert_eq(numbers[k], cases[i].rounded[k], "type %d, number %u: %.9g",
                         (int)cases[i].type, k, (double)numbers[k]);
        check_file(t, numbers);
        smol_trainer_destroy(t);
    }
}

Test(train_history, numbers_that_cannot_be_set)
{
    const struct smol_train_options with = options_of(SMOL_ALL_FEATURES, SMOL_F16),
                                    without = options_of(SMOL_NETWORK_FEATURES, SMOL_F16);
    const float wrong[][LENGTHS] = {
        {1, 2, 3, 4, 65520}, {-1e9f, 0, 0, 0, 0}, {0, NAN, 0, 0, 0}, {0, 0, INFINITY, 0, 0}};
    float numbers[LENGTHS] = {1, 2, 3, 4, 5};
    struct smol_trainer *t = create(&with), *other = create(&without);
    struct smol_error error = {0};

    cr_assert_eq(smol_trainer_set_history(t, numbers, &error), SMOL_E_ARGUMENT); /* not finished */
    finish(t);
    finish(other);
    cr_assert_eq(smol_trainer_set_history(other, numbers, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(error.code, SMOL_E_ARGUMENT);
    cr_assert_eq(smol_trainer_set_history(t, numbers, &error), SMOL_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        float tried[LENGTHS];
        memcpy(tried, wrong[i], sizeof tried);
        cr_assert_eq(smol_trainer_set_history(t, tried, &error), SMOL_E_NUMERIC, "case %zu", i);
        cr_assert_arr_eq(tried, wrong[i], sizeof tried);
        check_file(t, numbers);
    }
    smol_trainer_destroy(t);
    smol_trainer_destroy(other);
}

/* ---- deltas ---- */

/* A model whose numbers are these. */
static void make_base(struct smol_file *file, float numbers[LENGTHS], double logit_scale)
{
    struct smol_train_options o = options_of(SMOL_ALL_FEATURES, SMOL_F32);
    struct smol_trainer *t;

    o.logit_scale = logit_scale;
    t = create(&o);
    steps(t, 3);
    finish(t);
    cr_assert_eq(smol_trainer_set_history(t, numbers, NULL), SMOL_OK);
    open_model(file, t);
    smol_trainer_destroy(t);
}

static struct smol_trainer *create_delta(const struct smol_file_part parts[2],
                                         const struct smol_corpus *corpus)
{
    struct smol_train_options o;
    struct smol_trainer *t = NULL;
    struct smol_error error = {0};

    cr_assert(smol_train_defaults(&o, sizeof o, "lora"));
    cr_assert_eq(smol_train_on(&o, parts, 2, &error), SMOL_OK, "%s", error.text);
    o.batch = 4;
    o.n_steps = 12;
    cr_assert_eq(smol_trainer_create_on(&t, &o, corpus, parts, 2, &error), SMOL_OK, "%s",
                 error.text);
    return t;
}

/* The logits after some tokens (V), with a history of that many tokens; for free(). */
static double *logits_of(const struct smol_file *file, uint64_t history, const uint32_t *tokens,
                         size_t n)
{
    const struct smol_session_options o = {.struct_bytes = sizeof o, .history = history};
    double *logits = malloc(file->config.vocab * sizeof *logits);
    struct smol_session *session;
    void *memory;
    size_t size;

    cr_assert_eq(smol_session_size(&size, file, &o, NULL), SMOL_OK);
    memory = aligned_alloc(64, (size + 63) / 64 * 64);
    cr_assert_eq(smol_session_init(&session, file, &o, memory, size, NULL), SMOL_OK);
    cr_assert_eq(smol_session_feed(session, tokens, n, NULL), SMOL_OK);
    for (uint32_t v = 0; v < file->config.vocab; v++)
        logits[v] = (double)smol_session_logits(session)[v];
    smol_session_finish(session);
    free(memory);
    return logits;
}

/* What a session makes of these numbers. */
static void check_logits(const struct smol_file *file, const double numbers[LENGTHS])
{
    static const uint32_t tokens[] = {'a', 'b', 'c', 'd', 'a', 'b', 'c', 'e', 'a', 'b', 'c'};
    const size_t n = sizeof tokens / sizeof *tokens;
    double *expected = logits_of(file, 1, tokens, n), *got = logits_of(file, 0, tokens, n);

    slow_mix(expected, numbers, tokens, n, n, file->config.vocab);
    for (uint32_t v = 0; v < file->config.vocab; v++)
        cr_assert_float_eq(got[v], expected[v], 1e-5 * (1 + fabs(expected[v])), "token %u", v);
    free(expected);
    free(got);
}

/* own: the delta's factor. */
static void check_joined(const struct smol_trainer *t, const struct smol_file_part parts[2],
                         float own, const double expected[LENGTHS])
{
    struct smol_file file, joined;
    struct smol_error error = {0};
    double numbers[LENGTHS];

    open_model(&file, t);
    cr_assert_eq(smol_file_join(&joined, &file, parts, 2, own, &error), SMOL_OK, "%s", error.text);
    read_history(numbers, &joined);
    for (unsigned k = 0; k < LENGTHS; k++)
        cr_assert_float_eq(numbers[k], expected[k], 1e-5, "number %u: %g, expected %g", k,
                           numbers[k], expected[k]);
    check_logits(&joined, expected);
    close_model(&file);
}

Test(train_history, a_delta_adds_to_the_numbers_of_its_models)
{
    float a[LENGTHS] = {5, 4, 3, 2, 1}, b[LENGTHS] = {1, -1, 2, -2, 0.5f},
          difference[LENGTHS] = {0.5f, 0.25f, -0.5f, 1, -4};
    double mixed[LENGTHS], all[LENGTHS];
    struct smol_file models[2];
    struct smol_corpus corpus;
    struct smol_trainer *t;

    make_base(models, a, 1);
    make_base(models + 1, b, 1.5);
    smol_corpus_of_bytes(&corpus, text, TEXT_BYTES);
    const struct smol_file_part parts[2] = {{models, 0.75f}, {models + 1, 0.5f}};
    t = create_delta(parts, &corpus);
    for (unsigned k = 0; k < LENGTHS; k++) {
        mixed[k] = 0.75 * (double)a[k] + 0.5 * (double)b[k];
        all[k] = mixed[k] + 2 * (double)difference[k];
    }
    steps(t, 12);
    finish(t);
    check_joined(t, parts, 1, mixed); /* no step has changed them */
    cr_assert_eq(smol_trainer_set_history(t, difference, NULL), SMOL_OK);
    check_joined(t, parts, 2, all);
    check_joined(t, parts, 0, mixed);
    smol_trainer_destroy(t);
    close_model(models);
    close_model(models + 1);
}
