/* LayerNorm, GELU, relu^2, half-shift and cross-entropy, forward and backward. */
#include "train/net/ops.h"

#define ROWS_A_PARTIAL 64u
#define BLOCK 1024u /* numbers that a thread takes at a time */

static void layernorm_row(real *z, real *rstd, const real *x, size_t width, real epsilon)
{
    real sum = 0, squares = 0;

#pragma omp simd reduction(+ : sum)
    for (size_t c = 0; c < width; c++)
        sum += x[c];
    const real mean = sum / (real)width;
#pragma omp simd reduction(+ : squares)
    for (size_t c = 0; c < width; c++)
        squares += (x[c] - mean) * (x[c] - mean);
    const real r = 1 / SMOL_REAL_SQRT(squares / (real)width + epsilon);
    for (size_t c = 0; c < width; c++)
        z[c] = (x[c] - mean) * r;
    *rstd = r;
}

void smol_layernorm(real *z, real *rstd, real *out, const real *x, const real *gain,
                    const real *bias, size_t n, size_t width, real epsilon)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        const real *zi = z + i * width;
        real *oi = out + i * width;

        layernorm_row(z + i * width, rstd + i, x + i * width, width, epsilon);
        if (gain)
            for (size_t c = 0; c < width; c++)
                oi[c] = zi[c] * gain[c] + bias[c];
    }
}

size_t smol_layernorm_partials(size_t n, size_t width)
{
    return (n + ROWS_A_PARTIAL - 1) / ROWS_A_PARTIAL * 2 * width;
}

/* d_gain_c = sum over rows of d_out z, d_bias_c = sum of d_out: by blocks of rows, then the blocks
 * in order. */
static void vector_gradients(real *d_gain, real *d_bias, real *partial, const real *d_out,
                             const real *z, size_t n, size_t width)
{
    const size_t n_blocks = (n + ROWS_A_PARTIAL - 1) / ROWS_A_PARTIAL;

#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < n_blocks; b++) {
        const size_t end = (b + 1) * ROWS_A_PARTIAL < n ? (b + 1) * ROWS_A_PARTIAL : n;
        real *gain = partial + b * 2 * width, *bias = gain + width;

        memset(gain, 0, 2 * width * sizeof *gain);
        for (size_t i = b * ROWS_A_PARTIAL; i < end; i++)
            for (size_t c = 0; c < width; c++) {
                gain[c] += d_out[i * width + c] * z[i * width + c];
                bias[c] += d_out[i * width + c];
            }
    }
    memset(d_gain, 0, width * sizeof *d_gain);
    memset(d_bias, 0, width * sizeof *d_bias);
    for (size_t b = 0; b < n_blocks; b++)
        for (size_t c = 0; c < width; c++) {
            d_gain[c] += partial[b * 2 * width + c];
            d_bias[c] += partial[b * 2 * width + width + c];
        }
}

/* d_x = rstd (d_z - mean(d_z) - z mean(d_z z)). */
static void layernorm_row_backward(real *d_x, const real *d_z, const real *z, real rstd,
                                   size_t width)
{
    real sum = 0, dot = 0;

#pragma omp simd reduction(+ : sum, dot)
    for (size_t c = 0; c < width; c++) {
        sum += d_z[c];
        dot += d_z[c] * z[c];
    }
    sum /= (real)width;
    dot /= (real)width;
    for (size_t c = 0; c < width; c++)
        d_x[c] += rstd * (d_z[c] - sum - z[c] * dot);
}

void smol_layernorm_backward(real *d_x, real *d_gain, real *d_bias, real *partial, real *d_out,
                             const real *z, const real *rstd, const real *gain, size_t n,
                             size_t width)
{
    if (gain)
        vector_gradients(d_gain, d_bias, partial, d_out, z, n, width);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        real *d = d_out + i * width;

        if (gain)
            for (size_t c = 0; c < width; c++)
                d[c] *= gain[c];
        layernorm_row_backward(d_x + i * width, d, z + i * width, rstd[i], width);
    }
}

/* GELU(x) = x s, s = 1 / (1 + exp(-2 u)), u = sqrt(2 / pi) (x + 0.044715 x^3); so its derivative
 * is s + x s (1 - s) 2 u'. The backward pass needs x for nothing else: the derivative takes its
 * place. */
static void gelu_block(real *out, real *x, size_t n)
{
    const real two_root = (real)1.5957691216057308, cube = (real)0.044715;

    for (size_t i = 0; i < n; i++)
        out[i] = -two_root * x[i] * (1 + cube * (x[i] * x[i]));
    smol_real_exp_all(out, n, 0);
    for (size_t i = 0; i < n; i++) {
        const real v = x[i], s = 1 / (1 + out[i]);

        out[i] = v * s;
        x[i] = s + v * s * (1 - s) * two_root * (1 + 3 * cube * (v * v));
    }
}

void smol_gelu(real *out, real *x, size_t n)
{
#pragma omp parallel for schedule(static)
    for (size_t begin = 0; begin < n; begin += BLOCK)
        gelu_block(out + begin, x + begin, n - begin < BLOCK ? n - begin : BLOCK);
}

void smol_relu2(real *out, real *x, size_t n)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) {
        const real v = x[i] > 0 ? x[i] : 0;

        out[i] = v * v;
        x[i] = 2 * v;
    }
}

/* From the last row back, so that a row may be shifted in place. */
/* Whether row t of sequence b has none before it. */
static bool is_first(const uint32_t *begins, size_t b, size_t t, size_t context)
{
    return t == (begins ? begins[b * context + t] : 0);
}

void smol_half_shift(real *to, const real *from, const real *shifted, const uint32_t *begins,
                     size_t batch, size_t context, size_t width)
{
#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < batch; b++)
        for (size_t t = context; t-- > 0;) {
            const real *now = from + (b * context + t) * width, *before = now - width;
            real *row = to + (b * context + t) * width;

            if (!is_first(begins, b, t, context))
                for (size_t c = 0; c < width; c++)
                    row[c] = shifted[c] != 0 ? before[c] : now[c];
            else
                for (size_t c = 0; c < width; c++)
                    row[c] = shifted[c] != 0 ? 0 : now[c];
        }
}

void smol_half_shift_backward(real *d, const real *shifted, const uint32_t *begins, size_t batch,
                              size_t context, size_t width)
{
#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < batch; b++)
        for (size_t t = 0; t < context; t++) {
            real *row = d + (b * context + t) * width;
            const real *after = row + width;

            if (t + 1 < context && !is_first(begins, b, t + 1, context))
                for (size_t c = 0; c < width; c++)
                    row[c] = shifted[c] != 0 ? after[c] : row[c];
            else
                for (size_t c = 0; c < width; c++)
                    row[c] = shifted[c] != 0 ? 0 : row[c];
        }
}

static double cross_entropy_row(real *logits, int32_t target, size_t vocab, bool gradient,
                                real inverse_count)
{
    const real at_target = logits[target];
    const real max = smol_real_max(logits, vocab);
    real sum = 0;

    smol_real_exp_all(logits, vocab, max);
#pragma omp simd reduction(+ : sum)
    for (size_t v = 0; v < vocab; v++)
        sum += logits[v];
    if (gradient) {
        for (size_t v = 0; v < vocab; v++)
            logits[v] *= inverse_count / sum;
        logits[target] -= inverse_count;
    }
    return log((double)sum) + (double)max - (double)at_target;
}

/* The logit that a teacher expects. *total: what the row adds up to. */
static double expected_logit(double *total, const real *logits, const uint16_t *row, size_t vocab)
{
    double sum = 0, n = 0;

    for (size_t v = 0; v < vocab; v++) {
        sum += row[v] * (double)logits[v];
        n += row[v];
    }
    *total = n;
    return sum / n;
}

/* The same as cross_entropy_row, but a share of the target is a teacher's. */
static double taught_row(real *logits, int32_t target, const uint16_t *row, real weight,
                         size_t vocab, bool gradient, real inverse_count)
{
    const double at_target = (double)logits[target];
    double total;
    const double expected = expected_logit(&total, logits, row, vocab);
    const real unit = (real)((double)(weight * inverse_count) / total);
    const double loss = cross_entropy_row(logits, target, vocab, gradient, inverse_count);

    if (gradient) {
        logits[target] += weight * inverse_count;
        for (size_t v = 0; v < vocab; v++)
            logits[v] -= unit * (real)row[v];
    }
    return loss + (double)weight * (at_target - expected);
}

void smol_cross_entropy(double *losses, real *logits, const int32_t *targets,
                        const struct smol_soft_targets *soft, size_t n, size_t vocab, bool gradient,
                        real inverse_count)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        real *row = logits + i * vocab;

        losses[i] = 0;
        if (targets[i] >= 0 && soft)
            losses[i] = taught_row(row, targets[i], soft->rows[i], soft->weight, vocab, gradient,
                                   inverse_count);
        else if (targets[i] >= 0)
            losses[i] = cross_entropy_row(row, targets[i], vocab, gradient, inverse_count);
        else if (gradient)
            memset(row, 0, vocab * sizeof *row);
    }
}
