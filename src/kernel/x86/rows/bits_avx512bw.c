/* Masks and ternary rows with AVX-512 that has no dot products. */
#include "kernel/x86/sums_avx512.h"

/* sum + the products of bytes u, unsigned, at most 2, and x, signed, four to a lane. */
static inline __m512i add_bytes(__m512i sum, __m512i u, __m512i x)
{
    const __m512i pairs = _mm512_maddubs_epi16(u, x);

    return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

/* sum + the products of 16-bit integers, two to a lane. */
static inline __m512i add_integers(__m512i sum, __m512i w, __m512i X)
{
    return _mm512_add_epi32(sum, _mm512_madd_epi16(w, X));
}

#include "kernel/x86/rows/bits_avx512.h"

#define MOST_COLS 262144u /* in a lane's 32 bits: a sixteenth of these x 32,512 */

/* Times several vectors, rows are made integers of 16 bits once. */

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

static void expand_mask(int16_t *w, const struct row *row, size_t cols)
{
    const __m512i zero = _mm512_setzero_si512(), one = _mm512_set1_epi16(1),
                  minus = _mm512_set1_epi16(-1);
    const size_t n = mask_row_bytes(cols);

    for (size_t i = 0; i < n; i += BYTES / 8)
        for (unsigned half = 0; half < 2; half++) {
            const __mmask32 mask = (__mmask32)(load_bits(row->data + i, n - i) >> 32 * half),
                            signs = (__mmask32)(load_bits(row->signs + i, n - i) >> 32 * half);
            const __m512i there = _mm512_mask_blend_epi16(signs, one, minus);
            _mm512_storeu_si512(w + 8 * i + 32 * half, _mm512_mask_blend_epi16(mask, zero, there));
        }
}

void smol_rows_mask_avx512bw(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                             size_t x_stride, size_t n_x, void *scratch)
{
    const struct row_strides strides = mask_strides(rows);

    if (n_x > 1) {
        rows_several(sums, rows, strides, X, x_stride, n_x, scratch, expand_mask, multiply_pairs,
                     MOST_COLS);
        return;
    }
    mask_single(sums, rows, X, scratch);
}

static void expand_ternary(int16_t *w, const struct row *row, size_t cols)
{
    const size_t n = ternary_row_bytes(cols);

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

void smol_rows_ternary_avx512bw(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                                size_t x_stride, size_t n_x, void *scratch)
{
    const struct row_strides strides = row_strides(rows, SMOL_TERNARY);

    if (n_x > 1) {
        rows_several(sums, rows, strides, X, x_stride, n_x, scratch, expand_ternary, multiply_pairs,
                     MOST_COLS);
        return;
    }
    ternary_single(sums, rows, X, scratch);
}
