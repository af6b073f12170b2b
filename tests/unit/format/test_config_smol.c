/* Configurations of versions 1.1 and 1.3: features, the factors of heads, the output table, masks,
 * stored rows. SPEC.md 3.1 and 14. */
#include "format/valid_config.h"

#include <criterion/criterion.h>
#include <math.h>
#include <smol/file.h>
#include <smol/params.h>

static void refused(const struct smol_config *c, enum smol_status status, uint64_t offset)
{
    struct smol_error error = {0};

    cr_assert_eq(smol_config_check(c, &error), status, "%s", error.text);
    cr_assert_eq(error.offset, offset, "byte %llu: %s", (unsigned long long)error.offset,
                 error.text);
}

static struct smol_config with_features(uint16_t features)
{
    struct smol_config c = valid();

    c.architecture = SMOL_ARCH_SMOL;
    c.features = features;
    return c;
}

/* Slope factors (2) and a history (64) need distances (1), something must be there, and 128 and up
 * is reserved. */
Test(config_smol, every_set_of_features_that_makes_sense)
{
    for (uint32_t features = 0; features < 512; features++) {
        const struct smol_config c = with_features((uint16_t)features);
        if (features == 0)
            refused(&c, SMOL_E_CANONICAL, 2);
        else if (features >= 128)
            refused(&c, SMOL_E_RESERVED, 2);
        else if ((features & 2 || features & 64) && !(features & 1))
            refused(&c, SMOL_E_RANGE, 2);
        else
            cr_assert_eq(smol_config_check(&c, NULL), SMOL_OK, "features %u", features);
    }
}

Test(config_smol, architectures)
{
    struct smol_config c = with_features(SMOL_FEATURE_RELU2);

    c.architecture = SMOL_ARCH_GPT2;
    refused(&c, SMOL_E_RANGE, 2);
    c.architecture = (enum smol_architecture)3;
    refused(&c, SMOL_E_ENUM, 0);
}

Test(config_smol, features_are_asked_for)
{
    static const enum smol_feature features[] = {
        SMOL_FEATURE_DISTANCES,  SMOL_FEATURE_SLOPE_FACTORS, SMOL_FEATURE_TEMPERATURES,
        SMOL_FEATURE_HALF_SHIFT, SMOL_FEATURE_RELU2,         SMOL_FEATURE_OUTPUT_TABLE,
        SMOL_FEATURE_HISTORY};

    for (unsigned i = 0; i < 7; i++) {
        const struct smol_config c = with_features((uint16_t)(1u << i));
        cr_assert_eq((unsigned)features[i], 1u << i);
        for (unsigned k = 0; k < 7; k++)
            cr_assert_eq(smol_config_has(&c, features[k]), i == k);
    }
}

/* H = 2 of each kind. */
Test(config_smol, factors_of_heads_are_counted)
{
    static const struct {
        uint16_t features;
        uint32_t n;
    } cases[] = {{SMOL_FEATURE_RELU2, 0},
                 {SMOL_FEATURE_DISTANCES, 0},
                 {SMOL_FEATURE_TEMPERATURES, 2},
                 {SMOL_FEATURE_DISTANCES | SMOL_FEATURE_SLOPE_FACTORS, 2},
                 {SMOL_ALL_FEATURES, 4}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct smol_config c = with_features(cases[i].features);
        cr_assert_eq(smol_config_head_factors(&c), cases[i].n);
    }
}

/* Each may have the types that suit it, and none where it is not there. */
Test(config_smol, number_types_of_what_is_there)
{
    for (uint32_t type = 0; type < 8; type++) {
        const bool of_rows = type <= 3 || type == 5 || type == 6, of_heads = type <= 1 || type == 4;
        struct smol_config c = with_features(SMOL_FEATURE_TEMPERATURES | SMOL_FEATURE_OUTPUT_TABLE);
        c.output_type = (enum smol_dtype)type;
        if (of_rows)
            cr_assert_eq(smol_config_check(&c, NULL), SMOL_OK, "output table of type %u", type);
        else
            refused(&c, SMOL_E_ENUM, 52);
        c.output_type = SMOL_F32;
        c.head_type = (enum smol_dtype)type;
        if (of_heads)
            cr_assert_eq(smol_config_check(&c, NULL), SMOL_OK, "heads of type %u", type);
        else
            refused(&c, SMOL_E_ENUM, 47);
        c.head_type = SMOL_F32;
        c.wpe_type = (enum smol_dtype)type;
        if (of_rows)
            cr_assert_eq(smol_config_check(&c, NULL), SMOL_OK, "wpe of type %u", type);
        else
            refused(&c, SMOL_E_ENUM, 41);
    }
}

Test(config_smol, number_types_of_what_is_not_there)
{
    struct smol_config c = with_features(SMOL_FEATURE_DISTANCES);

    c.wpe_type = SMOL_F16;
    refused(&c, SMOL_E_CANONICAL, 41);
    c = with_features(SMOL_FEATURE_DISTANCES);
    c.head_type = SMOL_F16;
    refused(&c, SMOL_E_CANONICAL, 47);
    c = with_features(SMOL_FEATURE_DISTANCES);
    c.output_type = SMOL_TERNARY;
    refused(&c, SMOL_E_CANONICAL, 52);
}

/* Scheme 1 of valid(), which lies at byte 72 of CONF. */
#define MATRIX(...)                                                                                \
    (struct smol_scheme) { .kind = SMOL_MATRIX, __VA_ARGS__ }
#define MASK(...) MATRIX(.source = SMOL_MATRIX_MASK, __VA_ARGS__)
#define STORED(...) MATRIX(.source = SMOL_MATRIX_STORED, __VA_ARGS__)

static struct smol_config with(struct smol_scheme s)
{
    struct smol_config c = valid();

    c.schemes[1] = s;
    return c;
}

static void accepted(struct smol_scheme s)
{
    const struct smol_config c = with(s);
    struct smol_error error = {0};

    cr_assert_eq(smol_config_check(&c, &error), SMOL_OK, "%s", error.text);
}

static void refused_at(struct smol_scheme s, enum smol_status status, uint64_t offset)
{
    const struct smol_config c = with(s);

    refused(&c, status, 72 + offset);
}

Test(config_smol, masks)
{
    accepted(MASK(.d = 1, .sigma = 1.0f));
    accepted(MASK(.d = 1, .sigma = 0x1p-60f, .rank = 4096, .value_type = SMOL_Q8_BLOCKS));
    accepted(MASK(.d = 1, .sigma = 1.0f, .terms = SMOL_TERM_GAINS | SMOL_TERM_BIASES));
    accepted(MASK(.d = 1, .sigma = 1.0f, .terms = SMOL_TERM_SPARSE, .dimensions = 4));
    refused_at(MASK(.d = 1, .sigma = 1.0f, .terms = SMOL_TERM_LAYER_GAIN), SMOL_E_RANGE, 0);
    refused_at(MASK(.d = 1, .sigma = 1.0f, .dist = SMOL_GAUSS), SMOL_E_CANONICAL, 2);
    refused_at(MASK(.d = 0, .sigma = 1.0f), SMOL_E_RANGE, 3);
    refused_at(MASK(.d = 2, .sigma = 1.0f), SMOL_E_RANGE, 3);
    refused_at(MASK(.d = 1, .sigma = 1.0f, .rank = 4097), SMOL_E_RANGE, 4);
    refused_at(MASK(.d = 1, .sigma = 1.0f, .alpha_type = SMOL_F16), SMOL_E_CANONICAL, 6);
    refused_at(MASK(.d = 1, .sigma = 1.0f, .value_type = SMOL_F16), SMOL_E_CANONICAL, 7);
    refused_at(MASK(.d = 1, .sigma = 0.0f), SMOL_E_RANGE, 8);
    refused_at(MASK(.d = 1, .sigma = NAN), SMOL_E_RANGE, 8);
    refused_at(MASK(.d = 1, .sigma = 1.0f, .dimensions = 1), SMOL_E_CANONICAL, 12);
}

Test(config_smol, stored_rows)
{
    for (uint32_t type = 0; type < 8; type++) {
        const enum smol_dtype rows = (enum smol_dtype)type;
        if (type <= 3 || type == 5)
            accepted(STORED(.alpha_type = rows));
        else
            refused_at(STORED(.alpha_type = rows), SMOL_E_ENUM, 6);
    }
    accepted(STORED(.rank = 1, .value_type = SMOL_F16));
    accepted(STORED(.terms = SMOL_TERM_GAINS | SMOL_TERM_SPARSE, .dimensions = 1));
    refused_at(STORED(.terms = SMOL_TERM_LAYER_GAIN), SMOL_E_RANGE, 0);
    refused_at(STORED(.dist = SMOL_GAUSS), SMOL_E_CANONICAL, 2);
    refused_at(STORED(.d = 1), SMOL_E_CANONICAL, 3);
    refused_at(STORED(.rank = 4097), SMOL_E_RANGE, 4);
    refused_at(STORED(.value_type = SMOL_F16), SMOL_E_CANONICAL, 7);
    refused_at(STORED(.sigma = 1.0f), SMOL_E_CANONICAL, 8);
    refused_at(STORED(.sigma = -0.0f), SMOL_E_CANONICAL, 8);
    refused_at(STORED(.dimensions = 1), SMOL_E_CANONICAL, 12);
    refused_at(MATRIX(.source = (enum smol_source)11, .d = 1, .sigma = 1.0f), SMOL_E_ENUM, 1);
}

/* A stored matrix's type is that of its rows, not of a vector that others share. */
Test(config_smol, stored_rows_of_two_types_stand_side_by_side)
{
    struct smol_config c = with(STORED(.alpha_type = SMOL_Q4));

    c.schemes[3] = c.schemes[2];
    c.schemes[2] = STORED(.alpha_type = SMOL_TERNARY);
    c.spans[0] = (struct smol_layer_span){2, {0, 1, 2, 0, 1, 1}};
    c.n_schemes = 4;
    c.ln_f = 3;
    cr_assert_eq(smol_config_check(&c, NULL), SMOL_OK);
    cr_assert_null(smol_config_shared(&c));
}

/* SPEC.md 14: what version 1.1 added takes it, and nothing else does. */
Test(config_smol, minor_versions)
{
    struct smol_config c = valid();

    cr_assert_eq(smol_config_minor_version(&c), 0);
    c.tokenizer = SMOL_TOKENIZER_BPE;
    cr_assert_eq(smol_config_minor_version(&c), 0);
    c.tokenizer = SMOL_TOKENIZER_BYTE_SET;
    cr_assert_eq(smol_config_minor_version(&c), 1);
    c = with_features(SMOL_FEATURE_OUTPUT_TABLE);
    cr_assert_eq(smol_config_minor_version(&c), 1);
    c = valid();
    c.wte_type = SMOL_TERNARY;
    cr_assert_eq(smol_config_minor_version(&c), 1);
    c = valid();
    c.wpe_type = SMOL_TERNARY;
    cr_assert_eq(smol_config_minor_version(&c), 1);
    c = valid();
    c.wte_type = SMOL_Q4_ROW;
    cr_assert_eq(smol_config_minor_version(&c), 1);
    c = valid();
    c.wpe_type = SMOL_Q4_ROW;
    cr_assert_eq(smol_config_minor_version(&c), 1);
    c = with(MASK(.d = 1, .sigma = 1.0f));
    cr_assert_eq(smol_config_minor_version(&c), 1);
    c = with(STORED(.alpha_type = SMOL_F16));
    cr_assert_eq(smol_config_minor_version(&c), 1);
    c = with(MATRIX(.source = SMOL_MATRIX_NOLA, .d = 2, .rank = 1, .sigma = 1.0f));
    cr_assert_eq(smol_config_minor_version(&c), 0);
}

/* A bit each of a mask, all numbers of a stored matrix, the factors of heads; valid() has two
 * layers of 12 x 4, 4 x 4, 6 x 4 and 4 x 6, norms of 8, and two heads. */
Test(config_smol, parameters_are_counted)
{
    struct smol_config c = with(MASK(.d = 1, .sigma = 1.0f));

    cr_assert_eq(smol_config_parameters(&c), 2 * (16 + 48 + 16 + 24 + 24));
    c = with(STORED(.alpha_type = SMOL_Q8, .terms = SMOL_TERM_GAINS));
    cr_assert_eq(smol_config_parameters(&c), 2 * (16 + 48 + 16 + 24 + 24 + 12 + 4 + 6 + 4));
    c = with_features(SMOL_ALL_FEATURES);
    c.schemes[1] = MATRIX(.d = 1, .sigma = 1.0f);
    cr_assert_eq(smol_config_parameters(&c), 2 * (16 + 4) + 5);
}

/* It takes version 1.3, whatever else there is, five numbers of the type of the heads' factors, and
 * tokens of 16 bits. */
Test(config_smol, a_history)
{
    struct smol_config c = with_features(SMOL_FEATURE_DISTANCES | SMOL_FEATURE_HISTORY);

    cr_assert_eq(smol_config_minor_version(&c), 3);
    cr_assert_eq(smol_config_head_factors(&c), 0);
    cr_assert_eq(smol_config_history(&c), 5);
    cr_assert(smol_config_has_head_type(&c));
    cr_assert_eq(smol_params_bytes(&c), smol_params_history_at(&c) + 20);
    for (uint32_t type = 0; type < 8; type++) {
        c.head_type = (enum smol_dtype)type;
        if (type <= 1 || type == 4)
            cr_assert_eq(smol_config_check(&c, NULL), SMOL_OK);
        else
            refused(&c, SMOL_E_ENUM, 47);
    }
    c.head_type = SMOL_Q8_BLOCKS;
    cr_assert_eq(smol_params_bytes(&c), smol_params_history_at(&c) + 2 + 5);
    c.vocab = 65536;
    cr_assert_eq(smol_config_check(&c, NULL), SMOL_OK);
    c.vocab = 65537;
    refused(&c, SMOL_E_RANGE, 24);
    c.features = SMOL_FEATURE_DISTANCES | SMOL_FEATURE_TEMPERATURES;
    cr_assert_eq(smol_config_check(&c, NULL), SMOL_OK);
    cr_assert_eq(smol_config_history(&c), 0);
    cr_assert_eq(smol_config_minor_version(&c), 1);
    cr_assert_eq(smol_params_bytes(&c), smol_params_history_at(&c));
}
