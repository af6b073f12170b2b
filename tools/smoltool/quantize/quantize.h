/* What the parts of smoltool quantize share. */
#ifndef QUANTIZE_H
#define QUANTIZE_H

#include <smol/file.h>

/* What becomes of a model's number types. */
struct quantize_types {
    bool has_embeddings, has_matrices, has_params; /* whether they change */
    enum smol_dtype embeddings;                    /* of wte, wpe and the output table */
    enum smol_dtype matrices;                      /* of stored matrices */
    enum smol_dtype params;                        /* of everything else that is no mask */
};

/* The bytes of the model with other types, for free(). NULL with an error. */
uint8_t *quantize_file(uint64_t *size_bytes, const struct smol_file *file,
                       const struct quantize_types *types, struct smol_error *error);

/* By how much the new numbers of something are off the old ones. */
struct quantize_loss {
    bool is_there;
    enum smol_dtype from, to; /* of its first number */
    double rms;               /* of all numbers */
    double relative;          /* to the old numbers' own */
    double worst_row;         /* the same of the row, or vector, that suffers most */
};

enum {
    QUANTIZE_WTE,
    QUANTIZE_WPE,
    QUANTIZE_OUTPUT,
    QUANTIZE_MATRICES,
    QUANTIZE_PARAMS,
    QUANTIZE_N
};

/* Fills in the losses of what has changed. */
enum smol_status quantize_compare(struct quantize_loss losses[QUANTIZE_N],
                                  const struct smol_file *before, const struct smol_file *after,
                                  const struct quantize_types *types, struct smol_error *error);

#endif
