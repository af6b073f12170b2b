/* See ternary.h. A latent number u, normal at the start, stands for its sign if its magnitude is
 * over 0.7 of the row's mean (Li et al. 2016), and the weight is sigma x the row's factor x that.
 * The gradient takes u itself for the sign (straight through). */
#include "train/net/ternary.h"

#define THRESHOLD 0.7

static real row_sum(const real *u, size_t n)
{
    real sum = 0;

#pragma omp simd reduction(+ : sum)
    for (size_t c = 0; c < n; c++)
        sum += u[c] < 0 ? -u[c] : u[c];
    return sum;
}

/* A stored row is its signs already. */
static real threshold(const struct smol_net *net, const real *u, size_t n)
{
    return net->stored ? (real)0.5 : (real)THRESHOLD * row_sum(u, n) / (real)n;
}

static inline real sign_of(real u, real least) { return (real)(u > least) - (real)(u < -least); }

static real row_scale(const struct smol_net *net, const struct smol_net_matrix *m, size_t row)
{
    return (real)m->sigma * smol_net_value(net, m->row_scale)[row];
}

void smol_ternary_weights(const struct smol_net *net, const struct smol_net_matrix *m)
{
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < m->rows; r++) {
        const real *u = smol_net_value(net, m->full) + r * m->cols;
        const real least = threshold(net, u, m->cols), scale = row_scale(net, m, r);
        real *weight = m->weight + r * m->cols;

        for (size_t c = 0; c < m->cols; c++)
            weight[c] = scale * (net->smooth ? u[c] : sign_of(u[c], least));
    }
}

void smol_ternary_gradient(struct smol_net *net, const struct smol_net_matrix *m, real *d_weight)
{
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < m->rows; r++) {
        const real *u = smol_net_value(net, m->full) + r * m->cols;
        const real least = threshold(net, u, m->cols), scale = row_scale(net, m, r);
        real *d = d_weight + r * m->cols, sum = 0;

#pragma omp simd reduction(+ : sum)
        for (size_t c = 0; c < m->cols; c++) {
            sum += d[c] * (net->smooth ? u[c] : sign_of(u[c], least));
            d[c] *= scale;
        }
        smol_net_grad(net, m->row_scale)[r] = (real)m->sigma * sum;
    }
}

float smol_ternary_scale(const struct smol_net *net, const struct smol_net_matrix *m, size_t row)
{
    return (float)row_scale(net, m, row);
}

/* A scale has no sign in a file. */
void smol_ternary_store(struct smol_net *net, const struct smol_net_matrix *m)
{
    for (size_t r = 0; r < m->rows; r++) {
        real *u = smol_net_value(net, m->full) + r * m->cols,
             *factor = smol_net_value(net, m->row_scale) + r;
        const real least = threshold(net, u, m->cols), sign = *factor < 0 ? -1 : 1;

        for (size_t c = 0; c < m->cols; c++)
            u[c] = sign * sign_of(u[c], least);
        *factor = (real)smol_ternary_scale(net, m, r) / (real)m->sigma * sign;
    }
}
