/* The pieces of the network, forward and backward, on plain arrays, compiled for each instruction
 * set: a table of functions. Shapes are given as (rows, columns), row by row. Every sum has one
 * order, whatever the number of threads; other sets give other bits. */
#ifndef SMOL_TRAIN_OPS_H
#define SMOL_TRAIN_OPS_H

#include "train/ops/real.h"

#include <smol/isa.h>
#include <stddef.h>
#include <stdint.h>

/* The state of one matrix operand: where it is, its row length, whether it is used transposed. */
struct smol_operand {
    const real *data;
    size_t stride;
    bool transposed;
};

static inline struct smol_operand smol_as_is(const real *data, size_t stride)
{
    return (struct smol_operand){data, stride, false};
}

static inline struct smol_operand smol_transposed(const real *data, size_t stride)
{
    return (struct smol_operand){data, stride, true};
}

#define SMOL_PRODUCT_ROOM 102400u /* 400 kB, of a second cache of 1 MB */

/* Attention of qkv (batch x context, 3 width). */
struct smol_attention {
    size_t batch, heads, context, width;
    uint32_t n_threads;       /* at most, because of scratch */
    const real *temperatures; /* (heads) factors of the scores, or NULL */
    const real *slopes;     /* (heads) what a score loses for each position of distance, or NULL */
    const uint32_t *begins; /* (batch x context) the first key of each query, rising in a sequence;
                               NULL: 0 */
    real *room;             /* as gemm's, for heads that fit into it; or NULL */
};

/* What a teacher expects after each token: rows (vocab) of probabilities in units of 1 / 65535, as
 * far as they add up to 1. */
struct smol_soft_targets {
    const uint16_t *const *rows; /* (n) */
    real weight;                 /* 0..1, of the teacher; the rest is the text's */
};

/* Of a row of a mask's gradients: those where a weight is there, and the squares of all. */
struct smol_mask_sums {
    real there, squares;
};

/* A step of AdamW, of a group of parameters. */
struct smol_adam {
    real beta1, beta2, correction1, correction2, rate, keep, scale; /* keep: of a value; scale: of
                                                                       gradients */
};

struct smol_ops {
    const char *name; /* "plain" */

    /* c (m, n) = scale x op(a) (m, k) x op(b) (k, n) + beta x c, spread over the threads; the
     * second stays in the calling thread. Each element's bits depend on the shape alone. room: for
     * each thread SMOL_PRODUCT_ROOM numbers, or NULL, which is slower. */
    void (*gemm)(real *c, size_t c_stride, struct smol_operand a, struct smol_operand b, size_t m,
                 size_t n, size_t k, real scale, real beta, real *room);
    void (*gemm_small)(real *c, size_t c_stride, struct smol_operand a, struct smol_operand b,
                       size_t m, size_t n, size_t k, real scale, real beta);

    /* c = op(a) op(b), and the sum of squares of c. sums: smol_product_sums(m, n) of scratch. */
    double (*gemm_squares)(double *sums, real *c, size_t c_stride, struct smol_operand a,
                           struct smol_operand b, size_t m, size_t n, size_t k, real *room);

    /* LayerNorm. x, z, out: (n, width); rstd: (n). gain and bias: (width), or both NULL: out = z.
     * out may be z. */
    void (*layernorm)(real *z, real *rstd, real *out, const real *x, const real *gain,
                      const real *bias, size_t n, size_t width, real epsilon);

    /* d_x += the gradient through LayerNorm of d_out, which is overwritten. If gain is not NULL,
     * d_gain and d_bias (width) are set, with partial as scratch: smol_layernorm_partials()
     * numbers. */
    void (*layernorm_backward)(real *d_x, real *d_gain, real *d_bias, real *partial, real *d_out,
                               const real *z, const real *rstd, const real *gain, size_t n,
                               size_t width);

    /* In place: x becomes GELU's derivative at x, out GELU(x). n numbers. The same of relu^2. */
    void (*gelu)(real *out, real *x, size_t n);
    void (*relu2)(real *out, real *x, size_t n);

    /* Half-shift of sequences of `context` rows of `width` channels, batch x context rows in all:
     * where shifted (width) is not 0, a row takes the number of the row before, the first one 0, as
     * does that in which a document begins (begins as in net.h). to may be from. Its transpose is
     * in place. */
    void (*half_shift)(real *to, const real *from, const real *shifted, const uint32_t *begins,
                       size_t batch, size_t context, size_t width);
    void (*half_shift_backward)(real *d, const real *shifted, const uint32_t *begins, size_t batch,
                                size_t context, size_t width);

    /* out: (batch x context, width); weights: (batch, heads, context, context), kept for the
     * backward pass. */
    void (*attention)(real *out, real *weights, const real *qkv,
                      const struct smol_attention *shape);
    /* d_qkv, d_out: as qkv and out; scratch: (threads, 64, context). d_heads: (batch, heads, 2)
     * gets the gradients by temperature and by slope of each sequence; NULL if the shape has
     * neither. */
    void (*attention_backward)(real *d_qkv, real *d_heads, real *scratch, const real *d_out,
                               const real *weights, const real *qkv,
                               const struct smol_attention *shape);

    /* Cross-entropy. logits: (n, vocab), which become the gradient of the mean loss if gradient is
     * true; targets: (n), -1 where nothing is to be predicted; soft: NULL, or what is to be
     * predicted besides; losses: (n), 0 where nothing is. */
    void (*cross_entropy)(double *losses, real *logits, const int32_t *targets,
                          const struct smol_soft_targets *soft, size_t n, size_t vocab,
                          bool gradient, real inverse_count);

    /* to (n, width) = from x gain + bias + beta x to; gain and bias (width) or NULL. */
    void (*affine)(real *to, const real *from, const real *gain, const real *bias, real beta,
                   size_t n, size_t width);
    /* d_from = d_to x gain, and the gradients of both; without gain, from and d_gain are not
     * used. */
    void (*affine_backward)(real *d_from, real *d_gain, real *d_bias, const real *d_to,
                            const real *from, const real *gain, size_t n, size_t width);
    /* to (n) x= or += from. */
    void (*scale)(real *to, const real *from, size_t n);
    void (*add)(real *to, const real *from, size_t n);

    /* By the one thread that asks: AdamW's moments and values (n); the sum of squares of x (n). */
    void (*adam)(real *value, real *m, real *v, const real *grad, size_t n,
                 const struct smol_adam *step);
    double (*sum_of_squares)(const real *x, size_t n);
    real (*dot)(const real *x, const real *y, size_t n); /* the same */

    /* Rows of numbers that stand behind others (latent.h), by the one thread that asks. Of u (n),
     * the sum of magnitudes; weight = scale x sign where u >= least, else 0; and for the gradient d
     * of these, which becomes slope x sign x d, the sums of d x sign where u >= least and of what
     * it becomes, squared. */
    real (*magnitudes)(const real *u, size_t n);
    void (*mask_row)(real *weight, const real *u, const int8_t *signs, real least, real scale,
                     size_t n);
    struct smol_mask_sums (*mask_row_backward)(real *d, const real *u, const int8_t *signs,
                                               real least, real slope, size_t n);
    /* The same with the signs of the weights that mask_row makes, also of those that are 0, and
     * what is there by these. */
    struct smol_mask_sums (*mask_row_signed)(real *d, const real *weight, real slope, size_t n);
    /* weight = scale x the sign of u, or 0 unless its magnitude is over least; and for the gradient
     * d of these, which becomes scale x d, the sum of d x that sign. weight may be u. */
    void (*ternary_row)(real *weight, const real *u, real least, real scale, size_t n);
    real (*ternary_row_backward)(real *d, const real *u, real least, real scale, size_t n);

    /* Of bytes (n) of the seed, by the one thread that asks: to (n) = values (256) of them; and for
     * each of n_bases <= 8 bits, from the lowest on, the sum of d (n), minus where the bit is 1.
     * The last is NULL where sums for each value of a byte are as fast. */
    void (*look_up)(real *to, const uint8_t *bytes, const real *values, size_t n);
    void (*contract_signs)(double *sums, const real *d, const uint8_t *bytes, size_t n,
                           uint32_t n_bases);
};

/* The best that this machine has, or those asked for; the plain ones if it lacks these. */
const struct smol_ops *smol_ops_select(enum smol_isa isa);
extern const struct smol_ops smol_ops_plain, smol_ops_avx2, smol_ops_avx512;

static inline size_t smol_product_sums(size_t m, size_t n) { return (m + 5) / 6 * ((n + 15) / 16); }

#define SMOL_ROWS_A_PARTIAL 64u

/* Numbers of scratch that layernorm_backward takes. */
static inline size_t smol_layernorm_partials(size_t n, size_t width)
{
    return (n + SMOL_ROWS_A_PARTIAL - 1) / SMOL_ROWS_A_PARTIAL * 2 * width;
}

/* What is dropped in a step, of 1 / SMOL_DROPOUT_UNITS each; the rest is scaled up. */
#define SMOL_DROPOUT_UNITS 256u
struct smol_dropout {
    uint8_t key[32];
    uint32_t step, process; /* processes drop different numbers */
    uint32_t share;         /* 0..255 */
};

void smol_dropout_key(uint8_t key[32], uint64_t seed);
/* out (n) = in (n), some of it 0. place: a number for each use in a step. */
void smol_dropout(real *out, const real *in, const struct smol_dropout *dropout, uint32_t place,
                  size_t n);

#endif
