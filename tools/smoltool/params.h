/* The numbers in a file's section LRND, piece by piece. */
#ifndef SMOLTOOL_PARAMS_H
#define SMOLTOOL_PARAMS_H

#include <smol/file.h>

/* Numbers that belong together, of one type. n is 0 where a file has none. */
struct param_part {
    enum param_kind { PARAM_NUMBERS, PARAM_MASK, PARAM_ROWS } kind;
    enum smol_dtype type;          /* of numbers and rows */
    uint64_t n;                    /* a mask has a bit for each */
    uint32_t cols;                 /* of a mask or rows */
    uint64_t at;                   /* of numbers and masks, in LRND */
    struct smol_table_layout rows; /* of rows */
};

/* What a slot may have, in the order of the file: the numbers behind a weight, and so on. */
enum param_place {
    PARAM_OF_WEIGHT, /* alphas, parameters of a projection, a mask, stored rows, a norm's gain */
    PARAM_FACTOR_A,
    PARAM_FACTOR_B,
    PARAM_SPARSE,
    PARAM_GAIN,
    PARAM_BIAS,
    PARAM_MODELS, /* of a delta: a number for each model */
    PARAM_N_PLACES,
};
/* A layer that a model does not have has no numbers. For SMOL_LN_F the layer is ignored. */
struct param_part param_of_slot(const struct smol_config *config, uint32_t layer,
                                enum smol_slot slot, enum param_place place);

/* What a layer has beside its slots, in the order of the file. */
enum param_layer_place {
    PARAM_LAYER_GAIN,
    PARAM_TEMPERATURES,
    PARAM_SLOPE_FACTORS,
    PARAM_N_LAYER_PLACES,
};
struct param_part param_of_layer(const struct smol_config *config, uint32_t layer,
                                 enum param_layer_place place);

/* The vector that matrices share. */
struct param_part param_shared(const struct smol_config *config);
/* The numbers of the history. */
struct param_part param_history(const struct smol_config *config);

/* n numbers from number begin on. begin: a multiple of SMOL_Q8_BLOCK. */
void param_read(float *values, const uint8_t *params, const struct param_part *part, uint64_t begin,
                size_t n);

#endif
