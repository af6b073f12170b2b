/* What the dot-product instructions of AArch64 make faster: rows of 8-bit embeddings, and the
 * approximate product. */
#include "kernel/arm/registers_neon.h"

/* X = 256 h + l as bytes h, then l, each padded with zeros to n. */
static void split_vector(int8_t *split, const int16_t *X, size_t cols, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int x = i < cols ? X[i] : 0, h = (x + 32768 + 128) / 256 - 128;
        split[i] = (int8_t)h;
        split[n + i] = (int8_t)(x - 256 * h);
    }
}

/* A lane holds four products of at most 2^14 for each 16 columns: 65,536 columns fit. */
static int64_t dot_q8(const uint8_t *row, const int8_t *split, size_t cols, size_t n)
{
    int32x4_t sum_h = vdupq_n_s32(0), sum_l = sum_h;
    int64_t rest = 0;
    size_t i = 0;

    for (; i + 16 <= cols; i += 16) {
        const int8x16_t q = vreinterpretq_s8_u8(vld1q_u8(row + i));
        sum_h = vdotq_s32(sum_h, q, vld1q_s8(split + i));
        sum_l = vdotq_s32(sum_l, q, vld1q_s8(split + n + i));
    }
    for (; i < cols; i++)
        rest += (int32_t)(int8_t)row[i] * (256 * split[i] + split[n + i]);
    return 256 * vaddlvq_s32(sum_h) + vaddlvq_s32(sum_l) + rest;
}

void smol_rows_q8_neon_dotprod(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                               size_t x_stride, size_t n_x, void *scratch)
{
    const size_t n = smol_round_up(rows->cols, 16);

    for (size_t i = 0; i < n_x; i++) {
        split_vector(scratch, X + i * x_stride, rows->cols, n);
        for (size_t r = 0; r < rows->n_rows; r++)
            sums[i * rows->n_rows + r] =
                dot_q8(rows->data + r * rows->cols, scratch, rows->cols, n);
    }
}

static int64_t dot_high_bytes(const int8_t *w, const int8_t *x, size_t n)
{
    int32x4_t sum = vdupq_n_s32(0);

    for (size_t i = 0; i < n; i += 16)
        sum = vdotq_s32(sum, vld1q_s8(w + i), vld1q_s8(x + i));
    return vaddlvq_s32(sum);
}

void smol_frozen_fast_neon_dotprod(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                                   uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                                   void *scratch)
{
    fast_product(sums, t, block, n_blocks, X, x_stride, n_x, scratch, dot_high_bytes);
}
