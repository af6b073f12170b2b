/* What a file will hold, in training: numbers as the forward pass uses them, rounded while the
 * numbers themselves learn on (quantisation-aware training, straight-through: Jacob et al. 2018).
 */
#ifndef SMOL_TRAIN_ROUND_H
#define SMOL_TRAIN_ROUND_H

#include "train/net/net.h"

/* One row as a type encodes it. */
struct smol_row_code {
    uint8_t *data, *multipliers; /* smol_row_bytes; smol_row_multipliers, 1 of q4-row */
    float scale;                 /* of q4-row that of the table, which is there before */
    bool is_fitted;              /* 4 bits with searched steps, not those of SPEC.md 12 */
};

/* Encodes a row of q8, q4, ternary or q4-row, and puts back what it then says. */
void smol_row_round(struct smol_row_code *code, float *row, enum smol_dtype type, uint32_t cols);

/* Whether the rows of a parameter are fitted: not the tables of GPT-2's architecture, which stay as
 * they always were, unless they are rounded in training. */
bool smol_param_is_fitted(const struct smol_net *net, uint32_t param);

/* Whether the forward pass needs a copy of a parameter: it will be rounded. */
bool smol_param_is_rounded(const struct smol_net *net, const struct smol_param *param);

/* Brings those copies up to date: rounded if net->rounds is set, else as they are. */
void smol_net_round(const struct smol_net *net);

#endif
