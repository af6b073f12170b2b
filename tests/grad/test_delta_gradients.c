/* Gradients of what a delta learns, against differences: numbers that mix models, differences of
 * gains, norms and heads' factors, and rows of tables. */
#include "../unit/make_model.h"
#define MOST 10
#include "gradients.h"

/* What a case has besides the schemes of its matrices and norms. */
struct kind {
    uint32_t n_models, n_rows;
    uint16_t features;
    bool learn_factors, learn_scale;
};

static void open_models(struct smol_file *files, struct smol_file_part *parts, const struct kind *k)
{
    for (uint32_t i = 0; i < k->n_models; i++) {
        const struct model_recipe recipe = {.n_layers = N_LAYERS,
                                            .n_heads = N_HEADS,
                                            .width = WIDTH,
                                            .n_ff = N_FF,
                                            .context = CONTEXT + 2,
                                            .vocab = VOCAB,
                                            .source = SMOL_MATRIX_OWN,
                                            .norms = i == 0 ? SMOL_NORM_STORED : SMOL_NORM_FROZEN,
                                            .terms = i == 0 ? SMOL_TERM_BIASES : SMOL_TERM_GAINS,
                                            .features = k->features,
                                            .seed = 5};

        model_open(files + i, &recipe);
        files[i].config.logit_scale = i == 0 ? 1.25f : 0.75f;
        parts[i] = (struct smol_file_part){files + i, i == 0 ? 0.7f : 0.4f};
    }
}

static void check(struct smol_scheme a, struct smol_scheme m, struct smol_scheme n,
                  const struct kind *k)
{
    static const uint32_t rows[] = {0, 2, 3, 7, 12};
    struct smol_file files[SMOL_MAX_MODELS];
    struct smol_file_part parts[SMOL_MAX_MODELS];
    struct smol_config c = shape_of(a, m, n);

    c.architecture = SMOL_ARCH_DELTA;
    c.features = k->features;
    c.n_models = (uint8_t)k->n_models;
    c.input_rows = k->n_rows;
    c.output_rows = smol_config_has(&c, SMOL_FEATURE_OUTPUT_TABLE) ? k->n_rows : 0;
    for (uint32_t i = 0; i < c.n_schemes; i++)
        if (c.schemes[i].kind == SMOL_MATRIX && c.schemes[i].source == SMOL_MATRIX_UNIT)
            c.schemes[i].sigma = 0;
    check_config(&c);
    open_models(files, parts, k);
    check_network(&c,
                  (struct smol_net_options){.batch = BATCH,
                                            .n_threads = 1,
                                            .smooth = true,
                                            .learn_logit_scale = k->learn_scale,
                                            .sigma = {0, 0.25f, 0.25f, 0, 0.25f, 0.25f},
                                            .models = parts,
                                            .n_models = k->n_models,
                                            .learn_factors = k->learn_factors,
                                            .rows = rows},
                  &(struct teaching){NULL, NULL, NULL});
    for (uint32_t i = 0; i < k->n_models; i++)
        free((void *)(uintptr_t)files[i].bytes.data);
}

static const struct kind kinds[] = {
    {.n_models = 1},
    {.n_models = 1, .learn_scale = true, .n_rows = 5},
    {.n_models = 1, .features = SMOL_NETWORK_FEATURES, .learn_scale = true, .n_rows = 5},
    {.n_models = 2, .learn_scale = true},
    {.n_models = 2, .learn_factors = true, .learn_scale = true, .n_rows = 5},
    {.n_models = 2, .learn_factors = true, .features = SMOL_NETWORK_FEATURES, .learn_scale = true},
    {.n_models = 1, .learn_factors = true, .features = SMOL_FEATURE_HALF_SHIFT, .n_rows = 5},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

/* A source, alone and beside gains, biases and numbers of models, in kinds from the first on. */
static void check_source(struct smol_scheme s, size_t first)
{
    static const unsigned terms[] = {0, SMOL_TERM_GAINS, SMOL_TERM_BIASES | SMOL_TERM_MODELS,
                                     SMOL_TERM_GAINS | SMOL_TERM_BIASES | SMOL_TERM_MODELS};

    for (size_t i = first; i < N_KINDS; i += 4) {
        struct smol_scheme a = s, m = s;

        a.terms |= (uint8_t)terms[i % 4];
        m.terms |= (uint8_t)terms[3 - i % 4];
        check(a, m, i % 2 == 0 ? frozen : norm(SMOL_NORM_STORED, SMOL_SIGN, 0), kinds + i);
    }
}

Test(delta_gradients, factors) { check_source(matrix(SMOL_MATRIX_UNIT, SMOL_SIGN, 1, 2), 0); }

Test(delta_gradients, alphas) { check_source(matrix(SMOL_MATRIX_OWN, SMOL_GAUSS, 3, 0), 1); }

Test(delta_gradients, projections)
{
    struct smol_scheme s = matrix(SMOL_MATRIX_FASTFOOD_SHARED, SMOL_SIGN, 1, 0);

    s.dimensions = 50;
    s.terms = SMOL_TERM_LAYER_GAIN;
    check_source(s, 2);
}

Test(delta_gradients, nola) { check_source(matrix(SMOL_MATRIX_NOLA, SMOL_SIGN, 5, 2), 3); }

Test(delta_gradients, masks) { check_source(matrix(SMOL_MATRIX_MASK, SMOL_SIGN, 1, 0), 2); }

Test(delta_gradients, stored)
{
    check_source((struct smol_scheme){.kind = SMOL_MATRIX, .source = SMOL_MATRIX_STORED}, 3);
    check_source((struct smol_scheme){.kind = SMOL_MATRIX,
                                      .source = SMOL_MATRIX_STORED,
                                      .alpha_type = SMOL_TERNARY},
                 0);
}

/* Few enough to be found entry by entry, and more. */
Test(delta_gradients, sparse_terms)
{
    struct smol_scheme s = matrix(SMOL_MATRIX_UNIT, SMOL_SIGN, 1, 0);

    s.terms = SMOL_TERM_SPARSE;
    s.dimensions = 2;
    check_source(s, 3);
    s.dimensions = 9;
    check_source(s, 1);
}

/* Nothing but gains, and norms of alphas. */
Test(delta_gradients, norms)
{
    struct smol_scheme s = matrix(SMOL_MATRIX_UNIT, SMOL_SIGN, 1, 0);

    s.terms = SMOL_TERM_GAINS | SMOL_TERM_BIASES;
    for (size_t i = 1; i < N_KINDS; i += 4)
        check(s, s, norm(SMOL_NORM_OWN, SMOL_GAUSS, 3), kinds + i);
}
