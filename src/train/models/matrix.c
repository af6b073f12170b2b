/* See models.h: matrices that are changed. y = (1 + gain) x (what the models make of x) + T x +
 * bias, T the delta's own term. */
#include "train/models/models.h"

bool smol_models_alone(const struct smol_net_matrix *m)
{
    return m->base.size > 0 && m->alpha == SMOL_NO_PARAM && m->factor_a == SMOL_NO_PARAM &&
           m->a.alpha == SMOL_NO_PARAM && m->gain == SMOL_NO_PARAM && m->full == SMOL_NO_PARAM &&
           m->sparse == SMOL_NO_PARAM && m->score == SMOL_NO_PARAM;
}

static const real *gains_of(const struct smol_net *net, const struct smol_net_matrix *m)
{
    return m->gain != SMOL_NO_PARAM ? smol_net_used(net, m->gain) : NULL;
}

void smol_models_weights(const struct smol_net *net, const struct smol_net_matrix *m, bool add)
{
    const real *gain = gains_of(net, m);

#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < m->rows; r++) {
        const real *sum = m->base.sum + r * m->cols, factor = gain ? 1 + gain[r] : 1;
        real *weight = m->weight + r * m->cols;

        for (size_t c = 0; c < m->cols; c++)
            weight[c] = add ? weight[c] + factor * sum[c] : factor * sum[c];
    }
}

void smol_models_bias(const struct smol_net *net, const struct smol_net_matrix *m)
{
    const real *gain = gains_of(net, m);
    const real *bias = m->bias != SMOL_NO_PARAM ? smol_net_used(net, m->bias) : NULL;

    for (size_t r = 0; m->bias_sum && r < m->rows; r++)
        m->bias_sum[r] =
            (gain ? 1 + gain[r] : 1) * m->base_bias.sum[r] + (bias ? bias[r] : (real)0);
}

bool smol_models_need_whole(const struct smol_net_matrix *m)
{
    return m->base.size > 0 && (m->gain != SMOL_NO_PARAM || m->base.changes);
}

static void gain_gradient(struct smol_net *net, const struct smol_net_matrix *m,
                          const real *d_weight)
{
    real *d_gain = smol_net_grad(net, m->gain);

#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < m->rows; r++) {
        const real *sum = m->base.sum + r * m->cols, *d = d_weight + r * m->cols;
        real dot = 0;

#pragma omp simd reduction(+ : dot)
        for (size_t c = 0; c < m->cols; c++)
            dot += d[c] * sum[c];
        d_gain[r] = m->bias_sum ? dot + net->d_bias[r] * m->base_bias.sum[r] : dot;
    }
}

void smol_models_matrix_gradient(struct smol_net *net, const struct smol_net_matrix *m,
                                 const real *d_weight)
{
    if (m->gain != SMOL_NO_PARAM)
        gain_gradient(net, m, d_weight);
    smol_base_gradient(net, &m->base, d_weight, gains_of(net, m), m->rows);
    smol_base_gradient(net, &m->base_bias, net->d_bias, gains_of(net, m), m->rows);
}
