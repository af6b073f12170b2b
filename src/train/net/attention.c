/* Causal attention, forward and backward: for each sequence and head a few small matrix
 * products, over blocks of queries so that little is computed above the diagonal. */
#include "train/net/ops.h"

#include <omp.h>

#define QUERY_BLOCK 64u

static real query_scale(const struct smol_attention *s)
{
    return 1 / SMOL_REAL_SQRT((real)(s->width / s->heads));
}

static real temperature(const struct smol_attention *s, size_t head)
{
    return s->temperatures ? s->temperatures[head] : 1;
}

/* The first key that query q of sequence b sees. */
static size_t first_key(const struct smol_attention *s, size_t b, size_t q)
{
    return s->begins ? s->begins[b * s->context + q] : 0;
}

/* What distance takes from the scores (context) of query q. */
static void slope_row(real *row, size_t first, size_t q, real slope)
{
    for (size_t j = first; j <= q; j++)
        row[j] -= slope * (real)(int32_t)(q - j);
}

/* row: (context) scores of query q, of keys from..end - 1; those before `first` and after q get
 * weight 0. */
static void softmax_row(real *row, size_t from, size_t first, size_t q, size_t end)
{
    const size_t n = q + 1 - first;
    real sum = 0, *seen = row + first;

    for (size_t j = from; j < first; j++)
        row[j] = 0;
    smol_real_exp_all(seen, n, smol_real_max(seen, n));
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < n; j++)
        sum += seen[j];
    const real inverse = 1 / sum;
    for (size_t j = 0; j < n; j++)
        seen[j] *= inverse;
    for (size_t j = q + 1; j < end; j++)
        row[j] = 0;
}

/* One head of sequence b. q, k, v: (context, D) inside rows of 3 width. What a block's first query
 * does not see none of it does. */
static void head_forward(real *out, real *weights, const real *q, size_t b, size_t head,
                         const struct smol_attention *s)
{
    const size_t T = s->context, C = s->width, D = C / s->heads;
    const real *k = q + C, *v = q + 2 * C, scale = query_scale(s) * temperature(s, head);

    for (size_t begin = 0; begin < T; begin += QUERY_BLOCK) {
        const size_t n = T - begin < QUERY_BLOCK ? T - begin : QUERY_BLOCK;
        const size_t from = first_key(s, b, begin), end = begin + n;
        real *w = weights + begin * T;

        smol_gemm_small(w + from, T, smol_as_is(q + begin * 3 * C, 3 * C),
                        smol_transposed(k + from * 3 * C, 3 * C), n, end - from, D, scale, 0);
        for (size_t i = 0; i < n; i++) {
            const size_t first = first_key(s, b, begin + i);

            if (s->slopes)
                slope_row(w + i * T, first, begin + i, s->slopes[head]);
            softmax_row(w + i * T, from, first, begin + i, end);
        }
        smol_gemm_small(out + begin * C, C, smol_as_is(w + from, T),
                        smol_as_is(v + from * 3 * C, 3 * C), n, D, end - from, 1, 0);
    }
}

void smol_attention_forward(real *out, real *weights, const real *qkv,
                            const struct smol_attention *s)
{
    const size_t T = s->context, C = s->width, D = C / s->heads;

#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < s->batch * s->heads; i++) {
        const size_t b = i / s->heads, h = i % s->heads;

        head_forward(out + b * T * C + h * D, weights + i * T * T, qkv + b * T * 3 * C + h * D, b,
                     h, s);
    }
}

/* d_score = w (d_w - sum over keys of d_w w). */
static void softmax_row_backward(real *d, const real *w, size_t n_keys)
{
    real dot = 0;

#pragma omp simd reduction(+ : dot)
    for (size_t j = 0; j < n_keys; j++)
        dot += d[j] * w[j];
    for (size_t j = 0; j < n_keys; j++)
        d[j] = w[j] * (d[j] - dot);
}

/* sum of d_score x (key - query): what a slope does to the scores of query q. */
static real slope_gradient(const real *d, size_t from, size_t q)
{
    real sum = 0;

#pragma omp simd reduction(+ : sum)
    for (size_t j = from; j <= q; j++)
        sum -= d[j] * (real)(int32_t)(q - j);
    return sum;
}

/* Of n rows of D: d_q, made without the temperature, gets it; returns its gradient, the sum of
 * q d_q. */
static real heat(real *d_q, const real *q, real factor, size_t n, size_t D, size_t stride)
{
    real total = 0;

    for (size_t i = 0; i < n; i++) {
        real sum = 0;

#pragma omp simd reduction(+ : sum)
        for (size_t c = 0; c < D; c++) {
            sum += q[i * stride + c] * d_q[i * stride + c];
            d_q[i * stride + c] *= factor;
        }
        total += sum;
    }
    return total;
}

/* d: (QUERY_BLOCK, context) scratch; d_head: (2) or NULL. A key hears from its own block of queries
 * and from all later ones, so its gradients gather. */
static void head_backward(real *d_q, real *d_head, real *d, const real *d_out, const real *weights,
                          const real *q, size_t b, size_t head, const struct smol_attention *s)
{
    const size_t T = s->context, C = s->width, D = C / s->heads;
    const real *k = q + C, *v = q + 2 * C;
    real *d_k = d_q + C, *d_v = d_q + 2 * C;
    real d_temperature = 0, d_slope = 0;

    for (size_t t = 0; t < T; t++) {
        memset(d_k + t * 3 * C, 0, D * sizeof *d_k);
        memset(d_v + t * 3 * C, 0, D * sizeof *d_v);
    }
    for (size_t begin = 0; begin < T; begin += QUERY_BLOCK) {
        const size_t n = T - begin < QUERY_BLOCK ? T - begin : QUERY_BLOCK;
        const size_t from = first_key(s, b, begin), n_keys = begin + n - from;
        const real *w = weights + begin * T + from;
        const struct smol_operand d_block = {d_out + begin * C, C, false};

        smol_gemm_small(d_v + from * 3 * C, 3 * C, smol_transposed(w, T), d_block, n_keys, D, n, 1,
                        1);
        smol_gemm_small(d + from, T, d_block, smol_transposed(v + from * 3 * C, 3 * C), n, n_keys,
                        D, 1, 0);
        for (size_t i = 0; i < n; i++) {
            softmax_row_backward(d + i * T + from, w + i * T, n_keys);
            if (s->slopes)
                d_slope += slope_gradient(d + i * T, from, begin + i);
        }
        smol_gemm_small(d_q + begin * 3 * C, 3 * C, smol_as_is(d + from, T),
                        smol_as_is(k + from * 3 * C, 3 * C), n, D, n_keys, query_scale(s), 0);
        if (s->temperatures)
            d_temperature +=
                heat(d_q + begin * 3 * C, q + begin * 3 * C, temperature(s, head), n, D, 3 * C);
        smol_gemm_small(d_k + from * 3 * C, 3 * C, smol_transposed(d + from, T),
                        smol_as_is(q + begin * 3 * C, 3 * C), n_keys, D, n,
                        query_scale(s) * temperature(s, head), 1);
    }
    if (d_head) {
        d_head[0] = d_temperature;
        d_head[1] = d_slope;
    }
}

void smol_attention_backward(real *d_qkv, real *d_heads, real *scratch, const real *d_out,
                             const real *weights, const real *qkv, const struct smol_attention *s)
{
    const size_t T = s->context, C = s->width, D = C / s->heads;

#pragma omp parallel for schedule(static) num_threads((int)s->n_threads)
    for (size_t i = 0; i < s->batch * s->heads; i++) {
        const size_t b = i / s->heads, h = i % s->heads, at = b * T * 3 * C + h * D;

        head_backward(d_qkv + at, d_heads ? d_heads + 2 * i : NULL,
                      scratch + (size_t)omp_get_thread_num() * QUERY_BLOCK * T,
                      d_out + b * T * C + h * D, weights + i * T * T, qkv + at, b, h, s);
    }
}
