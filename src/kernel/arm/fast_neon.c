/* The approximate product of frozen row blocks, with NEON. */
#include "kernel/arm/fast_neon.h"

/* Two products of bytes, at most 2 x 127 x 127, fit 16 bits. */
static int64_t dot_bytes(const int8_t *w, const int8_t *x, size_t n)
{
    int32x4_t sum = vdupq_n_s32(0);

    for (size_t i = 0; i < n; i += 16) {
        const int8x16_t a = vld1q_s8(w + i), b = vld1q_s8(x + i);
        const int16x8_t pairs = vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b);
        sum = vpadalq_s16(sum, pairs);
    }
    return vaddlvq_s32(sum);
}

#define FAST_PRODUCT smol_frozen_fast_neon
#include "kernel/product_fast.h"
