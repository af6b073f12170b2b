/* Every gradient against central differences, in double: each kind of parameter, each scheme,
 * and mixtures. */
#include "gradients.h"

static void check_teaching(const struct smol_config *config, const struct teaching *g)
{
    check_network(
        config,
        (struct smol_net_options){.batch = BATCH,
                                  .n_threads = 1,
                                  .smooth = true,
                                  .learn_logit_scale = config->architecture == SMOL_ARCH_SMOL,
                                  .sigma = {0, 0.25f, 0.25f, 0, 0.25f, 0.25f},
                                  .embedding_std = 0.02},
        g);
}

static void check(const struct smol_config *config)
{
    check_teaching(config, &(struct teaching){NULL, NULL, NULL});
}

static void check_all(struct smol_scheme a, struct smol_scheme m, struct smol_scheme n)
{
    const struct smol_config config = config_of(a, m, n);

    check(&config);
}

Test(gradients, embeddings)
{
    const struct smol_scheme m = matrix(SMOL_MATRIX_UNIT, SMOL_SIGN, 1, 0);

    check_all(m, m, frozen);
}

Test(gradients, own_alphas_sign)
{
    for (unsigned d = 1; d <= 9; d++) {
        const struct smol_scheme m = matrix(SMOL_MATRIX_OWN, SMOL_SIGN, d, 0);

        check_all(m, m, frozen);
    }
}

Test(gradients, own_alphas_gauss)
{
    for (unsigned d = 1; d <= 9; d += 2) {
        const struct smol_scheme m = matrix(SMOL_MATRIX_OWN, SMOL_GAUSS, d, 0);

        check_all(m, m, frozen);
    }
}

Test(gradients, many_planes)
{
    const struct smol_scheme a = matrix(SMOL_MATRIX_OWN, SMOL_SIGN, 20, 0);
    const struct smol_scheme m = matrix(SMOL_MATRIX_OWN, SMOL_GAUSS, 17, 0);

    check_all(a, m, frozen);
}

Test(gradients, shared_alphas)
{
    const struct smol_scheme a = matrix(SMOL_MATRIX_SHARED, SMOL_SIGN, 5, 0);
    const struct smol_scheme m = matrix(SMOL_MATRIX_SHARED, SMOL_GAUSS, 5, 0);

    check_all(a, a, frozen);
    check_all(a, m, frozen);
}

Test(gradients, factors)
{
    const struct smol_scheme m = matrix(SMOL_MATRIX_UNIT, SMOL_SIGN, 1, 3);

    check_all(m, m, frozen);
}

Test(gradients, norms_as_alphas)
{
    const struct smol_scheme m = matrix(SMOL_MATRIX_UNIT, SMOL_SIGN, 1, 0);

    check_all(m, m, norm(SMOL_NORM_OWN, SMOL_SIGN, 5));
    check_all(m, m, norm(SMOL_NORM_OWN, SMOL_GAUSS, 3));
}

Test(gradients, stored_norms)
{
    const struct smol_scheme m = matrix(SMOL_MATRIX_UNIT, SMOL_GAUSS, 1, 0);

    check_all(m, m, norm(SMOL_NORM_STORED, SMOL_SIGN, 0));
}

/* Alone and together, beside everything else that a matrix may have. */
Test(gradients, gains_and_biases)
{
    static const unsigned terms[] = {SMOL_TERM_GAINS, SMOL_TERM_BIASES,
                                     SMOL_TERM_GAINS | SMOL_TERM_BIASES};

    for (size_t i = 0; i < 3; i++) {
        struct smol_scheme a = matrix(SMOL_MATRIX_OWN, SMOL_SIGN, 5, 2),
                           m = matrix(SMOL_MATRIX_FASTFOOD, SMOL_GAUSS, 1, 1);

        m.dimensions = 130;
        a.terms = (uint8_t)terms[i];
        m.terms = (uint8_t)terms[2 - i];
        check_all(a, m, frozen);
        a.terms = 0;
        check_all(a, m, norm(SMOL_NORM_STORED, SMOL_SIGN, 0));
    }
}

Test(gradients, gains_of_layers)
{
    static const enum smol_source sources[] = {SMOL_MATRIX_FASTFOOD_SHARED,
                                               SMOL_MATRIX_FOURIER_SHARED};

    for (size_t i = 0; i < 2; i++) {
        struct smol_scheme a = matrix(sources[i], SMOL_SIGN, 1, 0),
                           m = matrix(sources[i], SMOL_GAUSS, 1, 2);

        a.dimensions = m.dimensions = 130;
        a.terms = SMOL_TERM_LAYER_GAIN;
        check_all(a, m, frozen);
        m.terms = SMOL_TERM_LAYER_GAIN | SMOL_TERM_GAINS;
        check_all(a, m, frozen);
    }
}

/* Ranks below and beyond a row block. */
Test(gradients, nola)
{
    static const unsigned ranks[] = {1, 5, 66};

    for (size_t i = 0; i < 3; i++) {
        struct smol_scheme a = matrix(SMOL_MATRIX_NOLA, SMOL_SIGN, 9, ranks[i]),
                           m = matrix(SMOL_MATRIX_NOLA, SMOL_GAUSS, 3, ranks[2 - i]);

        m.terms = SMOL_TERM_GAINS;
        check_all(a, m, frozen);
        check_all(a, matrix(SMOL_MATRIX_OWN, SMOL_SIGN, 5, 2), frozen);
    }
}

/* One number a row, some, and all of a row; beside nothing, factors, alphas and nola. */
Test(gradients, sparse_terms)
{
    static const uint32_t numbers[] = {1, 7, 24};

    for (size_t i = 0; i < 3; i++) {
        struct smol_scheme a = matrix(SMOL_MATRIX_UNIT, SMOL_SIGN, 1, i == 1 ? 2 : 0),
                           m = matrix(SMOL_MATRIX_OWN, SMOL_GAUSS, 3, 0);

        a.terms = m.terms = SMOL_TERM_SPARSE;
        a.dimensions = numbers[i];
        m.dimensions = numbers[2 - i];
        check_all(a, m, frozen);
        m.source = SMOL_MATRIX_NOLA;
        m.rank = 2;
        m.terms |= SMOL_TERM_GAINS;
        check_all(a, m, frozen);
    }
}

Test(gradients, mixtures)
{
    const struct smol_scheme a = matrix(SMOL_MATRIX_OWN, SMOL_SIGN, 5, 2);
    const struct smol_scheme b = matrix(SMOL_MATRIX_SHARED, SMOL_GAUSS, 3, 1);

    check_all(a, b, norm(SMOL_NORM_OWN, SMOL_SIGN, 9));
    check_all(b, matrix(SMOL_MATRIX_UNIT, SMOL_SIGN, 1, 0), norm(SMOL_NORM_STORED, SMOL_SIGN, 0));
}

/* One that takes a part of a block, some blocks, and one that is cut off; alone, shared, and beside
 * factors. */
static void check_projection(enum smol_source own, enum smol_source shared)
{
    /* Fourier's first number moves all entries alike, which a LayerNorm does not let through. */
    static const uint32_t numbers[] = {2, 50, 64, 130, 3000};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct smol_scheme a = matrix(own, SMOL_SIGN, 1, 0), b = matrix(shared, SMOL_GAUSS, 1, 2);

        a.dimensions = numbers[i];
        b.dimensions = numbers[(i + 2) % 5];
        check_all(a, b, frozen);
    }
}

Test(gradients, fastfood) { check_projection(SMOL_MATRIX_FASTFOOD, SMOL_MATRIX_FASTFOOD_SHARED); }

Test(gradients, fourier) { check_projection(SMOL_MATRIX_FOURIER, SMOL_MATRIX_FOURIER_SHARED); }

/* Each feature by itself, and all of them. */
Test(gradients, features)
{
    static const unsigned features[] = {
        SMOL_FEATURE_DISTANCES,    SMOL_FEATURE_DISTANCES | SMOL_FEATURE_SLOPE_FACTORS,
        SMOL_FEATURE_TEMPERATURES, SMOL_FEATURE_HALF_SHIFT,
        SMOL_FEATURE_RELU2,        SMOL_FEATURE_OUTPUT_TABLE,
        SMOL_NETWORK_FEATURES,
    };
    const struct smol_scheme m = matrix(SMOL_MATRIX_OWN, SMOL_SIGN, 3, 0);

    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        struct smol_config config = config_of(m, m, norm(SMOL_NORM_STORED, SMOL_SIGN, 0));

        config.architecture = SMOL_ARCH_SMOL;
        config.features = (uint16_t)features[i];
        check(&config);
        if (features[i] == SMOL_FEATURE_HALF_SHIFT || features[i] == SMOL_NETWORK_FEATURES) {
            config = config_of(m, m, frozen);
            config.architecture = SMOL_ARCH_SMOL;
            config.features = (uint16_t)features[i];
            check(&config);
        }
    }
}

/* A network's gradients after a batch; for smol_net_destroy. */
static struct smol_net *with_gradients(const struct smol_config *config)
{
    const struct smol_net_options options = {
        .batch = BATCH, .n_threads = 1, .smooth = true, .embedding_std = 0.02};
    uint32_t tokens[N_TOKENS];
    int32_t targets[N_TOKENS];
    struct smol_net *net;

    openblas_set_num_threads(1);
    omp_set_num_threads(1);
    cr_assert_eq(smol_net_create(&net, config, &options, NULL), SMOL_OK);
    smol_net_materialise(net, true);
    make_batch(tokens, targets);
    smol_net_forward(net, tokens, true);
    smol_net_backward(net, tokens, targets);
    return net;
}

/* The numbers of a history, which come last, are no part of the network: they have no gradient, and
 * nothing else has another one. */
Test(gradients, a_history_has_none)
{
    const struct smol_scheme m = matrix(SMOL_MATRIX_OWN, SMOL_SIGN, 3, 0);
    struct smol_config config = config_of(m, m, norm(SMOL_NORM_STORED, SMOL_SIGN, 0));
    struct smol_net *with, *without;

    config.architecture = SMOL_ARCH_SMOL;
    config.features = SMOL_ALL_FEATURES;
    check_config(&config);
    with = with_gradients(&config);
    config.features = SMOL_NETWORK_FEATURES;
    without = with_gradients(&config);
    cr_assert_eq(with->n_values, without->n_values + SMOL_HISTORY_LENGTHS);
    cr_assert_eq(with->params[with->history].offset, without->n_values);
    cr_assert_arr_eq(with->grad, without->grad, without->n_values * sizeof *with->grad);
    for (size_t i = without->n_values; i < with->n_values; i++)
        cr_assert_eq(with->grad[i], 0);
    smol_net_destroy(with);
    smol_net_destroy(without);
}

/* Alone and beside everything else that a matrix may have. */
static void check_terms(struct smol_scheme s)
{
    static const unsigned terms[] = {0, SMOL_TERM_GAINS, SMOL_TERM_BIASES,
                                     SMOL_TERM_GAINS | SMOL_TERM_BIASES};

    for (size_t i = 0; i < 4; i++) {
        struct smol_scheme a = s, m = s;

        a.terms = (uint8_t)terms[i];
        m.terms = (uint8_t)terms[3 - i];
        check_all(a, m, norm(SMOL_NORM_STORED, SMOL_SIGN, 0));
        m.rank = i % 2 == 0 ? 2 : 0;
        m.terms |= SMOL_TERM_SPARSE;
        m.dimensions = 7;
        check_all(a, m, frozen);
    }
}

/* The surrogate that the gradient of a mask belongs to. */
Test(gradients, masks) { check_terms(matrix(SMOL_MATRIX_MASK, SMOL_SIGN, 1, 0)); }

Test(gradients, stored_matrices)
{
    check_terms((struct smol_scheme){.kind = SMOL_MATRIX, .source = SMOL_MATRIX_STORED});
}

/* As with masks. */
Test(gradients, ternary_matrices)
{
    check_terms((struct smol_scheme){
        .kind = SMOL_MATRIX, .source = SMOL_MATRIX_STORED, .alpha_type = SMOL_TERNARY});
}

/* What is dropped stays the same while a number moves. */
Test(gradients, dropout_and_teachers)
{
    const struct smol_scheme m = matrix(SMOL_MATRIX_OWN, SMOL_SIGN, 3, 2);
    const struct smol_config config = config_of(m, m, norm(SMOL_NORM_STORED, SMOL_SIGN, 0));
    const struct smol_dropout dropout = {.step = 1, .share = 80};
    const uint16_t *rows[N_TOKENS];
    uint16_t row[2 * VOCAB];

    for (uint32_t v = 0; v < 2 * VOCAB; v++)
        row[v] = (uint16_t)(65535 * (v % 5) / 30);
    for (size_t i = 0; i < N_TOKENS; i++)
        rows[i] = row + i % VOCAB;
    check_teaching(
        &config, &(struct teaching){&dropout, &(struct smol_soft_targets){rows, (real)0.3}, NULL});
}

/* Documents of one position and of more, which end at and across a block of queries. */
Test(gradients, documents)
{
    static const uint32_t starts[BATCH][7] = {{0, 1, 5, 33, 64, 69, CONTEXT},
                                              {0, 40, CONTEXT, CONTEXT, CONTEXT}};
    const struct smol_scheme m = matrix(SMOL_MATRIX_OWN, SMOL_SIGN, 3, 0);
    struct smol_config config = config_of(m, m, norm(SMOL_NORM_STORED, SMOL_SIGN, 0));
    uint32_t begins[N_TOKENS];

    for (size_t b = 0, i = 0; b < BATCH; b++)
        for (uint32_t t = 0, k = 0; t < CONTEXT; t++, i++) {
            k += t == starts[b][k + 1];
            begins[i] = starts[b][k];
        }
    check_teaching(&config, &(struct teaching){NULL, NULL, begins});
    config.architecture = SMOL_ARCH_SMOL;
    config.features = SMOL_NETWORK_FEATURES;
    check_teaching(&config, &(struct teaching){NULL, NULL, begins});
}
