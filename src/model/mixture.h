/* What a file is run as: itself or, if it is a delta joined with its parts, models that are mixed
 * and deltas that are added, itself last. SPEC.md 16. */
#ifndef SMOL_MIXTURE_H
#define SMOL_MIXTURE_H

#include "frozen/frozen.h"

#include <smol/file.h>
#include <smol/weights.h>

#define MAX_PARTS (SMOL_MAX_PARTS + 1)

struct mixture {
    uint32_t n_models, n_parts; /* the parts behind the models are deltas */
    const struct smol_file *files[MAX_PARTS];
    float factors[MAX_PARTS]; /* f of the models, g of the deltas */
    struct smol_frozen_key keys[MAX_PARTS];
};

/* file: whole. */
void smol_mixture_of(struct mixture *mixture, const struct smol_file *file);

/* Whether a delta has a term of a matrix of that scheme, gains or biases: else it adds nothing. */
bool smol_delta_has_term(const struct smol_scheme *scheme);

/* F of a model's matrix, and s of its logits. */
float smol_mixture_factor(const struct mixture *mixture, uint32_t model, uint32_t layer,
                          enum smol_slot slot);
float smol_mixture_logit_scale(const struct mixture *mixture, uint32_t model);

/* The first of the rows of a delta whose token is at least that. */
uint32_t smol_rows_from(const struct smol_rows_view *rows, uint32_t token);

/* A row of wte, wpe or the output table; values and more: (C). */
void smol_mixture_row(float *values, float *more, const struct mixture *mixture,
                      enum smol_part table, uint32_t row);

/* Gain or bias of a LayerNorm; values and more: (C); integers: (C), and behind them room for a
 * table of every plane. */
void smol_mixture_norm(float *values, float *more, int16_t *integers, const struct mixture *mixture,
                       uint32_t layer, enum smol_slot slot, bool is_gain);
/* Whether the LayerNorm is frozen in all models, and nothing is added to it. */
bool smol_mixture_norm_is_frozen(const struct mixture *mixture, uint32_t layer,
                                 enum smol_slot slot);

/* Temperatures or slope factors of a layer; values and more: (H). */
void smol_mixture_heads(float *values, float *more, const struct mixture *mixture, uint32_t layer,
                        enum smol_part which);

/* The numbers of the history. */
void smol_mixture_history(float values[SMOL_HISTORY_LENGTHS], const struct mixture *mixture);

#endif
