/* safetensors: u64 length of the header, the header as JSON, the tensors' bytes. Bytes in, a
 * checked view out; tensors in, bytes out. Of the number types only F32 is used here. */
#ifndef SMOL_TRAIN_SAFETENSORS_H
#define SMOL_TRAIN_SAFETENSORS_H

#include "train/real.h"

#include <jansson.h>
#include <smol/status.h>
#include <stddef.h>

#define SMOL_TENSORS_MAX_DIMS 2u

/* One tensor of a file. */
struct smol_tensor_entry {
	const char *name; /* lives as long as the view */
	uint32_t n_dims;
	uint64_t shape[SMOL_TENSORS_MAX_DIMS];
	uint64_t begin, end; /* in the data */
};

struct smol_tensor_file {
	json_t *header;
	const json_t *metadata; /* an object of strings, or NULL */
	const uint8_t *data;
	uint64_t data_bytes;
	struct smol_tensor_entry *entries; /* in the order of their data */
	size_t n_entries;
};

/* Parses and checks: every tensor is F32 of one or two dimensions, its size is that of its shape,
 * and the data is covered from the first byte to the last without holes or overlaps. Errors:
 * TRUNCATED, SIZE, RANGE, TEXT, ENUM, SECTION, MEMORY. bytes must outlive the view. */
enum smol_status smol_tensor_file_parse(struct smol_tensor_file *file, const uint8_t *bytes,
                                        size_t size_bytes, struct smol_error *error);
void smol_tensor_file_free(struct smol_tensor_file *file);

/* A string of the metadata, or NULL. */
const char *smol_tensor_file_text(const struct smol_tensor_file *file, const char *key);

/* values (rows, cols) from the tensor of that name and shape; a shape (n) counts as (1, n). TENSOR if
 * there is none, SIZE if its shape differs. */
enum smol_status smol_tensor_file_read(real *values, const struct smol_tensor_file *file,
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

/* The file's bytes, for free(). Errors: MEMORY. */
enum smol_status smol_tensor_file_write(uint8_t **bytes, size_t *size_bytes,
                                        const struct smol_tensor_source *sources, size_t n_sources,
                                        json_t *metadata, struct smol_error *error);

#endif
