/* Numbers of an array as floats. */
#include "base/error.h"
#include "base/fpenv.h"
#include "base/number.h"

#include <smol/arrays.h>

static double load_f64(const uint8_t *p)
{
    const uint64_t bits = smol_le64(p);
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static float load(enum smol_array_type type, const uint8_t *data, uint64_t i)
{
    switch (type) {
    case SMOL_ARRAY_F32: return smol_load_f32(data + 4 * i);
    case SMOL_ARRAY_F16: return smol_load_f16(data + 2 * i);
    case SMOL_ARRAY_BF16: /* the upper half of a float */
        return smol_bits_f32((uint32_t)smol_le16(data + 2 * i) << 16);
    case SMOL_ARRAY_F64: return (float)load_f64(data + 8 * i);
    case SMOL_ARRAY_OTHER: break;
    }
    return 0;
}

/* Where a number of those counted row by row is. */
static uint64_t place(const struct smol_array *array, uint64_t i)
{
    return array->is_fortran ? i % array->shape[1] * array->shape[0] + i / array->shape[1] : i;
}

static enum smol_status read(float *values, const struct smol_array *array, uint64_t first,
                             size_t n, struct smol_error *error)
{
    if (array->type == SMOL_ARRAY_OTHER)
        return smol_fail(error, SMOL_E_ENUM, SMOL_NO_OFFSET,
                         "its numbers are not floats of 16, 32 or 64 bits");
    for (size_t i = 0; i < n; i++) {
        const float value = load(array->type, array->data, place(array, first + i));
        if (!(value - value == 0))
            return smol_fail(error, SMOL_E_NUMERIC, SMOL_NO_OFFSET,
                             "number %llu is not a finite float", (unsigned long long)(first + i));
    }
    for (size_t i = 0; i < n; i++)
        values[i] = load(array->type, array->data, place(array, first + i));
    return SMOL_OK;
}

enum smol_status smol_array_values(float *values, const struct smol_array *array, uint64_t first,
                                   size_t n, struct smol_error *error)
{
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    return smol_fpenv_end(&host, status ? status : read(values, array, first, n, error));
}
