/* See frozen_parts.h. */
#include "model/frozen_parts.h"

#include "base/number.h"

#include <smol/params.h>

#include <math.h>
#include <string.h>

bool smol_matrix_is_zero(const struct smol_config *config, const struct smol_scheme *s)
{
    return smol_config_is_delta(config) &&
           (s->source == SMOL_MATRIX_UNIT || s->source == SMOL_MATRIX_NOLA ||
            smol_scheme_projects(s));
}

void smol_matrix_frozen(struct smol_frozen *f, int16_t *table, const struct smol_config *config,
                        uint32_t layer, enum smol_slot slot, const struct smol_frozen_key *key,
                        const uint8_t *params)
{
    const struct smol_scheme *s = smol_config_scheme(config, layer, slot);
    const bool has_alphas = s->source == SMOL_MATRIX_OWN || s->source == SMOL_MATRIX_SHARED;
    struct smol_params_place at;

    smol_params_at(&at, config, layer, slot);
    *f = (struct smol_frozen){.key = key,
                              .tensor = smol_frozen_number(config, layer, slot),
                              .purpose = SMOL_PURPOSE_MATRIX};
    smol_config_shape(&f->rows, &f->cols, config, slot);
    if (s->source == SMOL_MATRIX_MASK) {
        f->purpose = SMOL_PURPOSE_MASK;
        f->scale = (double)s->sigma;
    } else if (s->source != SMOL_MATRIX_STORED && !smol_matrix_is_zero(config, s)) {
        smol_frozen_fill(f, table, s, s->sigma, has_alphas ? params + at.alphas : NULL);
    }
}

struct smol_scheme smol_factor_scheme(const struct smol_scheme *s, bool is_b)
{
    return (struct smol_scheme){.kind = SMOL_MATRIX,
                                .source = SMOL_MATRIX_OWN,
                                .dist = s->dist,
                                .d = s->d,
                                .alpha_type = s->alpha_type,
                                .sigma = is_b ? 1.0f / sqrtf((float)s->rank) : s->sigma};
}

void smol_factor_frozen(struct smol_frozen *f, int16_t *table, const struct smol_config *config,
                        uint32_t layer, enum smol_slot slot, bool is_b,
                        const struct smol_frozen_key *key, const uint8_t *params)
{
    const struct smol_scheme *s = smol_config_scheme(config, layer, slot);
    struct smol_params_place at;
    uint32_t rows, cols;

    smol_params_at(&at, config, layer, slot);
    smol_config_shape(&rows, &cols, config, slot);
    *f = (struct smol_frozen){
        .key = key,
        .tensor = smol_frozen_number(config, layer, slot),
        .purpose = is_b ? SMOL_PURPOSE_FACTOR_B : SMOL_PURPOSE_FACTOR_A,
        .rows = is_b ? rows : s->rank,
        .cols = is_b ? s->rank : cols,
    };
    smol_frozen_fill(f, table, s, smol_factor_scheme(s, is_b).sigma,
                     params + (is_b ? at.bias_alphas : at.alphas));
}

/* A row block at a time, since a row can only be reached through those before it in its block. */
void smol_factor_values(float *values, const struct smol_frozen *f)
{
    for (uint32_t row = 0; row < f->rows; row += SMOL_ROW_BLOCK) {
        const uint32_t n_rows = f->rows - row < SMOL_ROW_BLOCK ? f->rows - row : SMOL_ROW_BLOCK;
        float *block = values + (size_t)row * f->cols;
        uint8_t *half = (uint8_t *)block + (size_t)n_rows * f->cols * sizeof(int16_t);

        smol_factor_rows(block, f, row, n_rows, (int16_t *)(void *)half);
    }
}

/* Integers take half the room of floats: in the second half of their place no float overwrites one
 * that has not been read yet. */
void smol_factor_rows(float *values, const struct smol_frozen *f, uint32_t row, uint32_t n_rows,
                      int16_t *integers)
{
    const size_t n = (size_t)n_rows * f->cols;

    smol_frozen_weights(integers, f, row, n_rows);
    for (size_t i = 0; i < n; i++) {
        int16_t integer;

        memcpy(&integer, integers + i, sizeof integer);
        values[i] = (float)(f->scale * (double)integer);
    }
}

/* A frozen gain is 1 plus a combination of bases, a bias one without the 1; so is either of a
 * delta. */
void smol_norm_vector(float *v, int16_t *integers, const struct smol_file *file,
                      const struct smol_frozen_key *key, uint32_t layer, enum smol_slot slot,
                      bool is_gain)
{
    const struct smol_config *c = &file->config;
    const struct smol_scheme *s = smol_config_scheme(c, layer, slot);
    struct smol_frozen f = {.key = key,
                            .tensor = smol_frozen_number(c, layer, slot) + !is_gain,
                            .purpose = SMOL_PURPOSE_VECTOR,
                            .rows = 1,
                            .cols = c->width};
    const uint8_t *params = file->params.data;
    struct smol_params_place at;

    smol_params_at(&at, c, layer, slot);
    if (s->source == SMOL_NORM_STORED) {
        smol_params_to_f32(v, s->value_type, params + (is_gain ? at.gain : at.bias), 0, f.cols);
        return;
    }
    memset(integers, 0, f.cols * sizeof *integers);
    if (s->source == SMOL_NORM_OWN) {
        smol_frozen_fill(&f, integers + f.cols, s, s->sigma,
                         params + (is_gain ? at.alphas : at.bias_alphas));
        smol_frozen_weights(integers, &f, 0, 1);
    }
    for (uint32_t i = 0; i < f.cols; i++) {
        const float w = (float)(f.scale * (double)integers[i]);
        v[i] = is_gain && !smol_config_is_delta(c) ? 1.0f + w : w;
    }
}
