/* The parts of a tensor that are made of the seed and of alphas: the frozen matrix itself, nola's
 * factors and the vectors of a norm. params is LRND. SPEC.md 5.6 and 5.7. */
#ifndef SMOL_MODEL_FROZEN_PARTS_H
#define SMOL_MODEL_FROZEN_PARTS_H

#include "frozen/frozen.h"

#include <smol/file.h>

/* Whether what factors, projections and the like are added to is 0, as in many terms. */
bool smol_matrix_is_zero(const struct smol_config *config, const struct smol_scheme *scheme);

/* The frozen part of a matrix slot: of a mask its signs and sigma; of stored rows, and of what is 0
 * in a delta, their shape.
 * table: for its planes; NULL: all but table and scale. */
void smol_matrix_frozen(struct smol_frozen *f, int16_t *table, const struct smol_config *config,
                        uint32_t layer, enum smol_slot slot, const struct smol_frozen_key *key,
                        const uint8_t *params);

/* Factor A or B of a scheme of nola as a scheme of its own, with d alphas of its own and as sigma
 * the matrix's for A, 1 / sqrt(r) for B. */
struct smol_scheme smol_factor_scheme(const struct smol_scheme *scheme, bool is_b);

/* Factor A (r, K) or B (R, r) of a slot whose source is SMOL_MATRIX_NOLA; table has every plane. */
void smol_factor_frozen(struct smol_frozen *f, int16_t *table, const struct smol_config *config,
                        uint32_t layer, enum smol_slot slot, bool is_b,
                        const struct smol_frozen_key *key, const uint8_t *params);

/* The whole factor as floats; values: (rows, cols). */
void smol_factor_values(float *values, const struct smol_frozen *f);

/* Some of its rows. values and integers: (n_rows, cols); integers may be the second half of
 * values. */
void smol_factor_rows(float *values, const struct smol_frozen *f, uint32_t row, uint32_t n_rows,
                      int16_t *integers);

/* The gain or the bias (C) of a norm slot, of a delta what is added to it; integers: (C), and
 * behind them room for a table of every plane. */
void smol_norm_vector(float *values, int16_t *integers, const struct smol_file *file,
                      const struct smol_frozen_key *key, uint32_t layer, enum smol_slot slot,
                      bool is_gain);

#endif
