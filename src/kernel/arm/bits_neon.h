/* Rows of few bits times vectors, with NEON: masks and ternary numbers, the functions ROWS_MASK and
 * ROWS_TERNARY of kernel.h.
 *
 * Their weights w are -1, 0 and 1. Times one vector they become bytes in registers, and X = 256 h +
 * l is split into signed bytes once, in the order in which the weights come: a step is 16 columns
 * of h, then of l. Times several vectors, rows are made integers of 16 bits once. The file that
 * includes this has before:
 *
 *   STEPS         whose sums fit struct sums
 *   struct sums, sums_add(sums, w, h, l), sums_total(sums): the sum of w x (256 h + l) */
#ifndef SMOL_BITS_NEON_H
#define SMOL_BITS_NEON_H

#include "kernel/arm/registers_neon.h"
#include "kernel/rows.h"

#define STEP_X (2 * STEP) /* bytes of h and l */
#define MOST_COLS 262144u /* in a lane's 32 bits: a quarter of these x 32,512 */

/* The sums of eight columns in each of two registers. */
ALWAYS_INLINE int32x4_t add_integers(int32x4_t sum, const int16_t *w, const int16_t *X)
{
    const int16x8_t a = vld1q_s16(w), b = vld1q_s16(X);

    return vmlal_high_s16(vmlal_s16(sum, vget_low_s16(a), vget_low_s16(b)), a, b);
}

ALWAYS_INLINE void multiply_pairs(int64_t sums[4], const int16_t *const w[2],
                                  const int16_t *const X[2], size_t cols, size_t chunk)
{
    int32x4_t v[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    size_t c = 0;

    (void)chunk; /* all columns */
    for (; c + 8 <= cols; c += 8)
        for (unsigned i = 0; i < 4; i++)
            v[i] = add_integers(v[i], w[i / 2] + c, X[i % 2] + c);
    for (unsigned i = 0; i < 4; i++)
        sums[i] = vaddlvq_s32(v[i]);
    for (; c < cols; c++)
        for (unsigned i = 0; i < 4; i++)
            sums[i] += (int32_t)w[i / 2][c] * X[i % 2][c];
}

/* 16 columns of X, or some of them behind `skipped` ones; the others are 0. */
static inline int16x8x2_t load_some(const int16_t *X, size_t skipped, size_t n)
{
    int16_t some[STEP] = {0};

    if (n < STEP) {
        memcpy(some + skipped, X, n * sizeof *X);
        X = some;
    }
    return (int16x8x2_t){{vld1q_s16(X), vld1q_s16(X + 8)}};
}

/* The bytes h and l of eight columns. */
static inline int8x8_t high_bytes(int16x8_t X)
{
    return vshrn_n_s16(vaddq_s16(X, vdupq_n_s16(128)), 8);
}

ALWAYS_INLINE void add_step(struct sums *s, int8x16_t w, const int8_t *x)
{
    sums_add(s, w, vld1q_s8(x), vld1q_s8(x + STEP));
}

/* ---- masks ---- */

#define STEP_BYTES (STEP / 8)

/* A step's two bytes of bits stand in all pairs of lanes, of which pair i looks at bit i: byte 2 i
 * + j of what it gives is column 8 j + i. */
ALWAYS_INLINE int8x16_t are_set(const uint8_t *bytes)
{
    static const uint8_t pairs[STEP] = {1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 32, 32, 64, 64, 128, 128};
    const uint8x16_t all = vreinterpretq_u8_u16(vdupq_n_u16(smol_le16(bytes)));

    return vreinterpretq_s8_u8(vtstq_u8(all, vld1q_u8(pairs)));
}

ALWAYS_INLINE int8x16_t mask_weights(const uint8_t *mask, const uint8_t *signs)
{
    return vandq_s8(are_set(mask), vorrq_s8(are_set(signs), vdupq_n_s8(1)));
}

static void prepare_mask(void *prepared, const int16_t *X, size_t cols)
{
    const size_t n = mask_row_bytes(cols);
    int8_t *x = prepared;

    for (size_t i = 0; i < n; i += STEP_BYTES, x += STEP_X) {
        const size_t left = cols - 8 * i;
        const int16x8x2_t v =
            load_some(X + 8 * i, 8 * (i - read_at(i, STEP_BYTES, n)), left < STEP ? left : STEP);
        vst2_s8(x, ((int8x8x2_t){{high_bytes(v.val[0]), high_bytes(v.val[1])}}));
        vst2_s8(x + STEP, ((int8x8x2_t){{vmovn_s16(v.val[0]), vmovn_s16(v.val[1])}}));
    }
}

static int64_t dot_mask(const struct row *row, const void *prepared, size_t cols)
{
    const size_t n = mask_row_bytes(cols);
    uint8_t copy[2][STEP_BYTES];
    const uint8_t *mask = readable(copy[0], row->data, n, STEP_BYTES, row),
                  *signs = readable(copy[1], row->signs, n, STEP_BYTES, row);
    const int8_t *x = prepared;
    int64_t total = 0;

    for (size_t i = 0; i < n;) {
        const size_t end = n - i < STEP_BYTES * STEPS ? n : i + STEP_BYTES * STEPS;
        struct sums sums = {0};
        for (; i < end; i += STEP_BYTES, x += STEP_X) {
            const size_t at = read_at(i, STEP_BYTES, n);
            add_step(&sums, mask_weights(mask + at, signs + at), x);
        }
        total += sums_total(&sums);
    }
    return total;
}

static void expand_mask(int16_t *w, const struct row *row, size_t cols)
{
    static const int16_t each[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    const size_t n = mask_row_bytes(cols);
    const int16x8_t bits = vld1q_s16(each);

    for (size_t i = 0; i < n; i++) {
        const uint16x8_t m = vtstq_s16(vdupq_n_s16(row->data[i]), bits),
                         s = vtstq_s16(vdupq_n_s16(row->signs[i]), bits);
        vst1q_s16(w + 8 * i, vreinterpretq_s16_u16(vandq_u16(m, vorrq_u16(s, vdupq_n_u16(1)))));
    }
}

void ROWS_MASK(int64_t *sums, const struct smol_rows *rows, const int16_t *X, size_t x_stride,
               size_t n_x, void *scratch)
{
    const struct row_strides strides = mask_strides(rows);

    if (n_x > 1)
        rows_several(sums, rows, strides, X, x_stride, n_x, scratch, expand_mask, multiply_pairs,
                     MOST_COLS);
    else
        multiply_rows(sums, rows, strides, X, x_stride, 1, scratch, prepare_mask, dot_mask);
}

/* ---- ternary numbers ---- */

#define DIGITS 5u                 /* of a byte: it has a column of each of five planes */
#define GROUPS (STEPS / DIGITS)   /* of 16 bytes, whose sums fit */
#define GROUP_X (DIGITS * STEP_X) /* bytes of h and l */

/* The first digit is q of 3 b / 256 - 1. */
ALWAYS_INLINE int8x16_t first_digit(uint8x16_t b)
{
    return vreinterpretq_s8_u8(vsubq_u8(vcltq_u8(b, vdupq_n_u8(86)), vcgeq_u8(b, vdupq_n_u8(171))));
}

ALWAYS_INLINE uint8x16_t without_first(uint8x16_t b) { return vmulq_u8(b, vdupq_n_u8(3)); }

/* h and l of the columns of 16 bytes, plane by plane. */
static void prepare_ternary(void *prepared, const int16_t *X, size_t cols)
{
    const size_t n = ternary_row_bytes(cols);
    int8_t *x = prepared;

    for (size_t i = 0; i < n; i += STEP)
        for (size_t k = 0; k < DIGITS; k++, x += STEP_X) {
            const size_t c = k * n + i, end = (k + 1) * n < cols ? (k + 1) * n : cols,
                         left = c < end ? end - c : 0;
            const int16x8x2_t v =
                load_some(X + (left ? c : 0), i - read_at(i, STEP, n), left < STEP ? left : STEP);
            vst1q_s8(x, vcombine_s8(high_bytes(v.val[0]), high_bytes(v.val[1])));
            vst1q_s8(x + STEP, vcombine_s8(vmovn_s16(v.val[0]), vmovn_s16(v.val[1])));
        }
}

static int64_t dot_ternary(const struct row *row, const void *prepared, size_t cols)
{
    const size_t n = ternary_row_bytes(cols);
    uint8_t copy[STEP];
    const uint8_t *data = readable(copy, row->data, n, STEP, row);
    const int8_t *x = prepared;
    int64_t total = 0;

    for (size_t i = 0; i < n;) {
        const size_t end = n - i < STEP * GROUPS ? n : i + STEP * GROUPS;
        struct sums sums = {0};
        for (; i < end; i += STEP, x += GROUP_X) {
            uint8x16_t b = vld1q_u8(data + read_at(i, STEP, n));
            for (unsigned k = 0; k < DIGITS; k++, b = without_first(b))
                add_step(&sums, first_digit(b), x + k * STEP_X);
        }
        total += sums_total(&sums);
    }
    return total;
}

/* The columns of 16 bytes of a row of n; what is written past a plane's end is overwritten by the
 * next one. */
ALWAYS_INLINE void expand_group(int16_t *w, uint8x16_t b, size_t n)
{
    for (unsigned k = 0; k < DIGITS; k++, w += n, b = without_first(b)) {
        const int8x16_t q = first_digit(b);
        vst1q_s16(w, vmovl_s8(vget_low_s8(q)));
        vst1q_s16(w + 8, vmovl_high_s8(q));
    }
}

static void expand_ternary(int16_t *w, const struct row *row, size_t cols)
{
    const size_t n = ternary_row_bytes(cols);
    uint8_t copy[STEP];
    const uint8_t *data = readable(copy, row->data, n, STEP, row);

    for (size_t i = 0; i < n; i += STEP) {
        const size_t at = read_at(i, STEP, n);
        expand_group(w + at, vld1q_u8(data + at), n);
    }
}

void ROWS_TERNARY(int64_t *sums, const struct smol_rows *rows, const int16_t *X, size_t x_stride,
                  size_t n_x, void *scratch)
{
    const struct row_strides strides = row_strides(rows, SMOL_TERNARY);

    if (n_x > 1)
        rows_several(sums, rows, strides, X, x_stride, n_x, scratch, expand_ternary, multiply_pairs,
                     MOST_COLS);
    else
        multiply_rows(sums, rows, strides, X, x_stride, 1, scratch, prepare_ternary, dot_ternary);
}

#endif
