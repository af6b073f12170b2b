/* See estimate.h. The numbers are fitted to what docs/methods.md and docs/training.md measured. */
#include "smoltrain/plan/estimate.h"

#include <math.h>

/* Weights of the matrices. */
static double n_weights(const struct smol_train_options *o)
{
    const double width = o->width, ff = o->n_ff > 0 ? o->n_ff : 4 * width;

    return o->n_layers * (4 * width * width + 2 * width * ff);
}

/* What one weight is worth, beside one of a mask in a text of a million tokens; 0: nothing, it is
 * frozen. Masks learn less from short texts. */
static double worth(const struct smol_train_options *o, const struct plan_text *text)
{
    if (o->full || o->matrices == SMOL_MATRIX_STORED)
        return o->matrix_type == SMOL_TERNARY ? 1.5 : o->matrix_type == SMOL_Q4 ? 2.8 : 3.2;
    if (o->matrices != SMOL_MATRIX_MASK)
        return 0;
    return text->n_train < 1e6 ? pow(text->n_train / 1e6, 0.15) : 1;
}

double plan_weights_per_token(const struct smol_train_options *o, const struct plan_text *text)
{
    return worth(o, text) > 0 ? n_weights(o) / text->n_train : 0;
}

bool plan_is_short(const struct smol_train_options *o, const struct plan_text *text)
{
    return plan_weights_per_token(o, text) > 1;
}

/* Without end of training and text. Masks of 1 x 24, 2 x 64, 2 x 96 and 2 x 128 are on this curve,
 * ternary 2 x 128 and 4-bit 4 x 192 with their worth; frozen 1 x 128, 1 x 256 and 1 x 512 on the
 * other. */
static double by_size(const struct smol_train_options *o, const struct plan_text *text)
{
    const double n = n_weights(o) * worth(o, text);

    return n > 0 ? 1.15 + 5.21 * pow(n, -0.2) : 1.55 + 0.27 * pow(o->width / 128.0, -0.6);
}

/* Deep and narrow is as bad as shallow and wide. */
static double by_depth(const struct smol_train_options *o, const struct plan_text *text)
{
    const double best = worth(o, text) > 0 && o->width > 32 ? 0.5 + o->width / 64.0 : 1;
    const double ratio = log(o->n_layers / best);

    return 0.05 * ratio * ratio;
}

static double by_embeddings(const struct smol_train_options *o)
{
    switch (o->embedding_type) {
    case SMOL_F32:
    case SMOL_F16:
    case SMOL_Q8: return 0;
    case SMOL_Q4: return 0.009;
    default: return 0.012;
    }
}

/* A network with several weights for each token of the text learns it by heart: of 37 kB ternary
 * 2 x 96 learns less than 2 x 64, of 70 kB more. */
static double by_text(const struct smol_train_options *o, const struct plan_text *text)
{
    const double excess = log(plan_weights_per_token(o, text) / 2);

    return excess > 0 ? 0.15 * excess * excess : 0;
}

double plan_estimate(const struct smol_train_options *o, const struct plan_text *text)
{
    return by_size(o, text) + by_depth(o, text) + by_embeddings(o) + by_text(o, text) +
           0.161 * pow(text->n_seen / 1.02e6, -0.7);
}

/* What goes over all channels takes as long as some hundred products for each. */
double plan_step_work(const struct smol_train_options *o, uint32_t vocab)
{
    const double channels = (2.0 * o->context + 800) * o->n_layers * o->width;
    const double head = (double)vocab * o->width;

    return 3 * (n_weights(o) + channels + head) * o->batch * o->context;
}
