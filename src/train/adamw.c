/* AdamW with decoupled decay, and the norm of a gradient. */
#include "train/net/latent.h"
#include "train/trainer.h"

#define PARTS 64u   /* shared out to threads: they define the order of the sum */
#define PIECE 4096u /* numbers that a thread updates at a time */

static double sum_of_squares(const struct smol_net *net, const real *x, size_t n)
{
    const size_t size = n / PARTS;
    double sums[PARTS], sum = 0;

    if (n < PIECE)
        return net->ops->sum_of_squares(x, n);

#pragma omp parallel for schedule(static)
    for (size_t p = 0; p < PARTS; p++)
        sums[p] = net->ops->sum_of_squares(x + p * size, p + 1 < PARTS ? size : n - p * size);
    for (size_t p = 0; p < PARTS; p++)
        sum += sums[p];
    return sum;
}

/* Gone through is what lies between gradients whose squares are known. */
double smol_gradient_norm(const struct smol_net *net)
{
    size_t begin = 0;
    double sum = 0;

    for (uint32_t i = 0; i < net->n_params; i++) {
        const struct smol_param *p = net->params + i;

        if (p->squares < 0)
            continue;
        sum += sum_of_squares(net, net->grad + begin, p->offset - begin) + p->squares;
        begin = p->offset + smol_param_size(p);
    }
    return sqrt(sum + sum_of_squares(net, net->grad + begin, net->n_values - begin));
}

struct update {
    const struct smol_trainer *t;
    struct smol_adam adam;
};

static void update(const void *context, size_t offset, size_t n)
{
    const struct update *u = context;
    const struct smol_net *net = u->t->net;

    net->ops->adam(net->value + offset, u->t->m + offset, u->t->v + offset, net->grad + offset, n,
                   &u->adam);
}

static void update_all(const struct update *u, struct smol_param *p)
{
    const size_t n = smol_param_size(p);

    if (p->place == SMOL_IN_MASK) {
        p->sum = smol_scores_sum(u->t->net, p, update, u);
        return;
    }
#pragma omp parallel for schedule(static)
    for (size_t begin = 0; begin < n; begin += PIECE)
        update(u, p->offset + begin, n - begin < PIECE ? n - begin : PIECE);
}

void smol_adamw(struct smol_trainer *t, const double *lr, double grad_scale)
{
    const struct smol_train_options *o = &t->options;
    const double n = (double)t->step + 1;
    struct update u = {.t = t,
                       .adam = {.beta1 = (real)o->beta1,
                                .beta2 = (real)o->beta2,
                                .correction1 = (real)(1 / (1 - pow(o->beta1, n))),
                                .correction2 = (real)(1 / (1 - pow(o->beta2, n))),
                                .scale = (real)grad_scale}};

    for (uint32_t i = 0; i < t->net->n_params; i++) {
        struct smol_param *p = t->net->params + i;
        const double decay = p->param_group == SMOL_GROUP_MATRIX ? o->weight_decay : 0;

        u.adam.rate = (real)(lr[p->param_group] * p->unit);
        u.adam.keep = (real)(1 - lr[p->param_group] * decay);
        if (lr[p->param_group] > 0)
            update_all(&u, p);
    }
}
