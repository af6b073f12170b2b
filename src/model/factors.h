/* The factors A and B of a matrix of nola, which are frozen matrices with alphas of their own.
 * SPEC.md 5.7. */
#ifndef SMOL_MODEL_FACTORS_H
#define SMOL_MODEL_FACTORS_H

#include "frozen/frozen.h"

/* Its factor A or B as a scheme of its own, with d alphas of its own and as sigma the matrix's for
 * A, 1 / sqrt(r) for B. */
struct smol_scheme smol_factor_scheme(const struct smol_scheme *scheme, bool is_b);

/* Factor A (r, K) or B (R, r) of a slot whose source is SMOL_MATRIX_NOLA; table has every plane,
 * learned is LRND. */
void smol_factor_frozen(struct smol_frozen *f, int16_t *table, const struct smol_config *config,
                        uint32_t layer, enum smol_slot slot, bool is_b,
                        const struct smol_frozen_key *key, const uint8_t *learned);

/* The whole factor as floats; values: (rows, cols). */
void smol_factor_values(float *values, const struct smol_frozen *f);

/* Some of its rows. values and integers: (n_rows, cols). */
void smol_factor_rows(float *values, const struct smol_frozen *f, uint32_t row, uint32_t n_rows,
                      int16_t *integers);

#endif
