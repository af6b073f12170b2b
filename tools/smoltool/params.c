/* See params.h. */
#include "smoltool/params.h"

static struct param_part numbers(uint64_t at, enum smol_dtype type, uint64_t n)
{
    return (struct param_part){.kind = PARAM_NUMBERS, .type = type, .n = n, .at = at};
}

/* Of a norm: the gain is its weight. */
static struct param_part norm_part(const struct smol_config *c, const struct smol_scheme *s,
                                   const struct smol_params_place *at, enum param_place place)
{
    const bool is_bias = place == PARAM_BIAS;

    if ((place != PARAM_OF_WEIGHT && !is_bias) || s->source == SMOL_NORM_FROZEN)
        return (struct param_part){0};
    return s->source == SMOL_NORM_STORED
               ? numbers(is_bias ? at->bias : at->gain, s->value_type, c->width)
               : numbers(is_bias ? at->bias_alphas : at->alphas, s->alpha_type, s->d);
}

/* Factors of a rank, or nola's alphas of them. */
static struct param_part factor_part(const struct smol_scheme *s,
                                     const struct smol_params_place *at, bool is_a, uint64_t length)
{
    if (s->source == SMOL_MATRIX_NOLA)
        return numbers(is_a ? at->alphas : at->bias_alphas, s->alpha_type, s->d);
    return numbers(is_a ? at->factor_a : at->factor_b, s->value_type, s->rank * length);
}

/* The shared numbers are the file's, nola's stand for its factors. */
static struct param_part weight_part(const struct smol_scheme *s,
                                     const struct smol_params_place *at, uint32_t rows,
                                     uint32_t cols)
{
    const uint64_t n = (uint64_t)rows * cols;

    if (s->source == SMOL_MATRIX_MASK)
        return (struct param_part){.kind = PARAM_MASK, .n = n, .cols = cols, .at = at->mask};
    if (s->source == SMOL_MATRIX_STORED)
        return (struct param_part){
            .kind = PARAM_ROWS, .type = s->alpha_type, .n = n, .cols = cols, .rows = at->rows};
    return numbers(
        at->alphas, s->alpha_type,
        smol_scheme_is_shared(s) || s->source == SMOL_MATRIX_NOLA ? 0 : smol_scheme_parameters(s));
}

static struct param_part matrix_part(const struct smol_config *c, const struct smol_scheme *s,
                                     const struct smol_params_place *at, enum smol_slot slot,
                                     enum param_place place)
{
    uint32_t rows, cols;

    smol_config_shape(&rows, &cols, c, slot);
    switch (place) {
    case PARAM_FACTOR_A: return factor_part(s, at, true, cols);
    case PARAM_FACTOR_B: return factor_part(s, at, false, rows);
    case PARAM_SPARSE:
        return numbers(at->sparse, s->value_type,
                       smol_scheme_has(s, SMOL_TERM_SPARSE) ? (uint64_t)rows * s->dimensions : 0);
    case PARAM_GAIN:
        return numbers(at->gain, s->value_type, smol_scheme_has(s, SMOL_TERM_GAINS) ? rows : 0);
    case PARAM_BIAS:
        return numbers(at->bias, s->value_type, smol_scheme_has(s, SMOL_TERM_BIASES) ? rows : 0);
    case PARAM_MODELS:
        return numbers(at->models, s->value_type,
                       smol_scheme_has(s, SMOL_TERM_MODELS) ? c->n_models : 0);
    default: return weight_part(s, at, rows, cols);
    }
}

struct param_part param_of_slot(const struct smol_config *c, uint32_t layer, enum smol_slot slot,
                                enum param_place place)
{
    struct smol_params_place at;
    const struct smol_scheme *s;

    if (slot != SMOL_LN_F && layer >= c->n_layers)
        return (struct param_part){0};
    s = smol_config_scheme(c, layer, slot);
    smol_params_at(&at, c, layer, slot);
    return s->kind == SMOL_NORM ? norm_part(c, s, &at, place) : matrix_part(c, s, &at, slot, place);
}

/* Its matrices share it. */
static struct param_part layer_gain(const struct smol_config *c, uint32_t layer)
{
    for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++) {
        const struct smol_scheme *s = smol_config_scheme(c, layer, slot);
        struct smol_params_place at;
        if (!smol_scheme_has(s, SMOL_TERM_LAYER_GAIN))
            continue;
        smol_params_at(&at, c, layer, slot);
        return numbers(at.layer_gain, s->alpha_type, 1);
    }
    return (struct param_part){0};
}

struct param_part param_of_layer(const struct smol_config *c, uint32_t layer,
                                 enum param_layer_place place)
{
    const bool is_slope = place == PARAM_SLOPE_FACTORS;
    struct smol_params_place at;

    if (layer >= c->n_layers)
        return (struct param_part){0};
    if (place == PARAM_LAYER_GAIN)
        return layer_gain(c, layer);
    if (!smol_config_has(c, is_slope ? SMOL_FEATURE_SLOPE_FACTORS : SMOL_FEATURE_TEMPERATURES))
        return (struct param_part){0};
    smol_params_at(&at, c, layer, SMOL_LN_1);
    return numbers(is_slope ? at.slope_factors : at.temperatures, c->head_type, c->n_heads);
}

struct param_part param_shared(const struct smol_config *c)
{
    const struct smol_scheme *s = smol_config_shared(c);

    return s ? numbers(0, s->alpha_type, smol_scheme_parameters(s)) : (struct param_part){0};
}

struct param_part param_history(const struct smol_config *c)
{
    return smol_config_has(c, SMOL_FEATURE_HISTORY)
               ? numbers(smol_params_history_at(c), c->head_type, SMOL_HISTORY_LENGTHS)
               : (struct param_part){0};
}

/* ---- reading them (SPEC.md 3.2, 3.3) ---- */

static float mask_bit(const uint8_t *params, const struct param_part *p, uint64_t i)
{
    const uint64_t row = i / p->cols, col = i % p->cols;
    const uint8_t byte = params[p->at + row * smol_mask_row_bytes(p->cols) + col / 8];

    return (float)(byte >> col % 8 & 1);
}

/* q of a row of ternary numbers. */
static int ternary_at(const uint8_t *row, uint32_t cols, uint32_t col)
{
    const uint32_t n = (cols + 4) / 5;
    unsigned byte = row[col % n];

    for (uint32_t k = 0; k < col / n; k++)
        byte = byte * 3 % 256;
    return (int)(byte * 3 / 256) - 1;
}

/* q of a row of q4, its multiplier with it. */
static int q4_at(const uint8_t *row, const uint8_t *multipliers, uint32_t col)
{
    const unsigned byte = row[32 * (col / 64) + col % 32];
    const int q = (int)(col % 64 < 32 ? byte & 15 : byte >> 4);

    return multipliers[col / 32] * (q < 8 ? q : q - 16);
}

/* q of a row of q4-row, its multiplier with it. */
static int q4_row_at(const uint8_t *row, uint8_t multiplier, uint32_t cols, uint32_t col)
{
    const uint32_t n = cols - cols / 2;
    const int q = (int)(col < n ? row[col] & 15 : row[col - n] >> 4);

    return multiplier * (q < 8 ? q : q - 16);
}

/* q of an element of a type with scales, with its multiplier if there are such. */
static int scaled_at(const uint8_t *params, const struct param_part *p, uint64_t row, uint32_t col)
{
    const uint8_t *data = params + p->rows.data + row * smol_row_bytes(p->type, p->cols),
                  *multipliers = params + p->rows.multipliers;

    switch (p->type) {
    case SMOL_Q8: return data[col] < 128 ? data[col] : data[col] - 256;
    case SMOL_Q4: return q4_at(data, multipliers + row * smol_row_multipliers(p->cols), col);
    case SMOL_Q4_ROW: return q4_row_at(data, multipliers[row], p->cols, col);
    default: return ternary_at(data, p->cols, col);
    }
}

static float row_number(const uint8_t *params, const struct param_part *p, uint64_t i)
{
    const uint64_t row = i / p->cols;
    const uint32_t col = (uint32_t)(i % p->cols);
    const bool is_shared = p->type == SMOL_Q4_ROW; /* one scale for all rows */
    const uint8_t *data = params + p->rows.data + row * smol_row_bytes(p->type, p->cols);
    float scale, value;

    if (!smol_dtype_is_scaled(p->type)) {
        smol_decode_numbers(&value, p->type, data + (size_t)col * smol_dtype_bytes(p->type), 1);
        return value;
    }
    smol_decode_numbers(&scale, SMOL_F32, params + p->rows.scales + (is_shared ? 0 : 4 * row), 1);
    return scale * (float)scaled_at(params, p, row, col);
}

void param_read(float *values, const uint8_t *params, const struct param_part *p, uint64_t begin,
                size_t n)
{
    if (p->kind == PARAM_NUMBERS)
        smol_decode_numbers(values, p->type,
                            params + p->at + smol_params_array_bytes(p->type, begin), n);
    for (size_t i = 0; i < n && p->kind != PARAM_NUMBERS; i++)
        values[i] = p->kind == PARAM_MASK ? mask_bit(params, p, begin + i)
                                          : row_number(params, p, begin + i);
}
