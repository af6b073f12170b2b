/* Configurations: both sides of every limit, the one encoding of each meaning, and where learned
 * numbers lie. SPEC.md 3.1 and 3.2; sizes and places below are counted by hand. */
#include "base/bytes.h"

#include <criterion/criterion.h>
#include <math.h>
#include <smol/config.h>
#include <smol/file.h>
#include <smol/params.h>
#include <stddef.h>

/* Two layers; scheme 0 a stored norm, 1 a matrix with 3 alphas and rank 2, 2 a frozen norm. */
static struct smol_config valid(void)
{
    struct smol_config c = {
        .n_layers = 2,
        .n_heads = 2,
        .width = 4,
        .n_ff = 6,
        .context = 8,
        .vocab = 16,
        .ln_epsilon = 1e-5f,
        .logit_scale = 1.0f,
        .ln_f = 2,
        .n_schemes = 3,
        .n_spans = 1,
    };

    c.schemes[0] =
        (struct smol_scheme){.kind = SMOL_NORM, .source = SMOL_NORM_STORED, .value_type = SMOL_F16};
    c.schemes[1] = (struct smol_scheme){.kind = SMOL_MATRIX,
                                        .source = SMOL_MATRIX_OWN,
                                        .d = 3,
                                        .rank = 2,
                                        .alpha_type = SMOL_F16,
                                        .sigma = 0.5f};
    c.schemes[2] = (struct smol_scheme){.kind = SMOL_NORM, .source = SMOL_NORM_FROZEN};
    c.spans[0] = (struct smol_layer_span){2, {0, 1, 1, 0, 1, 1}};
    return c;
}

static enum smol_status check(const struct smol_config *c)
{
    struct smol_error error = {0};
    const enum smol_status status = smol_config_check(c, &error);

    cr_assert_eq(error.code, status);
    cr_assert(status == SMOL_OK || error.text[0] != '\0');
    cr_assert_eq(smol_config_check(c, NULL), status);
    return status;
}

Test(config, whole_numbers_keep_to_their_limits)
{
    static const struct {
        size_t at;
        uint32_t max;
    } fields[] = {
        {offsetof(struct smol_config, n_layers), 256},
        {offsetof(struct smol_config, n_heads), 1024},
        {offsetof(struct smol_config, width), 65536},
        {offsetof(struct smol_config, n_ff), 262144},
        {offsetof(struct smol_config, context), 1048576},
        {offsetof(struct smol_config, vocab), 16777216},
    };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const uint32_t values[] = {0, 1, fields[i].max, fields[i].max + 1, UINT32_MAX};
        for (size_t k = 0; k < 5; k++) {
            struct smol_config c = valid();
            if (i == 1)
                c.width = 1024;
            if (i == 2)
                c.n_heads = 1;
            memcpy((char *)&c + fields[i].at, &values[k], sizeof values[k]);
            c.spans[0].n_layers = i == 0 && k == 2 ? 256 : i == 0 ? 1 : 2;
            cr_assert_eq(check(&c), k == 1 || k == 2 ? SMOL_OK : SMOL_E_RANGE,
                         "field %zu, value %u", i, values[k]);
        }
    }
}

static enum smol_status with_float(size_t at, float value)
{
    struct smol_config c = valid();

    memcpy((char *)&c + at, &value, sizeof value);
    return check(&c);
}

Test(config, scales_keep_to_their_limits)
{
    const size_t epsilon = offsetof(struct smol_config, ln_epsilon),
                 logit = offsetof(struct smol_config, logit_scale);
    const size_t sigma = offsetof(struct smol_config, schemes) + sizeof(struct smol_scheme) +
                         offsetof(struct smol_scheme, sigma);
    const struct {
        size_t at;
        float max;
    } fields[] = {{epsilon, 1.0f}, {logit, 0x1p60f}, {sigma, 0x1p60f}};

    for (size_t i = 0; i < 3; i++) {
        const float outside[] = {0.0f,      -0.0f,           -1.0f,
                                 0x1p-149f, 0x1.fffffep-61f, nextafterf(fields[i].max, INFINITY),
                                 INFINITY,  -INFINITY,       NAN};
        cr_assert_eq(with_float(fields[i].at, 0x1p-60f), SMOL_OK);
        cr_assert_eq(with_float(fields[i].at, fields[i].max), SMOL_OK);
        for (size_t k = 0; k < sizeof outside / sizeof outside[0]; k++)
            cr_assert_eq(with_float(fields[i].at, outside[k]), SMOL_E_RANGE, "field %zu, %a", i,
                         outside[k]);
    }
}

/* Scheme 1 or 0 of valid() as given. */
static enum smol_status with_matrix(struct smol_scheme s)
{
    struct smol_config c = valid();

    s.kind = SMOL_MATRIX;
    c.schemes[1] = s;
    return check(&c);
}

static enum smol_status with_norm(struct smol_scheme s)
{
    struct smol_config c = valid();

    s.kind = SMOL_NORM;
    c.schemes[0] = s;
    return check(&c);
}

#define MATRIX(...) with_matrix((struct smol_scheme){.sigma = 1.0f, __VA_ARGS__})
#define NORM(...) with_norm((struct smol_scheme){.source = SMOL_NORM_STORED, __VA_ARGS__})

Test(config, matrix_schemes)
{
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_UNIT, .d = 1), SMOL_OK);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_UNIT, .d = 2), SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_UNIT, .d = 1, .alpha_type = SMOL_F16),
                 SMOL_E_CANONICAL);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_OWN, .d = 1), SMOL_OK);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_OWN, .d = 64, .dist = SMOL_GAUSS), SMOL_OK);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_SHARED, .d = 64, .alpha_type = SMOL_F16), SMOL_OK);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_OWN, .d = 0), SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_OWN, .d = 65), SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_OWN, .d = 255), SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_FOURIER_SHARED + 1, .d = 1), SMOL_E_ENUM);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_FASTFOOD, .d = 1, .dimensions = 1), SMOL_OK);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_FASTFOOD, .d = 1, .dimensions = 1048576,
                        .alpha_type = SMOL_F16),
                 SMOL_OK);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_FASTFOOD_SHARED, .d = 1, .dimensions = 1000,
                        .dist = SMOL_GAUSS),
                 SMOL_OK);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_FASTFOOD, .d = 1), SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_FASTFOOD, .d = 1, .dimensions = 1048577),
                 SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_FASTFOOD, .d = 2, .dimensions = 10), SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_OWN, .d = 2, .dimensions = 10), SMOL_E_CANONICAL);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_OWN, .d = 1, .dist = 2), SMOL_E_ENUM);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_OWN, .d = 1, .alpha_type = SMOL_Q8), SMOL_E_ENUM);
    cr_assert_eq(MATRIX(.d = 1, .rank = 1, .value_type = SMOL_F16), SMOL_OK);
    cr_assert_eq(MATRIX(.d = 1, .rank = 4096), SMOL_OK);
    cr_assert_eq(MATRIX(.d = 1, .rank = 4097), SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.d = 1, .rank = 65535), SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.d = 1, .rank = 1, .value_type = SMOL_Q8), SMOL_E_ENUM);
    cr_assert_eq(MATRIX(.d = 1, .rank = 1, .value_type = SMOL_Q8_BLOCKS), SMOL_OK);
    cr_assert_eq(MATRIX(.d = 1, .rank = 1, .value_type = SMOL_Q4), SMOL_E_ENUM);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_NOLA, .d = 64, .rank = 4096, .alpha_type = SMOL_F16),
                 SMOL_OK);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_NOLA, .d = 65, .rank = 1), SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_NOLA, .d = 0, .rank = 1), SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_NOLA, .d = 2, .rank = 4097), SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_NOLA, .d = 2), SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_NOLA, .d = 2, .rank = 1, .dimensions = 1),
                 SMOL_E_CANONICAL);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_NOLA, .d = 2, .rank = 1, .value_type = SMOL_F16),
                 SMOL_E_CANONICAL);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_FASTFOOD_SHARED, .d = 1, .dimensions = 9,
                        .terms = SMOL_TERM_LAYER_GAIN),
                 SMOL_OK);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_FASTFOOD, .d = 1, .dimensions = 9,
                        .terms = SMOL_TERM_LAYER_GAIN),
                 SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_SHARED, .d = 1, .terms = SMOL_TERM_LAYER_GAIN),
                 SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.d = 1, .terms = SMOL_TERM_SPARSE, .dimensions = 1, .value_type = SMOL_F16),
                 SMOL_OK);
    cr_assert_eq(MATRIX(.d = 1, .terms = SMOL_TERM_SPARSE, .dimensions = 0), SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.d = 1, .terms = SMOL_TERM_SPARSE, .dimensions = 1048576), SMOL_E_RANGE);
    cr_assert_eq(
        MATRIX(.source = SMOL_MATRIX_FASTFOOD, .d = 1, .terms = SMOL_TERM_SPARSE, .dimensions = 1),
        SMOL_E_RANGE);
    cr_assert_eq(MATRIX(.d = 1, .terms = SMOL_TERM_GAINS, .value_type = SMOL_F16), SMOL_OK);
    cr_assert_eq(MATRIX(.d = 1, .terms = SMOL_TERM_BIASES), SMOL_OK);
    cr_assert_eq(MATRIX(.d = 1, .terms = SMOL_TERM_GAINS | SMOL_TERM_BIASES, .value_type = SMOL_Q8),
                 SMOL_E_ENUM);
    cr_assert_eq(MATRIX(.d = 1, .rank = 1, .value_type = 5), SMOL_E_ENUM);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_OWN, .d = 2, .alpha_type = SMOL_Q8_BLOCKS), SMOL_OK);
    cr_assert_eq(MATRIX(.source = SMOL_MATRIX_OWN, .d = 2, .alpha_type = 5), SMOL_E_ENUM);
    cr_assert_eq(MATRIX(.d = 1, .rank = 0, .value_type = SMOL_F16), SMOL_E_CANONICAL);
}

Test(config, norm_schemes)
{
    cr_assert_eq(NORM(.value_type = SMOL_F32), SMOL_OK);
    cr_assert_eq(NORM(.value_type = SMOL_F16), SMOL_OK);
    cr_assert_eq(NORM(.value_type = SMOL_Q8), SMOL_E_ENUM);
    cr_assert_eq(NORM(.value_type = SMOL_Q8_BLOCKS), SMOL_OK);
    cr_assert_eq(NORM(.value_type = SMOL_F16, .terms = SMOL_TERM_GAINS), SMOL_E_ENUM);
    cr_assert_eq(NORM(.d = 1), SMOL_E_CANONICAL);
    cr_assert_eq(NORM(.dist = SMOL_GAUSS), SMOL_E_CANONICAL);
    cr_assert_eq(NORM(.alpha_type = SMOL_F16), SMOL_E_CANONICAL);
    cr_assert_eq(NORM(.sigma = 1.0f), SMOL_E_CANONICAL);
    cr_assert_eq(NORM(.sigma = -0.0f), SMOL_E_CANONICAL);
    cr_assert_eq(NORM(.rank = 1), SMOL_E_CANONICAL);
    cr_assert_eq(with_norm((struct smol_scheme){.source = 3}), SMOL_E_ENUM);
    cr_assert_eq(with_norm((struct smol_scheme){.source = SMOL_NORM_OWN, .d = 64, .sigma = 1.0f}),
                 SMOL_OK);
    cr_assert_eq(with_norm((struct smol_scheme){.source = SMOL_NORM_OWN, .d = 65, .sigma = 1.0f}),
                 SMOL_E_RANGE);
    cr_assert_eq(with_norm((struct smol_scheme){.source = SMOL_NORM_OWN, .d = 0, .sigma = 1.0f}),
                 SMOL_E_RANGE);
    cr_assert_eq(with_norm((struct smol_scheme){.source = SMOL_NORM_OWN, .d = 1}), SMOL_E_RANGE);
    cr_assert_eq(with_norm((struct smol_scheme){
                     .source = SMOL_NORM_OWN, .d = 1, .sigma = 1.0f, .value_type = 1}),
                 SMOL_E_CANONICAL);
}

Test(config, one_encoding_for_each_meaning)
{
    struct smol_config c = valid();

    cr_assert_eq(check(&c), SMOL_OK);
    c.spans[0].n_layers = 1;
    cr_assert_eq(check(&c), SMOL_E_RANGE, "the runs have one layer, the model two");
    c.n_spans = 2;
    c.spans[1] = c.spans[0];
    cr_assert_eq(check(&c), SMOL_E_CANONICAL, "neighbours alike");
    c.spans[1].scheme[SMOL_LN_2] = 2;
    cr_assert_eq(check(&c), SMOL_OK);
    c.spans[1].n_layers = 0;
    cr_assert_eq(check(&c), SMOL_E_RANGE);
    c = valid();
    c.n_spans = 3;
    cr_assert_eq(check(&c), SMOL_E_RANGE, "more runs than layers");
    c = valid();
    c.schemes[2] = c.schemes[0];
    cr_assert_eq(check(&c), SMOL_E_CANONICAL, "equal schemes");
    c = valid();
    c.ln_f = 0;
    cr_assert_eq(check(&c), SMOL_E_CANONICAL, "scheme 2 is not used");
    c = valid();
    c.ln_f = 3;
    cr_assert_eq(check(&c), SMOL_E_RANGE, "no such scheme");
    c.schemes[3] = c.schemes[2]; /* what lies behind the last is none */
    for (unsigned i = 3; i < 256; i++) {
        c.ln_f = (uint8_t)i;
        cr_assert_eq(check(&c), SMOL_E_RANGE, "no scheme %u", i);
    }
    c = valid();
    c.ln_f = 1;
    cr_assert_eq(check(&c), SMOL_E_RANGE, "a matrix's scheme for a norm");
    c = valid();
    c.spans[0].scheme[SMOL_ATTN_C_ATTN] = 0;
    cr_assert_eq(check(&c), SMOL_E_RANGE, "a norm's scheme for a matrix");
    c = valid();
    c.spans[0].scheme[SMOL_LN_1] = 2;
    c.ln_f = 0;
    cr_assert_eq(check(&c), SMOL_E_CANONICAL, "scheme 2 before 0");
    c = valid();
    c.n_schemes = 33;
    cr_assert_eq(check(&c), SMOL_E_RANGE);
}

Test(config, shared_alphas_are_one_vector)
{
    struct smol_config c = valid();

    c.schemes[1].source = SMOL_MATRIX_SHARED;
    c.schemes[3] = c.schemes[1];
    c.schemes[3].sigma = 0.25f;
    c.n_schemes = 4;
    c.spans[0] = (struct smol_layer_span){2, {0, 1, 3, 0, 1, 1}};
    smol_config_canonicalise(&c);
    cr_assert_eq(check(&c), SMOL_OK);
    c.schemes[2].d++;
    cr_assert_eq(check(&c), SMOL_E_RANGE);
    c.schemes[2].d--;
    c.schemes[2].alpha_type = SMOL_F32;
    cr_assert_eq(check(&c), SMOL_E_RANGE);
    c.schemes[2].alpha_type = SMOL_F16;
    cr_assert_eq(check(&c), SMOL_OK);
    /* Two ways to share: no one vector serves both. */
    c.schemes[2].source = SMOL_MATRIX_FASTFOOD_SHARED;
    c.schemes[2].d = 1;
    c.schemes[2].dimensions = c.schemes[1].d;
    cr_assert_eq(check(&c), SMOL_E_RANGE);
}

Test(config, schemes_may_differ_in_anything)
{
    struct smol_config c = valid();

    c.schemes[3] = c.schemes[1];
    c.n_schemes = 4;
    c.spans[0] = (struct smol_layer_span){2, {0, 1, 3, 0, 1, 1}};
    c.schemes[3].value_type = SMOL_F16;
    smol_config_canonicalise(&c);
    cr_assert(check(&c) == SMOL_OK && c.n_schemes == 4);
    for (uint32_t i = 0; i < 4; i++)
        c.schemes[i].value_type = i == 0 ? SMOL_F16 : SMOL_F32;
    cr_assert_eq(check(&c), SMOL_E_CANONICAL);
    for (uint32_t i = 1; i < 3; i++) {
        c.schemes[i].source = SMOL_MATRIX_FASTFOOD;
        c.schemes[i].d = 1;
        c.schemes[i].dimensions = 6 + i;
    }
    cr_assert_eq(check(&c), SMOL_OK);
    c.schemes[2].dimensions = 7;
    cr_assert_eq(check(&c), SMOL_E_CANONICAL);
}

/* A configuration that no file can have, for a file has a span. */
Test(config, of_no_runs_is_refused)
{
    struct smol_config c = valid();
    struct smol_error error;

    c.n_spans = 0;
    cr_assert(smol_config_check(&c, &error) == SMOL_E_RANGE && error.offset == 44);
}

/* One scheme cannot serve matrices and norms; it is the number that is named. */
Test(config, of_one_scheme_is_refused_as_such)
{
    struct smol_config c = valid();
    struct smol_error error;

    for (c.n_schemes = 0; c.n_schemes < 2; c.n_schemes++)
        cr_assert(smol_config_check(&c, &error) == SMOL_E_RANGE && error.offset == 43);
}

Test(config, canonicalise_keeps_runs_that_differ)
{
    struct smol_config c = valid(), once;

    c.n_spans = 2;
    c.spans[0] = (struct smol_layer_span){1, {0, 1, 1, 0, 1, 1}};
    c.spans[1] = (struct smol_layer_span){1, {0, 1, 1, 2, 1, 1}};
    once = c;
    smol_config_canonicalise(&c);
    cr_assert_arr_eq(&c, &once, sizeof c);
    cr_assert_eq(check(&c), SMOL_OK);
}

Test(config, canonicalise_merges_drops_and_renumbers)
{
    struct smol_config c = valid(), once;
    const struct smol_config v = c;

    /* Numbered backwards, one twice, one unused, and each layer a run of its own. */
    c.schemes[0] = v.schemes[2];
    c.schemes[1] = v.schemes[1];
    c.schemes[2] = v.schemes[1];
    c.schemes[3] = v.schemes[0];
    c.schemes[4] = v.schemes[1];
    c.schemes[4].rank = 7;
    c.n_schemes = 5;
    c.n_spans = 2;
    c.spans[0] = (struct smol_layer_span){1, {3, 1, 2, 3, 2, 1}};
    c.spans[1] = (struct smol_layer_span){1, {3, 2, 1, 3, 1, 2}};
    c.ln_f = 0;
    smol_config_canonicalise(&c);
    cr_assert_eq(check(&c), SMOL_OK);
    cr_assert_eq(c.n_schemes, 3);
    cr_assert_eq(c.n_spans, 1);
    cr_assert_eq(c.spans[0].n_layers, 2);
    cr_assert_arr_eq(c.spans[0].scheme, v.spans[0].scheme, 6);
    cr_assert_eq(c.ln_f, 2);
    cr_assert_eq(c.schemes[1].rank, 2);
    once = c;
    smol_config_canonicalise(&c);
    cr_assert_arr_eq(&c, &once, sizeof c);
}

Test(config, methods_have_names)
{
    struct smol_config c = valid();

    cr_assert_str_eq(smol_config_method(&c), "mixed", "alphas and factors");
    c.schemes[1].rank = 0;
    cr_assert_str_eq(smol_config_method(&c), "alpha");
    c.schemes[1].source = SMOL_MATRIX_SHARED;
    cr_assert_str_eq(smol_config_method(&c), "alpha-global");
    c.schemes[1].source = SMOL_MATRIX_UNIT;
    cr_assert_str_eq(smol_config_method(&c), "embed");
    c.schemes[1].rank = 1;
    cr_assert_str_eq(smol_config_method(&c), "lora");
}

Test(config, shapes_are_gpt2s)
{
    static const uint32_t expected[][2] = {{1, 4}, {12, 4}, {4, 4}, {1, 4}, {6, 4}, {4, 6}, {1, 4}};
    const struct smol_config c = valid();

    for (unsigned slot = 0; slot < 7; slot++) {
        uint32_t rows, cols;
        smol_config_shape(&rows, &cols, &c, (enum smol_slot)slot);
        cr_assert_eq(rows, expected[slot][0]);
        cr_assert_eq(cols, expected[slot][1]);
    }
}

/* By hand: a norm has 4 + 4 halves = 16 bytes. A matrix has 3 halves = 6 bytes, then A (2 x K) and
 * B (R x 2) as floats: c_attn 32 + 96, c_proj 32 + 32, c_fc 32 + 48, mlp.c_proj 48 + 32. */
Test(config, learned_numbers_lie_where_the_specification_says)
{
    static const uint64_t begins[] = {0, 16, 150, 220, 236, 322};
    static const uint64_t a_bytes[] = {0, 32, 32, 0, 32, 48};
    const uint64_t layer_bytes = 408;
    struct smol_config c = valid();
    struct smol_params_place at;
    uint64_t size;

    for (uint32_t layer = 0; layer < 2; layer++)
        for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++) {
            const uint64_t begin = layer_bytes * layer + begins[slot];
            smol_params_at(&at, &c, layer, (enum smol_slot)slot);
            if (slot == SMOL_LN_1 || slot == SMOL_LN_2) {
                cr_assert_eq(at.gain, begin);
                cr_assert_eq(at.bias, begin + 8);
                continue;
            }
            cr_assert_eq(at.alphas, begin, "layer %u, slot %u: %llu", layer, slot,
                         (unsigned long long)at.alphas);
            cr_assert_eq(at.factor_a, begin + 6);
            cr_assert_eq(at.factor_b, begin + 6 + a_bytes[slot]);
        }
    size = smol_params_bytes(&c);
    cr_assert_eq(size, 2 * layer_bytes);
    cr_assert_eq(smol_config_parameters(&c), 2 * (2 * 8 + 4 * 3 + 32 + 16 + 20 + 20));
}

/* A second run with other schemes, shared alphas in front (5 floats), a last norm with 2 + 2 alphas
 * as floats. */
Test(config, runs_and_shared_alphas_move_what_follows)
{
    struct smol_config c = valid();
    struct smol_params_place at;
    uint64_t size;

    c.n_layers = 5;
    c.schemes[1] = (struct smol_scheme){
        .kind = SMOL_MATRIX, .source = SMOL_MATRIX_SHARED, .d = 5, .sigma = 1.0f};
    c.schemes[2] = (struct smol_scheme){.kind = SMOL_MATRIX,
                                        .source = SMOL_MATRIX_OWN,
                                        .d = 9,
                                        .sigma = 1.0f,
                                        .alpha_type = SMOL_F16};
    c.schemes[3] =
        (struct smol_scheme){.kind = SMOL_NORM, .source = SMOL_NORM_OWN, .d = 2, .sigma = 1.0f};
    c.n_schemes = 4;
    c.n_spans = 2;
    c.spans[0] = (struct smol_layer_span){3, {0, 1, 1, 0, 1, 1}}; /* 32 bytes a layer */
    c.spans[1] = (struct smol_layer_span){2, {0, 1, 2, 0, 1, 1}}; /* 50 bytes a layer */
    c.ln_f = 3;
    cr_assert_eq(check(&c), SMOL_OK);
    smol_params_at(&at, &c, 2, SMOL_ATTN_C_PROJ);
    cr_assert_eq(at.alphas, 0, "shared");
    smol_params_at(&at, &c, 2, SMOL_LN_2);
    cr_assert_eq(at.gain, 20 + 64 + 16);
    smol_params_at(&at, &c, 4, SMOL_ATTN_C_PROJ);
    cr_assert_eq(at.alphas, 20 + 96 + 50 + 16);
    smol_params_at(&at, &c, 99, SMOL_LN_F);
    cr_assert_eq(at.alphas, 20 + 96 + 100);
    cr_assert_eq(at.bias_alphas, 20 + 96 + 100 + 8);
    size = smol_params_bytes(&c);
    cr_assert_eq(size, 20 + 96 + 100 + 16);
    cr_assert_eq(smol_config_parameters(&c), 5 + 5 * 16 + 2 * 9 + 4);
    cr_assert_eq(smol_config_scheme(&c, 3, SMOL_ATTN_C_PROJ), &c.schemes[2]);
    cr_assert_eq(smol_config_scheme(&c, 2, SMOL_ATTN_C_PROJ), &c.schemes[1]);
}

/* wte 16 x 4: f32 256 bytes; f16 128; q8 64, scales 64; q4 16 x 32, multipliers 16 x 2 padded to
 * 64, scales 64. wpe 8 x 4: 128; 64; 32 padded to 64, scales 32 padded to 64; 256, 16 padded to
 * 64, 64. */
Test(config, embeddings_lie_where_the_specification_says)
{
    static const struct {
        uint8_t wte, wpe;
        struct smol_embedding_layout at;
    } cases[] = {
        {0, 0, {{0, 0, 0}, {256, 0, 0}, 384}},          {1, 1, {{0, 0, 0}, {128, 0, 0}, 192}},
        {2, 2, {{0, 0, 64}, {128, 0, 192}, 256}},       {0, 2, {{0, 0, 0}, {256, 0, 320}, 384}},
        {3, 3, {{0, 512, 576}, {640, 896, 960}, 1024}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct smol_embedding_layout at;
        struct smol_config c = valid();
        c.wte_type = cases[i].wte;
        c.wpe_type = cases[i].wpe;
        smol_embedding_layout(&at, &c);
        cr_assert_arr_eq(&at, &cases[i].at, sizeof at, "case %zu", i);
    }
}
