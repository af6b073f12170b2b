/* Learning rates over time: linear warm-up, then a cosine. */
#include "train/trainer.h"

static double warmup(uint32_t steps, uint32_t since)
{
    return since < steps ? (double)(since + 1) / (double)steps : 1;
}

static double cosine(const struct smol_train_options *o, uint32_t step)
{
    const uint32_t from = o->warmup < o->n_steps ? o->warmup : 0;
    const double pi = 3.14159265358979323846, least = o->min_lr_fraction;
    double part;

    if (step < from || o->n_steps <= from)
        return 1;
    part = (double)(step - from) / (double)(o->n_steps - from);
    part = part > 1 ? 1 : part;
    return least + (1 - least) * 0.5 * (1 + cos(pi * part));
}

double smol_schedule(const struct smol_train_options *o, uint32_t step)
{
    return warmup(o->warmup, step) * cosine(o, step);
}

double smol_alpha_schedule(const struct smol_train_options *o, uint32_t step)
{
    if (step < o->alpha_start)
        return 0;
    return warmup(o->warmup, step - o->alpha_start) * cosine(o, step);
}
