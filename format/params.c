/* The layout of LRND: what each tensor stores, and where. SPEC.md 3.2. */
#include <smol/file.h>
#include <smol/params.h>

static uint64_t shared_bytes(const struct smol_config *config)
{
    const struct smol_scheme *s = smol_config_shared(config);

    return s ? smol_params_array_bytes(s->alpha_type, smol_scheme_parameters(s)) : 0;
}

/* Places a norm at offset at; returns where it ends. */
static uint64_t place_norm(struct smol_params_place *place, const struct smol_scheme *s,
                           uint64_t width, uint64_t at)
{
    const uint64_t n = s->source == SMOL_NORM_OWN      ? s->d
                       : s->source == SMOL_NORM_STORED ? width
                                                       : 0;
    const uint64_t half =
        smol_params_array_bytes(s->source == SMOL_NORM_OWN ? s->alpha_type : s->value_type, n);

    place->alphas = place->gain = at;
    place->bias_alphas = place->bias = at + half;
    return at + 2 * half;
}

/* n_models: M, of a delta. */
static uint64_t place_matrix(struct smol_params_place *place, const struct smol_scheme *s,
                             uint64_t rows, uint64_t cols, uint64_t n_models, uint64_t at)
{
    const uint64_t n = smol_scheme_is_shared(s) ? 0 : smol_scheme_parameters(s);
    const uint64_t stored_rank = s->source == SMOL_MATRIX_NOLA ? 0 : s->rank;

    if (s->source == SMOL_MATRIX_MASK) {
        place->mask = at;
        at += rows * smol_mask_row_bytes((uint32_t)cols);
    } else if (s->source == SMOL_MATRIX_STORED) {
        at = smol_table_place(&place->rows, s->alpha_type, (uint32_t)rows, (uint32_t)cols, at, 1);
    }
    place->alphas = smol_scheme_is_shared(s) ? 0 : at;
    place->bias_alphas = at + smol_params_array_bytes(s->alpha_type, n);
    place->factor_a =
        place->bias_alphas +
        (s->source == SMOL_MATRIX_NOLA ? smol_params_array_bytes(s->alpha_type, n) : 0);
    place->factor_b = place->factor_a + smol_params_array_bytes(s->value_type, stored_rank * cols);
    place->sparse = place->factor_b + smol_params_array_bytes(s->value_type, rows * stored_rank);
    place->gain =
        place->sparse + smol_params_array_bytes(s->value_type, rows * smol_scheme_sparse(s));
    place->bias = place->gain + smol_params_array_bytes(
                                    s->value_type, smol_scheme_has(s, SMOL_TERM_GAINS) ? rows : 0);
    place->models =
        place->bias +
        smol_params_array_bytes(s->value_type, smol_scheme_has(s, SMOL_TERM_BIASES) ? rows : 0);
    return place->models + smol_params_array_bytes(
                               s->value_type, smol_scheme_has(s, SMOL_TERM_MODELS) ? n_models : 0);
}

/* Places one slot; returns where it ends. The limits keep every sum far below 2^64. */
static uint64_t place_slot(struct smol_params_place *place, const struct smol_config *config,
                           uint32_t layer, enum smol_slot slot, uint64_t at)
{
    const struct smol_scheme *s = smol_config_scheme(config, layer, slot);
    uint32_t rows, cols;

    smol_config_shape(&rows, &cols, config, slot);
    *place = (struct smol_params_place){0};
    return s->kind == SMOL_NORM ? place_norm(place, s, cols, at)
                                : place_matrix(place, s, rows, cols, config->n_models, at);
}

/* Places what comes before the slots of a layer: its gain, then its heads' factors; returns where
 * that ends. */
static uint64_t place_layer(struct smol_params_place *place, const struct smol_config *config,
                            uint32_t layer, uint64_t at)
{
    const struct smol_scheme *s = smol_config_layer_gain(config, layer);
    const uint64_t each = smol_params_array_bytes(config->head_type, config->n_heads);

    place->layer_gain = at;
    place->temperatures = at + (s ? smol_params_array_bytes(s->alpha_type, 1) : 0);
    place->slope_factors =
        place->temperatures + (smol_config_has(config, SMOL_FEATURE_TEMPERATURES) ? each : 0);
    return place->slope_factors + (smol_config_has(config, SMOL_FEATURE_SLOPE_FACTORS) ? each : 0);
}

/* Bytes of one layer. */
static uint64_t layer_bytes(const struct smol_config *config, uint32_t layer)
{
    struct smol_params_place place;
    uint64_t at = place_layer(&place, config, layer, 0);

    for (enum smol_slot s = SMOL_LN_1; s < SMOL_N_SLOTS; s++)
        at = place_slot(&place, config, layer, s, at);
    return at;
}

/* Where a layer begins; layer L is where the last LayerNorm does. Whole spans are stepped over, so
 * that asking for every layer in turn costs little. */
static uint64_t layer_at(const struct smol_config *config, uint32_t layer)
{
    uint64_t at = shared_bytes(config);
    uint32_t first = 0;

    for (uint32_t i = 0; i < config->n_spans && first < layer; i++) {
        const uint32_t n =
            config->spans[i].n_layers < layer - first ? config->spans[i].n_layers : layer - first;
        at += n * layer_bytes(config, first);
        first += n;
    }
    return at;
}

void smol_params_at(struct smol_params_place *place, const struct smol_config *config,
                    uint32_t layer, enum smol_slot slot)
{
    uint64_t at = layer_at(config, slot == SMOL_LN_F ? config->n_layers : layer);
    struct smol_params_place of_layer = {.layer_gain = at};

    if (slot != SMOL_LN_F)
        at = place_layer(&of_layer, config, layer, at);
    for (unsigned s = 0; slot != SMOL_LN_F && s < (unsigned)slot; s++)
        at = place_slot(place, config, layer, s, at);
    place_slot(place, config, layer, slot, at);
    place->layer_gain = of_layer.layer_gain;
    place->temperatures = of_layer.temperatures;
    place->slope_factors = of_layer.slope_factors;
}

uint64_t smol_params_history_at(const struct smol_config *config)
{
    struct smol_params_place last;

    return place_slot(&last, config, 0, SMOL_LN_F, layer_at(config, config->n_layers));
}

uint64_t smol_params_bytes(const struct smol_config *config)
{
    return smol_params_history_at(config) +
           smol_params_array_bytes(config->head_type, smol_config_history(config));
}
