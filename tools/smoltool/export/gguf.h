/* What GGUF files of models and of adapters share: keys with values, tensors. */
#ifndef EXPORT_GGUF_H
#define EXPORT_GGUF_H

#include "smoltool/export/export.h"
#include "smoltool/gguf_names.h"

#define GGUF_ALIGNMENT 32u /* of a tensor's data */

/* GGUF's numbers for the types of values. */
enum { GGUF_U32 = 4, GGUF_I32 = 5, GGUF_F32 = 6, GGUF_BOOL = 7, GGUF_STRING = 8, GGUF_ARRAY = 9 };

/* GGUF's number for a file whose matrices have a type. */
uint32_t gguf_file_type(enum export_type type);

/* "GGUF", its version and how many tensors and keys follow. */
void gguf_put_start(struct export_out *out, uint64_t n_tensors, uint64_t n_keys);
void gguf_put_string(struct export_out *out, const char *text);
/* Keys with their values; of the first the value follows. */
void gguf_put_key(struct export_out *out, const char *key, uint32_t type);
void gguf_put_u32(struct export_out *out, const char *key, uint32_t value);
void gguf_put_f32(struct export_out *out, const char *key, float value);
void gguf_put_text(struct export_out *out, const char *key, const char *value);
/* The n elements follow. */
void gguf_put_array(struct export_out *out, const char *key, uint32_t type, uint64_t n);

/* An entry of the list of tensors; rows 0: a vector. at: where its data begins among all data. */
void gguf_put_tensor(struct export_out *out, const char *name, uint64_t rows, uint64_t cols,
                     enum export_type type, uint64_t at);
/* Bytes of n numbers with what follows them to the next tensor. */
uint64_t gguf_padded_bytes(uint64_t n, enum export_type type);
/* n numbers of a tensor. Only whole numbers and halves come in less than a block at the end. */
void gguf_put_values(struct export_out *out, const float *values, size_t n, enum export_type type);
/* To the next multiple of the alignment. */
void gguf_put_padding(struct export_out *out);

#endif
