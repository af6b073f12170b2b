/* AdamW with decoupled decay, and the norm of a gradient. */
#include "train/trainer.h"

#define SUM_BLOCK 4096u
#define PARTS 64u /* shared out to threads: they define the order of the sum */

static double sum_of_squares(const real *x, size_t n)
{
    double sum = 0;

    for (size_t begin = 0; begin < n; begin += SUM_BLOCK) {
        const size_t end = begin + SUM_BLOCK < n ? begin + SUM_BLOCK : n;
        real part = 0;

#pragma omp simd reduction(+ : part)
        for (size_t i = begin; i < end; i++)
            part += x[i] * x[i];
        sum += (double)part;
    }
    return sum;
}

double smol_gradient_norm(const struct smol_net *net)
{
    const size_t n = net->n_values, size = n / PARTS;
    double sums[PARTS], sum = 0;

#pragma omp parallel for schedule(static)
    for (size_t p = 0; p < PARTS; p++)
        sums[p] = sum_of_squares(net->grad + p * size, p + 1 < PARTS ? size : n - p * size);
    for (size_t p = 0; p < PARTS; p++)
        sum += sums[p];
    return sqrt(sum);
}

struct adam {
    real beta1, beta2, correction1, correction2, rate, keep, scale;
};

static void update(real *value, real *m, real *v, const real *grad, size_t n, const struct adam *a)
{
    const real epsilon = (real)1e-8;
    const struct adam s = *a;

#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) {
        const real g = grad[i] * s.scale;

        m[i] = s.beta1 * m[i] + (1 - s.beta1) * g;
        v[i] = s.beta2 * v[i] + (1 - s.beta2) * g * g;
        value[i] = s.keep * value[i] - s.rate * (m[i] * s.correction1) /
                                           (SMOL_REAL_SQRT(v[i] * s.correction2) + epsilon);
    }
}

void smol_adamw(struct smol_trainer *t, const double *lr, double grad_scale)
{
    const struct smol_train_options *o = &t->options;
    const double n = (double)t->step + 1;
    struct adam a = {.beta1 = (real)o->beta1,
                     .beta2 = (real)o->beta2,
                     .correction1 = (real)(1 / (1 - pow(o->beta1, n))),
                     .correction2 = (real)(1 / (1 - pow(o->beta2, n))),
                     .scale = (real)grad_scale};

    for (uint32_t i = 0; i < t->net->n_params; i++) {
        const struct smol_param *p = t->net->params + i;
        const double decay = p->param_group == SMOL_GROUP_MATRIX ? o->weight_decay : 0;

        a.rate = (real)(lr[p->param_group] * p->unit);
        a.keep = (real)(1 - lr[p->param_group] * decay);
        if (lr[p->param_group] > 0)
            update(t->net->value + p->offset, t->m + p->offset, t->v + p->offset,
                   t->net->grad + p->offset, smol_param_size(p), &a);
    }
}
