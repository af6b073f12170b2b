/* Schedules, batches, AdamW and options. The batches' expected values were computed with another
 * ChaCha20 and BLAKE2b, AdamW's by its paper's formulas, both in Python. */
#include "train/options/options.h"
#include "train/trainer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

Test(train_options, learning_rates)
{
    const struct smol_train_options o = {
        .n_steps = 110, .warmup = 10, .min_lr_fraction = 0.1, .alpha_start = 60};

    cr_assert_float_eq(smol_schedule(&o, 0), 0.1, 1e-12);
    cr_assert_float_eq(smol_schedule(&o, 4), 0.5, 1e-12);
    cr_assert_float_eq(smol_schedule(&o, 9), 1.0, 1e-12);
    cr_assert_float_eq(smol_schedule(&o, 10), 1.0, 1e-12);
    cr_assert_float_eq(smol_schedule(&o, 60), 0.55, 1e-12);
    cr_assert_float_eq(smol_schedule(&o, 110), 0.1, 1e-12);
    cr_assert_eq(smol_alpha_schedule(&o, 59), 0);
    cr_assert_float_eq(smol_alpha_schedule(&o, 60), 0.055, 1e-12);
    cr_assert_float_eq(smol_alpha_schedule(&o, 69), smol_schedule(&o, 69), 1e-12);
}

Test(train_options, no_warmup_and_no_decay)
{
    const struct smol_train_options o = {.n_steps = 10, .min_lr_fraction = 1};

    for (uint32_t i = 0; i < 10; i++)
        cr_assert_float_eq(smol_schedule(&o, i), 1, 1e-12);
}

Test(train_options, batches)
{
    const struct {
        uint64_t seed;
        uint32_t step, window;
        uint64_t n, start;
    } cases[] = {
        {1, 0, 0, 1000000, 215049},
        {1, 0, 1, 1000000, 64095},
        {1, 7, 3, 1000000, 839488},
        {1, 123456, 15, 12, 4},
        {9223372036854775813u, 0, 0, 1000000, 86316},
        {9223372036854775813u, 0, 1, 1000000, 464612},
        {9223372036854775813u, 7, 3, 1000000, 691489},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t key[32];

        smol_batch_key(key, SMOL_ORDER_RANDOM, cases[i].seed);
        cr_assert_eq(smol_batch_start(key, cases[i].step, cases[i].window, cases[i].n),
                     cases[i].start, "case %zu", i);
    }
}

Test(train_options, shuffled_batches)
{
    const struct {
        uint64_t seed, n;
        uint32_t context;
        uint64_t n_starts, start;
    } cases[] = {
        {1, 0, 64, 1000000, 781654},
        {1, 1, 64, 1000000, 425558},
        {1, 15624, 64, 1000000, 161622},
        {1, 15625, 64, 1000000, 416914},
        {7, 123456789, 17, 300, 266},
        {7, 5, 64, 10, 2},
        {9223372036854775813u, 3000000000u, 1024, 300000000000u, 200948739918u},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t key[32];

        smol_batch_key(key, SMOL_ORDER_SHUFFLED, cases[i].seed);
        cr_assert_eq(smol_shuffled_start(key, cases[i].n, cases[i].context, cases[i].n_starts),
                     cases[i].start, "case %zu", i);
    }
}

/* Each epoch has every window once, side by side, and no two epochs the same order. */
Test(train_options, an_epoch_has_every_window_once)
{
    uint8_t key[32];

    smol_batch_key(key, SMOL_ORDER_SHUFFLED, 5);
    for (uint64_t n_starts = 1; n_starts < 600; n_starts += n_starts < 20 ? 1 : 97) {
        const uint64_t n = n_starts < 3 ? 1 : n_starts / 3;
        uint64_t first[200];
        bool same = true;

        for (uint64_t epoch = 0; epoch < 3; epoch++) {
            bool seen[200] = {false};
            uint64_t least = UINT64_MAX;

            for (uint64_t i = 0; i < n; i++) {
                const uint64_t start = smol_shuffled_start(key, epoch * n + i, 3, n_starts);

                cr_assert_lt(start, n_starts);
                cr_assert(!seen[start / 3]);
                seen[start / 3] = true;
                least = start < least ? start : least;
                first[i] = epoch == 0 ? start / 3 : first[i];
                same = same && first[i] == start / 3;
            }
            for (uint64_t i = 0; i < n; i++)
                cr_assert(seen[i], "window %u of %u", (unsigned)i, (unsigned)n);
            cr_assert_lt(least, 3);
        }
        cr_assert(!same || n < 4, "%u windows", (unsigned)n);
    }
}

Test(train_options, adamw)
{
    const double expected[3][2] = {{0.3900000033333332, -0.8800000014285714},
                                   {0.2949354610773073, -0.8183424481064803},
                                   {0.2974234200059437, -0.7678414883970394}};
    const real grads[3][2] = {{(real)0.3, (real)-0.7}, {(real)0.1, (real)0.2}, {(real)-0.4, 0}};
    real value[2] = {(real)0.5, -1}, grad[2], m[2] = {0}, v[2] = {0};
    struct smol_param param = {.param_group = SMOL_GROUP_MATRIX, .rows = 1, .cols = 2, .unit = 1};
    struct smol_net net = {.ops = smol_ops_select(SMOL_ISA_BEST),
                           .n_params = 1,
                           .params = &param,
                           .n_values = 2,
                           .value = value,
                           .grad = grad};
    struct smol_trainer t = {.net = &net, .m = m, .v = v};

    t.options.beta1 = 0.9;
    t.options.beta2 = 0.99;
    t.options.weight_decay = 0.2;
    for (t.step = 0; t.step < 3; t.step++) {
        const double lr[6] = {[SMOL_GROUP_MATRIX] = 0.1};

        grad[0] = grads[t.step][0] * 2;
        grad[1] = grads[t.step][1] * 2;
        smol_adamw(&t, lr, 0.5);
        cr_assert_float_eq((double)value[0], expected[t.step][0], 3e-7);
        cr_assert_float_eq((double)value[1], expected[t.step][1], 3e-7);
    }
}

Test(train_options, gradient_norm)
{
    static real grad[10000];
    struct smol_net net = {.ops = smol_ops_select(SMOL_ISA_BEST), .n_values = 10000, .grad = grad};

    grad[3] = 3;
    grad[9999] = -4;
    cr_assert_float_eq(smol_gradient_norm(&net), 5, 1e-12);
}

Test(train_options, options_survive_json)
{
    struct smol_train_options a, b;
    json_t *json;

    cr_assert(smol_train_defaults(&a, sizeof a, "alpha"));
    a.seed = UINT64_MAX;
    a.lr = 0.1 + 0.2;
    a.keep_best = true;
    a.norms = SMOL_NORM_STORED;
    json = smol_options_to_json(&a);
    cr_assert_eq(smol_options_from_json(&b, json, NULL), SMOL_OK);
    cr_assert_null(smol_options_difference(&a, &b));
    cr_assert(b.lr == a.lr && b.seed == a.seed && b.keep_best && b.norms == SMOL_NORM_STORED);
    b.lr = nextafter(a.lr, 1);
    cr_assert_str_eq(smol_options_difference(&a, &b), "lr");
    cr_assert_null(json_object_get(json, "order"), "older programs cannot know it");
    json_decref(json);
    b = a;
    b.order = SMOL_ORDER_SHUFFLED;
    cr_assert_str_eq(smol_options_difference(&a, &b), "order");
    json = smol_options_to_json(&b);
    cr_assert_eq(smol_options_from_json(&a, json, NULL), SMOL_OK);
    cr_assert_eq(a.order, SMOL_ORDER_SHUFFLED);
    json_object_del(json, "d");
    cr_assert_eq(smol_options_from_json(&b, json, NULL), SMOL_E_TEXT);
    json_object_set_new(json, "d", json_integer(-1));
    cr_assert_eq(smol_options_from_json(&b, json, NULL), SMOL_E_TEXT);
    json_decref(json);
}

Test(train_options, methods_have_names)
{
    const char *const names[] = {"embed", "alpha", "alpha-global",    "lora",
                                 "full",  "nola",  "fastfood-global", "fourier"};
    struct smol_train_options o;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct smol_config config;

        cr_assert(smol_train_defaults(&o, sizeof o, names[i]));
        cr_assert_str_eq(smol_train_method(&o), names[i]);
        smol_train_resolve(&o);
        cr_assert_eq(smol_train_config(&config, &o, NULL), SMOL_OK);
        if (!o.full)
            cr_assert_str_eq(smol_config_method(&config), names[i]);
    }
    cr_assert_not(smol_train_defaults(&o, sizeof o, "Alpha"));
}

/* An older program's structure is filled as far as it goes, and refused elsewhere. */
Test(train_options, sizes_of_options)
{
    const size_t size = sizeof(struct smol_train_options);
    struct smol_train_options o, before;
    struct smol_trainer *t = NULL;

    memset(&o, 0xa5, size);
    before = o;
    cr_assert(smol_train_defaults(&o, size - 8, "alpha"));
    cr_assert_eq(memcmp((char *)&o + size - 8, (char *)&before + size - 8, 8), 0);
    cr_assert_eq(o.struct_bytes, size - 8);
    cr_assert_eq(o.matrices, SMOL_MATRIX_OWN);
    for (size_t stated = 0; stated <= 2 * size; stated += 8) {
        cr_assert(smol_train_defaults(&o, size, "alpha"));
        cr_assert_eq(o.struct_bytes, size);
        o.struct_bytes = stated;
        cr_assert_eq(smol_train_options_check(&o, NULL),
                     stated == size ? SMOL_OK : SMOL_E_ARGUMENT);
    }
    cr_assert_eq(smol_trainer_create(&t, &o, (const uint8_t *)"text", 4, NULL), SMOL_E_ARGUMENT);
    cr_assert_null(t);
}

/* SPEC.md 12: 1 / sqrt(K), and 1 / sqrt(2 L K) for the two that feed the residual stream. */
Test(train_options, scales)
{
    struct smol_train_options o;
    struct smol_config c;

    smol_train_defaults(&o, sizeof o, "embed");
    smol_train_resolve(&o);
    o.gain = 3;
    cr_assert_eq(smol_train_config(&c, &o, NULL), SMOL_OK);
    cr_assert(smol_config_scheme(&c, 0, SMOL_ATTN_C_ATTN)->sigma == (float)(3 / sqrt(128)));
    cr_assert(smol_config_scheme(&c, 3, SMOL_MLP_C_FC)->sigma == (float)(3 / sqrt(128)));
    cr_assert_float_eq(smol_config_scheme(&c, 0, SMOL_ATTN_C_PROJ)->sigma, 3 / sqrt(8 * 128), 1e-7);
    cr_assert_float_eq(smol_config_scheme(&c, 0, SMOL_MLP_C_PROJ)->sigma, 3 / sqrt(8 * 512), 1e-7);
}
