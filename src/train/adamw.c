/* AdamW with decoupled decay, and the norm of a gradient. */
#include "train/trainer.h"

#define PARTS 64u /* shared out to threads: they define the order of the sum */

double smol_gradient_norm(const struct smol_net *net)
{
    const size_t n = net->n_values, size = n / PARTS;
    double sums[PARTS], sum = 0;

#pragma omp parallel for schedule(static)
    for (size_t p = 0; p < PARTS; p++)
        sums[p] =
            net->ops->sum_of_squares(net->grad + p * size, p + 1 < PARTS ? size : n - p * size);
    for (size_t p = 0; p < PARTS; p++)
        sum += sums[p];
    return sqrt(sum);
}

void smol_adamw(struct smol_trainer *t, const double *lr, double grad_scale)
{
    const struct smol_train_options *o = &t->options;
    const double n = (double)t->step + 1;
    struct smol_adam a = {.beta1 = (real)o->beta1,
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
            t->net->ops->adam(t->net->value + p->offset, t->m + p->offset, t->v + p->offset,
                              t->net->grad + p->offset, smol_param_size(p), &a);
    }
}
