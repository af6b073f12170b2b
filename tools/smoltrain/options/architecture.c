/* See architecture.h. */
#include "smoltrain/options/architecture.h"
#include "cli/cli.h"

int train_architecture(enum smol_architecture *architecture, const struct train_line *line)
{
    *architecture = SMOL_ARCH_SMOL;
    return cli_architecture(architecture, line->arch);
}

const char *train_architecture_method(enum smol_architecture architecture)
{
    return architecture == SMOL_ARCH_SMOL ? "mask" : "alpha";
}

void train_architecture_use(struct smol_train_options *o, enum smol_architecture architecture)
{
    smol_train_use(o, architecture);
    if (architecture == SMOL_ARCH_GPT2)
        return;
    o->n_layers = 2;
    o->n_steps = 5000;
    o->param_type = SMOL_Q8_BLOCKS;
    o->qat_start = 0.5;
}

bool train_architecture_has_d(const struct smol_train_options *o)
{
    const bool is_stored = o->full || o->matrices == SMOL_MATRIX_STORED;

    return o->norms == SMOL_NORM_OWN ||
           (o->matrices != SMOL_MATRIX_MASK && !(is_stored && o->architecture == SMOL_ARCH_SMOL));
}

/* Safetensors have floats; a .smol half of their bits, unless it is asked for others. */
static int apply_matrix_type(struct train_args *args, const char *word)
{
    const bool is_tensors = args->output && cli_ends_with(args->output, ".safetensors");
    struct smol_train_options *o = &args->options;

    if (!word && o->full && !is_tensors && !args->resume)
        o->matrix_type = SMOL_F16;
    if (!word)
        return 0;
    if (!o->full || is_tensors)
        return cli_usage_error("--matrix-type",
                               is_tensors ? "is for a .smol; safetensors have floats"
                                          : "is for --method full, whose matrices are stored");
    return smol_dtype_parse(&o->matrix_type, word, SMOL_OF_MATRICES)
               ? 0
               : cli_usage_error("--matrix-type", "unknown choice");
}

/* Of a size, a history costs a few bytes and is worth more than as many of anything else; unless
 * features were chosen, or every document is a text of its own, in which little was there before.
 */
static bool is_for_history(const struct train_args *args, const struct train_line *w)
{
    return args->size_bytes > 0 && args->n_bases == 0 && !args->resume &&
           !args->options.documents && args->options.architecture == SMOL_ARCH_SMOL &&
           !w->features.features && !w->features.without;
}

int train_architecture_apply(struct train_args *args, const struct train_line *w)
{
    struct smol_train_options *o = &args->options;
    int code;

    if ((code = cli_features(&o->features, o->architecture, &w->features)) != 0 ||
        (code = apply_matrix_type(args, w->matrix_type)) != 0)
        return code;
    if (is_for_history(args, w))
        o->features |= SMOL_FEATURE_HISTORY;
    if (w->learn_logit_scale && w->no_learn_logit_scale)
        return cli_usage_error("--learn-logit-scale", "contradicts --no-learn-logit-scale");
    if (w->gains && w->no_gains)
        return cli_usage_error("--gains", "contradicts --no-gains");
    o->learn_logit_scale =
        (o->learn_logit_scale || w->learn_logit_scale) && !w->no_learn_logit_scale;
    o->gains = (o->gains || w->gains) && !w->no_gains;
    return 0;
}
