/* Frozen row blocks with NEON. Times one vector nothing leaves the registers, and planes add up;
 * times several vectors each row exists once, as 16-bit integers. */
#include "kernel/arm/registers_neon.h"

#define SIDE 1u
#define SIDE_256 1u
#define CHUNK 0
#define KEPT 1u
#define ROWS 1u

static void table_load(struct table *t, const int16_t *q) { table_load_integers(t, q); }

/* The integers of 16 bytes. */
ALWAYS_INLINE int16x8x2_t look_up_integers(const struct table *t, uint8x16_t u, enum lookup lookup)
{
    const uint8x16_t low = look_up(t->low, u, lookup), high = look_up(t->high, u, lookup);

    return (int16x8x2_t){
        {vreinterpretq_s16_u8(vzip1q_u8(low, high)), vreinterpretq_s16_u8(vzip2q_u8(low, high))}};
}

/* ---- one vector ---- */

/* With zeros in the columns of the last step that it does not have. */
struct vector {
    const int16_t *X;
};

struct sums {
    int64x2_t part[PARTS];
};

ALWAYS_INLINE void sums_add(struct sums *sums, struct generator *s, const struct table *table,
                            enum lookup lookup, const struct vector *x, size_t c, unsigned k)
{
    const int16x8x2_t w = look_up_integers(table, generator_step(s, k), lookup);
    const int16_t *X = x->X + c + STEP * k;

    sums->part[k] = add_products(sums->part[k], w.val[0], vld1q_s16(X));
    sums->part[k] = add_products(sums->part[k], w.val[1], vld1q_s16(X + 8));
}

KEEP_SUMS;

ALWAYS_INLINE void rows_finish(int64_t *to, const struct kept *kept, uint32_t n_rows,
                               const struct vector *x, bool is_first)
{
    const int64x2_t *part = kept->sums.part;
    const int64x2_t sum = vaddq_s64(vaddq_s64(part[0], part[1]), vaddq_s64(part[2], part[3]));

    (void)n_rows, (void)x;
    *to = vaddvq_s64(sum) + (is_first ? 0 : *to);
}

#include "kernel/product_single.h"

/* ---- several vectors ---- */

ALWAYS_INLINE void row_put(int16_t *w, size_t n, uint32_t r, size_t step, unsigned k, uint8x16_t u,
                           const struct table *table, enum lookup lookup, bool is_first)
{
    const int16x8x2_t v = look_up_integers(table, u, lookup);

    w += r * n + SMOL_STEP_BYTES * step + STEP * k;
    for (size_t i = 0; i < 2; i++) {
        const int16x8_t before = is_first ? vdupq_n_s16(0) : vld1q_s16(w + 8 * i);
        vst1q_s16(w + 8 * i, vaddq_s16(before, v.val[i]));
    }
}

struct vectors {
    const int16_t *X;
    size_t n, cols, stride;
};

static inline void rows_multiply(int64_t *to, size_t stride, const int16_t *w, size_t n,
                                 uint32_t n_rows, const struct vectors *x, bool is_first)
{
    (void)n, (void)n_rows, (void)is_first; /* a row; all planes are in it */
    for (size_t i = 0; i < x->n; i++)
        to[i * stride] = dot_int16(w, x->X + i * x->stride, x->cols);
}

#include "kernel/product_several.h"

void smol_frozen_neon(int64_t *sums, const struct smol_frozen *t, uint32_t block, uint32_t n_blocks,
                      const int16_t *X, size_t x_stride, size_t n_x, void *scratch)
{
    const struct vectors vectors = {X, n_x, t->cols, x_stride};
    const struct vector x = {scratch};

    if (n_x > 1) {
        multiply_several(sums, t, block, n_blocks, &vectors, scratch);
        return;
    }
    memset(scratch, 0, smol_round_up(t->cols, SMOL_STEP_BYTES) * sizeof *X);
    memcpy(scratch, X, t->cols * sizeof *X);
    multiply_single(sums, t, block, n_blocks, &x);
}
