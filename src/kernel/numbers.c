/* Stored numbers as floats. SPEC.md 3.2 and 3.3. */
#include "base/bytes.h"
#include "kernel/kernel.h"

#include <smol/params.h>

void smol_numbers_to_f32(float *values, enum smol_dtype type, const uint8_t *data, float scale,
                         size_t n)
{
    switch (type) {
    case SMOL_F32:
        for (size_t i = 0; i < n; i++)
            values[i] = smol_load_f32(data + 4 * i);
        break;
    case SMOL_F16:
        for (size_t i = 0; i < n; i++)
            values[i] = smol_load_f16(data + 2 * i);
        break;
    case SMOL_Q8:
        for (size_t i = 0; i < n; i++)
            values[i] = scale * (float)(int8_t)data[i];
        break;
    case SMOL_Q4: /* only whole rows, by smol_embedding_row */
    case SMOL_Q8_BLOCKS: /* only arrays, by smol_params_to_f32 */ break;
    }
}

void smol_params_to_f32(float *values, enum smol_dtype type, const uint8_t *array, uint64_t first,
                        size_t n)
{
    if (type != SMOL_Q8_BLOCKS) {
        smol_numbers_to_f32(values, type, array + first * smol_dtype_bytes(type), 0, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const uint8_t *block = array + (first + i) / SMOL_Q8_BLOCK * SMOL_Q8_BLOCK_BYTES;
        const float scale = smol_bits_f32((uint32_t)smol_le16(block) << 16);

        values[i] = scale * (float)(int8_t)block[2 + (first + i) % SMOL_Q8_BLOCK];
    }
}

static void q4_row(float *x, const struct smol_table_view *table, uint32_t row, float scale)
{
    const uint8_t *data = table->data + row * smol_row_bytes(SMOL_Q4, table->cols);
    const uint8_t *multipliers =
        table->multipliers + (uint64_t)row * smol_row_multipliers(table->cols);

    for (uint32_t i = 0; i < table->cols; i++)
        x[i] = scale * (float)(multipliers[i / SMOL_Q4_GROUP] * smol_q4(data, i));
}

void smol_embedding_row(float *x, const struct smol_table_view *table, uint32_t row)
{
    const float scale = table->scales ? smol_load_f32(table->scales + 4 * (uint64_t)row) : 0;

    if (table->type == SMOL_Q4)
        q4_row(x, table, row, scale);
    else
        smol_numbers_to_f32(x, table->type,
                            table->data + row * smol_row_bytes(table->type, table->cols), scale,
                            table->cols);
}
