/* Masks and ternary rows with the dot-product instructions of AArch64. */
#include "kernel/arm/registers_neon.h"

#define STEPS 16384u /* 262,144 columns: 16,384 x 4 x 128 < 2^31 in a lane */

struct sums {
    int32x4_t h, l;
};

ALWAYS_INLINE void sums_add(struct sums *s, int8x16_t w, int8x16_t h, int8x16_t l)
{
    s->h = vdotq_s32(s->h, w, h);
    s->l = vdotq_s32(s->l, w, l);
}

static inline int64_t sums_total(const struct sums *s)
{
    return 256 * vaddlvq_s32(s->h) + vaddlvq_s32(s->l);
}

#define ROWS_MASK smol_rows_mask_neon_dotprod
#define ROWS_TERNARY smol_rows_ternary_neon_dotprod
#include "kernel/arm/bits_neon.h"
