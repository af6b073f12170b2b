/* Masks and ternary rows with NEON: products of bytes summed in 16 bits. */
#include "kernel/arm/registers_neon.h"

#define STEPS 127u /* 127 x 2 x 128 < 2^15 in a lane */

struct sums {
    int16x8_t h, l;
};

ALWAYS_INLINE void sums_add(struct sums *s, int8x16_t w, int8x16_t h, int8x16_t l)
{
    s->h = vmlal_high_s8(vmlal_s8(s->h, vget_low_s8(w), vget_low_s8(h)), w, h);
    s->l = vmlal_high_s8(vmlal_s8(s->l, vget_low_s8(w), vget_low_s8(l)), w, l);
}

static inline int64_t sums_total(const struct sums *s)
{
    return 256 * (int64_t)vaddlvq_s16(s->h) + vaddlvq_s16(s->l);
}

#define ROWS_MASK smol_rows_mask_neon
#define ROWS_TERNARY smol_rows_ternary_neon
#include "kernel/arm/bits_neon.h"
