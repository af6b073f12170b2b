/* See latent.h. Straight through: the gradient takes a smooth function of the latent number for
 * what is made of it, and means for constants (Bengio et al. 2013).
 *
 * A score u of a mask, m the mean magnitude of the matrix's scores: the bit is there if 0.75 u / m
 * rounds to 1, and weights that are there are sigma x sign x 1.3 m if gains can hold the scale,
 * which then multiply nothing else, else sigma x sign. The gradient takes 0.75 u / m for the bit
 * (after Ramanujan et al. 2020).
 *
 * A ternary weight is sigma x the row's factor x the sign of u, or 0 unless the magnitude of u is
 * over 0.7 of the row's mean (Li et al. 2016). The gradient takes u for the sign. */
#include "train/net/latent.h"

#include <smol/params.h>

#define SHARPNESS 0.75
#define SCALE 1.3
/* Of a normal score: what checks of gradients take for the mean, which must not move. */
#define SMOOTH_MEAN 0.8
#define THRESHOLD 0.7
#define PARTS 16u /* of a matrix, shared out to threads: they define the order of a sum */

/* ---- masks ---- */

void smol_net_mask_signs(const struct smol_net *net, const struct smol_net_matrix *m)
{
    const struct smol_frozen signs = {.key = &net->key,
                                      .tensor = m->tensor,
                                      .purpose = SMOL_PURPOSE_MASK,
                                      .rows = (uint32_t)m->rows,
                                      .cols = (uint32_t)m->cols};
    const size_t row_bytes = smol_mask_row_bytes(signs.cols);
    uint8_t *block = net->scratch;

    for (size_t r = 0; r < m->rows; r++) {
        const uint8_t *row = block + r % SMOL_ROW_BLOCK * row_bytes;

        if (r % SMOL_ROW_BLOCK == 0)
            smol_mask_signs(block, &signs, (uint32_t)(r / SMOL_ROW_BLOCK), 1, smol_stream_bytes);
        for (size_t c = 0; c < m->cols; c++)
            m->signs[r * m->cols + c] = (row[c / 8] >> c % 8 & 1) != 0 ? -1 : 1;
    }
}

double smol_scores_sum(const struct smol_net *net, const struct smol_param *scores,
                       smol_scores_function *change, const void *context)
{
    const size_t rows = scores->rows, cols = scores->cols;
    const real *u = net->value + scores->offset;
    double sums[PARTS] = {0}, sum = 0;

#pragma omp parallel for schedule(static)
    for (size_t p = 0; p < PARTS; p++)
        for (size_t r = p * rows / PARTS; r < (p + 1) * rows / PARTS; r++) {
            if (change)
                change(context, scores->offset + r * cols, cols);
            sums[p] += (double)net->ops->magnitudes(u + r * cols, cols);
        }
    for (size_t p = 0; p < PARTS; p++)
        sum += sums[p];
    return sum;
}

static double mean_of(const struct smol_net *net, const struct smol_net_matrix *m)
{
    struct smol_param *scores = net->params + m->score;
    double sum = scores->sum;

    if (net->smooth)
        return SMOOTH_MEAN;
    if (sum < 0)
        sum = smol_scores_sum(net, scores, NULL, NULL);
    scores->sum = -1; /* of now: they may change in other ways than by a step */
    return sum / ((double)m->rows * (double)m->cols);
}

bool smol_mask_is_scaled(const struct smol_net_matrix *m)
{
    return m->score != SMOL_NO_PARAM && m->has_gains_inside && m->sparse == SMOL_NO_PARAM &&
           m->base.size == 0;
}

/* What a matrix's scores mean: a weight is there from `least` on, and then `weight` or its
 * opposite; the surrogate's derivative is slope or its opposite. */
struct meaning {
    real least, weight, slope;
};

static struct meaning meaning_of(const struct smol_net *net, const struct smol_net_matrix *m)
{
    const double sigma = (double)m->scheme->sigma, mean = net->stored ? 1 : *m->mean,
                 scale = net->stored || !smol_mask_is_scaled(m) ? 1 : SCALE * mean;

    return (struct meaning){.least = (real)(0.5 * mean / SHARPNESS),
                            .weight = (real)(sigma * scale),
                            .slope = (real)(mean > 0 ? sigma * scale * SHARPNESS / mean : 0)};
}

static const real *gains_of(const struct smol_net *net, const struct smol_net_matrix *m)
{
    return smol_mask_is_scaled(m) ? smol_net_used(net, m->gain) : NULL;
}

void smol_mask_weights(const struct smol_net *net, const struct smol_net_matrix *m)
{
    *m->mean = mean_of(net, m);
    const struct meaning is = meaning_of(net, m);
    const real *gain = gains_of(net, m);

#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < m->rows; r++) {
        const real *u = smol_net_value(net, m->score) + r * m->cols;
        const real scale = gain ? is.weight * gain[r] : is.weight;
        const int8_t *signs = m->signs + r * m->cols;
        real *weight = m->weight + r * m->cols;

        if (!net->smooth)
            net->ops->mask_row(weight, u, signs, is.least, scale, m->cols);
        for (size_t c = 0; net->smooth && c < m->cols; c++)
            weight[c] = is.slope / is.weight * u[c] * (real)signs[c] * scale;
    }
}

/* The gradient of a gain, from a row's of weights with it, where what is differentiated is smooth.
 */
static real smooth_gain_gradient(struct meaning is, const real *d, const real *u,
                                 const int8_t *signs, size_t n)
{
    real sum = 0;

    for (size_t c = 0; c < n; c++)
        sum += d[c] * is.slope * u[c] * (real)signs[c];
    return sum;
}

/* Of row r, in place. Weights that nothing is added to say the signs and which of them are there,
 * and have just been multiplied by; a gain of 0 leaves the scores. */
static struct smol_mask_sums row_gradient(const struct smol_net *net,
                                          const struct smol_net_matrix *m, struct meaning is,
                                          const real *gain, real *d, size_t r)
{
    const size_t at = r * m->cols;
    const real slope = gain ? is.slope * gain[r] : is.slope;
    struct smol_mask_sums sums;

    if (!gain || slope == 0 || net->smooth || m->factor_a != SMOL_NO_PARAM)
        return net->ops->mask_row_backward(d, smol_net_value(net, m->score) + at, m->signs + at,
                                           is.least, slope, m->cols);
    sums = net->ops->mask_row_signed(d, m->weight + at, slope < 0 ? -slope : slope, m->cols);
    sums.there = slope < 0 ? -sums.there : sums.there;
    return sums;
}

void smol_mask_gradient(struct smol_net *net, const struct smol_net_matrix *m, real *d)
{
    const struct meaning is = meaning_of(net, m);
    const real *gain = gains_of(net, m);
    real *d_gain = gain ? smol_net_grad(net, m->gain) : NULL;
    double squares = 0;

#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < m->rows; r++) {
        const real *u = smol_net_value(net, m->score) + r * m->cols;
        real *row = d + r * m->cols;
        const real smooth =
            net->smooth ? smooth_gain_gradient(is, row, u, m->signs + r * m->cols, m->cols) : 0;
        const struct smol_mask_sums sums = row_gradient(net, m, is, gain, row, r);

        if (gain)
            d_gain[r] = net->smooth ? smooth : is.weight * sums.there;
        net->squares[r] = (double)sums.squares;
    }
    for (size_t r = 0; r < m->rows; r++)
        squares += net->squares[r];
    net->params[m->score].squares = squares;
}

void smol_mask_store(struct smol_net *net, const struct smol_net_matrix *m)
{
    *m->mean = mean_of(net, m);
    const struct meaning is = meaning_of(net, m);
    const real scale = is.weight / (real)m->scheme->sigma;
    real *u = smol_net_value(net, m->score);

    for (size_t i = 0; i < m->rows * m->cols; i++)
        u[i] = u[i] >= is.least;
    for (size_t r = 0; smol_mask_is_scaled(m) && r < m->rows; r++)
        smol_net_value(net, m->gain)[r] *= scale;
}

/* ---- ternary rows ---- */

/* A stored row is its signs already. */
static real threshold(const struct smol_net *net, const real *u, size_t n)
{
    return net->stored ? (real)0.5 : (real)THRESHOLD * net->ops->magnitudes(u, n) / (real)n;
}

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

        if (!net->smooth)
            net->ops->ternary_row(weight, u, least, scale, m->cols);
        for (size_t c = 0; net->smooth && c < m->cols; c++)
            weight[c] = scale * u[c];
    }
}

void smol_ternary_gradient(struct smol_net *net, const struct smol_net_matrix *m, real *d_weight)
{
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < m->rows; r++) {
        const real *u = smol_net_value(net, m->full) + r * m->cols;
        const real least = threshold(net, u, m->cols), scale = row_scale(net, m, r);
        real *d = d_weight + r * m->cols, smooth = 0;

        for (size_t c = 0; net->smooth && c < m->cols; c++)
            smooth += d[c] * u[c];
        const real sum = net->ops->ternary_row_backward(d, u, least, scale, m->cols);
        smol_net_grad(net, m->row_scale)[r] = (real)m->sigma * (net->smooth ? smooth : sum);
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

        net->ops->ternary_row(u, u, least, sign, m->cols);
        *factor = (real)smol_ternary_scale(net, m, r) / (real)m->sigma * sign;
    }
}
