/* Options: their defaults, and the configuration that they describe. */
#include "base/error.h"
#include "kernel/kernel.h"
#include "train/trainer.h"

static const struct smol_train_options defaults = {
    .matrices = SMOL_MATRIX_UNIT,
    .norms = SMOL_NORM_FROZEN,
    .dist = SMOL_SIGN,
    .embedding_type = SMOL_Q8,
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
};

/* The names of what trains without factors, by source of the matrices. */
static const char *const methods[] = {
    "embed",   "alpha",          "alpha-global", "fastfood", "fastfood-global",
    "fourier", "fourier-global", NULL,           "nola"};

static bool projection_method(struct smol_train_options *o, const char *method)
{
    for (int i = SMOL_MATRIX_FASTFOOD; methods[i]; i++)
        if (strcmp(method, methods[i]) == 0) {
            o->matrices = (enum smol_source)i;
            o->d = 1000;
            return true;
        }
    return false;
}

bool smol_train_projects(const struct smol_train_options *o)
{
    return o->matrices >= SMOL_MATRIX_FASTFOOD && o->matrices <= SMOL_MATRIX_FOURIER_SHARED;
}

bool smol_train_defaults(struct smol_train_options *out, const char *method)
{
    struct smol_train_options o = defaults;

    if (strcmp(method, "alpha") == 0) {
        o.matrices = SMOL_MATRIX_OWN;
    } else if (strcmp(method, "alpha-global") == 0) {
        o.matrices = SMOL_MATRIX_SHARED;
    } else if (strncmp(method, "fastfood", 8) == 0 || strncmp(method, "fourier", 7) == 0) {
        if (!projection_method(&o, method))
            return false;
    } else if (strcmp(method, "lora") == 0) {
        o.rank = 4;
    } else if (strcmp(method, "nola") == 0) {
        o.matrices = SMOL_MATRIX_NOLA;
        o.d = 8;
        o.rank = 4;
    } else if (strcmp(method, "full") == 0) {
        o.full = true;
        o.norms = SMOL_NORM_STORED;
        o.lr = 3e-3;
        o.weight_decay = 0.1;
    } else if (strcmp(method, "embed") != 0) {
        return false;
    }
    *out = o;
    return true;
}

const char *smol_train_method(const struct smol_train_options *o)
{
    struct smol_train_options resolved = *o;
    struct smol_config config;

    if (o->full)
        return "full";
    if (o->n_rules > 0 || o->sparse > 0) {
        smol_train_resolve(&resolved);
        return smol_train_config(&config, &resolved, NULL) == SMOL_OK ? smol_config_method(&config)
                                                                      : "mixed";
    }
    if (o->rank > 0 && o->matrices != SMOL_MATRIX_NOLA)
        return o->matrices == SMOL_MATRIX_UNIT ? "lora" : "mixed";
    return methods[o->matrices];
}

void smol_train_resolve(struct smol_train_options *o)
{
    if (o->warmup == SMOL_WARMUP_DEFAULT)
        o->warmup = o->n_steps / 10 < 100 ? o->n_steps / 10 : 100;
    if (o->n_ff == 0)
        o->n_ff = 4 * o->width;
}

static enum smol_status check_model(const struct smol_train_options *o, struct smol_error *error)
{
    const char *wrong = NULL;

    if (o->n_layers < 1 || o->n_layers > SMOL_MAX_LAYERS)
        wrong = "layers must be 1..256";
    else if (o->width < 1 || o->width > SMOL_MAX_WIDTH)
        wrong = "width must be 1..65536";
    else if (o->n_heads < 1 || o->n_heads > SMOL_MAX_HEADS || o->width % o->n_heads != 0)
        wrong = "heads must be 1..1024 and divide the width";
    else if (o->context < 1 || o->context > 65536)
        wrong = "context must be 1..65536";
    else if (o->n_ff > SMOL_MAX_FF)
        wrong = "the feed-forward width must be 1..262144";
    else if (o->matrices > SMOL_MATRIX_FOURIER_SHARED && o->matrices != SMOL_MATRIX_NOLA)
        wrong = "the matrices have an unknown source";
    else if (o->d < 1 || o->d > (smol_train_projects(o) ? SMOL_MAX_DIMENSIONS : SMOL_MAX_BASES))
        wrong = smol_train_projects(o) ? "d must be 1..1048576" : "d must be 1..64";
    else if (o->rank > SMOL_MAX_RANK)
        wrong = "rank must be 0..4096";
    else if (o->matrices == SMOL_MATRIX_NOLA && o->rank == 0)
        wrong = "nola has factors of a rank over 0";
    else if (o->full && (o->rank > 0 || o->matrices != SMOL_MATRIX_UNIT))
        wrong = "full has neither alphas nor factors";
    else if (o->numbers > SMOL_LEARNED_Q8)
        wrong = "the learned numbers have an unknown type";
    else if (!(o->sparse >= 0 && o->sparse <= 1))
        wrong = "the sparse part of a row must be 0..1";
    else if (o->full && (o->gains || o->sparse > 0))
        wrong = "full has neither gains nor sparse terms of its own";
    else if (o->full && o->n_rules > 0)
        wrong = "full has the same for every tensor";
    else if (o->full && o->norms != SMOL_NORM_STORED)
        wrong = "full has stored norms";
    else if (!(o->gain > 0 && o->residual_gain > 0 && o->gain < 1e6 && o->residual_gain < 1e6))
        wrong = "gains must be over 0";
    else if (!(o->embedding_std > 0 && o->embedding_std < 1e6))
        wrong = "the standard deviation of the embeddings must be over 0";
    if (wrong)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "%s", wrong);
    return SMOL_OK;
}

static enum smol_status check_recipe(const struct smol_train_options *o, struct smol_error *error)
{
    const char *wrong = NULL;

    if (o->batch < 1 || (uint64_t)o->batch * o->context > 1u << 24)
        wrong = "batch must be at least 1, and batch x context at most 16777216";
    else if (o->n_steps > 1000000000)
        wrong = "steps must be at most 1000000000";
    else if (o->warmup > 1000000000 && o->warmup != SMOL_WARMUP_DEFAULT)
        wrong = "warm-up must be at most 1000000000 steps";
    else if (o->alpha_start > 1000000000)
        wrong = "the step that starts the alphas must be at most 1000000000";
    else if (!(o->lr >= 0 && o->lr < 1e3 && o->alpha_lr >= 0 && o->alpha_lr < 1e3))
        wrong = "learning rates must be 0..1000";
    else if (!(o->min_lr_fraction >= 0 && o->min_lr_fraction <= 1))
        wrong = "the least fraction of the learning rate must be 0..1";
    else if (!(o->beta1 >= 0 && o->beta1 < 1 && o->beta2 >= 0 && o->beta2 < 1))
        wrong = "beta1 and beta2 must be at least 0 and under 1";
    else if (!(o->weight_decay >= 0 && o->weight_decay < 1e3 && o->clip >= 0))
        wrong = "decay and clip must not be negative";
    else if (!(o->val_fraction > 0 && o->val_fraction < 1))
        wrong = "the validation fraction must be over 0 and under 1";
    else if (o->order != SMOL_ORDER_RANDOM && o->order != SMOL_ORDER_SHUFFLED)
        wrong = "the order must be random or shuffled";
    else if (o->n_threads < 1 || o->n_threads > 1024)
        wrong = "threads must be 1..1024";
    else if (!smol_kernels_select(o->isa))
        wrong = "this machine lacks the instruction set";
    else if (o->group && (o->group->size < 1 || o->group->rank >= o->group->size ||
                          o->batch % o->group->size != 0))
        wrong = "the number of processes must divide the batch";
    if (wrong)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "%s", wrong);
    return SMOL_OK;
}

enum smol_status smol_train_config(struct smol_config *out, const struct smol_train_options *o,
                                   struct smol_error *error)
{
    struct smol_config c = {.n_layers = o->n_layers,
                            .n_heads = o->n_heads,
                            .width = o->width,
                            .n_ff = o->n_ff,
                            .context = o->context,
                            .vocab = 256,
                            .ln_epsilon = (float)o->ln_epsilon,
                            .logit_scale = (float)o->logit_scale,
                            .seed = o->seed,
                            .wte_type = (uint8_t)o->embedding_type,
                            .wpe_type = (uint8_t)o->embedding_type};
    enum smol_status status = check_model(o, error);

    if (status == SMOL_OK)
        status = check_recipe(o, error);
    if (status == SMOL_OK)
        status = smol_train_schemes(&c, o, error);
    if (status == SMOL_OK)
        status = smol_config_check(&c, error);
    if (status == SMOL_OK)
        *out = c;
    return status;
}

enum smol_status smol_train_options_check(const struct smol_train_options *options,
                                          struct smol_error *error)
{
    struct smol_train_options o = *options;
    struct smol_config config;

    smol_train_resolve(&o);
    return smol_train_config(&config, &o, error);
}
