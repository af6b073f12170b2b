/* Every gradient against central differences, in double: each kind of parameter, each scheme,
 * and mixtures. The tables are left unrounded, because rounding makes stairs of the loss. */
#include "train/alloc.h"
#include "train/net/build.h"
#include "train/net/forward.h"
#include "train/net/head.h"
#include "train/net/weights.h"

#include <criterion/criterion.h>
#include <omp.h>
#include <stdlib.h>

enum { N_LAYERS = 2, N_HEADS = 3, WIDTH = 24, N_FF = 40, CONTEXT = 70, VOCAB = 13, BATCH = 2 };
enum { N_TOKENS = BATCH * CONTEXT };

static struct smol_scheme matrix(enum smol_source source, enum smol_dist dist, unsigned d,
                                 unsigned rank)
{
    return (struct smol_scheme){.kind = SMOL_MATRIX,
                                .source = (uint8_t)source,
                                .dist = (uint8_t)dist,
                                .d = (uint8_t)(source == SMOL_MATRIX_UNIT ? 1 : d),
                                .rank = (uint16_t)rank,
                                .sigma = 0.25f};
}

static struct smol_scheme norm(enum smol_source source, enum smol_dist dist, unsigned d)
{
    struct smol_scheme s = {.kind = SMOL_NORM, .source = (uint8_t)source};

    if (source == SMOL_NORM_OWN) {
        s.dist = (uint8_t)dist;
        s.d = (uint8_t)d;
        s.sigma = 1;
    }
    return s;
}

/* Attention and MLP of both layers have the schemes a and m. */
static struct smol_config config_of(struct smol_scheme a, struct smol_scheme m,
                                    struct smol_scheme n)
{
    struct smol_config c = {.n_layers = N_LAYERS,
                            .n_heads = N_HEADS,
                            .width = WIDTH,
                            .n_ff = N_FF,
                            .context = CONTEXT,
                            .vocab = VOCAB,
                            .ln_epsilon = 1e-5f,
                            .logit_scale = 1.5f,
                            .seed = 20,
                            .ln_f = 0,
                            .n_schemes = 3,
                            .n_spans = 1,
                            .schemes = {n, a, m},
                            .spans = {{.n_layers = N_LAYERS, .scheme = {0, 1, 1, 0, 2, 2}}}};
    struct smol_error error;

    smol_config_canonicalise(&c);
    cr_assert_eq(smol_config_check(&c, &error), SMOL_OK, "%s", error.text);
    return c;
}

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static double uniform(uint32_t *state) { return (double)next(state) / 8388608.0 - 1; }

/* Nothing is at a place where its gradient would vanish. */
static void scatter(struct smol_net *net)
{
    uint32_t state = 7;

    for (size_t i = 0; i < net->n_values; i++)
        net->value[i] += 0.3 * uniform(&state);
    smol_net_materialise(net, true);
}

static void make_batch(uint32_t *tokens, int32_t *targets)
{
    uint32_t state = 3;

    for (size_t i = 0; i < N_TOKENS; i++) {
        tokens[i] = (uint32_t)(next(&state) % VOCAB);
        targets[i] = (int32_t)(next(&state) % (VOCAB + 1)) - 1;
    }
}

static double loss_at(struct smol_net *net, const uint32_t *tokens, const int32_t *targets,
                      size_t i, double value)
{
    const double kept = net->value[i];
    double loss;

    net->value[i] = value;
    smol_net_materialise(net, false);
    smol_net_forward(net, tokens, false);
    loss = smol_head_loss(net, targets, NULL);
    net->value[i] = kept;
    return loss;
}

/* At most about 40 numbers of a parameter, spread over it; 5 under the sanitizers, which look for
 * something else. */
static void check_param(struct smol_net *net, const uint32_t *tokens, const int32_t *targets,
                        const struct smol_param *p, const double *grad)
{
    const double h = 1e-5;
    const size_t most = getenv("SMOL_SANITIZED") != NULL ? 5 : 40;
    const size_t n = smol_param_size(p), stride = n / most + 1;
    double largest = 0;

    for (size_t k = 0; k < n; k += stride) {
        const size_t i = p->offset + k;
        const double up = loss_at(net, tokens, targets, i, net->value[i] + h);
        const double down = loss_at(net, tokens, targets, i, net->value[i] - h);
        const double slope = (up - down) / (2 * h);

        largest = fabs(slope) > largest ? fabs(slope) : largest;
        cr_assert(fabs(slope - grad[i]) < 1e-9 + 1e-6 * fabs(slope),
                  "%s[%zu]: differences %.12g, gradient %.12g", p->name, k, slope, grad[i]);
    }
    cr_assert(largest > 1e-5, "%s: its gradient vanishes, so nothing was checked", p->name);
}

/* What changes what is learned; NULL each: nothing does. */
struct teaching {
    const struct smol_dropout *dropout;
    const struct smol_soft_targets *soft;
    const uint32_t *begins;
};

/* With activations computed again, the same bits; with logits of a few tokens at a time besides,
 * the same up to the order of sums. */
static void check_memory_savers(const struct smol_config *config, struct smol_net_options options,
                                const struct teaching *g, const uint32_t *tokens,
                                const int32_t *targets, const double *grad)
{
    options.recompute = true;
    for (size_t logits_chunk = N_TOKENS; logits_chunk > 0;
         logits_chunk = logits_chunk == N_TOKENS ? 3 : 0) {
        struct smol_net *net;

        cr_assert_eq(smol_net_create(&net, config, &options, NULL), SMOL_OK);
        cr_assert_eq(net->logits_chunk, N_TOKENS);
        net->logits_chunk = logits_chunk;
        net->dropout = g->dropout;
        net->soft = g->soft;
        net->begins = g->begins;
        scatter(net);
        smol_net_forward(net, tokens, true);
        smol_net_backward(net, tokens, targets);
        if (logits_chunk == N_TOKENS)
            cr_assert_arr_eq(net->grad, grad, net->n_values * sizeof *grad);
        for (size_t i = 0; i < net->n_values; i++)
            cr_assert(fabs(net->grad[i] - grad[i]) <= 1e-12 * (1 + fabs(grad[i])), "number %zu", i);
        smol_net_destroy(net);
    }
}

static void check_teaching(const struct smol_config *config, const struct teaching *g)
{
    const struct smol_net_options options = {.batch = BATCH,
                                             .n_threads = 1,
                                             .smooth = true,
                                             .learn_logit_scale =
                                                 config->architecture == SMOL_ARCH_SMOL,
                                             .sigma = {0, 0.25f, 0.25f, 0, 0.25f, 0.25f},
                                             .embedding_std = 0.02};
    uint32_t tokens[N_TOKENS];
    int32_t targets[N_TOKENS];
    struct smol_net *net;
    double *grad;

    /* Criterion runs the tests side by side. */
    openblas_set_num_threads(1);
    omp_set_num_threads(1);
    cr_assert_eq(smol_net_create(&net, config, &options, NULL), SMOL_OK);
    net->dropout = g->dropout;
    net->soft = g->soft;
    net->begins = g->begins;
    scatter(net);
    make_batch(tokens, targets);
    smol_net_forward(net, tokens, true);
    smol_net_backward(net, tokens, targets);
    grad = smol_train_alloc(net->n_values, sizeof *grad);
    cr_assert_not_null(grad);
    memcpy(grad, net->grad, net->n_values * sizeof *grad);
    for (uint32_t i = 0; i < net->n_params; i++)
        check_param(net, tokens, targets, net->params + i, grad);
    check_memory_savers(config, options, g, tokens, targets, grad);
    free(grad);
    smol_net_destroy(net);
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

static const struct smol_scheme frozen = {.kind = SMOL_NORM, .source = SMOL_NORM_FROZEN};

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
        SMOL_ALL_FEATURES,
    };
    const struct smol_scheme m = matrix(SMOL_MATRIX_OWN, SMOL_SIGN, 3, 0);

    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        struct smol_config config = config_of(m, m, norm(SMOL_NORM_STORED, SMOL_SIGN, 0));

        config.architecture = SMOL_ARCH_SMOL;
        config.features = (uint16_t)features[i];
        check(&config);
        if (features[i] == SMOL_FEATURE_HALF_SHIFT || features[i] == SMOL_ALL_FEATURES) {
            config = config_of(m, m, frozen);
            config.architecture = SMOL_ARCH_SMOL;
            config.features = (uint16_t)features[i];
            check(&config);
        }
    }
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
    config.features = SMOL_ALL_FEATURES;
    check_teaching(&config, &(struct teaching){NULL, NULL, begins});
}
