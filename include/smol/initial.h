/* The initial values of a new model. SPEC.md 12. Pure functions, thread-safe.
 *
 * Advanced: may change between minor versions until 1.0. */
#ifndef SMOL_INITIAL_H
#define SMOL_INITIAL_H

#include <smol/params.h>

SMOL_BEGIN_DECLS

/* A configuration with one scheme for every matrix slot and one for every norm, default sigmas
 * (SPEC.md 12) times gain, epsilon 1e-5, logit scale 1. matrix and norm give everything but sigma,
 * which is 1 for norms with alphas. Shape, seed, features and the rest are those of *config. */
void smol_config_fill(struct smol_config *config, const struct smol_scheme *matrix,
                      const struct smol_scheme *norm, double gain);

/* How many parameters are a share 0..1 of a row of cols columns: the nearest whole number, at least
 * one. */
uint32_t smol_sparse_parameters(double part, uint32_t cols);

/* Rows of the initial wte (V, C), wpe (T, C) or output table (V, C); values: (n_rows, C). */
#define SMOL_INITIAL_STD 0.02
void smol_initial_wte(float *values, const struct smol_config *config, double std,
                      uint32_t row_begin, uint32_t n_rows);
void smol_initial_wpe(float *values, const struct smol_config *config, double std,
                      uint32_t row_begin, uint32_t n_rows);
void smol_initial_output(float *values, const struct smol_config *config, double std,
                         uint32_t row_begin, uint32_t n_rows);

/* The initial mask of a matrix slot (R, K): R rows of smol_mask_row_bytes(K). */
void smol_initial_mask(uint8_t *mask, const struct smol_config *config, uint32_t layer,
                       enum smol_slot slot);

/* The initial factor A (r, K) of a matrix slot of rank r. */
void smol_initial_factor(float *values, const struct smol_config *config, uint32_t layer,
                         enum smol_slot slot, uint32_t rank);

/* The initial numbers of a history. */
void smol_initial_history(float numbers[SMOL_HISTORY_LENGTHS]);

SMOL_END_DECLS
#endif
