/* See mixture.h. */
#include "model/mixture.h"

#include "base/bytes.h"
#include "base/number.h"
#include "kernel/scalar/fma.h"
#include "model/frozen_parts.h"

#include <math.h>
#include <smol/params.h>
#include <string.h>

static void add_part(struct mixture *m, const struct smol_file *file, float factor)
{
    m->files[m->n_parts] = file;
    m->factors[m->n_parts] = factor;
    smol_frozen_key_init(&m->keys[m->n_parts++], file->config.seed);
}

void smol_mixture_of(struct mixture *m, const struct smol_file *file)
{
    const bool is_delta = smol_config_is_delta(&file->config);

    m->n_models = is_delta ? file->n_models : 1;
    m->n_parts = 0;
    for (uint32_t i = 0; is_delta && i < file->n_models + file->n_deltas; i++)
        add_part(m, file->parts[i].file, file->parts[i].factor);
    add_part(m, file, is_delta ? file->factor : 1.0f);
}

bool smol_delta_has_term(const struct smol_scheme *s)
{
    return s->source != SMOL_MATRIX_UNIT || s->rank || smol_scheme_has(s, SMOL_TERM_SPARSE) ||
           smol_scheme_has(s, SMOL_TERM_GAINS) || smol_scheme_has(s, SMOL_TERM_BIASES);
}

/* The number that a delta has for a model of the mixture, of which the delta's own models are
 * some. */
static bool model_number(float *beta, const struct smol_file *delta, const struct smol_file *model,
                         uint32_t layer, enum smol_slot slot)
{
    const struct smol_scheme *s = smol_config_scheme(&delta->config, layer, slot);
    struct smol_params_place at;

    if (!smol_scheme_has(s, SMOL_TERM_MODELS))
        return false;
    smol_params_at(&at, &delta->config, layer, slot);
    for (uint32_t i = 0; i < delta->config.n_models; i++)
        if (memcmp(delta->parts[i].hash, model->hash, SMOL_HASH_BYTES) == 0) {
            smol_params_to_f32(beta, s->value_type, delta->params.data + at.models, i, 1);
            return true;
        }
    return false;
}

float smol_mixture_factor(const struct mixture *m, uint32_t model, uint32_t layer,
                          enum smol_slot slot)
{
    float factor = m->factors[model], beta;

    for (uint32_t d = m->n_models; d < m->n_parts; d++)
        if (model_number(&beta, m->files[d], m->files[model], layer, slot))
            factor = smol_fmaf(m->factors[d], beta, factor);
    return factor;
}

float smol_mixture_logit_scale(const struct mixture *m, uint32_t model)
{
    float scale = m->files[model]->config.logit_scale;

    for (uint32_t d = m->n_models; d < m->n_parts; d++)
        scale = smol_fmaf(m->factors[d], m->files[d]->config.logit_scale, scale);
    return scale;
}

uint32_t smol_rows_from(const struct smol_rows_view *rows, uint32_t token)
{
    uint32_t low = 0, high = rows->n;

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (smol_le32(rows->tokens + 4 * (size_t)middle) < token)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* values (n) = the sum so far and factor x more, in which part 0 stands first. */
static void mix(float *values, const float *more, const struct mixture *m, uint32_t part, size_t n)
{
    const float factor = m->factors[part];

    for (size_t i = 0; i < n; i++)
        values[i] = part == 0 ? factor * values[i] : smol_fmaf(factor, more[i], values[i]);
}

static const struct smol_table_view *table_of(const struct smol_file *file, enum smol_part table)
{
    return table == SMOL_PART_WTE   ? &file->wte
           : table == SMOL_PART_WPE ? &file->wpe
                                    : &file->output;
}

void smol_mixture_row(float *values, float *more, const struct mixture *m, enum smol_part table,
                      uint32_t row)
{
    const size_t C = m->files[0]->config.width;

    for (uint32_t i = 0; i < m->n_models; i++) {
        smol_embedding_row(i ? more : values, table_of(m->files[i], table), row);
        mix(values, more, m, i, C);
    }
    for (uint32_t d = m->n_models; table != SMOL_PART_WPE && d < m->n_parts; d++) {
        const struct smol_rows_view *rows =
            table == SMOL_PART_WTE ? &m->files[d]->input_rows : &m->files[d]->output_rows;
        const uint32_t at = smol_rows_from(rows, row);
        if (at == rows->n || smol_le32(rows->tokens + 4 * (size_t)at) != row)
            continue;
        smol_embedding_row(more, &rows->table, at);
        mix(values, more, m, d, C);
    }
}

bool smol_mixture_norm_is_frozen(const struct mixture *m, uint32_t layer, enum smol_slot slot)
{
    for (uint32_t i = 0; i < m->n_parts; i++)
        if (smol_config_scheme(&m->files[i]->config, layer, slot)->source != SMOL_NORM_FROZEN)
            return false;
    return true;
}

void smol_mixture_norm(float *values, float *more, int16_t *integers, const struct mixture *m,
                       uint32_t layer, enum smol_slot slot, bool is_gain)
{
    const bool is_frozen = smol_mixture_norm_is_frozen(m, layer, slot);

    for (uint32_t i = 0; is_frozen && i < m->files[0]->config.width; i++)
        values[i] = is_gain ? 1 : 0;
    for (uint32_t i = 0; !is_frozen && i < m->n_parts; i++) {
        const struct smol_config *c = &m->files[i]->config;
        if (i >= m->n_models && smol_config_scheme(c, layer, slot)->source == SMOL_NORM_FROZEN)
            continue;
        smol_norm_vector(i ? more : values, integers, m->files[i], &m->keys[i], layer, slot,
                         is_gain);
        mix(values, more, m, i, c->width);
    }
}

void smol_mixture_history(float values[SMOL_HISTORY_LENGTHS], const struct mixture *m)
{
    float more[SMOL_HISTORY_LENGTHS];

    for (uint32_t i = 0; i < m->n_parts; i++) {
        const struct smol_config *c = &m->files[i]->config;
        smol_params_to_f32(i ? more : values, c->head_type,
                           m->files[i]->params.data + smol_params_history_at(c), 0,
                           SMOL_HISTORY_LENGTHS);
        mix(values, more, m, i, SMOL_HISTORY_LENGTHS);
    }
}

void smol_mixture_heads(float *values, float *more, const struct mixture *m, uint32_t layer,
                        enum smol_part which)
{
    for (uint32_t i = 0; i < m->n_parts; i++) {
        const struct smol_config *c = &m->files[i]->config;
        struct smol_params_place at;
        smol_params_at(&at, c, layer, SMOL_LN_1);
        smol_params_to_f32(i ? more : values, c->head_type,
                           m->files[i]->params.data + (which == SMOL_PART_TEMPERATURE
                                                           ? at.temperatures
                                                           : at.slope_factors),
                           0, c->n_heads);
        mix(values, more, m, i, c->n_heads);
    }
}
