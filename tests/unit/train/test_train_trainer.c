/* A trainer as a whole: it learns, it stops and goes on to the same numbers, it stores what it
 * evaluates. */
#include "base/number.h"
#include "train/options/options.h"
#include "train/trainers.h"

#include <criterion/criterion.h>
#include <fenv.h>
#include <smol/file.h>
#include <smol/params.h>
#include <stdlib.h>

static struct smol_train_options small(const char *method)
{
    struct smol_train_options o;

    cr_assert(smol_train_defaults(&o, sizeof o, method));
    o.n_layers = 2;
    o.width = 24;
    o.n_heads = 3;
    o.context = 20;
    o.batch = 4;
    o.n_steps = 12;
    return o;
}

static const char *const methods[] = {"embed", "alpha", "alpha-global", "lora", "full"};

Test(trainer, learns)
{
    for (size_t i = 0; i < 5; i++) {
        struct smol_train_options o = small(methods[i]);
        struct smol_trainer *t;
        double first;

        o.n_steps = 60;
        t = create(&o);
        first = steps(t, 1);
        cr_assert_float_eq(first, log(256), 0.3, "%s begins at %g", methods[i], first);
        cr_assert_lt(steps(t, 60), first - 1.5, "%s", methods[i]);
        smol_trainer_destroy(t);
    }
}

/* Whatever is fastest. */
static void always_take_all_threads(struct smol_trainer *t) { t->pace.rest = UINT32_MAX; }

static void check_threads(struct smol_train_options *o)
{
    struct smol_trainer *one, *three;

    one = create(o);
    steps(one, 5);
    o->n_threads = 3;
    three = create(o);
    always_take_all_threads(three);
    steps(three, 5);
    steps(one, 7);
    steps(three, 7);
    check_same_values(one, three, 0);
    smol_trainer_destroy(one);
    smol_trainer_destroy(three);
}

Test(trainer, the_number_of_threads_changes_nothing)
{
    for (size_t i = 0; i < 5; i++) {
        struct smol_train_options o = small(methods[i]);

        check_threads(&o);
    }
}

/* So few numbers that their gradients are computed by themselves, and more; in several blocks of
 * tokens. */
Test(trainer, nor_does_it_with_sparse_terms)
{
    for (size_t i = 0; i < 6; i++) {
        struct smol_train_options o = small(i % 3 == 0 ? "embed" : i % 3 == 1 ? "alpha" : "lora");

        o.sparse = i < 3 ? 0.05 : 0.4;
        o.batch = 14;
        check_threads(&o);
    }
}

/* OpenMP's threads may be a host program's too, and have another floating-point environment. */
static void round_threads(int rounding)
{
    fesetround(rounding);
#pragma omp parallel num_threads(3)
    fesetround(rounding);
}

static uint32_t threads_that_round(int rounding)
{
    uint32_t n = 0;

#pragma omp parallel num_threads(3) reduction(+ : n)
    n += fegetround() == rounding;
    return n;
}

Test(trainer, nor_does_the_hosts_rounding)
{
    for (size_t i = 0; i < 5; i++) {
        struct smol_train_options o = small(methods[i]);
        struct smol_trainer *plain, *rounded;
        struct smol_train_score score, same;

        o.n_threads = 3;
        plain = create(&o);
        always_take_all_threads(plain);
        steps(plain, 3);
        cr_assert_eq(smol_trainer_evaluate(plain, &score, NULL), SMOL_OK);
        cr_assert_eq(smol_trainer_finish(plain, NULL), SMOL_OK);
        round_threads(FE_UPWARD);
        rounded = create(&o);
        always_take_all_threads(rounded);
        steps(rounded, 3);
        cr_assert_eq(smol_trainer_evaluate(rounded, &same, NULL), SMOL_OK);
        cr_assert_eq(smol_trainer_finish(rounded, NULL), SMOL_OK);
        cr_assert_eq(threads_that_round(FE_UPWARD), 3);
        round_threads(FE_TONEAREST);
        check_same_values(plain, rounded, 0);
        cr_assert_arr_eq(&score, &same, sizeof score);
        smol_trainer_destroy(plain);
        smol_trainer_destroy(rounded);
    }
}

Test(trainer, goes_on_to_the_same_numbers)
{
    for (size_t i = 0; i < 5; i++) {
        struct smol_train_options o = small(methods[i]);
        struct smol_trainer *whole, *half, *rest;
        struct smol_train_score score;
        uint8_t *bytes;
        size_t size;

        o.keep_best = true;
        whole = create(&o);
        steps(whole, 5);
        cr_assert_eq(smol_trainer_evaluate(whole, &score, NULL), SMOL_OK);
        steps(whole, 12);
        half = create(&o);
        steps(half, 5);
        cr_assert_eq(smol_trainer_evaluate(half, &score, NULL), SMOL_OK);
        cr_assert_eq(smol_trainer_save(&bytes, &size, half, NULL), SMOL_OK);
        rest = create(&o);
        cr_assert_eq(smol_trainer_load(rest, bytes, size, NULL), SMOL_OK);
        cr_assert_eq(smol_trainer_steps(rest), 5);
        cr_assert(rest->best_nats == score.nats_per_token);
        steps(rest, 12);
        check_same_values(whole, rest, 0);
        cr_assert_eq(memcmp(whole->best, rest->best, whole->net->n_values * sizeof(real)), 0);
        free(bytes);
        smol_trainer_destroy(whole);
        smol_trainer_destroy(half);
        smol_trainer_destroy(rest);
    }
}

Test(trainer, refuses_a_checkpoint_of_other_options_or_text)
{
    struct smol_train_options o = small("alpha"), read;
    struct smol_trainer *t = create(&o), *other;
    struct smol_corpus corpus;
    struct smol_error error;
    uint8_t *bytes;
    size_t size;

    steps(t, 2);
    cr_assert_eq(smol_trainer_save(&bytes, &size, t, NULL), SMOL_OK);
    cr_assert_eq(smol_checkpoint_options(&read, sizeof read, bytes, size, NULL), SMOL_OK);
    cr_assert_eq(read.width, 24);
    smol_trainer_destroy(t);
    o.lr *= 2;
    other = create(&o);
    cr_assert_eq(smol_trainer_load(other, bytes, size, &error), SMOL_E_ARGUMENT);
    cr_assert_not_null(strstr(error.text, "lr"));
    smol_trainer_destroy(other);
    o.lr /= 2;
    smol_corpus_of_bytes(&corpus, text, TEXT_BYTES);
    corpus.n_train = TEXT_BYTES / 2;
    cr_assert_eq(smol_trainer_create_corpus(&other, &o, &corpus, NULL, NULL), SMOL_OK);
    cr_assert_eq(smol_trainer_load(other, bytes, size, &error), SMOL_E_ARGUMENT);
    cr_assert_not_null(strstr(error.text, "validation"));
    smol_trainer_destroy(other);
    text[100] ^= 1;
    cr_assert_eq(smol_trainer_create(&other, &o, text, TEXT_BYTES, NULL), SMOL_OK);
    cr_assert_eq(smol_trainer_load(other, bytes, size, &error), SMOL_E_ARGUMENT);
    cr_assert_not_null(strstr(error.text, "another text"));
    smol_trainer_destroy(other);
    free(bytes);
}

Test(trainer, says_after_which_step_validation_fails)
{
    struct smol_train_options o = small("full");
    struct smol_trainer *t = create(&o);
    struct smol_train_score score = {.n_tokens = 7};
    struct smol_error error;

    steps(t, 2);
    for (uint32_t i = 0; i < o.width; i++)
        t->net->value[text[TEXT_BYTES - 2] * o.width + i] = (real)NAN;
    cr_assert_eq(smol_trainer_evaluate(t, &score, &error), SMOL_E_NUMERIC);
    cr_assert_not_null(strstr(error.text, "after step 2: "), "%s", error.text);
    cr_assert_eq(score.n_tokens, 7);
    smol_trainer_destroy(t);
}

/* Cut anywhere in its header, or here and there in its data, it is refused. */
Test(trainer, refuses_a_damaged_checkpoint)
{
    struct smol_train_options o = small("lora");
    struct smol_trainer *t = create(&o);
    uint8_t *bytes, *cut;
    size_t size;

    cr_assert_eq(smol_trainer_save(&bytes, &size, t, NULL), SMOL_OK);
    for (size_t n = 0; n < size; n += n < 600 ? 1 : 997) {
        cut = malloc(n + 1);
        memcpy(cut, bytes, n);
        cr_assert_neq(smol_trainer_load(t, cut, n, NULL), SMOL_OK, "cut to %zu bytes", n);
        free(cut);
    }
    smol_put32(bytes + size - 4, 0x7fc00000u);
    cr_assert_eq(smol_trainer_load(t, bytes, size, NULL), SMOL_E_NONFINITE);
    free(bytes);
    smol_trainer_destroy(t);
}

Test(trainer, refuses_bad_options)
{
    const struct smol_train_options good = small("alpha");
    struct smol_train_options o[9];
    struct smol_trainer *t = NULL;

    for (size_t i = 0; i < 9; i++)
        o[i] = good;
    o[0].n_heads = 5;
    o[1].d = 0;
    o[2].batch = 0;
    o[3].lr = (double)NAN;
    o[4].val_fraction = 0;
    o[5].context = 2900;
    o[6].beta2 = 1;
    o[7].n_threads = 0;
    o[8].full = true;
    fill_text();
    for (size_t i = 0; i < 9; i++) {
        cr_assert_eq(smol_trainer_create(&t, o + i, text, TEXT_BYTES, NULL), SMOL_E_ARGUMENT,
                     "case %zu", i);
        cr_assert_null(t);
    }
}

Test(trainer, stops_when_numbers_run_away)
{
    struct smol_train_options o = small("embed");
    struct smol_trainer *t = create(&o);
    struct smol_train_step s;
    struct smol_error error;

    for (size_t i = 0; i < 256 * 24; i++)
        smol_net_value(t->net, t->net->wte)[i] = (real)NAN;
    cr_assert_eq(smol_trainer_step(t, &s, &error), SMOL_E_NUMERIC);
    cr_assert_not_null(strstr(error.text, "step 1"));
    cr_assert_eq(smol_trainer_steps(t), 0);
    smol_trainer_destroy(t);
}

static enum smol_status model_of(uint8_t **bytes, size_t *size, struct smol_trainer *t)
{
    static const char card[] = "{\"a\":1}";

    cr_assert_eq(smol_trainer_finish(t, NULL), SMOL_OK);
    return smol_trainer_model(bytes, size, t, card, sizeof card - 1, NULL);
}

/* Each stored number, read from the file's bytes by its layout, is the trainer's number. */
Test(trainer, stores_what_it_has)
{
    for (size_t i = 0; i < 4; i++) {
        struct smol_train_options o = small(methods[i]);
        struct smol_trainer *t;
        struct smol_file file;
        struct smol_params_place place;
        uint8_t *bytes;
        size_t size;

        o.norms = i % 2 == 0 ? SMOL_NORM_OWN : SMOL_NORM_STORED;
        t = create(&o);
        steps(t, 6);
        cr_assert_eq(model_of(&bytes, &size, t), SMOL_OK);
        cr_assert_eq(smol_file_parse(&file, bytes, size, NULL), SMOL_OK);
        cr_assert_eq(smol_file_check_hash(&file, NULL), SMOL_OK);
        for (size_t k = 0; k < 256 * 24; k++)
            cr_assert((float)smol_net_value(t->net, t->net->wte)[k] ==
                      smol_load_f32(file.wte.scales + k / 24 * 4) *
                          (float)(int8_t)file.wte.data[k]);
        for (size_t k = 0; k < 20 * 24; k++)
            cr_assert((float)smol_net_value(t->net, t->net->wpe)[k] ==
                      smol_load_f32(file.wpe.scales + k / 24 * 4) *
                          (float)(int8_t)file.wpe.data[k]);
        smol_params_at(&place, &file.config, 1, SMOL_MLP_C_FC);
        for (uint32_t p = 0; p < t->net->n_params; p++) {
            const struct smol_param *param = t->net->params + p;
            uint64_t at = place.alphas;

            if (strcmp(param->name, "h.1.mlp.c_fc.factor_a") == 0)
                at = place.factor_a;
            else if (strcmp(param->name, "h.1.mlp.c_fc.factor_b") == 0)
                at = place.factor_b;
            else if (strcmp(param->name, "alpha") != 0 &&
                     strcmp(param->name, "h.1.mlp.c_fc.alpha") != 0)
                continue;
            for (size_t k = 0; k < smol_param_size(param); k++)
                cr_assert((float)smol_net_value(t->net, p)[k] ==
                              smol_load_f16(file.params.data + at + 2 * k),
                          "%s", param->name);
        }
        free(bytes);
        smol_trainer_destroy(t);
    }
}

Test(trainer, the_same_run_gives_the_same_file)
{
    struct smol_train_options o = small("alpha");
    uint8_t *bytes[2];
    size_t size[2];

    for (int i = 0; i < 2; i++) {
        struct smol_trainer *t = create(&o);

        steps(t, 4);
        cr_assert_eq(model_of(bytes + i, size + i, t), SMOL_OK);
        smol_trainer_destroy(t);
    }
    cr_assert_eq(size[0], size[1]);
    cr_assert_eq(memcmp(bytes[0], bytes[1], size[0]), 0);
    free(bytes[0]);
    free(bytes[1]);
}

/* A window more or less, or a batch that ends elsewhere, must not change what is predicted: every
 * byte but the first. */
Test(trainer, validates_every_byte_once)
{
    for (uint32_t batch = 1; batch <= 20; batch += 6) {
        struct smol_train_options o = small("embed");
        struct smol_train_score score;
        struct smol_trainer *t;

        o.batch = batch;
        t = create(&o);
        cr_assert_eq(smol_trainer_val_tokens(t), 300);
        cr_assert_eq(smol_trainer_evaluate(t, &score, NULL), SMOL_OK);
        cr_assert_eq(score.n_tokens, 299);
        cr_assert_float_eq(score.bits_per_byte * log(2), score.nats_per_token, 1e-12);
        cr_assert_float_eq(score.nats_per_token, log(256), 0.3);
        smol_trainer_destroy(t);
    }
}
