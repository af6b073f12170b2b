/* Sums of rows brought together, and rows of 16-bit integers times several vectors, with AVX2. */
#ifndef SMOL_FOLD_AVX2_H
#define SMOL_FOLD_AVX2_H

#include "kernel/rows.h"
#include "kernel/x86/registers_avx2.h"

#define FOLD 4u              /* rows whose sums are brought together at once */
#define PREFETCH_BYTES 1024u /* ahead, in the one stream that rows are */

/* The sums of the four 64-bit lanes of each of four registers. */
static inline __m256i fold(const __m256i v[FOLD])
{
    const __m256i a =
        _mm256_add_epi64(_mm256_unpacklo_epi64(v[0], v[1]), _mm256_unpackhi_epi64(v[0], v[1]));
    const __m256i b =
        _mm256_add_epi64(_mm256_unpacklo_epi64(v[2], v[3]), _mm256_unpackhi_epi64(v[2], v[3]));

    return _mm256_add_epi64(_mm256_permute2x128_si256(a, b, 0x20),
                            _mm256_permute2x128_si256(a, b, 0x31));
}

/* Where a row's bytes are read that are to be at i..i + size - 1 of its n: the last ones are all of
 * them the row's, those before them again, whose columns X then has as 0. */
static inline size_t read_at(size_t i, size_t size, size_t n)
{
    return i + size <= n || n < size ? i : n - size;
}

/* A row's products with a vector that was made ready, summed in four 64-bit lanes. */
typedef __m256i row_lanes(const struct row *row, const void *prepared, size_t cols);

ALWAYS_INLINE void multiply_single(int64_t *sums, const struct smol_rows *rows,
                                   struct row_strides strides, const void *prepared,
                                   row_lanes *lanes)
{
    for (size_t first = 0; first < rows->n_rows; first += FOLD) {
        const size_t left = rows->n_rows - first, n = left < FOLD ? left : FOLD;
        __m256i v[FOLD];
        int64_t of_rows[FOLD];
        for (size_t r = 0; r < n; r++) {
            const struct row row = row_at(rows, strides, first + r);
            v[r] = lanes(&row, prepared, rows->cols);
        }
        for (size_t r = n; r < FOLD; r++)
            v[r] = _mm256_setzero_si256();
        store(n < FOLD ? of_rows : sums + first, fold(v));
        if (n < FOLD)
            memcpy(sums + first, of_rows, n * sizeof *sums);
    }
}

/* ---- several vectors ---- */

/* The sums of two rows w with two vectors: row 0 with both, row 1 with both. A lane's products of
 * `chunk` columns, an eighth of them, fit 32 bits; chunk is a multiple of 16. */
ALWAYS_INLINE void multiply_pairs(int64_t sums[FOLD], const int16_t *const w[2],
                                  const int16_t *const X[2], size_t cols, size_t chunk)
{
    __m256i total[FOLD] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                           _mm256_setzero_si256()};
    size_t c = 0;

    while (c + 16 <= cols) {
        const size_t end = cols - c < chunk ? cols : c + chunk;
        __m256i v[FOLD] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                           _mm256_setzero_si256()};
        for (; c + 16 <= end; c += 16)
            for (unsigned i = 0; i < FOLD; i++)
                v[i] = _mm256_add_epi32(v[i],
                                        _mm256_madd_epi16(load(w[i / 2] + c), load(X[i % 2] + c)));
        for (unsigned i = 0; i < FOLD; i++)
            total[i] = add_wide(total[i], v[i]);
    }
    store(sums, fold(total));
    for (; c < cols; c++)
        for (unsigned i = 0; i < FOLD; i++)
            sums[i] += (int32_t)w[i / 2][c] * X[i % 2][c];
}

/* A row as integers w, of which up to 64 past the last column may be written. */
typedef void expand_row(int16_t *w, const struct row *row, size_t cols);

/* Pairs of rows are expanded, and meet all vectors. */
ALWAYS_INLINE void multiply_several(int64_t *sums, const struct smol_rows *rows,
                                    struct row_strides strides, const int16_t *X, size_t x_stride,
                                    size_t n_x, int16_t *scratch, expand_row *expand, size_t chunk)
{
    int16_t *w[2] = {scratch, scratch + smol_round_up(rows->cols, 64) + 64};

    for (size_t r = 0; r < rows->n_rows; r += 2) {
        const size_t n_rows = rows->n_rows - r < 2 ? 1 : 2;
        for (size_t i = 0; i < n_rows; i++) {
            const struct row row = row_at(rows, strides, r + i);
            expand(w[i], &row, rows->cols);
        }
        const int16_t *const pair[2] = {w[0], w[n_rows - 1]};
        for (size_t x = 0; x < n_x; x += 2) {
            const size_t next = x + 1 < n_x ? x + 1 : x;
            const int16_t *const vectors[2] = {X + x * x_stride, X + next * x_stride};
            int64_t s[FOLD];
            multiply_pairs(s, pair, vectors, rows->cols, chunk);
            for (size_t i = 0; i < n_rows; i++) {
                sums[x * rows->n_rows + r + i] = s[2 * i];
                sums[next * rows->n_rows + r + i] = s[2 * i + (next > x)];
            }
        }
    }
}

#endif
