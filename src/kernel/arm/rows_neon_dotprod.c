/* What the dot-product instructions of AArch64 make faster: rows of 8-bit embeddings, and the
 * approximate product. */
#include "kernel/arm/fast_neon.h"
#include "kernel/rows.h"

/* X = 256 h + l as bytes h, then l. */
static void prepare_q8(void *vector, const int16_t *X, size_t cols)
{
    split_bytes(vector, (int8_t *)vector + cols, X, cols, cols);
}

/* A lane holds four products of at most 2^14 for each 16 columns: 65,536 columns fit. */
static int64_t dot_q8(const struct row *row, const void *vector, size_t cols)
{
    const int8_t *h = vector, *l = h + cols;
    int32x4_t sum_h = vdupq_n_s32(0), sum_l = sum_h;
    int64_t rest = 0;
    size_t i = 0;

    for (; i + 16 <= cols; i += 16) {
        const int8x16_t q = vreinterpretq_s8_u8(vld1q_u8(row->data + i));
        sum_h = vdotq_s32(sum_h, q, vld1q_s8(h + i));
        sum_l = vdotq_s32(sum_l, q, vld1q_s8(l + i));
    }
    for (; i < cols; i++)
        rest += (int32_t)(int8_t)row->data[i] * (256 * h[i] + l[i]);
    return 256 * vaddlvq_s32(sum_h) + vaddlvq_s32(sum_l) + rest;
}

ROWS_PRODUCT(smol_rows_q8_neon_dotprod, SMOL_Q8, prepare_q8, dot_q8)

static int64_t dot_bytes(const int8_t *w, const int8_t *x, size_t n)
{
    int32x4_t sum = vdupq_n_s32(0);

    for (size_t i = 0; i < n; i += 16)
        sum = vdotq_s32(sum, vld1q_s8(w + i), vld1q_s8(x + i));
    return vaddlvq_s32(sum);
}

#define FAST_PRODUCT smol_frozen_fast_neon_dotprod
#include "kernel/product_fast.h"
