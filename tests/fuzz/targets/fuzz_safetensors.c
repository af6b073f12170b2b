/* The fuzz target of the safetensors reader. What is accepted covers the file without holes, and
 * can be read. */
#include "base/bytes.h"
#include "fuzz.h"
#include "mutate.h"
#include "read_array.h"

#include <smol/arrays.h>

#include <jansson.h>
#include <stdlib.h>

#define MAX_HEADER 4096u

const char fuzz_name[] = "safetensors";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smol_safetensors *file;
    const struct smol_array *a;
    struct smol_error error = {0};
    const enum smol_status status = smol_safetensors_create(&file, data, size, &error);
    const uint8_t *at;

    if (status) {
        fuzz_require(error.code == status && error.text[0] != '\0' &&
                     (error.offset == SMOL_NO_OFFSET || error.offset <= size));
        return 0;
    }
    at = data + 8 + smol_le64(data);
    for (size_t i = 0; (a = smol_safetensors_at(file, i)) != NULL; i++) {
        fuzz_require(a->data == at && a->n_dims <= SMOL_ARRAY_MAX_DIMS);
        fuzz_require(smol_safetensors_find(file, a->name) == a);
        at += a->size_bytes;
        fuzz_read_array(a);
    }
    fuzz_require(at == data + size);
    smol_safetensors_text(file, "format");
    smol_safetensors_destroy(file);
    return 0;
}

/* Where the last tensor ends, if the header says so. */
static size_t data_end(const uint8_t *text, size_t n)
{
    json_t *header = json_loadb((const char *)text, n, 0, NULL), *value;
    json_int_t end = 0;
    const char *key;

    json_object_foreach(header, key, value)
    {
        const json_int_t e =
            json_integer_value(json_array_get(json_object_get(value, "data_offsets"), 1));
        end = e > end ? e : end;
    }
    json_decref(header);
    return end > 0 && end < 4096 ? (size_t)end : 0;
}

/* Damage to the header's text, with its length repaired and as many bytes behind it as it asks for,
 * or anywhere. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    static const char *const words[] = {"{",
                                        "}",
                                        "[",
                                        "]",
                                        ",",
                                        ":",
                                        "\"",
                                        "\"a\"",
                                        "\"dtype\":",
                                        "\"shape\":",
                                        "\"data_offsets\":",
                                        "\"__metadata__\":",
                                        "\"F32\"",
                                        "\"F16\"",
                                        "\"BF16\"",
                                        "\"F64\"",
                                        "\"BOOL\"",
                                        "\"I64\"",
                                        "\"F8_E4M3\"",
                                        "\"F4\"",
                                        "\"C64\"",
                                        "\"new\"",
                                        "0",
                                        "1",
                                        "24",
                                        "-1",
                                        "4294967296",
                                        "9223372036854775807",
                                        "18446744073709551616",
                                        "1e3",
                                        "0.0",
                                        "null",
                                        "true",
                                        "\\u0000",
                                        "\\ud800",
                                        "[[[[[[[[",
                                        " ",
                                        "\"wte.weight\"",
                                        "[1,1,2,3]",
                                        "[1,1,1,1,1,1,1,2,3]",
                                        NULL};
    uint8_t text[MAX_HEADER];
    uint64_t random = seed;
    size_t n, n_data;

    if (size < 8 || mutate_random(&random) % 8 == 0)
        return mutate(data, size, capacity, &random);
    n = smol_le64(data) < size - 8 ? (size_t)smol_le64(data) : size - 8;
    n = n < MAX_HEADER / 2 ? n : MAX_HEADER / 2;
    memcpy(text, data + 8, n);
    n = mutate_text(text, n, MAX_HEADER, words, &random);
    n_data = mutate_random(&random) % 4 ? data_end(text, n) : mutate_random(&random) % 64;
    if (8 + n + n_data > capacity)
        return size;
    smol_put64(data, n);
    memcpy(data + 8, text, n);
    for (size_t i = 0; i < n_data; i++)
        data[8 + n + i] = (uint8_t)mutate_random(&random);
    return 8 + n + n_data;
}
