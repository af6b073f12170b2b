/* Safetensors that a trainer reads: the tensors of a checkpoint are F32 and of one or two
 * dimensions. */
#include "base/bytes.h"
#include "base/error.h"
#include "train/output/safetensors.h"

static enum smol_status check(const struct smol_array *array, struct smol_error *error)
{
    if (array->type != SMOL_ARRAY_F32)
        return smol_fail(error, SMOL_E_ENUM, SMOL_NO_OFFSET,
                         "tensor %.64s: its numbers are not F32", array->name);
    if (array->n_dims < 1 || array->n_dims > 2)
        return smol_fail(error, SMOL_E_RANGE, SMOL_NO_OFFSET,
                         "tensor %.64s: not of one or two dimensions", array->name);
    return SMOL_OK;
}

enum smol_status smol_tensor_file_parse(struct smol_safetensors **out, const uint8_t *bytes,
                                        size_t size_bytes, struct smol_error *error)
{
    struct smol_safetensors *f;
    const struct smol_array *array;
    enum smol_status status = smol_safetensors_create(&f, bytes, size_bytes, error);

    if (status != SMOL_OK)
        return status;
    for (size_t i = 0; status == SMOL_OK && (array = smol_safetensors_at(f, i)); i++)
        status = check(array, error);
    if (status != SMOL_OK)
        smol_safetensors_destroy(f);
    else
        *out = f;
    return status;
}

enum smol_status smol_tensor_file_read(real *values, const struct smol_safetensors *f,
                                       const char *name, size_t rows, size_t cols,
                                       struct smol_error *error)
{
    const struct smol_array *a = smol_safetensors_find(f, name);

    if (!a)
        return smol_fail(error, SMOL_E_TENSOR, SMOL_NO_OFFSET, "there is no tensor %.64s", name);
    if ((a->n_dims == 2 ? a->shape[0] : 1) != rows || a->shape[a->n_dims - 1] != cols)
        return smol_fail(error, SMOL_E_SIZE, SMOL_NO_OFFSET,
                         "tensor %.64s: its shape is not %zu x %zu", name, rows, cols);
    for (size_t i = 0; i < rows * cols; i++)
        values[i] = (real)smol_load_f32(a->data + 4 * i);
    return SMOL_OK;
}
