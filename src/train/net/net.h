/* The network in training: its learned numbers, its matrices and norms, and the memory of one
 * batch. Built from a configuration, so any mixture of schemes trains. */
#ifndef SMOL_TRAIN_NET_H
#define SMOL_TRAIN_NET_H

#include "frozen/frozen.h"
#include "train/net/ops.h"

#include <smol/config.h>
#include <smol/isa.h>

/* Learned numbers that share a learning rate and a decay. */
enum smol_group {
    SMOL_GROUP_EMBEDDING,
    SMOL_GROUP_ALPHA,
    SMOL_GROUP_FACTOR,
    SMOL_GROUP_NORM,
    SMOL_GROUP_MATRIX,
};

#define SMOL_NO_PARAM UINT32_MAX

/* One learned tensor: a stretch of the flat arrays of values, gradients and moments. */
struct smol_param {
    char name[64];
    enum smol_group group;
    enum smol_dtype type; /* as it is stored in a file */
    size_t rows, cols;
    size_t offset;
};

struct smol_net_matrix {
    const struct smol_scheme *scheme;
    struct smol_scheme frozen, of_a, of_b; /* of the frozen part, and of nola's factors */
    size_t rows, cols;
    uint32_t tensor;
    uint32_t alpha, factor_a, factor_b, gain, bias, full; /* parameters, or SMOL_NO_PARAM */
    uint32_t sparse;                                      /* (rows, q) */
    uint32_t alpha_a, alpha_b;                            /* nola's */
    uint32_t layer_gain; /* of the projection; the layer's matrices share it */
    real *weight;      /* (rows, cols), factors included, gains not; borrowed from value if full */
    uint32_t *columns; /* (rows, q) of the sparse term; else NULL */
    real *made_a, *made_b; /* nola's factors (r, cols), (rows, r); else NULL */
};

struct smol_net_norm {
    const struct smol_scheme *scheme;
    uint32_t tensor;             /* of the gain; the bias has the next */
    uint32_t gain, bias;         /* parameters (vectors or alphas), or SMOL_NO_PARAM */
    real *gain_data, *bias_data; /* (C), NULL if frozen */
};

/* What a layer keeps for the way back. n = batch x context. */
struct smol_net_layer {
    struct smol_net_norm ln_1, ln_2;
    struct smol_net_matrix c_attn, attn_proj, c_fc, mlp_proj;
    real *z_1, *a_1, *rstd_1; /* (n, C), (n, C) or z_1 itself, (n) */
    real *qkv;                /* (n, 3 C) */
    real *attention;          /* (batch, H, T, T) */
    real *heads;              /* (n, C) */
    real *z_2, *a_2, *rstd_2;
    real *slope, *hidden; /* (n, F): GELU's derivative and value */
};

struct smol_kernels;     /* kernel/kernel.h */
struct smol_projections; /* projection.h */

struct smol_net {
    struct smol_config config;
    struct smol_frozen_key key;
    size_t batch, n_tokens; /* n_tokens = batch x context */
    bool full;              /* the matrices themselves train */
    bool smooth;            /* tables unrounded: for checking gradients */
    bool recompute; /* layers keep their input alone, and are computed again on the way back */
    uint32_t n_threads;
    const struct smol_kernels *kernels; /* of the projections */

    uint32_t n_params;
    struct smol_param *params;
    size_t n_values;
    real *value, *grad; /* (n_values) */
    uint32_t wte, wpe, shared;

    struct smol_net_layer *layers; /* (L); if recompute is set, all share the memory of the first's
                                      activations */
    real *inputs;                  /* (L, n, C) what layers begin with, if recompute is set */
    real *shared_a[2]; /* (n, C) a_1 and a_2 of the layers whose norms are not frozen, then too */
    struct smol_net_norm ln_f;
    real *x; /* (n, C): the residual stream; on the way back its gradient */
    real *z_f, *a_f, *rstd_f;
    size_t head_tokens; /* whose logits exist at once */
    real *logits;       /* (head_tokens, V) */
    double *losses;     /* (n) */

    real *d_width;  /* (n, C) */
    real *d_qkv;    /* (n, 3 C) */
    real *d_hidden; /* (n, F) */
    real *d_weight; /* the largest matrix; NULL if nothing needs the gradient of a whole one */
    real *x_turned; /* for sparse terms (sparse.h); NULL if nothing needs it */
    real *z_factor, *d_factor; /* (n, largest rank) */
    real *d_a, *d_b;           /* of nola's factors, the largest; NULL if there is none */
    real *plain, *d_plain; /* (n, largest rows) outputs without gains and biases; NULL if no matrix
                              has any */
    real *partial;         /* of vector gradients */
    real *d_attention;     /* (threads, 64, T) */
    double *d_alpha;       /* (largest number of row blocks, 64) */
    void *scratch;         /* threads x scratch_bytes, for rows being regenerated */
    size_t scratch_bytes;
    struct smol_projections *projections; /* NULL if there are none */
};

struct smol_net_options {
    uint32_t batch, n_threads;
    enum smol_isa isa; /* which this machine has */
    bool full, smooth, recompute;
    bool uniform_alphas; /* 1 / sqrt(d) each, not (1, 0, ...) */
    double embedding_std;
};

/* Allocates everything and sets the initial values of SPEC.md 12. config: canonical. MEMORY if it
 * cannot be had. */
enum smol_status smol_net_create(struct smol_net **net, const struct smol_config *config,
                                 const struct smol_net_options *options, struct smol_error *error);
void smol_net_destroy(struct smol_net *net);

/* Lists the parameters in the order of SPEC.md 3.2 after wte and wpe, and fills in the tensors'
 * references to them. */
enum smol_status smol_net_register(struct smol_net *net, struct smol_error *error);
void smol_net_initialise(struct smol_net *net, const struct smol_net_options *options);

/* Brings the matrices and norms up to date with the values. everything: also what never changes. */
void smol_net_materialise(struct smol_net *net, bool everything);

/* m's weights from the seed and its alphas alone, without its factors. */
void smol_net_regenerate(struct smol_net *net, const struct smol_net_matrix *m);

/* Mean loss over the targets that are not -1, in nats. tokens, targets: (n_tokens). *total gets the
 * sum, if not NULL. If gradient is true, smol_net_forward begins grad anew with the head's part;
 * then smol_net_backward completes it. */
double smol_net_forward(struct smol_net *net, const uint32_t *tokens, const int32_t *targets,
                        bool gradient, double *total);
void smol_net_backward(struct smol_net *net, const uint32_t *tokens);

/* The head: losses from a_f and, if gradient is true, the head's part of d_wte, and d_width, the
 * gradient of a_f. Of so many tokens at a time: */
size_t smol_net_head_tokens(size_t n_tokens, size_t vocab);
void smol_net_head(struct smol_net *net, const int32_t *targets, bool gradient, real inverse_count);

/* A matrix's gradients from its input x (n, cols) and d_y (n, rows). */
void smol_net_matrix_gradient(struct smol_net *net, const struct smol_net_matrix *m, const real *x,
                              const real *d_y);
/* The same of a norm's vectors: (C) each. */
void smol_net_norm_gradient(struct smol_net *net, const struct smol_net_norm *norm,
                            const real *d_gain, const real *d_bias);

static inline size_t smol_param_size(const struct smol_param *param)
{
    return param->rows * param->cols;
}

static inline real *smol_net_value(const struct smol_net *net, uint32_t param)
{
    return net->value + net->params[param].offset;
}

static inline real *smol_net_grad(const struct smol_net *net, uint32_t param)
{
    return net->grad + net->params[param].offset;
}

/* count x size_bytes zeroed bytes at a 64-byte boundary, for free(); NULL if there are none to be
 * had. */
void *smol_train_alloc(size_t count, size_t size_bytes);

#endif
