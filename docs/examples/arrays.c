/* Arrays in other programs' files: what a safetensors or .npy file holds, and the mean of each
 * array.
 *     cc -std=c11 arrays.c $(pkg-config --cflags --libs smol_train) -o arrays
 * Usage: arrays FILE */
#include <smol/arrays.h>
#include <smol/io.h>

#include <stdio.h>
#include <string.h>

#define PORTION 1024

/* Numbers become floats a portion at a time, whatever their type in the file. */
static enum smol_status print_array(const struct smol_array *array, struct smol_error *error)
{
    float values[PORTION];
    uint64_t n = 1;
    double sum = 0;

    for (uint32_t i = 0; i < array->n_dims; i++)
        n *= array->shape[i];
    for (uint64_t at = 0; at < n; at += PORTION) {
        const size_t some = n - at < PORTION ? (size_t)(n - at) : PORTION;
        if (smol_array_values(values, array, at, some, error))
            return error->code;
        for (size_t i = 0; i < some; i++)
            sum += (double)values[i];
    }
    printf("%s (", array->name ? array->name : "array");
    for (uint32_t i = 0; i < array->n_dims; i++)
        printf("%s%llu", i ? ", " : "", (unsigned long long)array->shape[i]);
    printf(") mean %.9g\n", n ? sum / (double)n : 0.0);
    return SMOL_OK;
}

static enum smol_status print_all(struct smol_span bytes, struct smol_error *error)
{
    struct smol_safetensors *file;
    const struct smol_array *tensor;
    struct smol_array array;
    enum smol_status status;

    if (bytes.size_bytes > 6 && memcmp(bytes.data, "\x93NUMPY", 6) == 0) {
        status = smol_npy_parse(&array, bytes.data, bytes.size_bytes, error);
        return status ? status : print_array(&array, error);
    }
    status = smol_safetensors_create(&file, bytes.data, bytes.size_bytes, error);
    if (status)
        return status;
    for (size_t i = 0; status == SMOL_OK && (tensor = smol_safetensors_at(file, i)); i++)
        if (tensor->type != SMOL_ARRAY_OTHER)
            status = print_array(tensor, error);
    smol_safetensors_destroy(file);
    return status;
}

int main(int argc, char **argv)
{
    struct smol_mapping mapping = {.fd = -1};
    struct smol_error error;
    int code;

    if (argc != 2) {
        fprintf(stderr, "usage: arrays FILE\n");
        return 2;
    }
    code = smol_mapping_open(&mapping, argv[1], &error) || print_all(mapping.bytes, &error);
    if (code)
        fprintf(stderr, "arrays: %s: %s\n", argv[1], error.text);
    smol_mapping_close(&mapping);
    return code;
}
