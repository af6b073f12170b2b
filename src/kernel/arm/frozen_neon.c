/* Frozen row blocks with NEON. Times one vector nothing leaves the registers, and planes add up;
 * times several vectors each row exists once, as 16-bit integers. */
#include "kernel/arm/registers_neon.h"

#include <string.h>

/* One row of one plane times X (n), whose last columns past the matrix are zero. */
static inline __attribute__((always_inline)) int64_t row_single(struct quarter s[4],
                                                                const int16_t *X, size_t n,
                                                                const struct table *table,
                                                                bool is_narrow)
{
    int64x2_t sum[4] = {vdupq_n_s64(0), vdupq_n_s64(0), vdupq_n_s64(0), vdupq_n_s64(0)};

    for (size_t i = 0; i < n; i += STEP)
        for (size_t k = 0; k < 4; k++) {
            const int16x8x2_t w = look_up_integers(table, quarter_step(&s[k]), is_narrow);
            sum[k] = add_products(sum[k], w.val[0], vld1q_s16(X + i + 16 * k));
            sum[k] = add_products(sum[k], w.val[1], vld1q_s16(X + i + 16 * k + 8));
        }
    return vaddvq_s64(vaddq_s64(vaddq_s64(sum[0], sum[1]), vaddq_s64(sum[2], sum[3])));
}

/* One plane of a row block, added to the sums of those before it. */
static void plane_single(int64_t *sums, const struct smol_frozen *t, uint32_t plane, uint32_t block,
                         const int16_t *X, const struct table *table)
{
    const size_t n = smol_round_up(t->cols, STEP);
    const uint32_t rows = t->rows - block * SMOL_ROW_BLOCK;
    struct quarter s[4];

    lanes_init(s, t, plane, block);
    for (uint32_t r = 0; r < SMOL_ROW_BLOCK && r < rows; r++) {
        const int64_t sum =
            table->is_narrow ? row_single(s, X, n, table, true) : row_single(s, X, n, table, false);
        sums[r] = sum + (plane ? sums[r] : 0);
    }
}

static void single(int64_t *sums, const struct smol_frozen *t, uint32_t block, uint32_t n_blocks,
                   const int16_t *X, int16_t *padded)
{
    struct table table;

    memset(padded, 0, smol_round_up(t->cols, STEP) * sizeof *padded);
    memcpy(padded, X, t->cols * sizeof *padded);
    for (uint32_t p = 0; p < t->n_planes; p++) {
        table_load(&table, t->table + p * SMOL_TABLE_ENTRIES);
        for (uint32_t b = 0; b < n_blocks; b++)
            plane_single(sums + b * SMOL_ROW_BLOCK, t, p, block + b, padded, &table);
    }
}

/* ---- several vectors ---- */

/* One plane of a row, added to w unless it is the first. */
static void add_plane(int16_t *w, struct quarter s[4], size_t cols, const struct table *table,
                      bool is_first)
{
    for (size_t i = 0; i < smol_round_up(cols, STEP); i += 16) {
        const int16x8x2_t v =
            look_up_integers(table, quarter_step(&s[i / 16 % 4]), table->is_narrow);
        for (size_t k = 0; k < 2; k++) {
            const int16x8_t before = is_first ? vdupq_n_s16(0) : vld1q_s16(w + i + 8 * k);
            vst1q_s16(w + i + 8 * k, vaddq_s16(before, v.val[k]));
        }
    }
}

static void block_rows(int64_t *sums, size_t stride, const struct smol_frozen *t, uint32_t block,
                       const int16_t *X, size_t x_stride, size_t n_x, int16_t *w)
{
    const uint32_t rows = t->rows - block * SMOL_ROW_BLOCK;
    struct quarter streams[SMOL_MAX_PLANES][4];
    struct table table;

    for (uint32_t p = 0; p < t->n_planes; p++)
        lanes_init(streams[p], t, p, block);
    table_load(&table, t->table);
    for (uint32_t r = 0; r < SMOL_ROW_BLOCK && r < rows; r++) {
        for (uint32_t p = 0; p < t->n_planes; p++) {
            if (t->n_planes > 1)
                table_load(&table, t->table + p * SMOL_TABLE_ENTRIES);
            add_plane(w, streams[p], t->cols, &table, p == 0);
        }
        for (size_t i = 0; i < n_x; i++)
            sums[i * stride + r] = dot_int16(w, X + i * x_stride, t->cols);
    }
}

void smol_frozen_neon(int64_t *sums, const struct smol_frozen *t, uint32_t block, uint32_t n_blocks,
                      const int16_t *X, size_t x_stride, size_t n_x, void *scratch)
{
    if (n_x == 1) {
        single(sums, t, block, n_blocks, X, scratch);
        return;
    }
    for (uint32_t b = 0; b < n_blocks; b++)
        block_rows(sums + b * SMOL_ROW_BLOCK, (size_t)n_blocks * SMOL_ROW_BLOCK, t, block + b, X,
                   x_stride, n_x, scratch);
}

/* ---- the approximate product ---- */

/* Two products of bytes, at most 2 x 127 x 127, fit 16 bits. */
static int64_t dot_high_bytes(const int8_t *w, const int8_t *x, size_t n)
{
    int32x4_t sum = vdupq_n_s32(0);

    for (size_t i = 0; i < n; i += 16) {
        const int8x16_t a = vld1q_s8(w + i), b = vld1q_s8(x + i);
        const int16x8_t pairs = vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b);
        sum = vpadalq_s16(sum, pairs);
    }
    return vaddlvq_s32(sum);
}

void smol_frozen_fast_neon(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                           uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                           void *scratch)
{
    fast_product(sums, t, block, n_blocks, X, x_stride, n_x, scratch, dot_high_bytes);
}
