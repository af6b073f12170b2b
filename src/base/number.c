/* Values in file encoding: their sizes, and conversion to and from floats. SPEC.md 3.2 and 3.3. */
#include "base/number.h"

#include "base/fpenv.h"

#include <math.h>

uint32_t smol_dtype_bytes(enum smol_dtype type)
{
    return type == SMOL_F32 ? 4u : type == SMOL_F16 ? 2u : 1u;
}

uint64_t smol_params_array_bytes(enum smol_dtype type, uint64_t n)
{
    return type == SMOL_Q8_BLOCKS ? n + (n + SMOL_Q8_BLOCK - 1) / SMOL_Q8_BLOCK * 2
                                  : n * smol_dtype_bytes(type);
}

uint64_t smol_row_bytes(enum smol_dtype type, uint32_t cols)
{
    return type == SMOL_Q4        ? ((uint64_t)cols + 63) / 64 * 32
           : type == SMOL_TERNARY ? ((uint64_t)cols + 4) / 5
           : type == SMOL_Q4_ROW  ? ((uint64_t)cols + 1) / 2
                                  : (uint64_t)cols * smol_dtype_bytes(type);
}

uint64_t smol_mask_row_bytes(uint32_t cols) { return ((uint64_t)cols + 7) / 8; }

uint32_t smol_row_multipliers(uint32_t cols) { return (cols + 63) / 64 * 2; }

uint16_t smol_f32_to_f16(float f)
{
    const uint32_t bits = smol_f32_bits(f);
    const uint32_t sign = bits >> 16 & 0x8000u;
    const uint32_t rest = bits & 0x7fffffffu;

    if (rest > 0x7f800000u) /* NaN: quiet */
        return (uint16_t)(sign | 0x7e00u);
    if (rest >= 0x477ff000u) /* 65520 and over round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (rest < 0x38800000u) {
        /* Below 2^-14 the spacing is 2^-24: adding 0.5, whose own spacing that is, rounds. */
        const float sum = smol_bits_f32(rest) + 0.5f;
        return (uint16_t)(sign | (smol_f32_bits(sum) - 0x3f000000u));
    }
    /* Half to even at bit 13, then move the exponent's bias from 127 to 15. */
    const uint32_t rounded = rest + 0xfffu + (rest >> 13 & 1u);
    return (uint16_t)(sign | ((rounded - 0x38000000u) >> 13));
}

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
    case SMOL_Q4:
    case SMOL_TERNARY:
    case SMOL_Q4_ROW: /* only whole rows, by smol_embedding_row */
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

/* x (n) = scale m q of the numbers q in four bits of n bytes: from bit 0 or 4 on. */
static void from_nibbles(float *x, const uint8_t *bytes, size_t n, unsigned bit, int32_t m,
                         float scale)
{
    for (size_t i = 0; i < n; i++)
        x[i] = scale * (float)(m * (((bytes[i] >> bit & 15) ^ 8) - 8));
}

static void q4_row(float *x, const struct smol_table_view *table, uint32_t row, float scale)
{
    const uint8_t *data = table->data + row * smol_row_bytes(SMOL_Q4, table->cols);
    const uint8_t *multipliers =
        table->multipliers + (uint64_t)row * smol_row_multipliers(table->cols);

    for (uint32_t c = 0; c < table->cols; c += SMOL_Q4_GROUP) {
        const uint32_t left = table->cols - c, n = left < SMOL_Q4_GROUP ? left : SMOL_Q4_GROUP;
        from_nibbles(x + c, data + c / 64 * 32, n, c % 64 < 32 ? 0 : 4, *multipliers++, scale);
    }
}

static void ternary_row(float *x, const struct smol_table_view *table, uint32_t row, float scale)
{
    const size_t row_bytes = (size_t)smol_row_bytes(SMOL_TERNARY, table->cols);
    const uint8_t *data = table->data + row * row_bytes;

    for (uint32_t i = 0; i < table->cols; i++)
        x[i] = scale * (float)smol_ternary(data, row_bytes, i);
}

static void q4_row_row(float *x, const struct smol_table_view *table, uint32_t row)
{
    const size_t row_bytes = (size_t)smol_row_bytes(SMOL_Q4_ROW, table->cols);
    const uint8_t *data = table->data + row * row_bytes;
    const float scale = smol_load_f32(table->scales);

    from_nibbles(x, data, row_bytes, 0, table->multipliers[row], scale);
    from_nibbles(x + row_bytes, data, table->cols - row_bytes, 4, table->multipliers[row], scale);
}

void smol_embedding_row(float *x, const struct smol_table_view *table, uint32_t row)
{
    const bool has_scale = table->scales && table->type != SMOL_Q4_ROW;
    const float scale = has_scale ? smol_load_f32(table->scales + 4 * (uint64_t)row) : 0;

    if (table->type == SMOL_Q4_ROW)
        q4_row_row(x, table, row);
    else if (table->type == SMOL_Q4)
        q4_row(x, table, row, scale);
    else if (table->type == SMOL_TERNARY)
        ternary_row(x, table, row, scale);
    else
        smol_numbers_to_f32(x, table->type,
                            table->data + row * smol_row_bytes(table->type, table->cols), scale,
                            table->cols);
}

void smol_q4_row_unpack(const struct smol_table_view *from, uint8_t *data, uint8_t *multipliers,
                        uint8_t *scales)
{
    const size_t from_bytes = (size_t)smol_row_bytes(SMOL_Q4_ROW, from->cols),
                 to_bytes = (size_t)smol_row_bytes(SMOL_Q4, from->cols);
    const uint32_t n_multipliers = smol_row_multipliers(from->cols);

    memset(data, 0, from->rows * to_bytes);
    memset(multipliers, 0, (size_t)from->rows * n_multipliers);
    for (size_t r = 0; r < from->rows; r++, multipliers += n_multipliers) {
        for (uint32_t c = 0; c < from->cols; c++) {
            const uint32_t q = (uint32_t)smol_q4_row(from->data + r * from_bytes, from_bytes, c);

            data[r * to_bytes + c / 64 * 32 + c % 32] |=
                (uint8_t)((q & 15) << (c % 64 < 32 ? 0 : 4));
            multipliers[c / SMOL_Q4_GROUP] = from->multipliers[r];
        }
        memcpy(scales + 4 * r, from->scales, 4);
    }
}

/* Half to even for |x| < 2^22, clamped to -most..most: a subnormal scale is too coarse to keep a
 * quotient in range. */
static int32_t round_within(float x, int32_t most)
{
    const float magic = 0x1.8p23f;
    const float sum = x + magic, q = sum - magic;

    return q > (float)most ? most : q < -(float)most ? -most : (int32_t)q;
}

float smol_largest(const float *x, size_t n)
{
    float most[16]; /* compilers do not reorder a comparison of floats on their own */
    size_t i = 0;

    for (size_t j = 0; j < 16; j++)
        most[j] = x[0];
    for (; i + 16 <= n; i += 16)
        for (size_t j = 0; j < 16; j++)
            most[j] = x[i + j] > most[j] ? x[i + j] : most[j];
    for (; i < n; i++)
        most[0] = x[i] > most[0] ? x[i] : most[0];
    for (size_t j = 1; j < 16; j++)
        most[0] = most[j] > most[0] ? most[j] : most[0];
    return most[0];
}

static float largest_of(const float *values, size_t n)
{
    float largest = 0;

    for (size_t i = 0; i < n; i++)
        largest = fabsf(values[i]) > largest ? fabsf(values[i]) : largest;
    return largest;
}

static void quantise(uint8_t *dest, const float *values, size_t n, float scale)
{
    for (size_t i = 0; i < n; i++)
        dest[i] = (uint8_t)(scale > 0 ? round_within(values[i] / scale, 127) : 0);
}

float smol_f32_to_q8(uint8_t *dest, const float *values, size_t n)
{
    const float scale = largest_of(values, n) / 127.0f;

    quantise(dest, values, n, scale);
    return scale;
}

float smol_encode_q8(uint8_t *dest, const float *values, size_t n)
{
    float scale;

    SMOL_IN_FPENV(scale = smol_f32_to_q8(dest, values, n));
    return scale;
}

/* One block; the scale is rounded up to the upper half of a float, so that no quotient is beyond
 * 127 by more than its rounding. */
static void encode_block(uint8_t *block, const float *values, size_t n)
{
    const uint32_t bits = smol_f32_bits(largest_of(values, n) / 127.0f),
                   half = (bits + 0xffffu) >> 16;

    smol_put16(block, (uint16_t)half);
    quantise(block + 2, values, n, smol_bits_f32(half << 16));
}

void smol_encode_numbers(uint8_t *dest, enum smol_dtype type, const float *values, size_t n)
{
    struct smol_fpenv host;

    smol_fpenv_set(&host, NULL);
    for (size_t i = 0; i < n; i++)
        if (type == SMOL_F32)
            smol_put32(dest + 4 * i, smol_f32_bits(values[i]));
        else if (type == SMOL_F16)
            smol_put16(dest + 2 * i, smol_f32_to_f16(values[i]));
        else if (i % SMOL_Q8_BLOCK == 0)
            encode_block(dest + i / SMOL_Q8_BLOCK * SMOL_Q8_BLOCK_BYTES, values + i,
                         n - i < SMOL_Q8_BLOCK ? n - i : SMOL_Q8_BLOCK);
    smol_fpenv_restore(&host);
}

void smol_decode_numbers(float *values, enum smol_dtype type, const uint8_t *data, size_t n)
{
    SMOL_IN_FPENV(smol_params_to_f32(values, type, data, 0, n));
}

static float f32_to_q4(uint8_t *dest, uint8_t *multipliers, const float *values, size_t n)
{
    const float scale = largest_of(values, n) / 1785.0f; /* 7 x 255 */

    memset(dest, 0, (size_t)smol_row_bytes(SMOL_Q4, (uint32_t)n));
    memset(multipliers, 0, smol_row_multipliers((uint32_t)n));
    for (size_t i = 0; scale > 0 && i < n; i += SMOL_Q4_GROUP) {
        const size_t end = n - i < SMOL_Q4_GROUP ? n : i + SMOL_Q4_GROUP;
        const int32_t m = round_within(largest_of(values + i, end - i) / 7.0f / scale, 255);
        const float step = scale * (float)m;
        multipliers[i / SMOL_Q4_GROUP] = (uint8_t)m;
        for (size_t j = i; m > 0 && j < end; j++) {
            const int32_t q = round_within(values[j] / step, 7);
            dest[j / 64 * 32 + j % 32] |= (uint8_t)((q & 15) << (j % 64 < 32 ? 0 : 4));
        }
    }
    return scale;
}

float smol_encode_q4(uint8_t *dest, uint8_t *multipliers, const float *values, size_t n)
{
    float scale;

    SMOL_IN_FPENV(scale = f32_to_q4(dest, multipliers, values, n));
    return scale;
}

void smol_encode_ternary(uint8_t *dest, const int8_t *values, size_t n)
{
    const size_t row_bytes = (size_t)smol_row_bytes(SMOL_TERNARY, (uint32_t)n);

    for (size_t i = 0; i < row_bytes; i++) {
        uint32_t v = 0;
        for (size_t k = 0, c = i; k < 5; k++, c += row_bytes)
            v = 3 * v + (uint32_t)((c < n ? values[c] : 0) + 1);
        dest[i] = (uint8_t)((256 * v + 242) / 243);
    }
}

void smol_decode_ternary(int8_t *values, const uint8_t *data, size_t n)
{
    const size_t row_bytes = (size_t)smol_row_bytes(SMOL_TERNARY, (uint32_t)n);

    for (size_t i = 0; i < n; i++)
        values[i] = (int8_t)smol_ternary(data, row_bytes, i);
}
