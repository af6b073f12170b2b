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

/* ggml's blocks (dequantize_row_q8_0 and its like): a scale that is a half, and integers. */
static float load_q8_0(const uint8_t *block, unsigned i)
{
    return smol_load_f16(block) * (float)(int8_t)block[2 + i];
}

static float load_q4_0(const uint8_t *block, unsigned i)
{
    const unsigned byte = block[2 + i % 16];

    return smol_load_f16(block) * (float)((int)(i < 16 ? byte & 15 : byte >> 4) - 8);
}

/* Two halves of 128 numbers: of each, 64 bytes with the low four bits of two numbers, 32 with the
 * high two of four, and 8 scales, one for 16 numbers. Exact: 11, 8 and 6 bits. */
static float load_q6_k(const uint8_t *block, unsigned i)
{
    const unsigned half = i / 128, quarter = i % 128 / 32, l = i % 32;
    const unsigned low = block[64 * half + l + 32 * (quarter % 2)] >> (quarter / 2 * 4) & 15,
                   high = block[128 + 32 * half + l] >> (2 * quarter) & 3;
    const int8_t scale = (int8_t)block[192 + 8 * half + 2 * quarter + l / 16];

    return smol_load_f16(block + 208) * (float)scale * (float)((int)(low | high << 4) - 32);
}

static float load(enum smol_array_type type, const uint8_t *data, uint64_t i)
{
    switch (type) {
    case SMOL_ARRAY_F32: return smol_load_f32(data + 4 * i);
    case SMOL_ARRAY_F16: return smol_load_f16(data + 2 * i);
    case SMOL_ARRAY_BF16: /* the upper half of a float */
        return smol_bits_f32((uint32_t)smol_le16(data + 2 * i) << 16);
    case SMOL_ARRAY_F64: return (float)load_f64(data + 8 * i);
    case SMOL_ARRAY_Q8_0: return load_q8_0(data + i / 32 * 34, (unsigned)(i % 32));
    case SMOL_ARRAY_Q4_0: return load_q4_0(data + i / 32 * 18, (unsigned)(i % 32));
    case SMOL_ARRAY_Q6_K: return load_q6_k(data + i / 256 * 210, (unsigned)(i % 256));
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
                         "its numbers are neither floats nor ggml's Q8_0, Q4_0 or Q6_K");
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
