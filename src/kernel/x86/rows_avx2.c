/* Rows of stored numbers times vectors, with AVX2: embeddings of 8 and 4 bits, and integer weights
 * of 16. */
#include "kernel/x86/registers_avx2.h"

#include <smol/params.h>
#include <string.h>

/* |q X| < 2^22: 256 pairs fit 32 bits. */
static int64_t dot_q8(const uint8_t *row, const int16_t *X, size_t n)
{
    __m256i sum = _mm256_setzero_si256();
    int64_t rest = 0;
    size_t i = 0;

    while (i + 16 <= n) {
        const size_t end = n - i < 256 * 16 ? n : i + 256 * 16;
        __m256i part = _mm256_setzero_si256();
        for (; i + 16 <= end; i += 16) {
            const __m256i q =
                _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(row + i)));
            part = _mm256_add_epi32(part, _mm256_madd_epi16(q, load(X + i)));
        }
        sum = add_wide(sum, part);
    }
    for (; i < n; i++)
        rest += (int32_t)(int8_t)row[i] * X[i];
    return sum_i64(sum) + rest;
}

void smol_rows_q8_avx2(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                       size_t x_stride, size_t n_x, void *scratch)
{
    (void)scratch;
    for (size_t r = 0; r < rows->n_rows; r++)
        for (size_t i = 0; i < n_x; i++)
            sums[i * rows->n_rows + r] =
                dot_q8(rows->data + r * rows->cols, X + i * x_stride, rows->cols);
}

/* ---- 4 bits ---- */

/* A prepared vector: signed bytes h and l of X = 256 h + l, and -8 x the sums of pairs of each as
 * 16-bit integers; n numbers of each. */
struct prepared {
    int8_t *h, *l;
    int16_t *offset_h, *offset_l; /* (n / 2) */
};

static void prepare_q4(struct prepared *v, void *scratch, const int16_t *X, size_t cols)
{
    const size_t n = smol_round_up(cols, 64);

    v->h = scratch;
    v->l = v->h + n;
    v->offset_h = (int16_t *)(void *)(v->l + n);
    v->offset_l = v->offset_h + n / 2;
    memset(scratch, 0, 2 * n);
    for (size_t i = 0; i < cols; i++) {
        const int16_t h = (int16_t)((X[i] + 128) >> 8);
        v->h[i] = (int8_t)h;
        v->l[i] = (int8_t)(X[i] - 256 * h);
    }
    for (size_t i = 0; i < n / 2; i++) {
        v->offset_h[i] = (int16_t)(-8 * (v->h[2 * i] + v->h[2 * i + 1]));
        v->offset_l[i] = (int16_t)(-8 * (v->l[2 * i] + v->l[2 * i + 1]));
    }
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
static int64_t dot_q4(const uint8_t *row, const uint8_t *multipliers, const struct prepared *v,
                      size_t cols)
{
    const __m256i nibbles = _mm256_set1_epi8(15), flip = _mm256_set1_epi8(8);
    __m256i sum_h[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()},
            sum_l[2] = {sum_h[0], sum_h[0]};

    for (size_t i = 0; i < cols; i += 64) {
        const __m256i bytes = load(row + i / 2);
        const __m256i q[2] = {
            _mm256_xor_si256(_mm256_and_si256(bytes, nibbles), flip),
            _mm256_xor_si256(_mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibbles), flip)};
        for (size_t g = 0; g < 2; g++) {
            const size_t at = i + 32 * g;
            const __m256i m = _mm256_set1_epi16(multipliers[at / 32]);
            sum_h[g] = group_q4(sum_h[g], q[g], v->h + at, v->offset_h + at / 2, m);
            sum_l[g] = group_q4(sum_l[g], q[g], v->l + at, v->offset_l + at / 2, m);
        }
    }
    return 256 * (sum_i64(add_wide(add_wide(_mm256_setzero_si256(), sum_h[0]), sum_h[1]))) +
           sum_i64(add_wide(add_wide(_mm256_setzero_si256(), sum_l[0]), sum_l[1]));
}

void smol_rows_q4_avx2(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                       size_t x_stride, size_t n_x, void *scratch)
{
    const size_t row_bytes = smol_row_bytes(SMOL_Q4, (uint32_t)rows->cols),
                 n = smol_row_multipliers((uint32_t)rows->cols);
    struct prepared v;

    for (size_t i = 0; i < n_x; i++) {
        prepare_q4(&v, scratch, X + i * x_stride, rows->cols);
        for (size_t r = 0; r < rows->n_rows; r++)
            sums[i * rows->n_rows + r] =
                dot_q4(rows->data + r * row_bytes, rows->multipliers + r * n, &v, rows->cols);
    }
}

/* ---- integer weights ---- */

void smol_rows_i16_avx2(int64_t *sums, const int16_t *w, size_t n_rows, size_t cols,
                        const int16_t *X)
{
    for (size_t r = 0; r < n_rows; r++)
        sums[r] = dot_int16(w + r * cols, X, cols);
}
