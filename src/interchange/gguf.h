/* What reading GGUF is made of: the values as they stand in the file, and the tensors. */
#ifndef SMOL_GGUF_H
#define SMOL_GGUF_H

#include <smol/arrays.h>

#define MAX_NAME_BYTES 63u /* as ggml has it, without a zero at the end */

/* GGUF's numbers for the types of values. */
enum value_type {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    BOOL,
    STRING,
    ARRAY,
    U64,
    I64,
    F64,
    N_VALUE_TYPES
};
/* Bytes of one; 0 of texts and lists. */
extern const uint8_t smol_gguf_value_bytes[N_VALUE_TYPES];

/* A value as it stands in the file. A list has n elements of its type. */
struct member {
    struct smol_span key, value;
    enum value_type type;
    bool is_list;
    uint64_t n;
};

struct tensor {
    struct smol_array array;
    uint64_t offset;               /* of its data, from where all data begins */
    char name[MAX_NAME_BYTES + 1]; /* to which array.name points */
};

struct smol_gguf {
    struct member *members;        /* in the order of their keys */
    struct tensor *tensors;        /* in that of the file */
    const struct tensor **by_name; /* in that of their names */
    size_t n_members, n_tensors;
};

/* The order of keys, for qsort and bsearch. */
int smol_gguf_by_key(const void *a, const void *b);

#endif
