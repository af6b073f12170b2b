/* See models.h: sums of models by factors, and the gradient of the factors. */
#include "train/models/models.h"

#define PARTS 64u /* shared out to threads: they define the order of a sum */

static real scale_difference(const struct smol_net *net)
{
    return net->logit_scale != SMOL_NO_PARAM ? *smol_net_used(net, net->logit_scale)
                                             : (real)net->config.logit_scale;
}

real smol_models_logit_scale(const struct smol_net *net)
{
    return (real)net->models.logit_scales[0] + scale_difference(net);
}

double smol_models_logit_ratio(const struct smol_net *net, uint32_t m)
{
    const double difference = (double)scale_difference(net);
    const double *scales = net->models.logit_scales;

    return m == 0 ? 1 : (scales[m] + difference) / (scales[0] + difference);
}

static double file_factor(const struct smol_net *net, uint32_t m)
{
    const struct smol_net_models *models = &net->models;

    return models->factor != SMOL_NO_PARAM ? (double)smol_net_used(net, models->factor)[m]
                                           : models->factors[m];
}

static double factor_of(const struct smol_net *net, const struct smol_net_base *base, uint32_t m)
{
    double factor = file_factor(net, m);

    if (base->mix != SMOL_NO_PARAM)
        factor += (double)smol_net_used(net, base->mix)[m];
    return base->is_output ? factor * smol_models_logit_ratio(net, m) : factor;
}

void smol_base_mix(const struct smol_net *net, const struct smol_net_base *base)
{
    if (!base->each)
        return;
    for (uint32_t m = 0; m < net->models.n; m++) {
        const real factor = (real)factor_of(net, base, m), *each = base->each + m * base->size;

#pragma omp parallel for simd schedule(static)
        for (size_t i = 0; i < base->size; i++)
            base->sum[i] = m == 0 ? factor * each[i] : base->sum[i] + factor * each[i];
    }
}

void smol_models_mix(const struct smol_net *net)
{
    smol_base_mix(net, &net->models.wte);
    smol_base_mix(net, &net->models.wpe);
    smol_base_mix(net, &net->models.output);
}

/* Rows first..end - 1 of the sum of d x each. */
static double dot_rows(const real *d, const real *each, const real *gain, size_t first, size_t end,
                       size_t cols)
{
    double sum = 0;

    for (size_t r = first; r < end; r++) {
        const real *a = d + r * cols, *b = each + r * cols;
        real dot = 0;

#pragma omp simd reduction(+ : dot)
        for (size_t c = 0; c < cols; c++)
            dot += a[c] * b[c];
        sum += (double)(gain ? (1 + gain[r]) * dot : dot);
    }
    return sum;
}

static double dot(const real *d, const real *each, const real *gain, size_t rows, size_t cols)
{
    double parts[PARTS], sum = 0;

#pragma omp parallel for schedule(static)
    for (size_t p = 0; p < PARTS; p++)
        parts[p] = dot_rows(d, each, gain, rows * p / PARTS, rows * (p + 1) / PARTS, cols);
    for (size_t p = 0; p < PARTS; p++)
        sum += parts[p];
    return sum;
}

static void add_to_factor(struct smol_net *net, uint32_t m, double d)
{
    if (net->models.factor != SMOL_NO_PARAM)
        smol_net_grad(net, net->models.factor)[m] += (real)d;
}

void smol_base_gradient(struct smol_net *net, const struct smol_net_base *base, const real *d,
                        const real *gain, size_t rows)
{
    for (uint32_t m = 0; base->each && m < net->models.n; m++) {
        const double sum = dot(d, base->each + m * base->size, gain, rows, base->size / rows);

        add_to_factor(net, m, sum);
        if (base->mix != SMOL_NO_PARAM)
            smol_net_grad(net, base->mix)[m] += (real)sum;
    }
}

void smol_models_embed_gradient(struct smol_net *net, const uint32_t *tokens)
{
    const struct smol_net_models *models = &net->models;
    const size_t C = net->config.width, T = net->config.context;

    for (uint32_t m = 0; models->factor != SMOL_NO_PARAM && m < models->n; m++) {
        const real *wte = models->wte.each + m * models->wte.size;
        const real *wpe = models->wpe.size > 0 ? models->wpe.each + m * models->wpe.size : NULL;
        double sum = 0;

        for (size_t i = 0; i < net->n_tokens; i++) {
            const size_t t = i % T - (net->begins ? net->begins[i] : 0);
            const real *d = net->x + i * C;

            sum += dot_rows(d, wte + tokens[i] * C, NULL, 0, 1, C);
            if (wpe)
                sum += dot_rows(d, wpe + t * C, NULL, 0, 1, C);
        }
        add_to_factor(net, m, sum);
    }
}

/* The table's sum has model m's by f_m s_m / s_1, and logits that sum by s_1; what the gradient of
 * the difference of the scales has by s_1 alone, scale_gradient() of the head has found. */
void smol_models_output_gradient(struct smol_net *net)
{
    const struct smol_net_models *models = &net->models;
    const struct smol_net_base *base = models->output.size > 0 ? &models->output : &models->wte;
    const double scale = (double)smol_models_logit_scale(net);

    for (uint32_t m = 0; m < models->n; m++) {
        const double sum = dot(models->d_output, base->each + m * base->size, NULL,
                               net->config.vocab, net->config.width);
        const double ratio = smol_models_logit_ratio(net, m);

        add_to_factor(net, m, sum * ratio);
        if (net->logit_scale != SMOL_NO_PARAM)
            *smol_net_grad(net, net->logit_scale) +=
                (real)(sum * file_factor(net, m) * (1 - ratio) / scale);
    }
}
