/* Arrays of numbers in other programs' files: safetensors, NumPy's .npy and GGUF. Reading: bytes
 * in, a checked view out, which must not outlive its bytes. The files are hostile: nothing in them
 * is trusted before it is checked. Writing: what a file begins with; the values follow it as they
 * are, little-endian. Part of the library smol_train, which links Jansson. Thread-safe.
 *
 * Advanced: may change between minor versions until 1.0. */
#ifndef SMOL_ARRAYS_H
#define SMOL_ARRAYS_H

#include <smol/file.h>
#include <stdbool.h>
#include <stddef.h>

SMOL_BEGIN_DECLS

#define SMOL_ARRAY_MAX_DIMS 8u

/* Number types that can be read; other tensors of safetensors and GGUF are skipped. */
enum smol_array_type {
    SMOL_ARRAY_F32,
    SMOL_ARRAY_F16,
    SMOL_ARRAY_BF16,
    SMOL_ARRAY_F64,
    SMOL_ARRAY_Q8_0, /* ggml's blocks, of 32 numbers ... */
    SMOL_ARRAY_Q4_0,
    SMOL_ARRAY_Q6_K, /* ... or of 256, whole ones in each row */
    SMOL_ARRAY_OTHER
};

/* One array, its last dimension packed, or of two the first. Its size is that of its shape; where
 * the type is OTHER, n_dims may be 0 although there are more, or are not known. */
struct smol_array {
    const char *name; /* of a tensor, as long as the view lives; NULL for .npy */
    enum smol_array_type type;
    uint32_t n_dims;
    uint64_t shape[SMOL_ARRAY_MAX_DIMS];
    const uint8_t *data;
    uint64_t size_bytes;
    bool is_fortran; /* .npy: n_dims is 2, and columns are packed */
};

/* n values from element `first` on, all within the array and counted row by row, as floats; 64-bit
 * values are rounded to nearest even. NUMERIC if one is not finite, or not as a float; ENUM if the
 * type cannot be read. */
enum smol_status smol_array_values(float *values, const struct smol_array *array, uint64_t first,
                                   size_t n, struct smol_error *error);

/* A NumPy file, version 1, 2 or 3: one array of little-endian floats, of up to two dimensions
 * larger than 1 in either order and of more in C order, and nothing after it. Errors: MAGIC,
 * VERSION, TRUNCATED, TRAILING, TEXT, ENUM, RANGE, SIZE. */
enum smol_status smol_npy_parse(struct smol_array *array, const uint8_t *bytes, size_t size_bytes,
                                struct smol_error *error);

/* The header of such a file (version 1.0) with an array of F32, F16 or F64; returns its bytes. Of
 * the array, type and shape count. */
#define SMOL_NPY_HEADER_BYTES 256u
size_t smol_npy_header(uint8_t header[SMOL_NPY_HEADER_BYTES], const struct smol_array *array);

/* A safetensors file. Every tensor's size is that of its shape, as far as its type is known, and
 * the data is covered from the first byte to the last without holes or overlaps. Errors: TRUNCATED,
 * TRAILING, SIZE, RANGE, TEXT, ENUM, SECTION, MEMORY. */
#define SMOL_SAFETENSORS_MAX_HEADER (16u << 20)
struct smol_safetensors;
enum smol_status smol_safetensors_create(struct smol_safetensors **file, const uint8_t *bytes,
                                         size_t size_bytes, struct smol_error *error);
void smol_safetensors_destroy(struct smol_safetensors *file);

/* Its tensors in the order of their data; NULL past the last. */
const struct smol_array *smol_safetensors_at(const struct smol_safetensors *file, size_t index);
/* The tensor with a name, or NULL. */
const struct smol_array *smol_safetensors_find(const struct smol_safetensors *file,
                                               const char *name);
/* A string of the metadata, or NULL. */
const char *smol_safetensors_text(const struct smol_safetensors *file, const char *key);

/* A GGUF file, version 2 or 3: values by name, and tensors. Every tensor whose type is known is
 * within the file; of one of type OTHER size_bytes is 0. Shapes are turned round, so that the last
 * dimension is the packed one. Errors: MAGIC, VERSION, TRUNCATED, RANGE, ENUM, SIZE, TEXT, SECTION,
 * MEMORY. */
struct smol_gguf;
enum smol_status smol_gguf_create(struct smol_gguf **file, const uint8_t *bytes, size_t size_bytes,
                                  struct smol_error *error);
void smol_gguf_destroy(struct smol_gguf *file);

/* Its tensors in the order of their descriptions; NULL past the last. The tensor with a name, or
 * NULL. */
const struct smol_array *smol_gguf_at(const struct smol_gguf *file, size_t index);
const struct smol_array *smol_gguf_find(const struct smol_gguf *file, const char *name);

/* Whether there is a value of that name; a number of any type, true being 1, or a text, which need
 * be no UTF-8 and may contain zeros. false if it is not there or is something else. */
bool smol_gguf_has(const struct smol_gguf *file, const char *key);
bool smol_gguf_number(double *value, const struct smol_gguf *file, const char *key);
bool smol_gguf_text(struct smol_span *text, const struct smol_gguf *file, const char *key);

/* A list of numbers or texts, as far as it is still to be read. next: false at its end, and of the
 * wrong kind. */
struct smol_gguf_list {
    struct smol_span rest;
    uint64_t n;
    bool is_text;
    uint32_t type; /* GGUF's number for it */
};
bool smol_gguf_list(struct smol_gguf_list *list, const struct smol_gguf *file, const char *key);
bool smol_gguf_next_text(struct smol_span *text, struct smol_gguf_list *list);
bool smol_gguf_next_number(double *value, struct smol_gguf_list *list);

/* A member of the metadata; with a NULL text it is left out. */
struct smol_safetensors_member {
    const char *key, *text;
};

/* What a file of these arrays, one after the other, begins with, for free(). Of an array, name,
 * type (F32, F16, BF16 or F64), shape and size count. Errors: MEMORY, also for text that is not
 * UTF-8. */
enum smol_status smol_safetensors_header(uint8_t **header, size_t *size_bytes,
                                         const struct smol_array *arrays, size_t n_arrays,
                                         const struct smol_safetensors_member *metadata,
                                         size_t n_metadata, struct smol_error *error);

SMOL_END_DECLS
#endif
