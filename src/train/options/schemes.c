/* From options and their rules to the configuration of a model: a scheme for every tensor. */
#include "train/options/schemes.h"

#include "base/error.h"

#include <fnmatch.h>
#include <math.h>
#include <smol/initial.h>
#include <stdio.h>
#include <string.h>

static struct smol_scheme norm_scheme(const struct smol_train_options *o)
{
    struct smol_scheme s = {.kind = SMOL_NORM, .source = o->norms};

    if (o->norms == SMOL_NORM_OWN) {
        s.dist = o->dist;
        s.d = (uint8_t)o->d;
        s.alpha_type = o->param_type;
        s.sigma = 1;
    } else if (o->norms == SMOL_NORM_STORED) {
        s.value_type = o->param_type;
    }
    return s;
}

float smol_train_sigma(const struct smol_train_options *o, const struct smol_config *config,
                       enum smol_slot slot)
{
    const bool residual = slot == SMOL_ATTN_C_PROJ || slot == SMOL_MLP_C_PROJ;
    const bool relu2 = smol_config_has(config, SMOL_FEATURE_RELU2);
    double gain = residual ? o->gain * o->residual_gain / sqrt(2.0 * o->n_layers) : o->gain;
    uint32_t rows, cols;

    if (relu2 && slot == SMOL_MLP_C_PROJ)
        gain *= 0.8;
    smol_config_shape(&rows, &cols, config, slot);
    return (float)(gain / sqrt((double)cols));
}

/* A delta that adds nothing of its own to the frozen matrix. */
static bool is_nothing(const struct smol_train_options *o)
{
    return o->architecture == SMOL_ARCH_DELTA && o->matrices == SMOL_MATRIX_UNIT;
}

/* Masks of a delta, which cannot begin as nothing, disturb the models less (SPEC.md 16). */
#define MASK_SHARE 0.5f

/* What the weights are made of: bases, bits or numbers. */
static struct smol_scheme weights_of(const struct smol_train_options *o)
{
    struct smol_scheme s = {.kind = SMOL_MATRIX, .source = o->matrices, .rank = (uint16_t)o->rank};

    if (o->matrices == SMOL_MATRIX_STORED) {
        s.alpha_type = o->matrix_type;
        return s;
    }
    s.d = 1;
    if (o->matrices == SMOL_MATRIX_MASK || is_nothing(o))
        return s;
    s.dist = o->dist;
    if (o->matrices != SMOL_MATRIX_UNIT) {
        s.d = (uint8_t)(smol_source_projects(o->matrices) ? 1 : o->d);
        s.dimensions = smol_source_projects(o->matrices) ? o->d : 0;
        s.alpha_type = o->param_type;
    }
    return s;
}

static struct smol_scheme matrix_scheme(const struct smol_train_options *o,
                                        const struct smol_config *config, enum smol_slot slot)
{
    struct smol_scheme s = weights_of(o);
    uint32_t rows, cols;

    smol_config_shape(&rows, &cols, config, slot);
    if (s.source != SMOL_MATRIX_STORED && !is_nothing(o))
        s.sigma = smol_train_sigma(o, config, slot);
    if (s.source == SMOL_MATRIX_MASK && o->architecture == SMOL_ARCH_DELTA)
        s.sigma *= MASK_SHARE;
    if (o->sparse > 0 && !smol_scheme_projects(&s)) {
        s.terms |= SMOL_TERM_SPARSE;
        s.dimensions = smol_sparse_parameters(o->sparse, cols);
    }
    if (o->mix == SMOL_MIX_MATRIX)
        s.terms |= SMOL_TERM_MODELS;
    if ((o->rank > 0 && o->matrices != SMOL_MATRIX_NOLA) || o->gains || o->bias || s.terms != 0)
        s.value_type = o->param_type;
    s.terms |= (uint8_t)((o->gains ? SMOL_TERM_GAINS : 0) | (o->bias ? SMOL_TERM_BIASES : 0));
    if (o->layer_gains && smol_scheme_is_shared(&s) && smol_scheme_projects(&s))
        s.terms |= SMOL_TERM_LAYER_GAIN;
    return s;
}

/* Whether a name fits a pattern, in which only * and ? have a meaning. */
static bool fits(const char *pattern, const char *name)
{
    return !strchr(pattern, '[') && fnmatch(pattern, name, FNM_NOESCAPE) == 0;
}

#define NAME_BYTES 48

static void name_of(char name[NAME_BYTES], uint32_t layer, enum smol_slot slot)
{
    if (slot == SMOL_LN_F)
        strcpy(name, smol_slot_name(slot));
    else
        snprintf(name, NAME_BYTES, "h.%u.%s", (unsigned)layer, smol_slot_name(slot));
}

/* With and without the last part of the name that GPT-2 has. */
static bool is_meant(const struct smol_train_rule *rule, uint32_t layer, enum smol_slot slot)
{
    char name[NAME_BYTES];

    name_of(name, layer, slot);
    if (fits(rule->tensors, name))
        return true;
    strcat(name, ".weight");
    return fits(rule->tensors, name);
}

/* What a rule says of a matrix, or of a norm, which takes d and the distribution from a rule about
 * norms alone; false if nothing. */
static bool apply(struct smol_train_options *o, const struct smol_train_rule *rule, bool is_norm)
{
    const uint32_t of_norms = SMOL_RULE_NORMS | SMOL_RULE_D | SMOL_RULE_DIST;
    uint32_t sets = rule->sets & ~(uint32_t)SMOL_RULE_NORMS;

    if (is_norm)
        sets = rule->sets & (SMOL_RULE_PARAM_TYPE | (rule->sets & SMOL_RULE_NORMS ? of_norms : 0));
    const struct smol_method *method =
        sets & SMOL_RULE_METHOD ? smol_method_find(rule->method) : NULL;
    if (method) {
        o->matrices = method->source;
        o->d = method->d;
        o->rank = method->rank;
        if (method->source == SMOL_MATRIX_STORED)
            o->matrix_type = method->type;
        if (method->source >= SMOL_MATRIX_MASK)
            o->gains = method->source == SMOL_MATRIX_MASK;
    }
    if (sets & SMOL_RULE_MATRIX_TYPE)
        o->matrix_type = rule->matrix_type;
    if (sets & SMOL_RULE_D)
        o->d = rule->d;
    if (sets & SMOL_RULE_RANK)
        o->rank = rule->rank;
    if (sets & SMOL_RULE_DIST)
        o->dist = rule->dist;
    if (sets & SMOL_RULE_NORMS)
        o->norms = rule->norms;
    if (sets & SMOL_RULE_PARAM_TYPE)
        o->param_type = rule->param_type;
    if (sets & SMOL_RULE_GAINS)
        o->gains = rule->gains;
    if (sets & SMOL_RULE_BIAS)
        o->bias = rule->bias;
    if (sets & SMOL_RULE_SPARSE)
        o->sparse = rule->sparse;
    return sets != 0;
}

/* The options as they apply to one tensor; used gets a bit for each rule that concerns it. */
static struct smol_train_options options_of(uint32_t *used,
                                            const struct smol_train_options *options,
                                            uint32_t layer, enum smol_slot slot)
{
    const bool norm = !smol_slot_is_matrix(slot);
    struct smol_train_options o = *options;

    if (o.full)
        o.matrices = SMOL_MATRIX_STORED;
    if (norm && smol_source_projects(options->matrices))
        o.d = 1;
    for (uint32_t i = 0; i < options->n_rules; i++) {
        const struct smol_train_rule *rule = options->rules + i;

        if (is_meant(rule, layer, slot) && apply(&o, rule, norm))
            *used |= 1u << i;
    }
    return o;
}

const char *smol_schemes_wrong(const struct smol_train_options *o, bool is_norm)
{
    const bool projects = !is_norm && smol_source_projects(o->matrices);

    if (o->d < 1 || o->d > (projects ? SMOL_MAX_DIMENSIONS : SMOL_MAX_BASES))
        return projects ? "d must be 1..1048576" : "d must be 1..64";
    if (is_norm)
        return NULL;
    if (o->rank > SMOL_MAX_RANK)
        return "rank must be 0..4096";
    if (!smol_dtype_holds(o->matrix_type, SMOL_OF_MATRICES))
        return "stored matrices have an unknown type";
    if (o->matrices == SMOL_MATRIX_NOLA && o->rank == 0)
        return "nola needs a rank over 0";
    if (!(o->sparse >= 0 && o->sparse <= 1))
        return "the sparse share of a row must be 0..1";
    return NULL;
}

static enum smol_status check_tensor(const struct smol_train_options *o, uint32_t layer,
                                     enum smol_slot slot, struct smol_error *error)
{
    const bool is_norm = !smol_slot_is_matrix(slot);
    const char *wrong =
        is_norm && o->norms != SMOL_NORM_OWN ? NULL : smol_schemes_wrong(o, is_norm);
    char name[NAME_BYTES];

    if (!wrong)
        return SMOL_OK;
    name_of(name, layer, slot);
    return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "%s: %s", name, wrong);
}

/* The scheme of one tensor into a list without doubles. */
static enum smol_status add_scheme(uint8_t *index, struct smol_config *c, uint32_t *used,
                                   const struct smol_train_options *options, uint32_t layer,
                                   enum smol_slot slot, struct smol_error *error)
{
    const struct smol_train_options o = options_of(used, options, layer, slot);
    const struct smol_scheme s =
        !smol_slot_is_matrix(slot) ? norm_scheme(&o) : matrix_scheme(&o, c, slot);
    const enum smol_status status = check_tensor(&o, layer, slot, error);
    uint32_t i = 0;

    if (status != SMOL_OK)
        return status;
    while (i < c->n_schemes && !smol_scheme_equal(c->schemes + i, &s))
        i++;
    if (i == SMOL_MAX_SCHEMES)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "the rules make more than %u different kinds of tensors",
                         SMOL_MAX_SCHEMES);
    if (i == c->n_schemes)
        c->schemes[c->n_schemes++] = s;
    *index = (uint8_t)i;
    return SMOL_OK;
}

static bool has_term(const struct smol_config *c, enum smol_term term)
{
    for (uint32_t i = 0; i < c->n_schemes; i++)
        if (smol_scheme_has(c->schemes + i, term))
            return true;
    return false;
}

enum smol_status smol_train_schemes(struct smol_config *c, const struct smol_train_options *o,
                                    struct smol_error *error)
{
    enum smol_status status = SMOL_OK;
    uint32_t used = 0;

    c->n_schemes = 0;
    c->n_spans = o->n_layers;
    for (uint32_t layer = 0; layer < o->n_layers; layer++) {
        c->spans[layer].n_layers = 1;
        for (unsigned slot = 0; slot < SMOL_N_SLOTS && status == SMOL_OK; slot++)
            status = add_scheme(&c->spans[layer].scheme[slot], c, &used, o, layer, slot, error);
    }
    if (status == SMOL_OK)
        status = add_scheme(&c->ln_f, c, &used, o, 0, SMOL_LN_F, error);
    for (uint32_t i = 0; i < o->n_rules && status == SMOL_OK; i++)
        if ((used >> i & 1u) == 0)
            status =
                smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                          "rule %u, for '%s', applies to no tensor", i + 1, o->rules[i].tensors);
    if (status == SMOL_OK)
        smol_config_canonicalise(c);
    if (status == SMOL_OK && o->layer_gains && !has_term(c, SMOL_TERM_LAYER_GAIN))
        status = smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                           "layer gains need fastfood-global or fourier-global");
    if (status == SMOL_OK && o->sparse > 0 && !has_term(c, SMOL_TERM_SPARSE))
        status = smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                           "a sparse term cannot stand beside a projection");
    return status;
}
