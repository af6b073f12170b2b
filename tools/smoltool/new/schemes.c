/* The methods and number types of a new model, from the words of the line. */
#include "cli/cli.h"
#include "smoltool/new/new.h"

#include <smol/initial.h>
#include <smol/params.h>

#include <string.h>

/* The words that are names. */
struct choices {
    const struct smol_method *method;
    enum smol_dist dist;
    enum smol_source norms;
    enum smol_dtype embeddings, params, matrices;
};

/* A part of each row gets numbers of a sparse term: so many that matrices of different lengths need
 * schemes of their own. */
static void add_sparse(struct smol_config *c, double part)
{
    struct smol_scheme schemes[SMOL_N_SLOTS];

    for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++) {
        uint32_t rows, cols;

        schemes[slot] = *smol_config_scheme(c, 0, slot);
        c->spans[0].scheme[slot] = (uint8_t)slot;
        if (schemes[slot].kind == SMOL_NORM)
            continue;
        smol_config_shape(&rows, &cols, c, slot);
        schemes[slot].terms |= SMOL_TERM_SPARSE;
        schemes[slot].dimensions = smol_sparse_parameters(part, cols);
    }
    memcpy(c->schemes, schemes, sizeof schemes);
    c->n_schemes = SMOL_N_SLOTS;
    c->ln_f = SMOL_LN_1;
    smol_config_canonicalise(c);
}

/* What stored matrices are, and what these have not. */
static int choose_matrices(struct choices *c, const struct new_options *o)
{
    const bool is_stored = c->method->source == SMOL_MATRIX_STORED;

    c->matrices = c->method->type;
    if (o->dist && (is_stored || c->method->source == SMOL_MATRIX_MASK))
        return cli_usage_error("--dist", "is for frozen weights, which this method has not");
    if (o->matrix_type && (!is_stored || c->matrices == SMOL_TERNARY))
        return cli_usage_error("--matrix-type", "is for --method full, whose matrices are stored");
    if (o->matrix_type && !smol_dtype_parse(&c->matrices, o->matrix_type, SMOL_OF_MATRICES))
        return cli_usage_error("--matrix-type", "unknown choice");
    return 0;
}

/* 0, or CLI_USAGE after a message; where there is no word, the first. */
static int choose(struct choices *c, const struct new_options *o)
{
    *c = (struct choices){
        smol_method_find("alpha"), SMOL_SIGN, SMOL_NORM_FROZEN, SMOL_Q8, SMOL_F16, SMOL_F16};
    if (o->method && !(c->method = smol_method_find(o->method)))
        return cli_usage_error("--method", "takes embed, alpha, alpha-global, lora, fastfood, "
                                           "fastfood-global, fourier, fourier-global, nola, mask, "
                                           "full or ternary");
    if (o->dist && !smol_dist_parse(&c->dist, o->dist))
        return cli_usage_error("--dist", "unknown choice");
    if (o->norms && !smol_source_parse(&c->norms, SMOL_NORM, o->norms))
        return cli_usage_error("--norms", "unknown choice");
    if (o->type && !smol_dtype_parse(&c->embeddings, o->type, SMOL_OF_EMBEDDINGS))
        return cli_usage_error("--embedding-type", "unknown choice");
    if (o->params && !smol_dtype_parse(&c->params, o->params, SMOL_OF_PARAMETERS))
        return cli_usage_error("--param-type", "unknown choice");
    return choose_matrices(c, o);
}

/* Bases, or numbers of a projection. */
static int check_numbers(uint32_t *d, const struct choices *c, const struct new_options *o)
{
    const bool projects = smol_source_projects(c->method->source);
    const int chosen = o->d != NOT_GIVEN ? o->d : (int)c->method->d;

    if (chosen < 1 || chosen > (int)(projects ? SMOL_MAX_DIMENSIONS : SMOL_MAX_BASES))
        return cli_usage_error("--d", projects ? "takes 1..1048576" : "takes 1..64");
    if (o->rank < 1 || o->rank > (int)SMOL_MAX_RANK)
        return cli_usage_error("--rank", "takes 1..4096");
    if (o->layer_gains && !(projects && smol_source_is_shared(c->method->source)))
        return cli_usage_error("--layer-gains", "takes fastfood-global or fourier-global");
    if (!(o->sparse >= 0 && o->sparse <= 1) || (o->sparse > 0 && projects))
        return cli_usage_error("--sparse",
                               projects ? "is for any method but projections" : "takes 0..1");
    *d = (uint32_t)chosen;
    return 0;
}

/* The type of alphas, of a projection's parameters or of stored rows. */
static enum smol_dtype alpha_type(const struct choices *c)
{
    switch (c->method->source) {
    case SMOL_MATRIX_UNIT:
    case SMOL_MATRIX_MASK: return SMOL_F32;
    case SMOL_MATRIX_STORED: return c->matrices;
    default: return c->params;
    }
}

static struct smol_scheme matrix_scheme(const struct choices *c, const struct new_options *o,
                                        uint32_t d)
{
    const enum smol_source source = c->method->source;
    const bool projects = smol_source_projects(source), is_stored = source == SMOL_MATRIX_STORED;
    const bool has_alphas =
        source == SMOL_MATRIX_OWN || source == SMOL_MATRIX_SHARED || source == SMOL_MATRIX_NOLA;
    const int terms = (o->gains ? SMOL_TERM_GAINS : 0) | (o->bias ? SMOL_TERM_BIASES : 0);
    const bool has_values =
        (c->method->rank && source != SMOL_MATRIX_NOLA) || terms || o->sparse > 0;

    return (struct smol_scheme){
        .kind = SMOL_MATRIX,
        .source = source,
        .dist = c->dist,
        .d = has_alphas  ? (uint8_t)d
             : is_stored ? 0
                         : 1,
        .dimensions = projects ? d : 0,
        .rank = c->method->rank ? (uint16_t)o->rank : 0,
        .alpha_type = alpha_type(c),
        .value_type = has_values ? c->params : SMOL_F32,
        .terms = (uint8_t)(terms | (o->layer_gains ? SMOL_TERM_LAYER_GAIN : 0)),
    };
}

static struct smol_scheme norm_scheme(const struct choices *c, uint32_t d)
{
    struct smol_scheme norm = {.kind = SMOL_NORM, .source = c->norms};

    if (c->norms == SMOL_NORM_OWN) {
        norm.dist = c->dist;
        norm.d = smol_source_projects(c->method->source) ? 1 : (uint8_t)d;
        norm.alpha_type = c->params;
    } else if (c->norms == SMOL_NORM_STORED) {
        norm.value_type = c->params;
    }
    return norm;
}

/* The features of the architecture, and the types of what they bring. */
static int apply_features(struct smol_config *config, const struct choices *c,
                          const struct new_options *o)
{
    int code = cli_architecture(&config->architecture, o->arch);

    if (code != 0)
        return code;
    if (config->architecture == SMOL_ARCH_SMOL)
        config->features = SMOL_NETWORK_FEATURES;
    if ((code = cli_features(&config->features, config->architecture, &o->features)) != 0)
        return code;
    config->wte_type = c->embeddings;
    config->wpe_type = smol_config_has(config, SMOL_FEATURE_DISTANCES) ? SMOL_F32 : c->embeddings;
    config->output_type =
        smol_config_has(config, SMOL_FEATURE_OUTPUT_TABLE) ? c->embeddings : SMOL_F32;
    config->head_type = smol_config_has_head_type(config) ? c->params : SMOL_F32;
    return 0;
}

int new_schemes(struct smol_config *config, const struct new_options *o)
{
    struct smol_scheme matrix, norm;
    struct choices c;
    uint32_t d = 0;
    int code;

    if ((code = choose(&c, o)) != 0 || (code = check_numbers(&d, &c, o)) != 0 ||
        (code = apply_features(config, &c, o)) != 0)
        return code;
    matrix = matrix_scheme(&c, o, d);
    norm = norm_scheme(&c, d);
    smol_config_fill(config, &matrix, &norm, o->gain);
    if (o->sparse > 0)
        add_sparse(config, o->sparse);
    return 0;
}
