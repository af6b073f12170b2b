/* Rows of few bits times one vector, with AVX-512: masks and ternary numbers.
 *
 * Their weights w are -1, 0 and 1. They become bytes t = w + 1 in registers, X = 256 h + l is split
 * into signed bytes once, in the order in which the weights come: a step is 64 columns of h, then
 * of l; and sum w X = sum t X - sum X. Of 262,144 columns all t h and all t l, at most 2 x 128
 * each, fit 32 bits together. The file that includes this has add_bytes before. */
#ifndef SMOL_BITS_AVX512_H
#define SMOL_BITS_AVX512_H

#include "kernel/rows.h"
#include "kernel/x86/sums_avx512.h"

#define STEP_X (2 * BYTES) /* bytes of h and l */
#define AHEAD 2048u        /* bytes, in the one stream that rows are */

/* The sums of t h and of t l of a row. */
struct sums {
    __m512i h, l;
};

ALWAYS_INLINE void add_step(struct sums *s, __m512i t, const uint8_t *x)
{
    s->h = add_bytes(s->h, t, _mm512_load_si512(x));
    s->l = add_bytes(s->l, t, _mm512_load_si512(x + BYTES));
}

static inline void prepare_step(uint8_t *x, const int16_t *X, size_t n)
{
    __m512i h, l;

    split64(&h, &l, X, n);
    _mm512_store_si512(x, h);
    _mm512_store_si512(x + BYTES, l);
}

/* Adds a row's products with a prepared vector to two sums, in turns: one waits for its last
 * addition. */
typedef void row_products(struct sums sums[2], const struct row *row, const uint8_t *x,
                          size_t cols);

ALWAYS_INLINE void rows_of_bits(int64_t *sums, const struct smol_rows *rows,
                                struct row_strides strides, const uint8_t *x, int64_t offset,
                                row_products *multiply)
{
    for (size_t first = 0; first < rows->n_rows; first += FOLD) {
        const size_t left = rows->n_rows - first, n = left < FOLD ? left : FOLD;
        __m512i pairs[2 * FOLD];
        for (size_t r = 0; r < FOLD; r++) {
            const __m512i zero = _mm512_setzero_si512();
            struct sums s[2] = {{zero, zero}, {zero, zero}};
            if (r < n) {
                const struct row row = row_at(rows, strides, first + r);
                multiply(s, &row, x, rows->cols);
            }
            pairs[r] = _mm512_add_epi32(s[0].l, s[1].l);
            pairs[r + FOLD] = _mm512_add_epi32(s[0].h, s[1].h);
        }
        finish_rows(sums + first, pairs, 8, offset, (uint32_t)n, true, true);
    }
}

/* ---- masks ---- */

/* n bytes of bits, at most eight; the others are 0. */
static inline __mmask64 load_bits(const uint8_t *p, size_t n)
{
    const __m128i bytes = _mm_maskz_loadu_epi8((__mmask16)((1u << (n < 8 ? n : 8)) - 1), p);

    return (__mmask64)_mm_cvtsi128_si64(bytes);
}

ALWAYS_INLINE __m512i mask_weights(__mmask64 mask, __mmask64 signs)
{
    const __m512i there =
        _mm512_mask_blend_epi8(signs, _mm512_set1_epi8(2), _mm512_setzero_si512());

    return _mm512_mask_blend_epi8(mask, _mm512_set1_epi8(1), there);
}

static inline void sum_mask(struct sums sums[2], const struct row *row, const uint8_t *x,
                            size_t cols)
{
    const uint8_t *mask = row->data, *signs = row->signs;
    size_t left = mask_row_bytes(cols);

    for (; left >= 16; left -= 16, mask += 16, signs += 16, x += 2 * STEP_X) {
        add_step(&sums[0], mask_weights(smol_le64(mask), smol_le64(signs)), x);
        add_step(&sums[1], mask_weights(smol_le64(mask + 8), smol_le64(signs + 8)), x + STEP_X);
    }
    if (left > 0)
        add_step(&sums[0], mask_weights(load_bits(mask, left), load_bits(signs, left)), x);
    if (left > 8)
        add_step(&sums[1],
                 mask_weights(load_bits(mask + 8, left - 8), load_bits(signs + 8, left - 8)),
                 x + STEP_X);
}

static void mask_single(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                        uint8_t *scratch)
{
    for (size_t c = 0; c < rows->cols; c += BYTES)
        prepare_step(scratch + 2 * c, X + c, rows->cols - c);
    rows_of_bits(sums, rows, mask_strides(rows), scratch, sum_integers(X, rows->cols), sum_mask);
}

/* ---- ternary numbers ---- */

#define GROUP_X (DIGITS * STEP_X) /* bytes of h and l for 64 bytes of a row */

/* h and l of the columns of 64 bytes, plane by plane. */
static void prepare_ternary(uint8_t *x, const int16_t *X, size_t cols)
{
    const size_t n = ternary_row_bytes(cols);

    for (size_t i = 0; i < n; i += BYTES)
        for (size_t k = 0; k < DIGITS; k++, x += STEP_X) {
            const size_t c = k * n + i, end = (k + 1) * n < cols ? (k + 1) * n : cols,
                         left = c < end ? end - c : 0;
            prepare_step(x, X + (left ? c : 0), left);
        }
}

static inline void sum_ternary(struct sums sums[2], const struct row *row, const uint8_t *x,
                               size_t cols)
{
    const size_t n = ternary_row_bytes(cols);

    for (size_t i = 0; i < n; i += BYTES, x += GROUP_X) {
        __m512i b = _mm512_maskz_loadu_epi8(tail64(n - i), row->data + i);
        _mm_prefetch((const char *)row->data + i + AHEAD, _MM_HINT_T0);
        for (unsigned k = 0; k < DIGITS; k++, b = without_first(b))
            add_step(&sums[k % 2], first_digit(b), x + k * STEP_X);
    }
}

static void ternary_single(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                           uint8_t *scratch)
{
    prepare_ternary(scratch, X, rows->cols);
    rows_of_bits(sums, rows, row_strides(rows, SMOL_TERNARY), scratch, sum_integers(X, rows->cols),
                 sum_ternary);
}

#endif
