/* The network in training: its parameters, its matrices and norms, and the memory of one batch.
 * Built from a configuration, so any mixture of schemes trains. */
#ifndef SMOL_TRAIN_NET_H
#define SMOL_TRAIN_NET_H

#include "frozen/frozen.h"
#include "train/ops/ops.h"

#include <smol/config.h>

/* Parameters that share a learning rate and a decay. */
enum smol_param_group {
    SMOL_GROUP_EMBEDDING,
    SMOL_GROUP_ALPHA,
    SMOL_GROUP_FACTOR,
    SMOL_GROUP_NORM,
    SMOL_GROUP_MATRIX,
    SMOL_GROUP_LATENT, /* of masks and ternary rows: the rate of matrices, without a decay */
};

/* Where a parameter stands in a file. */
enum smol_param_place {
    SMOL_IN_NUMBERS, /* LRND, an array */
    SMOL_IN_ROWS,    /* a table with rows, in EMBD or LRND */
    SMOL_IN_MASK,    /* scores, of which LRND has a bit each */
    SMOL_IN_SCALES,  /* the factors of ternary rows, which stand before them: in their scales */
    SMOL_IN_CONFIG,  /* the logit scale */
    SMOL_IN_BASE,    /* the factors of models */
};

/* The number of wte, or of a delta's rows of it, which are no part of a matrix or norm. */
#define SMOL_NO_PARAM 0u

/* A tensor of parameters: a stretch of the flat arrays of values, gradients and moments. */
struct smol_param {
    char name[64];
    enum smol_param_group param_group;
    enum smol_param_place place;
    enum smol_dtype type; /* as it is stored in a file */
    size_t rows, cols;
    size_t offset;
    real *used;     /* as the forward pass takes it: the values, or a rounded copy */
    bool is_latent; /* masks and ternary rows: never used as it is */
    double unit;    /* of its learning rate */
    double sum;     /* of the magnitudes of scores, if a step has just made them; or negative */
    double squares; /* the sum of those of the gradient, if a product has just made it; or negative
                     */
};

/* What the models that a delta changes have of a tensor: frozen numbers, and their sum by factors
 * (SPEC.md 16). No size without models, or if none of them has such a tensor. */
struct smol_net_base {
    size_t size;
    real *each;     /* (M, size) of each model; NULL if the sum never changes */
    real *sum;      /* (size) */
    uint32_t mix;   /* parameter (M) of the tensor's own numbers, or SMOL_NO_PARAM */
    bool changes;   /* the sum does, and the numbers are kept one by one */
    bool is_output; /* the output table: each by its model's logit scale too */
};

/* A frozen tensor: what its weights are made of, and where they stand. */
struct smol_net_frozen {
    struct smol_scheme scheme;
    enum smol_purpose purpose;
    uint32_t tensor;
    uint32_t alpha; /* a parameter, or SMOL_NO_PARAM for (1) */
    size_t rows, cols;
    real *weight; /* (rows, cols) */
};

struct smol_net_matrix {
    const struct smol_scheme *scheme;
    struct smol_net_frozen a, b; /* nola's factors (r, cols), (rows, r); else without weights */
    size_t rows, cols;
    uint32_t tensor;
    uint32_t alpha, factor_a, factor_b, gain, bias, full; /* parameters, or SMOL_NO_PARAM */
    uint32_t sparse;                                      /* (rows, q) */
    uint32_t score;                                       /* (rows, cols) of a mask */
    uint32_t layer_gain;                  /* of the projection; the layer's matrices share it */
    uint32_t row_scale;                   /* (1, rows) factors of ternary rows */
    uint32_t mix;                         /* (1, M) of a delta, numbers of its models */
    float sigma;                          /* of the scheme, or what a stored matrix begins with */
    struct smol_net_base base, base_bias; /* of a delta: its gains multiply these alone */
    real *bias_sum;        /* (rows) base_bias with gains and biases; NULL without base_bias */
    bool has_gains_inside; /* products take the weights with the gains: as `folded`, or, if gains
                              multiply nothing but a mask, as `weight` */
    real *weight;          /* (rows, cols), factors included; may be a parameter's */
    real *folded;          /* (rows, cols) the same with the gains; else NULL */
    real *plain;       /* (n, rows) outputs without gains, kept for the backward pass; else NULL */
    uint32_t *columns; /* (rows, q) of the sparse term; else NULL */
    int8_t *signs;     /* (rows, cols) of a mask; else NULL */
    double *mean;      /* of the magnitudes of its scores, as the weights were made; else NULL */
};

/* Vectors (1, C). If they are stored, alpha is the whole of each; if they are frozen, there are no
 * weights. */
struct smol_net_norm {
    struct smol_net_frozen gain, bias;
    struct smol_net_base base_gain, base_bias; /* no size if they are frozen everywhere */
    real *shifted; /* (C) not 0: a half-shift takes the channel from the position before; or NULL */
};

/* What a norm makes of its input, n = batch x context. */
struct smol_normalised {
    real *z, *rstd; /* (n, C), (n) */
    real *a; /* (n, C) z with gains and biases, half-shifted; not used by a norm without either */
};

/* What a layer keeps for the backward pass. */
struct smol_net_kept {
    struct smol_normalised norm[SMOL_N_SLOTS];
    real *qkv;            /* (n, 3 C) */
    real *attention;      /* (batch, H, T, T) */
    real *heads;          /* (n, C) */
    real *slope, *hidden; /* (n, F): GELU's derivative and its value */
};

/* By enum smol_slot: either a norm or a matrix. */
struct smol_net_layer {
    struct smol_net_norm norm[SMOL_N_SLOTS];
    struct smol_net_matrix matrix[SMOL_N_SLOTS];
    struct smol_net_kept *kept;
    uint32_t temperature, slope_factor; /* parameters (H), or SMOL_NO_PARAM */
    struct smol_net_base base_temperature, base_slope_factor;
    real *temperatures, *slope_factors; /* (H) as the forward pass takes them; or NULL */
};

/* The models that a delta changes. */
struct smol_net_models {
    uint32_t n;                                     /* M; 0: the network is no delta */
    const struct smol_file *files[SMOL_MAX_MODELS]; /* while the network is made */
    double factors[SMOL_MAX_MODELS];                /* as they begin */
    double logit_scales[SMOL_MAX_MODELS];
    uint32_t factor;                       /* parameter (1, M), or SMOL_NO_PARAM: they stay */
    bool learns_output;                    /* the sum of output tables changes */
    struct smol_net_base wte, wpe, output; /* output: no size if it is wte */
    real *d_output; /* (V, C) gradient of the output table; NULL unless something needs it */

    /* Rows of the tables that learn, of the same tokens in both. */
    uint32_t n_rows;
    const uint32_t *tokens;     /* (n_rows), ascending */
    uint32_t *row_of;           /* (V) a token's row + 1, or 0; NULL without rows */
    uint32_t rows, output_rows; /* parameters (n_rows, C); the same without an output table */
    real *row_logits;           /* (logits_chunk, n_rows) */
};

struct smol_kernels;     /* kernel/kernel.h */
struct smol_projections; /* projection.h */

struct smol_net {
    struct smol_config config;
    struct smol_frozen_key key, shift_key; /* shift_key: of half-shifts */
    struct smol_net_models models;
    size_t batch, n_tokens;    /* n_tokens = batch x context */
    const uint32_t *begins;    /* (n_tokens) of each token, where in its sequence its document
                                  begins, before which it sees nothing; NULL: 0 */
    bool may_round;            /* parameters may be rounded in the forward pass ... */
    bool rounds;               /* ... and are now */
    bool unit_rates;           /* the rates of stored matrices are of their sigmas */
    enum smol_dist dist;       /* of what stored matrices begin with */
    float sigma[SMOL_N_SLOTS]; /* the same */
    bool smooth;               /* tables unrounded: for checking gradients */
    bool recompute; /* layers keep their input alone, and are computed again in the backward pass */
    uint32_t n_threads;
    struct smol_attention attention; /* its shape */
    real *slopes, *layer_slopes;     /* (H) of ALiBi, and with a layer's factors; or NULL */
    real *d_heads;                   /* (batch, H, 2) by temperature and slope; NULL without them */
    const struct smol_dropout *dropout;   /* of this step; NULL: none */
    const struct smol_soft_targets *soft; /* of this batch; NULL: only the text's */
    bool stored;                        /* masks are bits, gains have their scales: as in a file */
    const struct smol_kernels *kernels; /* of the projections */
    const struct smol_ops *ops;         /* of all else */

    uint32_t n_params;
    struct smol_param *params;
    size_t n_values;
    real *value, *grad;                         /* (n_values) */
    uint32_t wte, wpe, output, shared, history; /* wpe: or SMOL_NO_PARAM; output: the table, or wte
                                                 */
    uint32_t n_tables;                          /* the first parameters, in EMBD */
    uint32_t logit_scale;                       /* if it learns, or SMOL_NO_PARAM */

    struct smol_net_layer *layers; /* (L) */
    struct smol_net_kept *kept;    /* (L); one, which all layers share, if recompute is set */
    real *inputs;                  /* (L, n, C) what layers begin with, if recompute is set */
    struct smol_net_norm ln_f;
    struct smol_normalised last; /* by ln_f */
    real *x;             /* (n, C): the residual stream; in the backward pass its gradient */
    size_t logits_chunk; /* tokens whose logits exist at once */
    real *logits;        /* (logits_chunk, V) */
    double *losses;      /* (n) */

    /* The tables as the forward pass takes them, but for rows that a delta has learned. */
    const real *wte_used, *wpe_used, *output_used;

    real *d_width;  /* (n, C) */
    real *d_qkv;    /* (n, 3 C) */
    real *d_hidden; /* (n, F) */
    real *d_weight; /* the largest matrix; NULL if nothing needs the gradient of a whole one */
    real *x_turned; /* for sparse terms (sparse.h); NULL if nothing needs it */
    real *z_factor, *d_factor; /* (n, largest rank) */
    real *d_bias;              /* (largest rows) of outputs; NULL unless something needs it */
    real *d_a, *d_b;           /* of nola's factors, the largest; NULL if there is none */
    real *plain, *d_plain; /* (n, largest rows) outputs without gains and biases; NULL if no matrix
                              has any. plain: of those that do not keep them */
    real *partial;         /* of vector gradients */
    real *d_attention;     /* (threads, 64, T) */
    real *product_room;    /* (threads, SMOL_PRODUCT_ROOM) */
    double *d_alpha;       /* (largest number of row blocks, 64) */
    double *squares;       /* of gradients: smol_product_sums(), or those of rows */
    void *scratch;         /* threads x scratch_bytes, for rows being regenerated */
    size_t scratch_bytes;
    struct smol_projections *projections; /* NULL if there are none */
    void *memory;                         /* what all of the above points into */
    uint64_t memory_bytes;
};

static inline size_t smol_param_size(const struct smol_param *param)
{
    return param->rows * param->cols;
}

static inline real *smol_net_value(const struct smol_net *net, uint32_t param)
{
    return net->value + net->params[param].offset;
}

/* As the forward pass takes it. */
static inline const real *smol_net_used(const struct smol_net *net, uint32_t param)
{
    return net->params[param].used;
}

static inline real *smol_net_grad(const struct smol_net *net, uint32_t param)
{
    return net->grad + net->params[param].offset;
}

/* A matrix with its gains, if they are part of it. */
static inline const real *smol_net_product(const struct smol_net_matrix *m)
{
    return m->folded ? m->folded : m->weight;
}

/* A norm's output, from which its matrices multiply. */
static inline real *smol_norm_output(const struct smol_net_norm *norm,
                                     const struct smol_normalised *normalised)
{
    return norm->gain.weight || norm->shifted ? normalised->a : normalised->z;
}

#endif
