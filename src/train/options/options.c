/* Options: what may be said, and the configuration that it describes. */
#include "train/options/options.h"
#include "train/options/schemes.h"

#include "base/error.h"
#include "base/fpenv.h"
#include "kernel/kernel.h"

const char *smol_train_method(const struct smol_train_options *o)
{
    const struct smol_scheme scheme = {.kind = SMOL_MATRIX,
                                       .source = o->matrices,
                                       .rank = (uint16_t)o->rank,
                                       .alpha_type = o->matrix_type};
    const struct smol_method *method = smol_method_of(&scheme);
    struct smol_train_options resolved = *o;
    struct smol_config config;

    if (o->full && o->n_rules == 0)
        return "full";
    if (o->n_rules == 0 && o->sparse <= 0)
        return method ? method->name : "mixed";
    smol_train_resolve(&resolved);
    return smol_train_config(&config, &resolved, NULL) == SMOL_OK ? smol_config_method(&config)
                                                                  : "mixed";
}

/* What is wrong with the model, in words; or NULL. */
static const char *wrong_model(const struct smol_train_options *o)
{
    const char *wrong = smol_schemes_wrong(o, false);

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
    else if (o->matrices > SMOL_MATRIX_FOURIER_SHARED && o->matrices != SMOL_MATRIX_NOLA &&
             o->matrices != SMOL_MATRIX_MASK && o->matrices != SMOL_MATRIX_STORED)
        wrong = "the matrices have an unknown source";
    else if (o->full && (o->rank > 0 || o->matrices != SMOL_MATRIX_UNIT))
        wrong = "full has neither alphas nor factors";
    else if (!smol_dtype_holds(o->param_type, SMOL_OF_PARAMETERS))
        wrong = "the parameters have an unknown type";
    else if (o->full && (o->gains || o->sparse > 0))
        wrong = "full has neither gains nor sparse terms of its own";
    else if (!(o->gain > 0 && o->residual_gain > 0 && o->gain < 1e6 && o->residual_gain < 1e6))
        wrong = "gains must be over 0";
    else if (!(o->embedding_std > 0 && o->embedding_std < 1e6))
        wrong = "the standard deviation of the embeddings must be over 0";
    return wrong;
}

static const char *wrong_delta(const struct smol_train_options *o)
{
    const bool is_delta = o->architecture == SMOL_ARCH_DELTA;
    const char *wrong = NULL;

    if (!is_delta && (o->n_models > 0 || o->mix != SMOL_MIX_NONE || o->embedding_rows > 0))
        wrong = "only a delta has models, and rows of embeddings";
    else if (is_delta && (o->n_models < 1 || o->n_models > SMOL_MAX_MODELS || o->model_vocab < 1))
        wrong = "a delta needs its models";
    else if (is_delta && o->context > o->model_context)
        wrong = "the context is longer than the models'";
    else if (is_delta && o->mix > SMOL_MIX_MATRIX)
        wrong = "the mix must be none, file or matrix";
    return wrong;
}

static const char *wrong_hyperparameters(const struct smol_train_options *o)
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
    else if (!(o->lr >= 0 && o->lr < 1e3 && o->alpha_lr >= 0 && o->alpha_lr < 1e3 &&
               o->matrix_lr >= 0 && o->matrix_lr < 1e3))
        wrong = "learning rates must be 0..1000";
    else if (!(o->min_lr_fraction >= 0 && o->min_lr_fraction <= 1))
        wrong = "the final fraction of the learning rate must be 0..1";
    else if (!(o->beta1 >= 0 && o->beta1 < 1 && o->beta2 >= 0 && o->beta2 < 1))
        wrong = "beta1 and beta2 must be at least 0 and under 1";
    else if (!(o->weight_decay >= 0 && o->weight_decay < 1e3 && o->clip >= 0))
        wrong = "decay and clip must not be negative";
    else if (!(o->qat_start >= 0 && o->qat_start <= 1))
        wrong = "the share of the steps before rounding must be 0..1";
    else if (!(o->dropout >= 0 && o->dropout < 1))
        wrong = "dropout must be at least 0 and under 1";
    else if (!(o->teacher_weight >= 0 && o->teacher_weight <= 1))
        wrong = "the weight of teachers must be 0..1";
    else if ((o->teacher_weight > 0) != (o->teachers != 0))
        wrong = "teachers and their weight go together";
    else if (!(o->val_fraction > 0 && o->val_fraction < 1))
        wrong = "the validation fraction must be over 0 and under 1";
    else if (o->order != SMOL_ORDER_RANDOM && o->order != SMOL_ORDER_SHUFFLED)
        wrong = "the order must be random or shuffled";
    else if (o->n_threads < 1 || o->n_threads > 1024)
        wrong = "threads must be 1..1024";
    else if (!smol_kernels_select(o->isa))
        wrong = "this machine lacks the instruction set";
    else if (o->comm &&
             (o->comm->size < 1 || o->comm->rank >= o->comm->size || o->batch % o->comm->size != 0))
        wrong = "the batch must be a multiple of the number of processes";
    return wrong;
}

/* What a delta's configuration has besides. */
static void take_models(struct smol_config *c, const struct smol_train_options *o)
{
    const bool has_output = smol_config_has(c, SMOL_FEATURE_OUTPUT_TABLE);

    c->n_models = (uint8_t)(o->n_models <= SMOL_MAX_MODELS ? o->n_models : 0);
    c->vocab = o->model_vocab;
    c->input_rows = o->embedding_rows < c->vocab ? o->embedding_rows : c->vocab;
    c->output_rows = has_output ? c->input_rows : 0;
    c->wte_type = c->input_rows > 0 ? o->embedding_type : SMOL_F32;
    c->output_type = c->output_rows > 0 ? o->embedding_type : SMOL_F32;
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
                            .wte_type = o->embedding_type,
                            .architecture = o->architecture,
                            .features = o->features};
    if (smol_config_is_delta(&c))
        take_models(&c, o);
    else if (!smol_config_has(&c, SMOL_FEATURE_DISTANCES))
        c.wpe_type = o->embedding_type;
    if (smol_config_has(&c, SMOL_FEATURE_OUTPUT_TABLE) && !smol_config_is_delta(&c))
        c.output_type = o->embedding_type;
    if (smol_config_head_factors(&c) > 0)
        c.head_type = o->param_type;
    const char *model = wrong_model(o), *delta = model ? model : wrong_delta(o),
               *wrong = delta ? delta : wrong_hyperparameters(o);
    enum smol_status status = wrong ? smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "%s", wrong)
                                    : smol_train_schemes(&c, o, error);

    if (status == SMOL_OK)
        status = smol_config_check(&c, error);
    if (status == SMOL_OK)
        *out = c;
    return status;
}

enum smol_status smol_train_safetensors_check(const struct smol_train_options *o,
                                              struct smol_error *error)
{
    const char *wrong = NULL;

    if (!o->full || o->n_rules > 0)
        wrong = "only full, without rules, has safetensors";
    else if (o->architecture != SMOL_ARCH_GPT2)
        wrong = "safetensors are for GPT-2's architecture";
    else if (o->norms != SMOL_NORM_STORED)
        wrong = "safetensors need stored norms";
    else if (o->learn_logit_scale)
        wrong = "safetensors have no learned logit scale";
    return wrong ? smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "%s", wrong) : SMOL_OK;
}

enum smol_status smol_train_options_check(const struct smol_train_options *options,
                                          struct smol_error *error)
{
    enum smol_status status =
        smol_check_struct(options->struct_bytes, sizeof *options, "smol_train_options", error);
    struct smol_train_options o;
    struct smol_config config;
    struct smol_fpenv host;

    if (status != SMOL_OK)
        return status;
    o = *options;
    status = smol_fpenv_set(&host, error);
    smol_train_resolve(&o);
    return smol_fpenv_end(&host, status ? status : smol_train_config(&config, &o, error));
}
