/* Configurations: both sides of every limit, the one encoding of each meaning. SPEC.md 3.1. */
#include "base/bytes.h"
#include "format/valid_config.h"

#include <criterion/criterion.h>
#include <math.h>
#include <smol/config.h>
#include <smol/file.h>
#include <smol/params.h>
#include <stddef.h>

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
