/* Matrices made of latent numbers, which no file holds: of scores, whose mask is stored, and of the
 * numbers behind ternary rows, each row with a factor. SPEC.md 3.3, 5.10 and 12. */
#ifndef SMOL_TRAIN_LATENT_H
#define SMOL_TRAIN_LATENT_H

#include "train/net/net.h"

/* The sum of the magnitudes of scores; if change is not NULL, it is called first for each row, its
 * n numbers from offset on, by several threads: so a step goes through them once. */
typedef void smol_scores_function(const void *context, size_t offset, size_t n);
double smol_scores_sum(const struct smol_net *net, const struct smol_param *scores,
                       smol_scores_function *change, const void *context);

/* Fills m->signs from the seed. */
void smol_net_mask_signs(const struct smol_net *net, const struct smol_net_matrix *m);

/* Whether gains multiply nothing but a mask, of no delta. They then hold a scale of its weights,
 * and are made with these at once. */
bool smol_mask_is_scaled(const struct smol_net_matrix *m);

/* m's weights from its scores: without factors, sparse term and gains, unless these are alone. */
void smol_mask_weights(const struct smol_net *net, const struct smol_net_matrix *m);

/* In place, the gradient of the weights (rows, cols) becomes that of the scores; gains that are
 * alone get theirs. */
void smol_mask_gradient(struct smol_net *net, const struct smol_net_matrix *m, real *d);

/* Scores become what a file holds: 0 and 1 for bits. If gains alone multiply them, these take the
 * scale of the weights, which is then 1. */
void smol_mask_store(struct smol_net *net, const struct smol_net_matrix *m);

/* m's weights from its latent numbers and row factors: without factors, sparse term and gains. */
void smol_ternary_weights(const struct smol_net *net, const struct smol_net_matrix *m);

/* In place, the gradient of the weights (rows, cols) becomes that of the latent numbers; the row
 * factors' is set. */
void smol_ternary_gradient(struct smol_net *net, const struct smol_net_matrix *m, real *d);

/* Latent numbers become -1, 0 and 1, and row factors what a float of a file, times sigma, says. */
void smol_ternary_store(struct smol_net *net, const struct smol_net_matrix *m);

/* The scale of a row of a file. */
float smol_ternary_scale(const struct smol_net *net, const struct smol_net_matrix *m, size_t row);

#endif
