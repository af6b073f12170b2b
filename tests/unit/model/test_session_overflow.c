/* Numbers that leave the range of SPEC.md 8 while a model runs are an error, and do no harm. */
#include "model/running.h"

#include <smol/params.h>

static void put(const uint8_t *number, float value)
{
    memcpy((void *)(uintptr_t)number, &value, sizeof value);
}

/* Number i of a row of a table of floats. */
static const uint8_t *cell(const struct smol_table_view *t, size_t row, size_t i)
{
    return t->data + (row * t->cols + i) * 4;
}

/* Of a token that is fed; of one that is not, and has only a logit; of a position; of the last
 * LayerNorm. */
static void spoil_fed_token(struct smol_file *f) { put(cell(&f->wte, 0, 0), 3e38f); }

static void spoil_other_token(struct smol_file *f) { put(cell(&f->wte, 9, 0), 3e38f); }

static void spoil_position(struct smol_file *f) { put(cell(&f->wpe, 2, 0), 3e38f); }

static void spoil_last_bias(struct smol_file *f)
{
    struct smol_params_place at;

    smol_params_at(&at, &f->config, 0, SMOL_LN_F);
    put(f->params.data + at.bias + 4 * (f->config.width - 1), 3e38f);
}

/* The next four would be hidden by what follows if nothing looked at the right moment. A large a,
 * then weights so small that (Q, K, V) is within the range. */
static void spoil_normalised(struct smol_file *f)
{
    struct smol_params_place at;

    smol_params_at(&at, &f->config, 0, SMOL_LN_1);
    put(f->params.data + at.gain, 1e18f);
    smol_params_at(&at, &f->config, 0, SMOL_ATTN_C_ATTN);
    for (size_t i = 0; i < 48; i++)
        put(f->params.data + at.factor_b + 4 * i, 0);
    for (uint32_t i = 0; i < f->config.n_schemes; i++)
        f->config.schemes[i].sigma = 0x1p-60f;
}

/* A large K makes all attention go to one position. */
static void spoil_key(struct smol_file *f)
{
    struct smol_params_place at;

    smol_params_at(&at, &f->config, 0, SMOL_ATTN_C_ATTN);
    put(f->params.data + at.factor_b + 4 * 16, 1e30f);
}

/* b is 1 throughout, and A b = 16; GELU of -16e30 is 0. */
static void spoil_activation(struct smol_file *f)
{
    struct smol_params_place norm, matrix;

    smol_params_at(&norm, &f->config, 0, SMOL_LN_2);
    smol_params_at(&matrix, &f->config, 0, SMOL_MLP_C_FC);
    for (size_t i = 0; i < 16; i++) {
        put(f->params.data + norm.gain + 4 * i, 0);
        put(f->params.data + norm.bias + 4 * i, 1);
        put(f->params.data + matrix.factor_a + 4 * i, 1);
    }
    put(f->params.data + matrix.factor_b, -1e30f);
}

/* The last LayerNorm divides by infinity. */
static void spoil_residual(struct smol_file *f)
{
    struct smol_params_place at;

    smol_params_at(&at, &f->config, 1, SMOL_MLP_C_PROJ);
    put(f->params.data + at.factor_b, 1e30f);
}

/* A number that leaves the range, wherever it stands, is an error before a logit is shown, and the
 * session is where it was. The model: width 16, rank 1, stored norms, all in f32. */
Test(overflow, numbers_that_overflow_are_an_error)
{
    static void (*const spoil[])(struct smol_file *) = {
        spoil_fed_token,  spoil_other_token, spoil_position,   spoil_last_bias,
        spoil_normalised, spoil_key,         spoil_activation, spoil_residual,
    };
    const struct model_recipe recipe = {.norms = SMOL_NORM_STORED, .rank = 1};
    const uint32_t tokens[5] = {1, 2, 0, 2, 1};

    for (size_t k = 0; k < sizeof spoil / sizeof spoil[0]; k++) {
        struct smol_error error = {0};
        struct running r;
        model_open(&r.file, &recipe);
        spoil[k](&r.file);
        begin(&r, 2, 2);
        /* The second time nothing that the first has left may hide it. */
        for (int i = 0; i < 2; i++) {
            cr_assert_eq(smol_session_feed(r.session, tokens, 5, &error), SMOL_E_NUMERIC,
                         "case %zu", k);
            cr_assert_eq(error.code, SMOL_E_NUMERIC);
            cr_assert_eq(smol_session_position(r.session), 0);
            cr_assert_null(smol_session_logits(r.session));
        }
        finish(&r);
    }
}

/* A row of the output table of a token that is not fed. */
static void spoil_output(struct smol_file *f) { put(cell(&f->output, 9, 0), 3e38f); }

/* A unit of 16 x 2^44 is within the range, its square is not; c_proj's sigma hides it. */
static void spoil_square(struct smol_file *f)
{
    spoil_activation(f);
    struct smol_params_place at;

    smol_params_at(&at, &f->config, 0, SMOL_MLP_C_FC);
    put(f->params.data + at.factor_b, 0x1p44f);
    smol_params_at(&at, &f->config, 0, SMOL_MLP_C_PROJ);
    for (size_t i = 0; i < 16; i++)
        put(f->params.data + at.factor_b + 4 * i, 0);
    for (uint32_t i = 0; i < f->config.n_schemes; i++)
        if (f->config.schemes[i].kind == SMOL_MATRIX)
            f->config.schemes[i].sigma = 0x1p-60f;
}

/* The same of architecture 1, far into a text that slides; there the session may be at the start
 * afterwards. Token 0 is what is wrong, or 2 comes after enough others. */
Test(overflow, in_a_text_without_end)
{
    static void (*const spoil[])(struct smol_file *) = {
        spoil_fed_token, spoil_output,   spoil_last_bias, spoil_normalised,
        spoil_key,       spoil_residual, spoil_square,    spoil_activation,
    };
    const struct model_recipe recipe = {.features = SMOL_ALL_FEATURES,
                                        .context = 3,
                                        .source = SMOL_MATRIX_MASK,
                                        .norms = SMOL_NORM_STORED,
                                        .rank = 1};
    const uint32_t tokens[12] = {1, 2, 3, 2, 1, 4, 5, 6, 1, 2, 0, 2};

    for (size_t k = 0; k < sizeof spoil / sizeof spoil[0]; k++) {
        struct smol_error error = {0};
        struct running r;
        model_open(&r.file, &recipe);
        spoil[k](&r.file);
        begin(&r, 2, 2);
        for (int i = 0; i < 2; i++) {
            cr_assert_eq(smol_session_feed(r.session, tokens, 12, &error), SMOL_E_NUMERIC,
                         "case %zu", k);
            cr_assert_eq(smol_session_position(r.session), 0);
            cr_assert_null(smol_session_logits(r.session));
        }
        finish(&r);
    }
}

/* Nothing of a text that overflowed is in the next one: not its keys, not its last input. */
Test(overflow, leaves_nothing_in_a_text_without_end)
{
    const struct model_recipe recipe = {.features = SMOL_ALL_FEATURES, .context = 3};
    const uint32_t good[5] = {1, 2, 3, 4, 5}, bad[2] = {6, 0};
    float expected[256];
    struct running r;

    start(&r, &recipe, 2, 0);
    put(cell(&r.file.wte, 0, 0), 3e38f);
    cr_assert_eq(smol_session_feed(r.session, good, 5, NULL), SMOL_OK);
    memcpy(expected, smol_session_logits(r.session), sizeof expected);
    cr_assert_eq(smol_session_feed(r.session, bad, 2, NULL), SMOL_E_NUMERIC);
    cr_assert_eq(smol_session_position(r.session), 0);
    cr_assert_eq(smol_session_feed(r.session, good, 5, NULL), SMOL_OK);
    cr_assert_arr_eq(smol_session_logits(r.session), expected, sizeof expected);
    finish(&r);
}

/* Factors and norms so large that infinities and their differences arise everywhere. */
Test(overflow, infinities_are_an_error)
{
    static const struct model_recipe cases[] = {
        {.rank = 2, .factor_scale = 1e30f},
        {.norms = SMOL_NORM_STORED, .factor_scale = 1e38f},
        {.norms = SMOL_NORM_STORED, .rank = 17, .factor_scale = 3e38f, .wte_type = SMOL_Q8},
    };
    const uint32_t tokens[2] = {0, 1};

    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct running r;
        start(&r, &cases[k], 1, 0);
        cr_assert_eq(smol_session_feed(r.session, tokens, 2, NULL), SMOL_E_NUMERIC, "case %zu", k);
        finish(&r);
    }
}

/* Position 3 overflows; what was computed for position 2 on the way does no harm. */
Test(overflow, goes_on_after_an_overflow)
{
    const uint32_t good[3] = {1, 2, 3}, bad[2] = {5, 6};
    float expected[256];
    const struct model_recipe recipe = {.source = SMOL_MATRIX_OWN,
                                        .dist = SMOL_GAUSS,
                                        .d = 8,
                                        .n_layers = 5,
                                        .width = 64,
                                        .n_heads = 4};
    struct running r;

    start(&r, &recipe, 2, 0);
    put(cell(&r.file.wpe, 3, 0), 3e38f);
    cr_assert_eq(smol_session_feed(r.session, good, 3, NULL), SMOL_OK);
    memcpy(expected, smol_session_logits(r.session), sizeof expected);
    smol_session_rewind(r.session, 0);
    cr_assert_eq(smol_session_feed(r.session, good, 2, NULL), SMOL_OK);
    cr_assert_eq(smol_session_feed(r.session, bad, 2, NULL), SMOL_E_NUMERIC);
    cr_assert_eq(smol_session_position(r.session), 2);
    cr_assert_eq(smol_session_feed(r.session, good + 2, 1, NULL), SMOL_OK);
    cr_assert_arr_eq(smol_session_logits(r.session), expected, sizeof expected);
    finish(&r);
}
