/* Stored numbers as floats. SPEC.md 3.3. */
#include "base/bytes.h"
#include "kernel/kernel.h"

void smol_numbers_to_f32(float *values, enum smol_number type, const uint8_t *data, float scale, size_t n)
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
	}
}

void smol_embedding_row(float *x, const struct smol_table_view *table, uint32_t row)
{
	const uint64_t number = table->type == SMOL_F32 ? 4 : table->type == SMOL_F16 ? 2 : 1;

	smol_numbers_to_f32(x, table->type, table->data + (uint64_t)row * table->cols * number,
	                    table->scales ? smol_load_f32(table->scales + 4 * (uint64_t)row) : 0, table->cols);
}
