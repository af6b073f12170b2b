/* Numbers as GGUF holds them: whole, halves, and ggml's blocks of 32 with a scale. Each step is
 * ggml's own (quantize_row_q8_0_ref and quantize_row_q4_0_ref), so that its tools would write the
 * same bytes. */
#include "smoltool/export/export.h"

#include <smol/initial.h>

#include <math.h>

#define HALF_LIMIT 65520.0f /* what rounds to more than the largest half */

size_t export_block_bytes(enum export_type type)
{
    static const size_t sizes[] = {
        [EXPORT_F32] = 128, [EXPORT_F16] = 64, [EXPORT_Q8_0] = 34, [EXPORT_Q4_0] = 18};

    return sizes[type];
}

static bool put_half(uint8_t *dest, float value)
{
    smol_encode_numbers(dest, SMOL_F16, &value, 1);
    return fabsf(value) < HALF_LIMIT;
}

/* The value of largest magnitude, the first among equals. */
static float extreme(const float *values)
{
    float most = 0.0f;

    for (unsigned i = 0; i < EXPORT_BLOCK; i++)
        if (fabsf(values[i]) > fabsf(most))
            most = values[i];
    return most;
}

/* 1 / step, of steps so small that this overflows 0: their half is 0 as well. */
static float inverse(float step)
{
    const float i = step != 0.0f ? 1.0f / step : 0.0f;

    return isfinite(i) ? i : 0.0f;
}

static bool q8_0(uint8_t *dest, const float *values)
{
    const float step = fabsf(extreme(values)) / 127.0f, i = inverse(step);

    for (unsigned k = 0; k < EXPORT_BLOCK; k++)
        dest[2 + k] = (uint8_t)(int8_t)roundf(values[k] * i);
    return put_half(dest, step);
}

/* 0..15 for -8..7 steps. */
static unsigned nibble(float value, float i)
{
    const int q = (int)(value * i + 8.5f);

    return q > 15 ? 15 : (unsigned)q;
}

/* Value k in the low four bits of byte k, value 16 + k in the high ones. */
static bool q4_0(uint8_t *dest, const float *values)
{
    const float step = extreme(values) / -8.0f, i = inverse(step);

    for (unsigned k = 0; k < EXPORT_BLOCK / 2; k++)
        dest[2 + k] =
            (uint8_t)(nibble(values[k], i) | nibble(values[EXPORT_BLOCK / 2 + k], i) << 4);
    return put_half(dest, step);
}

bool export_block(uint8_t *dest, enum export_type type, const float *values)
{
    if (type == EXPORT_Q8_0)
        return q8_0(dest, values);
    if (type == EXPORT_Q4_0)
        return q4_0(dest, values);
    if (type == EXPORT_F32) {
        smol_encode_numbers(dest, SMOL_F32, values, EXPORT_BLOCK);
        return true;
    }
    smol_encode_numbers(dest, SMOL_F16, values, EXPORT_BLOCK);
    return fabsf(extreme(values)) < HALF_LIMIT;
}
