/* What a configuration says of its tensors. SPEC.md 3.1. */
#include "base/bytes.h"

#include <smol/config.h>

const struct smol_scheme *smol_config_scheme(const struct smol_config *config, uint32_t layer,
                                             enum smol_slot slot)
{
    uint32_t span = 0;

    if (slot == SMOL_LN_F)
        return &config->schemes[config->ln_f];
    while (layer >= config->spans[span].n_layers) {
        layer -= config->spans[span].n_layers;
        span++;
    }
    return &config->schemes[config->spans[span].scheme[slot]];
}

void smol_config_shape(uint32_t *rows, uint32_t *cols, const struct smol_config *config,
                       enum smol_slot slot)
{
    *rows = slot == SMOL_ATTN_C_ATTN    ? 3 * config->width
            : slot == SMOL_MLP_C_FC     ? config->n_ff
            : smol_slot_is_matrix(slot) ? config->width
                                        : 1;
    *cols = slot == SMOL_MLP_C_PROJ ? config->n_ff : config->width;
}

uint32_t smol_scheme_parameters(const struct smol_scheme *s)
{
    if (s->kind == SMOL_NORM)
        return s->source == SMOL_NORM_OWN ? s->d : 0;
    if (s->source == SMOL_MATRIX_UNIT || s->source == SMOL_MATRIX_MASK ||
        s->source == SMOL_MATRIX_STORED)
        return 0;
    return smol_source_projects(s->source) ? s->dimensions : s->d;
}

bool smol_scheme_is_shared(const struct smol_scheme *s)
{
    return s->kind == SMOL_MATRIX && smol_source_is_shared(s->source);
}

bool smol_scheme_equal(const struct smol_scheme *a, const struct smol_scheme *b)
{
    return a->kind == b->kind && a->terms == b->terms && a->source == b->source &&
           a->dist == b->dist && a->d == b->d && a->rank == b->rank &&
           a->alpha_type == b->alpha_type && a->value_type == b->value_type &&
           smol_f32_bits(a->sigma) == smol_f32_bits(b->sigma) && a->dimensions == b->dimensions;
}

bool smol_config_has(const struct smol_config *config, enum smol_feature feature)
{
    return (config->features & (unsigned)feature) != 0;
}

bool smol_config_is_delta(const struct smol_config *config)
{
    return config->architecture == SMOL_ARCH_DELTA;
}

uint32_t smol_config_head_factors(const struct smol_config *config)
{
    return (smol_config_has(config, SMOL_FEATURE_TEMPERATURES) ? config->n_heads : 0) +
           (smol_config_has(config, SMOL_FEATURE_SLOPE_FACTORS) ? config->n_heads : 0);
}

uint32_t smol_config_history(const struct smol_config *config)
{
    return smol_config_has(config, SMOL_FEATURE_HISTORY) ? SMOL_HISTORY_LENGTHS : 0;
}

bool smol_config_has_head_type(const struct smol_config *config)
{
    return smol_config_head_factors(config) > 0 || smol_config_history(config) > 0;
}

uint16_t smol_config_minor_version(const struct smol_config *config)
{
    /* Number types from ternary on are version 1.1's. */
    bool is_new = config->architecture != SMOL_ARCH_GPT2 ||
                  config->tokenizer == SMOL_TOKENIZER_BYTE_SET ||
                  config->wte_type >= SMOL_TERNARY || config->wpe_type >= SMOL_TERNARY;

    if (smol_config_has(config, SMOL_FEATURE_HISTORY))
        return 3;
    if (smol_config_is_delta(config))
        return 2;
    for (uint32_t i = 0; i < config->n_schemes && !is_new; i++) {
        const struct smol_scheme *s = &config->schemes[i];
        is_new = s->kind == SMOL_MATRIX &&
                 (s->source == SMOL_MATRIX_MASK || s->source == SMOL_MATRIX_STORED);
    }
    return is_new;
}

const char *smol_config_method(const struct smol_config *config)
{
    const struct smol_method *method = NULL;

    for (uint32_t i = 0; i < config->n_schemes; i++) {
        const struct smol_scheme *s = &config->schemes[i];
        if (s->kind != SMOL_MATRIX)
            continue;
        const struct smol_method *m = smol_method_of(s);
        if (!m || (method && m != method) || smol_scheme_has(s, SMOL_TERM_SPARSE))
            return "mixed";
        method = m;
    }
    return method ? method->name : "mixed";
}

bool smol_scheme_has(const struct smol_scheme *s, enum smol_term term)
{
    return (s->terms & (unsigned)term) != 0;
}

bool smol_scheme_projects(const struct smol_scheme *s)
{
    return s->kind == SMOL_MATRIX && smol_source_projects(s->source);
}

uint32_t smol_scheme_sparse(const struct smol_scheme *s)
{
    return smol_scheme_has(s, SMOL_TERM_SPARSE) ? s->dimensions : 0;
}

static uint64_t slot_parameters(const struct smol_config *config, uint32_t layer,
                                enum smol_slot slot)
{
    const struct smol_scheme *s = smol_config_scheme(config, layer, slot);
    uint32_t rows, cols;

    smol_config_shape(&rows, &cols, config, slot);
    if (s->kind == SMOL_NORM)
        return s->source == SMOL_NORM_STORED ? 2u * cols : 2u * smol_scheme_parameters(s);
    return (smol_scheme_is_shared(s) ? 0u : smol_scheme_parameters(s)) +
           (s->source == SMOL_MATRIX_MASK || s->source == SMOL_MATRIX_STORED ? (uint64_t)rows * cols
                                                                             : 0u) +
           (s->source == SMOL_MATRIX_NOLA ? s->d : (uint64_t)s->rank * (rows + cols)) +
           (uint64_t)rows * smol_scheme_sparse(s) +
           (smol_scheme_has(s, SMOL_TERM_GAINS) ? rows : 0u) +
           (smol_scheme_has(s, SMOL_TERM_BIASES) ? rows : 0u) +
           (smol_scheme_has(s, SMOL_TERM_MODELS) ? config->n_models : 0u);
}

const struct smol_scheme *smol_config_shared(const struct smol_config *config)
{
    for (uint32_t i = 0; i < config->n_schemes; i++)
        if (smol_scheme_is_shared(&config->schemes[i]))
            return &config->schemes[i];
    return NULL;
}

const struct smol_scheme *smol_config_layer_gain(const struct smol_config *config, uint32_t layer)
{
    for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++) {
        const struct smol_scheme *s = smol_config_scheme(config, layer, slot);
        if (smol_scheme_has(s, SMOL_TERM_LAYER_GAIN))
            return s;
    }
    return NULL;
}

uint64_t smol_config_parameters(const struct smol_config *config)
{
    const struct smol_scheme *shared = smol_config_shared(config);
    uint64_t n = (shared ? smol_scheme_parameters(shared) : 0) +
                 slot_parameters(config, 0, SMOL_LN_F) + smol_config_history(config);

    for (uint32_t layer = 0; layer < config->n_layers; layer++) {
        n += smol_config_head_factors(config) + (smol_config_layer_gain(config, layer) != NULL);
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++)
            n += slot_parameters(config, layer, slot);
    }
    return n;
}
