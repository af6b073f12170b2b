/* What the options of a method start from. */
#include "train/options/options.h"

#include <string.h>

static const struct smol_train_options defaults = {
    .matrices = SMOL_MATRIX_UNIT,
    .norms = SMOL_NORM_FROZEN,
    .dist = SMOL_SIGN,
    .embedding_type = SMOL_Q8,
    .param_type = SMOL_F16,
    .d = 5,
    .n_layers = 4,
    .n_heads = 4,
    .width = 128,
    .context = 64,
    .gain = 1,
    .residual_gain = 1,
    .embedding_std = 0.02,
    .logit_scale = 1,
    .ln_epsilon = 1e-5,
    .seed = 1,
    .batch = 16,
    .n_steps = 1000,
    .warmup = SMOL_WARMUP_DEFAULT,
    .lr = 1e-2,
    .alpha_lr = 3e-2,
    .min_lr_fraction = 0.1,
    .beta1 = 0.9,
    .beta2 = 0.99,
    .clip = 1,
    .val_fraction = 0.1,
    .n_threads = 1,
    .qat_start = 1,
};

/* Rates of architecture smol: the frozen network's embeddings learn alone, and faster; scores of
 * masks and latent ternary numbers are normal at the start, as are stored matrices in units of
 * their sigma. */
static void use_rates(struct smol_train_options *o)
{
    const bool stored = o->full || o->matrices == SMOL_MATRIX_STORED;

    o->lr = o->matrices == SMOL_MATRIX_UNIT && o->rank == 0 && !o->full ? 4e-2 : 1e-2;
    o->alpha_lr = 3e-2;
    o->min_lr_fraction = 0.01;
    o->weight_decay = 0;
    o->matrix_lr = stored ? 5e-2 : 2e-2;
}

static void use_smol(struct smol_train_options *o)
{
    o->features = SMOL_NETWORK_FEATURES;
    o->learn_logit_scale = true;
    o->norms = SMOL_NORM_FROZEN;
    o->context = 128;
    o->batch = 8;
    if (o->full)
        o->dist = SMOL_GAUSS;
    o->qat_start = 0.5;
    use_rates(o);
}

/* Of a delta, whose numbers are differences. Its rates are of a width of 128 (smol_train_on). */
static void use_delta(struct smol_train_options *o)
{
    o->learn_logit_scale = true;
    o->logit_scale = 0;
    o->norms = SMOL_NORM_FROZEN;
    o->gains = false;
    o->batch = 8;
    o->qat_start = 0.5;
    o->min_lr_fraction = 0.01;
    o->weight_decay = 0;
    o->lr = 1e-2;
    o->alpha_lr = 3e-2;
    o->matrix_lr = o->matrices == SMOL_MATRIX_MASK ? 2e-2 : 5e-2;
}

void smol_train_use(struct smol_train_options *o, enum smol_architecture architecture)
{
    o->architecture = architecture;
    o->features = 0;
    o->learn_logit_scale = false;
    if (architecture == SMOL_ARCH_SMOL)
        use_smol(o);
    if (architecture == SMOL_ARCH_DELTA)
        use_delta(o);
}

bool smol_train_defaults(struct smol_train_options *out, size_t struct_bytes, const char *name)
{
    const struct smol_method *method = smol_method_find(name);
    const bool ternary = method && method->type == SMOL_TERNARY;
    struct smol_train_options o = defaults;

    if (strcmp(name, "full") == 0) {
        o.full = true;
        o.norms = SMOL_NORM_STORED;
        o.lr = 3e-3;
        o.weight_decay = 0.1;
    } else if (method) {
        o.matrices = method->source;
        o.d = method->d;
        o.rank = method->rank;
        o.gains = method->source == SMOL_MATRIX_MASK;
        o.matrix_type = method->type;
        o.matrix_lr = method->source == SMOL_MATRIX_MASK ? 2e-2 : ternary ? 5e-2 : 0;
    } else {
        return false;
    }
    o.struct_bytes = struct_bytes;
    memcpy(out, &o, struct_bytes < sizeof o ? struct_bytes : sizeof o);
    return true;
}

void smol_train_resolve(struct smol_train_options *o)
{
    if (o->warmup == SMOL_WARMUP_DEFAULT)
        o->warmup = o->n_steps / 10 < 100 ? o->n_steps / 10 : 100;
    if (o->n_ff == 0)
        o->n_ff = 4 * o->width;
}
