/* Reading safetensors: u64 length of the header, the header as JSON, the tensors' bytes. */
#include "base/bytes.h"
#include "base/error.h"

#include <smol/arrays.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

struct smol_safetensors {
    json_t *header;
    const json_t *metadata; /* an object of strings, or NULL */
    struct smol_array *arrays;
    size_t n_arrays;
};

/* The types whose size is known. Those of any other name are passed over too. */
static const struct type {
    const char *name;
    enum smol_array_type type;
    uint8_t bits;
} types[] = {
    {"F32", SMOL_ARRAY_F32, 32},          {"F16", SMOL_ARRAY_F16, 16},
    {"BF16", SMOL_ARRAY_BF16, 16},        {"F64", SMOL_ARRAY_F64, 64},
    {"BOOL", SMOL_ARRAY_OTHER, 8},        {"U8", SMOL_ARRAY_OTHER, 8},
    {"I8", SMOL_ARRAY_OTHER, 8},          {"U16", SMOL_ARRAY_OTHER, 16},
    {"I16", SMOL_ARRAY_OTHER, 16},        {"U32", SMOL_ARRAY_OTHER, 32},
    {"I32", SMOL_ARRAY_OTHER, 32},        {"U64", SMOL_ARRAY_OTHER, 64},
    {"I64", SMOL_ARRAY_OTHER, 64},        {"C64", SMOL_ARRAY_OTHER, 64},
    {"F8_E4M3", SMOL_ARRAY_OTHER, 8},     {"F8_E5M2", SMOL_ARRAY_OTHER, 8},
    {"F8_E8M0", SMOL_ARRAY_OTHER, 8},     {"F8_E4M3FNUZ", SMOL_ARRAY_OTHER, 8},
    {"F8_E5M2FNUZ", SMOL_ARRAY_OTHER, 8}, {"F6_E2M3", SMOL_ARRAY_OTHER, 6},
    {"F6_E3M2", SMOL_ARRAY_OTHER, 6},     {"F4", SMOL_ARRAY_OTHER, 4},
};

static const struct type *find_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(name, types[i].name) == 0)
            return &types[i];
    return NULL;
}

/* A whole number from 0 up. */
static bool read_count(uint64_t *count, const json_t *json)
{
    if (!json_is_integer(json) || json_integer_value(json) < 0)
        return false;
    *count = (uint64_t)json_integer_value(json);
    return true;
}

/* The shape, and that it makes the size; with too many dimensions it is passed over. */
static enum smol_status read_shape(struct smol_array *array, const json_t *shape, uint64_t bits,
                                   struct smol_error *error)
{
    const size_t n_dims = json_array_size(shape);
    uint64_t size, count = 1;

    if (!json_is_array(shape))
        return smol_fail(error, SMOL_E_RANGE, SMOL_NO_OFFSET, "tensor %.64s: its shape is no list",
                         array->name);
    for (size_t i = 0; i < n_dims; i++) {
        if (!read_count(&size, json_array_get(shape, i)))
            return smol_fail(error, SMOL_E_RANGE, SMOL_NO_OFFSET,
                             "tensor %.64s: a dimension is not a whole number", array->name);
        if (!smol_mul(&count, count, size))
            return smol_fail(error, SMOL_E_SIZE, SMOL_NO_OFFSET, "tensor %.64s: too large",
                             array->name);
        if (n_dims <= SMOL_ARRAY_MAX_DIMS)
            array->shape[array->n_dims++] = size;
    }
    if (n_dims > SMOL_ARRAY_MAX_DIMS)
        array->type = SMOL_ARRAY_OTHER;
    if (!smol_mul(&count, count, bits) || count / 8 != array->size_bytes || count % 8 != 0)
        return smol_fail(error, SMOL_E_SIZE, SMOL_NO_OFFSET,
                         "tensor %.64s: its bytes contradict its shape", array->name);
    return SMOL_OK;
}

/* One member of the header; the data begins at data and has data_bytes. */
static enum smol_status read_array(struct smol_array *array, const char *name, const json_t *value,
                                   const uint8_t *data, uint64_t data_bytes,
                                   struct smol_error *error)
{
    const char *type_name = json_string_value(json_object_get(value, "dtype"));
    const struct type *type = type_name ? find_type(type_name) : NULL;
    const json_t *offsets = json_object_get(value, "data_offsets");
    uint64_t begin, end;

    array->name = name;
    if (!type_name)
        return smol_fail(error, SMOL_E_ENUM, SMOL_NO_OFFSET, "tensor %.64s: no number type", name);
    if (json_array_size(offsets) != 2 || !read_count(&begin, json_array_get(offsets, 0)) ||
        !read_count(&end, json_array_get(offsets, 1)) || end < begin || end > data_bytes)
        return smol_fail(error, SMOL_E_RANGE, SMOL_NO_OFFSET,
                         "tensor %.64s: its data is outside the file", name);
    array->type = type ? type->type : SMOL_ARRAY_OTHER;
    array->data = data + begin;
    array->size_bytes = end - begin;
    return type ? read_shape(array, json_object_get(value, "shape"), type->bits, error) : SMOL_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct smol_array *x = a, *y = b;

    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return (x->size_bytes > y->size_bytes) - (x->size_bytes < y->size_bytes);
}

/* The tensors in the order of their data must follow each other exactly. */
static enum smol_status check_cover(struct smol_safetensors *f, const uint8_t *data,
                                    const uint8_t *end, struct smol_error *error)
{
    qsort(f->arrays, f->n_arrays, sizeof *f->arrays, by_place);
    for (size_t i = 0; i < f->n_arrays; i++) {
        if (f->arrays[i].data != data)
            return smol_fail(error, SMOL_E_SECTION, SMOL_NO_OFFSET,
                             "tensor %.64s: a hole or an overlap before it", f->arrays[i].name);
        data += f->arrays[i].size_bytes;
    }
    if (data != end)
        return smol_fail(error, SMOL_E_TRAILING, SMOL_NO_OFFSET, "bytes after the last tensor");
    return SMOL_OK;
}

static enum smol_status check_metadata(const struct smol_safetensors *f, struct smol_error *error)
{
    const char *key;
    json_t *value;

    if (f->metadata == NULL || json_is_null(f->metadata))
        return SMOL_OK;
    if (!json_is_object(f->metadata))
        return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET, "the metadata is not an object");
    json_object_foreach((json_t *)(uintptr_t)f->metadata, key, value)
    {
        if (!json_is_string(value))
            return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET, "metadata %.64s: not a string",
                             key);
    }
    return SMOL_OK;
}

static enum smol_status read_arrays(struct smol_safetensors *f, const uint8_t *data,
                                    uint64_t data_bytes, struct smol_error *error)
{
    const char *key;
    json_t *value;

    f->metadata = json_object_get(f->header, "__metadata__");
    f->arrays = calloc(json_object_size(f->header) + 1, sizeof *f->arrays);
    if (f->arrays == NULL)
        return smol_fail_memory(error);
    json_object_foreach(f->header, key, value)
    {
        enum smol_status status;

        if (strcmp(key, "__metadata__") == 0)
            continue;
        status = read_array(f->arrays + f->n_arrays++, key, value, data, data_bytes, error);
        if (status != SMOL_OK)
            return status;
    }
    return SMOL_OK;
}

/* The header as JSON. Jansson bounds its depth; the limit of its length bounds its memory. */
static enum smol_status read_header(json_t **header, const uint8_t *bytes, size_t size_bytes,
                                    struct smol_error *error)
{
    uint64_t header_bytes;
    json_error_t json_error;

    if (size_bytes < 8)
        return smol_fail(error, SMOL_E_TRUNCATED, size_bytes,
                         "ends before the length of its header");
    header_bytes = smol_le64(bytes);
    if (header_bytes > SMOL_SAFETENSORS_MAX_HEADER)
        return smol_fail(error, SMOL_E_RANGE, 0, "a header of %" PRIu64 " bytes", header_bytes);
    if (header_bytes > size_bytes - 8)
        return smol_fail(error, SMOL_E_TRUNCATED, size_bytes, "ends inside its header");
    *header = json_loadb((const char *)bytes + 8, (size_t)header_bytes, JSON_REJECT_DUPLICATES,
                         &json_error);
    if (!*header && json_error_code(&json_error) == json_error_out_of_memory)
        return smol_fail_memory(error);
    if (!*header && json_error_code(&json_error) == json_error_duplicate_key)
        return smol_fail(error, SMOL_E_TEXT, 8 + (uint64_t)json_error.position,
                         "the header has a duplicate key");
    return json_is_object(*header)
               ? SMOL_OK
               : smol_fail(error, SMOL_E_TEXT, 8, "the header is not a JSON object");
}

static enum smol_status parse(struct smol_safetensors *f, const uint8_t *bytes, size_t size_bytes,
                              struct smol_error *error)
{
    enum smol_status status = read_header(&f->header, bytes, size_bytes, error);
    const uint8_t *data;

    if (status)
        return status;
    data = bytes + 8 + smol_le64(bytes);
    status = read_arrays(f, data, (uint64_t)(bytes + size_bytes - data), error);
    if (!status)
        status = check_metadata(f, error);
    return status ? status : check_cover(f, data, bytes + size_bytes, error);
}

enum smol_status smol_safetensors_create(struct smol_safetensors **file, const uint8_t *bytes,
                                         size_t size_bytes, struct smol_error *error)
{
    struct smol_safetensors *f = calloc(1, sizeof *f);
    enum smol_status status = f ? parse(f, bytes, size_bytes, error) : smol_fail_memory(error);

    if (status)
        smol_safetensors_destroy(f);
    else
        *file = f;
    return status;
}

void smol_safetensors_destroy(struct smol_safetensors *f)
{
    if (!f)
        return;
    json_decref(f->header);
    free(f->arrays);
    free(f);
}

const struct smol_array *smol_safetensors_at(const struct smol_safetensors *f, size_t index)
{
    return index < f->n_arrays ? f->arrays + index : NULL;
}

const struct smol_array *smol_safetensors_find(const struct smol_safetensors *f, const char *name)
{
    for (size_t i = 0; i < f->n_arrays; i++)
        if (strcmp(f->arrays[i].name, name) == 0)
            return f->arrays + i;
    return NULL;
}

const char *smol_safetensors_text(const struct smol_safetensors *f, const char *key)
{
    return json_string_value(json_object_get(f->metadata, key));
}
