/* What a safetensors file begins with: u64 length of the header, the header as JSON. */
#include "base/bytes.h"
#include "base/error.h"
#include "interchange/json_text.h"

#include <smol/arrays.h>

#include <stdlib.h>

char *smol_json_text(const json_t *object, size_t flags)
{
    char *text = object ? json_dumps(object, flags) : NULL, *copy = NULL;
    json_free_t release;

    if (!text)
        return NULL;
    copy = malloc(strlen(text) + 1);
    if (copy)
        strcpy(copy, text);
    json_get_alloc_funcs(NULL, &release);
    release(text);
    return copy;
}

static json_t *describe(const struct smol_array *a, uint64_t begin)
{
    static const char *const types[] = {[SMOL_ARRAY_F32] = "F32",
                                        [SMOL_ARRAY_F16] = "F16",
                                        [SMOL_ARRAY_BF16] = "BF16",
                                        [SMOL_ARRAY_F64] = "F64"};
    json_t *shape = json_array();
    int bad = !shape;

    for (uint32_t i = 0; i < a->n_dims && !bad; i++)
        bad = json_array_append_new(shape, json_integer((json_int_t)a->shape[i]));
    if (bad) {
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", types[a->type], "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)(begin + a->size_bytes));
}

static int add_metadata(json_t *header, const struct smol_safetensors_member *metadata, size_t n)
{
    json_t *object = json_object();
    int bad = n > 0 ? json_object_set_new(header, "__metadata__", json_incref(object)) : 0;

    for (size_t i = 0; i < n && !bad; i++)
        bad = metadata[i].text
                  ? json_object_set_new(object, metadata[i].key, json_string(metadata[i].text))
                  : 0;
    json_decref(object);
    return bad;
}

enum smol_status smol_safetensors_header(uint8_t **header, size_t *size_bytes,
                                         const struct smol_array *arrays, size_t n_arrays,
                                         const struct smol_safetensors_member *metadata,
                                         size_t n_metadata, struct smol_error *error)
{
    json_t *json = json_object();
    int bad = add_metadata(json, metadata, n_metadata);
    uint8_t *bytes = NULL;
    char *text = NULL;
    uint64_t at = 0;

    for (size_t i = 0; i < n_arrays && !bad; at += arrays[i++].size_bytes)
        bad = json_object_set_new(json, arrays[i].name, describe(&arrays[i], at));
    if (!bad)
        text = smol_json_text(json, JSON_COMPACT);
    json_decref(json);
    if (text)
        bytes = malloc(8 + strlen(text) + 7);
    if (bytes) {
        const size_t n = strlen(text), n_padded = (size_t)smol_round_up(n, 8);
        smol_put64(bytes, n_padded);
        memcpy(bytes + 8, text, n);
        memset(bytes + 8 + n, ' ', n_padded - n);
        *header = bytes;
        *size_bytes = 8 + n_padded;
    }
    free(text);
    return bytes ? SMOL_OK : smol_fail_memory(error);
}
