/* Values in file encoding to floats: halves, 8 bits, 4 bits. SPEC.md 3.2 and 3.3. The opposite
 * direction is public: <smol/params.h>. */
#ifndef SMOL_NUMBER_H
#define SMOL_NUMBER_H

#include "base/bytes.h"

#include <smol/file.h>
#include <smol/params.h>

/* binary16 to binary32, exact; infinities and NaNs stay as they are. */
static inline float smol_f16_to_f32(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    const uint32_t rest = h & 0x7fffu;

    if (rest >= 0x7c00u)
        return smol_bits_f32(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
    /* Subnormal halves are normal floats: scale the integer by 2^-24. */
    if (rest < 0x400u)
        return smol_bits_f32(smol_f32_bits((float)rest * 0x1p-24f) | sign);
    return smol_bits_f32(sign | ((rest << 13) + 0x38000000u));
}

static inline float smol_load_f16(const uint8_t *p) { return smol_f16_to_f32(smol_le16(p)); }

/* binary32 to binary16, to nearest even; too large becomes infinite. */
uint16_t smol_f32_to_f16(float f);

/* Number i of a row of 4-bit numbers, -8..7 (SPEC.md 3.3). */
static inline int32_t smol_q4(const uint8_t *row, size_t i)
{
    const uint8_t byte = row[i / 64 * 32 + i % 32];
    const int32_t nibble = i % 64 < 32 ? byte & 15 : byte >> 4;

    return nibble < 8 ? nibble : nibble - 16;
}

/* The same of a row of q4-row, of so many bytes. */
static inline int32_t smol_q4_row(const uint8_t *row, size_t row_bytes, size_t i)
{
    const int32_t nibble = i < row_bytes ? row[i] & 15 : row[i - row_bytes] >> 4;

    return nibble < 8 ? nibble : nibble - 16;
}

/* Number i of a row of ternary numbers, -1..1, of so many bytes (SPEC.md 3.3): of five in a byte
 * the first is in the highest digits. */
static inline int32_t smol_ternary(const uint8_t *row, size_t row_bytes, size_t i)
{
    static const uint8_t powers[] = {1, 3, 9, 27, 81};
    const uint8_t lower = (uint8_t)(row[i % row_bytes] * powers[i / row_bytes]);

    return (3 * lower >> 8) - 1;
}

/* The largest of x (n), numbers, n > 0. */
float smol_largest(const float *x, size_t n);

/* Values in file encoding, F32, F16 or Q8, to floats; scale is used for Q8 only. */
void smol_numbers_to_f32(float *values, enum smol_dtype type, const uint8_t *data, float scale,
                         size_t n);

/* Numbers first.. of an array of parameters as floats. SPEC.md 3.2. */
void smol_params_to_f32(float *values, enum smol_dtype type, const uint8_t *array, uint64_t first,
                        size_t n);

/* What smol_encode_q8() does, in the environment that is set (base/fpenv.h). */
float smol_f32_to_q8(uint8_t *dest, const float *values, size_t n);

/* A table of q4-row as one of q4: view's type, rows and columns, and the memory that it points to,
 * written. */
void smol_q4_row_unpack(const struct smol_table_view *from, uint8_t *data, uint8_t *multipliers,
                        uint8_t *scales);

/* x (C) = one row of a table of embeddings. */
void smol_embedding_row(float *x, const struct smol_table_view *table, uint32_t row);

#endif
