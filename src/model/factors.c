/* The factors of nola, which are frozen matrices with alphas of their own. SPEC.md 5.7. */
#include "model/factors.h"

#include "kernel/kernel.h"

#include <smol/params.h>

#include <math.h>
#include <string.h>

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
                        const struct smol_frozen_key *key, const uint8_t *learned)
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
                     learned + (is_b ? at.bias_alphas : at.alphas));
}

/* A row block at a time, since a row can only be reached through those before it in its block.
 * Integers take half the room of floats: they go into the second half of their block's place, where
 * no float overwrites one that has not been read yet. */
void smol_factor_values(float *values, const struct smol_frozen *f)
{
    for (uint32_t row = 0; row < f->rows; row += SMOL_ROW_BLOCK) {
        const uint32_t n_rows = f->rows - row < SMOL_ROW_BLOCK ? f->rows - row : SMOL_ROW_BLOCK;
        const size_t n = (size_t)n_rows * f->cols;
        float *block = values + (size_t)row * f->cols;
        uint8_t *integers = (uint8_t *)block + n * sizeof(int16_t);

        smol_frozen_weights((int16_t *)(void *)integers, f, row, n_rows);
        for (size_t i = 0; i < n; i++) {
            int16_t integer;

            memcpy(&integer, integers + i * sizeof integer, sizeof integer);
            block[i] = (float)(f->scale * (double)integer);
        }
    }
}

void smol_factor_rows(float *values, const struct smol_frozen *f, uint32_t row, uint32_t n_rows,
                      int16_t *integers)
{
    const size_t n = (size_t)n_rows * f->cols;

    smol_frozen_weights(integers, f, row, n_rows);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(f->scale * (double)integers[i]);
}
