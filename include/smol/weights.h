/* The exact weights that a file stands for, by Hugging Face's GPT-2 names; of a delta, once it is
 * joined, those that it computes with. SPEC.md 5, 6 and 16. Thread-safe.
 *
 * Advanced: may change between minor versions until 1.0. */
#ifndef SMOL_WEIGHTS_H
#define SMOL_WEIGHTS_H

#include <smol/file.h>

SMOL_BEGIN_DECLS

#define SMOL_MAX_TENSOR_NAME 64u

/* Which tensor of its slot, or of the model, a tensor is. */
enum smol_part {
    SMOL_PART_WEIGHT,
    SMOL_PART_BIAS,
    SMOL_PART_WTE,
    SMOL_PART_WPE,
    SMOL_PART_TEMPERATURE,  /* (1, H) of a layer, after its ln_1 */
    SMOL_PART_SLOPE_FACTOR, /* the same, after these */
    SMOL_PART_OUTPUT,       /* lm_head.weight (V, C) */
    SMOL_PART_HISTORY,      /* the last: history (1, SMOL_HISTORY_LENGTHS) */
};

/* A matrix has rows = outputs and cols = inputs (GPT-2's own files hold the transpose); a vector
 * has 1 row. A matrix has a bias only if its scheme has biases. */
struct smol_tensor {
    char name[SMOL_MAX_TENSOR_NAME];
    enum smol_slot slot; /* of a layer's tensor or ln_f; meaningless for wte, wpe and lm_head */
    uint32_t layer;
    uint32_t rows;
    uint32_t cols;
    enum smol_part part;
};

/* Tensors of a file in the order of the forward pass, from wte.weight to ln_f.bias or, with an
 * output table, lm_head.weight, or history. Those of a joined delta are its models' and what deltas
 * add to them: a matrix has a bias if one of them has it. */
uint32_t smol_file_tensor_count(const struct smol_file *file);
void smol_file_tensor_at(struct smol_tensor *tensor, const struct smol_file *file, uint32_t index);

/* TENSOR if there is none with that name; the prefix "transformer." is accepted. */
enum smol_status smol_file_tensor_find(struct smol_tensor *tensor, const struct smol_file *file,
                                       const char *name, struct smol_error *error);

/* The same of a configuration alone, of a delta without what its parts have. */
uint32_t smol_tensor_count(const struct smol_config *config);
void smol_tensor_at(struct smol_tensor *tensor, const struct smol_config *config, uint32_t index);
enum smol_status smol_tensor_find(struct smol_tensor *tensor, const struct smol_config *config,
                                  const char *name, struct smol_error *error);

/* Bytes of scratch that smol_tensor_read needs for a tensor. */
size_t smol_tensor_scratch_bytes(const struct smol_file *file, const struct smol_tensor *tensor);

/* Rows row_begin..row_begin + n_rows - 1 as doubles; values: (n_rows, cols). scratch: 64-byte
 * aligned. Errors: ARGUMENT; MEMORY; BASE if the file is a delta that is not joined. Where models
 * that are mixed have logit scales of their own, wte and lm_head are mixed without them. */
enum smol_status smol_tensor_read(double *values, const struct smol_file *file,
                                  const struct smol_tensor *tensor, uint32_t row_begin,
                                  uint32_t n_rows, void *scratch, struct smol_error *error);

SMOL_END_DECLS
#endif
