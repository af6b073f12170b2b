/* Where the parameters of each tensor lie in the section LRND, and numbers in the encoding of
 * files. SPEC.md 3.2 and 3.3. Pure functions, thread-safe.
 *
 * Advanced: may change between minor versions until 1.0. */
#ifndef SMOL_PARAMS_H
#define SMOL_PARAMS_H

#include <smol/config.h>

SMOL_BEGIN_DECLS

/* Byte offsets of a table's rows, and of their multipliers and scales: 0 if the type has none. */
struct smol_table_layout {
    uint64_t data, multipliers, scales;
};

/* Byte offsets into LRND; meaningful only for what the slot's scheme has. */
struct smol_params_place {
    uint64_t alphas; /* d: of a matrix (own or shared), of a norm's gain, or of nola's factor A */
    uint64_t bias_alphas;                 /* d: of a norm's bias, or of nola's factor B */
    uint64_t factor_a;                    /* (r, K) */
    uint64_t factor_b;                    /* (R, r) */
    uint64_t sparse;                      /* (R, q), q of the scheme */
    uint64_t gain;                        /* (C) of a norm or (R) of a matrix, stored */
    uint64_t bias;                        /* the same */
    uint64_t layer_gain;                  /* 1, of a matrix that uses it */
    uint64_t temperatures, slope_factors; /* (H) each, of the layer */
    uint64_t models;                      /* (M) numbers, of a delta's matrix */
    uint64_t mask;                        /* (R, ceil(K / 8)) bytes */
    struct smol_table_layout rows;        /* of a stored matrix */
};

/* The place of a slot of a layer; for SMOL_LN_F the layer is ignored. config is valid. */
void smol_params_at(struct smol_params_place *place, const struct smol_config *config,
                    uint32_t layer, enum smol_slot slot);

/* Where the numbers of the history are, which are the last of the section; meaningful only if there
 * is one. */
uint64_t smol_params_history_at(const struct smol_config *config);

/* Bytes of one value of a type: F32, F16 or Q8. */
uint32_t smol_dtype_bytes(enum smol_dtype type);

/* Bytes of n parameters of a type: F32, F16 or Q8_BLOCKS. n is at most 2^40. */
uint64_t smol_params_array_bytes(enum smol_dtype type, uint64_t n);

/* Of parameters of Q8_BLOCKS: numbers of a block, and its bytes, the first two of which are
 * its scale. */
#define SMOL_Q8_BLOCK 64u
#define SMOL_Q8_BLOCK_BYTES (SMOL_Q8_BLOCK + 2)

/* Bytes of a row of an embedding table of a type, without scale and multipliers (SPEC.md 3.3). */
uint64_t smol_row_bytes(enum smol_dtype type, uint32_t cols);

/* Q4: columns that share a multiplier, and the number of multipliers of a row. (Q4_ROW has one.) */
#define SMOL_Q4_GROUP 32u
uint32_t smol_row_multipliers(uint32_t cols);

/* Bytes of a row of a mask. */
uint64_t smol_mask_row_bytes(uint32_t cols);

/* Places a table that begins at an offset, its parts padded to multiples of alignment from there: 1
 * in LRND, 64 in EMBD (SPEC.md 3.2, 3.3). Q4_ROW is padded as a whole. Returns where it ends. */
uint64_t smol_table_place(struct smol_table_layout *layout, enum smol_dtype type, uint32_t rows,
                          uint32_t cols, uint64_t at, uint32_t alignment);

/* Encodes n floats as F32 or F16, rounded to nearest even, or as Q8_BLOCKS; magnitudes at most
 * 2^60. */
void smol_encode_numbers(uint8_t *dest, enum smol_dtype type, const float *values, size_t n);

/* The inverse. */
void smol_decode_numbers(float *values, enum smol_dtype type, const uint8_t *data, size_t n);

/* Encodes a row of n floats as Q8; returns its scale. */
float smol_encode_q8(uint8_t *dest, const float *values, size_t n);

/* A row of n numbers -1, 0 or 1 as TERNARY, and the inverse. */
void smol_encode_ternary(uint8_t *dest, const int8_t *values, size_t n);
void smol_decode_ternary(int8_t *values, const uint8_t *data, size_t n);

/* Encodes a row of n floats as Q4: smol_row_bytes bytes and smol_row_multipliers multipliers;
 * returns its scale. */
float smol_encode_q4(uint8_t *dest, uint8_t *multipliers, const float *values, size_t n);

#ifndef SMOL_MINIMAL
/* The same with less error: steps are searched for the least sum of squares (SPEC.md 12). */
float smol_encode_q4_best(uint8_t *dest, uint8_t *multipliers, const float *values, size_t n);

/* Encodes a row of n floats as Q4_ROW: smol_row_bytes bytes; returns its multiplier. scale: the
 * table's, the largest that smol_q4_row_scale finds for any of its rows. */
uint8_t smol_encode_q4_row(uint8_t *dest, float scale, const float *values, size_t n);
float smol_q4_row_scale(const float *values, size_t n);

/* Encodes a row of n floats as TERNARY with little error; returns its scale. */
float smol_encode_ternary_best(uint8_t *dest, const float *values, size_t n);
#endif /* SMOL_MINIMAL */

SMOL_END_DECLS
#endif
