/* Rows of few bits times vectors, with AVX-512: masks and ternary numbers, the functions ROWS_MASK
 * and ROWS_TERNARY of kernel.h.
 *
 * Their weights w are -1, 0 and 1. Times one vector they become bytes t = w + 1 in registers, X =
 * 256 h + l is split into signed bytes once, in the order in which the weights come: a step is 64
 * columns of h, then of l; and sum w X = sum t X - sum X. Of 262,144 columns all t h and all t l,
 * at most 2 x 128 each, fit 32 bits together. Times several vectors, rows are made integers of 16
 * bits once. The file that includes this has add_bytes and add_integers before. */
#ifndef SMOL_BITS_AVX512_H
#define SMOL_BITS_AVX512_H

#include "kernel/rows.h"
#include "kernel/x86/sums_avx512.h"

#define STEP_X (2 * BYTES) /* bytes of h and l */
#define AHEAD 2048u        /* bytes, in the one stream that rows are */
#define MOST_COLS 262144u  /* in a lane's 32 bits: a sixteenth of these x 32,512 */

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

/* ---- several vectors ---- */

ALWAYS_INLINE void multiply_pairs(int64_t sums[4], const int16_t *const w[2],
                                  const int16_t *const X[2], size_t cols, size_t chunk)
{
    __m512i v[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                    _mm512_setzero_si512()};

    (void)chunk; /* all columns */
    for (size_t c = 0; c < cols; c += BYTES / 2) {
        const __mmask32 m = (__mmask32)tail64(cols - c);
        for (unsigned i = 0; i < 4; i++)
            v[i] = add_integers(v[i], _mm512_maskz_loadu_epi16(m, w[i / 2] + c),
                                _mm512_maskz_loadu_epi16(m, X[i % 2] + c));
    }
    for (unsigned i = 0; i < 4; i++)
        sums[i] = sum_i32(v[i]);
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
    size_t left = smol_mask_row_bytes((uint32_t)cols);

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

static void expand_mask(int16_t *w, const struct row *row, size_t cols)
{
    const __m512i zero = _mm512_setzero_si512(), one = _mm512_set1_epi16(1),
                  minus = _mm512_set1_epi16(-1);
    const size_t n = smol_mask_row_bytes((uint32_t)cols);

    for (size_t i = 0; i < n; i += BYTES / 8)
        for (unsigned half = 0; half < 2; half++) {
            const __mmask32 mask = (__mmask32)(load_bits(row->data + i, n - i) >> 32 * half),
                            signs = (__mmask32)(load_bits(row->signs + i, n - i) >> 32 * half);
            const __m512i there = _mm512_mask_blend_epi16(signs, one, minus);
            _mm512_storeu_si512(w + 8 * i + 32 * half, _mm512_mask_blend_epi16(mask, zero, there));
        }
}

void ROWS_MASK(int64_t *sums, const struct smol_rows *rows, const int16_t *X, size_t x_stride,
               size_t n_x, void *scratch)
{
    const struct row_strides strides = mask_strides(rows);

    if (n_x > 1) {
        rows_several(sums, rows, strides, X, x_stride, n_x, scratch, expand_mask, multiply_pairs,
                     MOST_COLS);
        return;
    }
    for (size_t c = 0; c < rows->cols; c += BYTES)
        prepare_step((uint8_t *)scratch + 2 * c, X + c, rows->cols - c);
    rows_of_bits(sums, rows, strides, scratch, sum_integers(X, rows->cols), sum_mask);
}

/* ---- ternary numbers ---- */

#define DIGITS 5u                 /* of a byte: it has a column of each of five planes */
#define GROUP_X (DIGITS * STEP_X) /* bytes of h and l for 64 bytes of a row */

/* The first digit is t = 3 b / 256. */
ALWAYS_INLINE __m512i first_digit(__m512i b)
{
    const __mmask64 some = _mm512_cmpge_epu8_mask(b, _mm512_set1_epi8(86)),
                    more = _mm512_cmpge_epu8_mask(b, _mm512_set1_epi8((char)171));

    return _mm512_mask_blend_epi8(more, _mm512_maskz_mov_epi8(some, _mm512_set1_epi8(1)),
                                  _mm512_set1_epi8(2));
}

/* 3 b modulo 256. */
ALWAYS_INLINE __m512i without_first(__m512i b) { return _mm512_add_epi8(b, _mm512_add_epi8(b, b)); }

/* h and l of the columns of 64 bytes, plane by plane. */
static void prepare_ternary(uint8_t *x, const int16_t *X, size_t cols)
{
    const size_t n = smol_row_bytes(SMOL_TERNARY, (uint32_t)cols);

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
    const size_t n = smol_row_bytes(SMOL_TERNARY, (uint32_t)cols);

    for (size_t i = 0; i < n; i += BYTES, x += GROUP_X) {
        __m512i b = _mm512_maskz_loadu_epi8(tail64(n - i), row->data + i);
        _mm_prefetch((const char *)row->data + i + AHEAD, _MM_HINT_T0);
        for (unsigned k = 0; k < DIGITS; k++, b = without_first(b))
            add_step(&sums[k % 2], first_digit(b), x + k * STEP_X);
    }
}

static void expand_ternary(int16_t *w, const struct row *row, size_t cols)
{
    const size_t n = smol_row_bytes(SMOL_TERNARY, (uint32_t)cols);

    for (size_t i = 0; i < n; i += BYTES) {
        const __mmask64 m = tail64(n - i);
        __m512i b = _mm512_maskz_loadu_epi8(m, row->data + i);
        for (unsigned k = 0; k < DIGITS; k++, b = without_first(b)) {
            const __m512i q = _mm512_sub_epi8(first_digit(b), _mm512_set1_epi8(1));
            int16_t *to = w + k * n + i;
            _mm512_mask_storeu_epi16(to, (__mmask32)m,
                                     _mm512_cvtepi8_epi16(_mm512_castsi512_si256(q)));
            _mm512_mask_storeu_epi16(to + 32, (__mmask32)(m >> 32),
                                     _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(q, 1)));
        }
    }
}

void ROWS_TERNARY(int64_t *sums, const struct smol_rows *rows, const int16_t *X, size_t x_stride,
                  size_t n_x, void *scratch)
{
    const struct row_strides strides = row_strides(rows, SMOL_TERNARY);

    if (n_x > 1) {
        rows_several(sums, rows, strides, X, x_stride, n_x, scratch, expand_ternary, multiply_pairs,
                     MOST_COLS);
        return;
    }
    prepare_ternary(scratch, X, rows->cols);
    rows_of_bits(sums, rows, strides, scratch, sum_integers(X, rows->cols), sum_ternary);
}

#endif
