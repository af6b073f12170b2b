/* What tests of gradients share: small networks in double, and each number's gradient against
 * differences. The tables are left unrounded, because rounding makes stairs of the loss. */
#ifndef GRADIENTS_H
#define GRADIENTS_H

#include "train/alloc.h"
#include "train/net/build.h"
#include "train/net/forward.h"
#include "train/net/head.h"
#include "train/net/weights.h"

#include <criterion/criterion.h>
#include <omp.h>
#include <stdlib.h>

/* Numbers of a parameter that are checked; a test may define fewer. */
#ifndef MOST
#define MOST 40
#endif

enum { N_LAYERS = 2, N_HEADS = 3, WIDTH = 24, N_FF = 40, CONTEXT = 70, VOCAB = 13, BATCH = 2 };
enum { N_TOKENS = BATCH * CONTEXT };

static inline struct smol_scheme matrix(enum smol_source source, enum smol_dist dist, unsigned d,
                                        unsigned rank)
{
    return (struct smol_scheme){.kind = SMOL_MATRIX,
                                .source = (uint8_t)source,
                                .dist = (uint8_t)dist,
                                .d = (uint8_t)(source == SMOL_MATRIX_UNIT ? 1 : d),
                                .rank = (uint16_t)rank,
                                .sigma = 0.25f};
}

static const struct smol_scheme frozen = {.kind = SMOL_NORM, .source = SMOL_NORM_FROZEN};

static inline struct smol_scheme norm(enum smol_source source, enum smol_dist dist, unsigned d)
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
static inline struct smol_config shape_of(struct smol_scheme a, struct smol_scheme m,
                                          struct smol_scheme n)
{
    return (struct smol_config){.n_layers = N_LAYERS,
                                .n_heads = N_HEADS,
                                .width = WIDTH,
                                .n_ff = N_FF,
                                .context = CONTEXT,
                                .vocab = VOCAB,
                                .ln_epsilon = 1e-5f,
                                .seed = 20,
                                .ln_f = 0,
                                .n_schemes = 3,
                                .n_spans = 1,
                                .schemes = {n, a, m},
                                .spans = {{.n_layers = N_LAYERS, .scheme = {0, 1, 1, 0, 2, 2}}}};
}

static inline void check_config(struct smol_config *c)
{
    struct smol_error error;

    smol_config_canonicalise(c);
    cr_assert_eq(smol_config_check(c, &error), SMOL_OK, "%s", error.text);
}

/* The same of a model by itself. */
static inline struct smol_config config_of(struct smol_scheme a, struct smol_scheme m,
                                           struct smol_scheme n)
{
    struct smol_config c = shape_of(a, m, n);

    c.logit_scale = 1.5f;
    check_config(&c);
    return c;
}

static inline uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static inline double uniform(uint32_t *state) { return (double)next(state) / 8388608.0 - 1; }

/* Nothing is at a place where its gradient would vanish. */
static inline void scatter(struct smol_net *net)
{
    uint32_t state = 7;

    for (size_t i = 0; i < net->n_values; i++)
        net->value[i] += 0.3 * uniform(&state);
    smol_net_materialise(net, true);
}

static inline void make_batch(uint32_t *tokens, int32_t *targets)
{
    uint32_t state = 3;

    for (size_t i = 0; i < N_TOKENS; i++) {
        tokens[i] = (uint32_t)(next(&state) % VOCAB);
        targets[i] = (int32_t)(next(&state) % (VOCAB + 1)) - 1;
    }
}

static inline double loss_at(struct smol_net *net, const uint32_t *tokens, const int32_t *targets,
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

/* At most about so many numbers of a parameter, spread over it; under the sanitizers, which look
 * for something else, the first whose gradient does not vanish. */
static inline void check_param(struct smol_net *net, const uint32_t *tokens, const int32_t *targets,
                               const struct smol_param *p, const double *grad)
{
    const double h = 1e-5;
    const bool is_sanitized = getenv("SMOL_SANITIZED") != NULL;
    const size_t n = smol_param_size(p), stride = n / MOST + 1;
    double largest = 0;

    for (size_t k = 0; k < n && !(is_sanitized && largest > 1e-5); k += stride) {
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
static inline void check_memory_savers(const struct smol_config *config,
                                       struct smol_net_options options, const struct teaching *g,
                                       const uint32_t *tokens, const int32_t *targets,
                                       const double *grad)
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

/* Every parameter of a network with those options. */
static inline void check_network(const struct smol_config *config,
                                 const struct smol_net_options options, const struct teaching *g)
{
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
        if (smol_param_size(net->params + i) > 0)
            check_param(net, tokens, targets, net->params + i, grad);
    check_memory_savers(config, options, g, tokens, targets, grad);
    free(grad);
    smol_net_destroy(net);
}

#endif
