/* Teachers: what they predict of the text is what a session says, and whoever learns it needs
 * them. */
#include "train/trainers.h"

#include <criterion/criterion.h>
#include <math.h>
#include <smol/model.h>
#include <stdlib.h>

static struct smol_train_options small(bool gpt2)
{
    struct smol_train_options o;

    cr_assert(smol_train_defaults(&o, sizeof o, gpt2 ? "alpha" : "mask"));
    if (!gpt2)
        smol_train_use(&o, SMOL_ARCH_SMOL);
    o.n_layers = 2;
    o.width = 16;
    o.n_heads = 2;
    o.context = 12;
    o.batch = 4;
    o.n_steps = 6;
    return o;
}

/* A trained model, and its bytes. */
struct teacher {
    struct smol_model *model;
    const struct smol_file *file;
    uint8_t *bytes;
};

static struct teacher teacher(bool gpt2, uint64_t seed)
{
    struct smol_train_options o = small(gpt2);
    struct teacher made;
    struct smol_trainer *t;
    size_t size;

    o.seed = seed;
    t = create(&o);
    steps(t, 6);
    cr_assert_eq(smol_trainer_finish(t, NULL), SMOL_OK);
    cr_assert_eq(smol_trainer_model(&made.bytes, &size, t, NULL, 0, NULL), SMOL_OK);
    smol_trainer_destroy(t);
    cr_assert_eq(smol_model_open_memory(&made.model, made.bytes, size, 1, NULL), SMOL_OK);
    made.file = smol_model_file(made.model);
    return made;
}

static void dismiss(struct teacher *t)
{
    smol_model_close(t->model);
    free(t->bytes);
}

static struct smol_trainer *student(const struct smol_file *const *files, size_t n,
                                    uint32_t n_threads)
{
    struct smol_train_options o = small(false);

    o.teachers = smol_train_teachers(files, n);
    o.teacher_weight = 0.5;
    o.n_threads = n_threads;
    return create(&o);
}

/* Adds what a model predicts after text[0..at], fed in one go from `from` on, to p (256). */
static void predict(double *p, const struct smol_model *model, size_t from, size_t at)
{
    struct smol_text *room;
    uint32_t tokens[TEXT_BYTES];
    const float *logits;
    double sum = 0;
    size_t n;

    cr_assert_eq(smol_model_encode(&n, tokens, model, text, TEXT_BYTES, NULL), SMOL_OK);
    cr_assert_eq(smol_text_create(&room, model, NULL, NULL, NULL), SMOL_OK);
    cr_assert_eq(smol_text_append(room, tokens + from, at + 1 - from, NULL), SMOL_OK);
    cr_assert_eq(smol_text_feed(room, NULL), SMOL_OK);
    logits = smol_text_logits(room);
    for (size_t v = 0; v < 256; v++)
        sum += exp((double)logits[v]);
    for (size_t v = 0; v < 256; v++)
        p[v] += exp((double)logits[v]) / sum;
    smol_text_destroy(room);
}

Test(train_teacher, predicts_what_a_session_does)
{
    struct teacher teachers[] = {teacher(false, 1), teacher(false, 2)};
    const struct smol_file *files[] = {teachers[0].file, teachers[1].file};
    const size_t at[] = {0, 1, 11, 12, 13, 100, 2000, TEXT_BYTES / 10 * 9 - 2};

    for (size_t n = 1; n <= 2; n++) {
        struct smol_trainer *t = student(files, n, 1);

        cr_assert_eq(smol_trainer_teach(t, files, n, NULL, NULL, NULL), SMOL_OK);
        for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
            double p[256] = {0};

            for (size_t k = 0; k < n; k++)
                predict(p, teachers[k].model, 0, at[i]);
            for (size_t v = 0; v < 256; v++)
                cr_assert_float_eq(t->soft[at[i] * 256 + v] / 65535.0, p[v] / (double)n,
                                   0.51 / 65535, "token %zu", at[i]);
        }
        smol_trainer_destroy(t);
    }
    dismiss(teachers);
    dismiss(teachers + 1);
}

/* A model without distances goes on with half of its context: 12, so from token 12 on it has read
 * 7..12, from 18 on 13..18. */
Test(train_teacher, of_gpt2s_architecture_goes_on_with_half_of_its_context)
{
    struct teacher old = teacher(true, 1);
    const struct smol_file *file = old.file;
    const size_t cases[][2] = {{0, 11}, {7, 12}, {7, 17}, {7, 18}, {14, 19}};
    struct smol_trainer *t = student(&file, 1, 1);

    cr_assert_eq(smol_trainer_teach(t, &file, 1, NULL, NULL, NULL), SMOL_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double p[256] = {0};

        predict(p, old.model, cases[i][0], cases[i][1]);
        for (size_t v = 0; v < 256; v++)
            cr_assert_float_eq(t->soft[cases[i][1] * 256 + v] / 65535.0, p[v], 0.51 / 65535,
                               "token %zu", cases[i][1]);
    }
    smol_trainer_destroy(t);
    dismiss(&old);
}

static bool stop(void *calls, uint64_t n_done, uint64_t n_tokens)
{
    ++*(unsigned *)calls;
    cr_assert_leq(n_done, n_tokens);
    return false;
}

Test(train_teacher, is_needed_and_may_be_stopped)
{
    struct teacher teachers[] = {teacher(false, 1), teacher(false, 2)};
    const struct smol_file *files[] = {teachers[0].file, teachers[1].file};
    struct smol_trainer *t = student(files, 1, 2), *rest;
    struct smol_train_step s;
    struct smol_error error;
    unsigned calls = 0;
    uint8_t *bytes;
    size_t size;

    cr_assert_eq(smol_trainer_step(t, &s, &error), SMOL_E_ARGUMENT);
    cr_assert_str_eq(error.text, "the teachers have not taught");
    cr_assert_eq(smol_trainer_teach(t, files + 1, 1, NULL, NULL, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_trainer_teach(t, files, 1, stop, &calls, &error), SMOL_E_CANCELLED);
    cr_assert_eq(calls, 1);
    cr_assert_eq(smol_trainer_step(t, &s, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_trainer_teach(t, files, 1, NULL, NULL, &error), SMOL_OK);
    steps(t, 3);
    cr_assert_eq(smol_trainer_save(&bytes, &size, t, NULL), SMOL_OK);
    rest = student(files, 1, 1);
    cr_assert_eq(smol_trainer_load(rest, bytes, size, NULL), SMOL_OK);
    cr_assert_eq(smol_trainer_teach(rest, files, 1, NULL, NULL, &error), SMOL_OK);
    steps(t, 6);
    steps(rest, 6);
    check_same_values(t, rest, 0);
    smol_trainer_destroy(rest);
    rest = student(files, 2, 1);
    cr_assert_eq(smol_trainer_load(rest, bytes, size, &error), SMOL_E_ARGUMENT);
    free(bytes);
    smol_trainer_destroy(rest);
    smol_trainer_destroy(t);
    dismiss(teachers);
    dismiss(teachers + 1);
}

/* A student that hears nothing but the teacher comes to predict what it does. */
Test(train_teacher, is_followed)
{
    struct teacher only = teacher(false, 1);
    const struct smol_file *file = only.file;
    struct smol_train_options o = small(false);
    struct smol_trainer *t;
    double entropy = 0;

    o.n_steps = 400;
    o.teachers = smol_train_teachers(&file, 1);
    o.teacher_weight = 1;
    t = create(&o);
    cr_assert_eq(smol_trainer_teach(t, &file, 1, NULL, NULL, NULL), SMOL_OK);
    for (size_t i = 0; i < 1000; i++)
        for (size_t v = 0; v < 256; v++) {
            const double p = t->soft[i * 256 + v] / 65535.0;
            entropy -= p > 0 ? p * log(p) / 1000 : 0;
        }
    cr_assert_float_eq(steps(t, 400), entropy, 0.1);
    smol_trainer_destroy(t);
    dismiss(&only);
}
