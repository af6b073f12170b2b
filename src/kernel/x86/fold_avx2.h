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

/* A row's products with a vector that was made ready, summed in four 64-bit lanes. */
typedef __m256i row_lanes(const struct row *row, const void *prepared, size_t cols);

ALWAYS_INLINE void rows_single(int64_t *sums, const struct smol_rows *rows,
                               struct row_strides strides, const void *prepared, row_lanes *lanes)
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

/* A lane's products of `chunk` columns, an eighth of them, fit 32 bits; chunk is a multiple of 16.
 */
ALWAYS_INLINE void multiply_pairs(int64_t sums[4], const int16_t *const w[2],
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

#endif
