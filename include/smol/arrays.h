/* Arrays of numbers in other programs' files: safetensors and NumPy's .npy. Bytes in, a checked
 * view out, which must not outlive its bytes. The files are hostile: nothing in them is believed
 * before it is checked. In the library smol_train, for the JSON. Thread-safe.
 *
 * Advanced: may change between minor versions until 1.0. */
#ifndef SMOL_ARRAYS_H
#define SMOL_ARRAYS_H

#include <smol/status.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SMOL_ARRAY_MAX_DIMS 8u

/* Number types that can be read; what safetensors has besides is passed over. */
enum smol_array_type {
    SMOL_ARRAY_F32,
    SMOL_ARRAY_F16,
    SMOL_ARRAY_BF16,
    SMOL_ARRAY_F64,
    SMOL_ARRAY_OTHER
};

/* One array, its last dimension packed. Its size is that of its shape. */
struct smol_array {
    const char *name; /* of a tensor, as long as the view lives; NULL for .npy */
    enum smol_array_type type;
    uint32_t n_dims;
    uint64_t shape[SMOL_ARRAY_MAX_DIMS];
    const uint8_t *data;
    uint64_t size_bytes;
};

/* n values from number `first` on, which are within the array, as floats: those of 64 bits rounded
 * to nearest even. NUMERIC if one is not finite, or no float; ENUM if the type cannot be read. */
enum smol_status smol_array_values(float *values, const struct smol_array *array, uint64_t first,
                                   size_t n, struct smol_error *error);

/* A file of NumPy's, version 1, 2 or 3: one array of little-endian floats in C's order, and nothing
 * behind it. Errors: MAGIC, VERSION, TRUNCATED, TRAILING, TEXT, ENUM, RANGE, SIZE. */
enum smol_status smol_npy_parse(struct smol_array *array, const uint8_t *bytes, size_t size_bytes,
                                struct smol_error *error);

/* A safetensors file. Release with smol_safetensors_free. */
struct json_t;
struct smol_safetensors {
    struct json_t *header;
    const struct json_t *metadata; /* an object of strings, or NULL */
    struct smol_array *arrays;     /* in the order of their data */
    size_t n_arrays;
};

/* Every tensor's size is that of its shape, and the data is covered from the first byte to the last
 * without holes or overlaps. Errors: TRUNCATED, TRAILING, SIZE, RANGE, TEXT, ENUM, SECTION, MEMORY.
 */
#define SMOL_SAFETENSORS_MAX_HEADER (16u << 20)
enum smol_status smol_safetensors_parse(struct smol_safetensors *file, const uint8_t *bytes,
                                        size_t size_bytes, struct smol_error *error);
void smol_safetensors_free(struct smol_safetensors *file);

/* The tensor of a name, or NULL. */
const struct smol_array *smol_safetensors_find(const struct smol_safetensors *file,
                                               const char *name);
/* A string of the metadata, or NULL. */
const char *smol_safetensors_text(const struct smol_safetensors *file, const char *key);

#ifdef __cplusplus
}
#endif
#endif
