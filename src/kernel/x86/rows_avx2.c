/* Rows of stored numbers times vectors, with AVX2: embeddings of 8 and 4 bits, and integer weights
 * of 16. */
#include "kernel/rows.h"
#include "kernel/x86/registers_avx2.h"

static inline __m256i products_q8(const uint8_t *row, const int16_t *X)
{
    const __m128i q = _mm_loadu_si128((const __m128i *)(const void *)row);

    return _mm256_madd_epi16(_mm256_cvtepi8_epi16(q), load(X));
}

/* |q X| < 2^22: 256 pairs fit 32 bits. */
static int64_t dot_q8(const struct row *row, const void *vector, size_t n)
{
    const uint8_t *q = row->data;
    const int16_t *X = vector;
    __m256i sum = _mm256_setzero_si256();
    int64_t rest = 0;
    size_t i = 0;

    while (i + 16 <= n) {
        const size_t end = n - i < 256 * 16 ? n : i + 256 * 16;
        __m256i part = _mm256_setzero_si256();
        for (; i + 32 <= end; i += 32)
            part = _mm256_add_epi32(part, _mm256_add_epi32(products_q8(q + i, X + i),
                                                           products_q8(q + i + 16, X + i + 16)));
        for (; i + 16 <= end; i += 16)
            part = _mm256_add_epi32(part, products_q8(q + i, X + i));
        sum = add_wide(sum, part);
    }
    for (; i < n; i++)
        rest += (int32_t)(int8_t)q[i] * X[i];
    return sum_i64(sum) + rest;
}

ROWS_PRODUCT(smol_rows_q8_avx2, SMOL_Q8, NULL, dot_q8)

/* ---- 4 bits ---- */

/* A prepared vector, of n numbers, whole steps of 64: signed bytes h (n), l (n) of X = 256 h + l,
 * and -8 x the sums of pairs of both, as 16-bit integers. */
static void prepare_q4(void *vector, const int16_t *X, size_t cols)
{
    const size_t n = smol_round_up(cols, 64);
    int8_t *h = vector;
    int16_t *offset = (int16_t *)(void *)(h + 2 * n);

    split_bytes(h, h + n, X, cols, n);
    for (size_t i = 0; i < n; i++)
        offset[i] = (int16_t)(-8 * (h[2 * i] + h[2 * i + 1]));
}

/* A group's 32 numbers q + 8 times bytes; the pairs' sums of q fit 16 bits and are multiplied. */
static inline __m256i group_q4(__m256i sum, __m256i q, const int8_t *bytes, const int16_t *offset,
                               __m256i multiplier)
{
    const __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16(q, load(bytes)), load(offset));

    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, multiplier));
}

/* 2 x 2048 x 255 is the most that a group adds to a lane: 65,536 columns are 2,048 of them, which
 * fit. */
static int64_t dot_q4(const struct row *row, const void *vector, size_t cols)
{
    const size_t n = smol_round_up(cols, 64);
    const int8_t *h = vector, *l = h + n;
    const int16_t *offset_h = (const int16_t *)(const void *)(l + n), *offset_l = offset_h + n / 2;
    const __m256i nibbles = _mm256_set1_epi8(15), flip = _mm256_set1_epi8(8);
    __m256i sum_h[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()},
            sum_l[2] = {sum_h[0], sum_h[0]};

    for (size_t i = 0; i < n; i += 64) {
        const __m256i bytes = load(row->data + i / 2);
        const __m256i q[2] = {
            _mm256_xor_si256(_mm256_and_si256(bytes, nibbles), flip),
            _mm256_xor_si256(_mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibbles), flip)};
        for (size_t g = 0; g < 2; g++) {
            const size_t at = i + 32 * g;
            const __m256i m = _mm256_set1_epi16(row->multipliers[at / 32]);
            sum_h[g] = group_q4(sum_h[g], q[g], h + at, offset_h + at / 2, m);
            sum_l[g] = group_q4(sum_l[g], q[g], l + at, offset_l + at / 2, m);
        }
    }
    return 256 * (sum_i64(add_wide(add_wide(_mm256_setzero_si256(), sum_h[0]), sum_h[1]))) +
           sum_i64(add_wide(add_wide(_mm256_setzero_si256(), sum_l[0]), sum_l[1]));
}

ROWS_PRODUCT(smol_rows_q4_avx2, SMOL_Q4, prepare_q4, dot_q4)

/* ---- integer weights ---- */

void smol_rows_i16_avx2(int64_t *sums, const int16_t *w, size_t n_rows, size_t cols,
                        const int16_t *X)
{
    for (size_t r = 0; r < n_rows; r++)
        sums[r] = dot_int16(w + r * cols, X, cols);
}
