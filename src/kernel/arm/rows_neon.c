/* Rows of stored numbers times vectors, with NEON: embeddings of 8 and 4 bits, and integer weights
 * of 16. */
#include "kernel/arm/registers_neon.h"
#include "kernel/rows.h"

#define CHUNK 1024u /* columns of 8 bits: 256 products of less than 2^22 fit a lane */

static inline int32x4_t add_q8(int32x4_t sum, int16x8_t q, const int16_t *X)
{
    const int16x8_t x = vld1q_s16(X);

    return vmlal_high_s16(vmlal_s16(sum, vget_low_s16(q), vget_low_s16(x)), q, x);
}

static int64_t dot_q8(const struct row *row, const void *vector, size_t n)
{
    const int16_t *X = vector;
    int64x2_t sum = vdupq_n_s64(0);
    int64_t rest = 0;
    size_t i = 0;

    while (i + 16 <= n) {
        const size_t end = n - i < CHUNK ? n : i + CHUNK;
        int32x4_t part = vdupq_n_s32(0);
        for (; i + 16 <= end; i += 16) {
            const int8x16_t q = vreinterpretq_s8_u8(vld1q_u8(row->data + i));
            part = add_q8(part, vmovl_s8(vget_low_s8(q)), X + i);
            part = add_q8(part, vmovl_high_s8(q), X + i + 8);
        }
        sum = vpadalq_s32(sum, part);
    }
    for (; i < n; i++)
        rest += (int32_t)(int8_t)row->data[i] * X[i];
    return vaddvq_s64(sum) + rest;
}

ROWS_PRODUCT(smol_rows_q8_neon, SMOL_Q8, NULL, dot_q8)

/* ---- 4 bits ---- */

/* 32 columns of one multiplier: their sum, at most 2^18 x 8 in a lane, fits 32 bits with it. */
static inline int64x2_t add_group(int64x2_t sum, int8x16_t first, int8x16_t second,
                                  const int16_t *X, uint8_t multiplier)
{
    int32x4_t part = add_q8(vdupq_n_s32(0), vmovl_s8(vget_low_s8(first)), X);

    part = add_q8(part, vmovl_high_s8(first), X + 8);
    part = add_q8(part, vmovl_s8(vget_low_s8(second)), X + 16);
    part = add_q8(part, vmovl_high_s8(second), X + 24);
    return vpadalq_s32(sum, vmulq_n_s32(part, multiplier));
}

/* A byte's low or high half in two's complement. */
static inline int8x16_t signed_half(uint8x16_t half)
{
    return vsubq_s8(vreinterpretq_s8_u8(veorq_u8(half, vdupq_n_u8(8))), vdupq_n_s8(8));
}

/* With zeros in the columns of the last 64 that it does not have. */
static void prepare_q4(void *vector, const int16_t *X, size_t cols)
{
    memset(vector, 0, smol_round_up(cols, 64) * sizeof *X);
    memcpy(vector, X, cols * sizeof *X);
}

static int64_t dot_q4(const struct row *row, const void *vector, size_t cols)
{
    const int16_t *X = vector;
    const uint8x16_t low = vdupq_n_u8(15);
    int64x2_t sum = vdupq_n_s64(0);

    for (size_t i = 0; i < cols; i += 64) {
        const uint8x16_t a = vld1q_u8(row->data + i / 2), b = vld1q_u8(row->data + i / 2 + 16);
        sum = add_group(sum, signed_half(vandq_u8(a, low)), signed_half(vandq_u8(b, low)), X + i,
                        row->multipliers[i / 32]);
        sum = add_group(sum, signed_half(vshrq_n_u8(a, 4)), signed_half(vshrq_n_u8(b, 4)),
                        X + i + 32, row->multipliers[i / 32 + 1]);
    }
    return vaddvq_s64(sum);
}

ROWS_PRODUCT(smol_rows_q4_neon, SMOL_Q4, prepare_q4, dot_q4)

/* ---- integer weights ---- */

void smol_rows_i16_neon(int64_t *sums, const int16_t *w, size_t n_rows, size_t cols,
                        const int16_t *X)
{
    for (size_t r = 0; r < n_rows; r++)
        sums[r] = dot_int16(w + r * cols, X, cols);
}
