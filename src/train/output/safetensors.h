/* Safetensors as the trainer has them: every tensor F32, of one or two dimensions. Bytes in, a
 * checked view out; tensors in, bytes out. */
#ifndef SMOL_TRAIN_SAFETENSORS_H
#define SMOL_TRAIN_SAFETENSORS_H

#include "interchange/json_text.h"
#include "train/ops/real.h"

#include <smol/arrays.h>
#include <smol/io.h>
#include <stddef.h>

/* Parses and checks, as smol_safetensors_create does; besides: ENUM, RANGE for other types and
 * dimensions. Release with smol_safetensors_destroy. */
enum smol_status smol_tensor_file_parse(struct smol_safetensors **file, const uint8_t *bytes,
                                        size_t size_bytes, struct smol_error *error);

/* values (rows, cols) from the tensor of that name and shape; a shape (n) counts as (1, n). TENSOR
 * if there is none, SIZE if its shape differs. */
enum smol_status smol_tensor_file_read(real *values, const struct smol_safetensors *file,
                                       const char *name, size_t rows, size_t cols,
                                       struct smol_error *error);

/* What is to be written: rows x cols numbers, or zeros if values is NULL, times scale; one
 * dimension if rows is 0. */
struct smol_tensor_source {
    char name[80];
    size_t rows, cols;
    bool transposed; /* written as (cols, rows) */
    const real *values;
    double scale;
};

/* What a file is made of. */
struct smol_tensor_sources {
    struct smol_tensor_source *items;
    size_t n;
    const struct smol_safetensors_member *metadata;
    size_t n_metadata;
};

/* The file to a writer, piece by piece, or, if that is NULL, its bytes, for free(). Errors: MEMORY,
 * IO. */
enum smol_status smol_tensor_file_write(uint8_t **bytes, uint64_t *size_bytes,
                                        struct smol_writer *writer,
                                        const struct smol_tensor_sources *sources,
                                        struct smol_error *error);

#endif
