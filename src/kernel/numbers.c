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
