/* The pieces of the network, forward and backward, on plain arrays. Shapes are given as
 * (rows, columns), row by row. Every sum has one order, whatever the number of threads. */
#ifndef SMOL_TRAIN_OPS_H
#define SMOL_TRAIN_OPS_H

#include "train/net/real.h"

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

/* c (m, n) = scale x op(a) (m, k) x op(b) (k, n) + beta x c. The first is spread over the
 * threads, in pieces that depend on the shape alone; the second stays in the calling thread. */
void smol_gemm(real *c, size_t c_stride, struct smol_operand a, struct smol_operand b, size_t m,
               size_t n, size_t k, real scale, real beta);
void smol_gemm_small(real *c, size_t c_stride, struct smol_operand a, struct smol_operand b,
                     size_t m, size_t n, size_t k, real scale, real beta);

/* LayerNorm. x, z, out: (n, width); rstd: (n). gain and bias: (width), or both NULL: out = z. out
 * may be z. */
void smol_layernorm(real *z, real *rstd, real *out, const real *x, const real *gain,
                    const real *bias, size_t n, size_t width, real epsilon);

/* d_x += the gradient through LayerNorm of d_out, which is overwritten. If gain is not NULL, d_gain
 * and d_bias (width) are set, with partial as scratch: smol_layernorm_partials() numbers. */
void smol_layernorm_backward(real *d_x, real *d_gain, real *d_bias, real *partial, real *d_out,
                             const real *z, const real *rstd, const real *gain, size_t n,
                             size_t width);
size_t smol_layernorm_partials(size_t n, size_t width);

/* In place: x becomes GELU's derivative at x, out GELU(x). n numbers. */
void smol_gelu(real *out, real *x, size_t n);

/* The same of relu^2. */
void smol_relu2(real *out, real *x, size_t n);

/* Half-shift of sequences of `context` rows of `width` channels, batch x context rows in all: where
 * shifted (width) is not 0, a row takes the number of the row before, the first one 0, as does that
 * in which a document begins (begins as in net.h). to may be from. Its transpose is in place. */
void smol_half_shift(real *to, const real *from, const real *shifted, const uint32_t *begins,
                     size_t batch, size_t context, size_t width);
void smol_half_shift_backward(real *d, const real *shifted, const uint32_t *begins, size_t batch,
                              size_t context, size_t width);

/* Attention. qkv, d_qkv: (batch x context, 3 width); out, d_out: (batch x context, width);
 * weights: (batch, heads, context, context), kept for the backward pass; scratch: (threads, 64,
 * context). */
struct smol_attention {
    size_t batch, heads, context, width;
    uint32_t n_threads;       /* at most, because of scratch */
    const real *temperatures; /* (heads) factors of the scores, or NULL */
    const real *slopes;     /* (heads) what a score loses for each position of distance, or NULL */
    const uint32_t *begins; /* (batch x context) the first key of each query, rising in a sequence;
                               NULL: 0 */
};
void smol_attention_forward(real *out, real *weights, const real *qkv,
                            const struct smol_attention *shape);
/* d_heads: (batch, heads, 2) gets the gradients by temperature and by slope of each sequence; NULL
 * if the shape has neither. */
void smol_attention_backward(real *d_qkv, real *d_heads, real *scratch, const real *d_out,
                             const real *weights, const real *qkv,
                             const struct smol_attention *shape);

/* What a teacher expects after each token: rows (vocab) of probabilities in units of 1 / 65535, as
 * far as they add up to 1. */
struct smol_soft_targets {
    const uint16_t *const *rows; /* (n) */
    real weight;                 /* 0..1, of the teacher; the rest is the text's */
};

/* Cross-entropy. logits: (n, vocab), which become the gradient of the mean loss if gradient is
 * true; targets: (n), -1 where nothing is to be predicted; soft: NULL, or what is to be predicted
 * besides; losses: (n), 0 where nothing is. */
void smol_cross_entropy(double *losses, real *logits, const int32_t *targets,
                        const struct smol_soft_targets *soft, size_t n, size_t vocab, bool gradient,
                        real inverse_count);

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
