/* Rows of stored numbers times vectors, with AVX2: embeddings of 8 and 4 bits, and integer weights
 * of 16. */
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

static void expand_q8(int16_t *w, const struct row *row, size_t cols)
{
    size_t i = 0;

    for (; i + 16 <= cols; i += 16)
        store(w + i, _mm256_cvtepi8_epi16(
                         _mm_loadu_si128((const __m128i *)(const void *)(row->data + i))));
    for (; i < cols; i++)
        w[i] = (int8_t)row->data[i];
}

void smol_rows_q8_avx2(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                       size_t x_stride, size_t n_x, void *scratch)
{
    const struct row_strides strides = row_strides(rows, SMOL_Q8);

    if (n_x > 1)
        rows_tiles(sums, rows, strides, X, x_stride, n_x, scratch, expand_q8, 4096);
    else
        multiply_rows(sums, rows, strides, X, x_stride, 1, scratch, NULL, dot_q8);
}

/* ---- 4 bits ---- */

#define BLOCK 64u        /* columns of two groups, in 32 bytes */
#define MOST_BLOCKS 512u /* 512 x 2 groups x 4 products of 15 x 128 x 255 < 2^31 in a lane */
#define MULTIPLIERS 16u  /* that are multiplied at once */

/* A vector made ready: of each block signed bytes h, then l, of X = 256 h + l; and sums of 32, as
 * the groups of a row have them, 2048 high (n_sums) + low (n_sums). */
struct vector_q4 {
    int8_t *bytes;
    int16_t *low, *high;
    size_t n, n_groups, n_sums;
};

static struct vector_q4 vector_q4(const void *prepared, size_t cols)
{
    struct vector_q4 v = {.bytes = (int8_t *)(uintptr_t)prepared, .n = smol_round_up(cols, BLOCK)};

    v.n_groups = v.n / SMOL_Q4_GROUP;
    v.n_sums = smol_round_up(v.n_groups, MULTIPLIERS);
    v.low = (int16_t *)(void *)(v.bytes + 2 * v.n);
    v.high = v.low + v.n_sums;
    return v;
}

/* Sums stand where a row's multipliers are read, which may be twice. */
static void prepare_q4(void *prepared, const int16_t *X, size_t cols)
{
    const struct vector_q4 v = vector_q4(prepared, cols);

    for (size_t c = 0; c < cols; c += BLOCK)
        split_bytes(v.bytes + 2 * c, v.bytes + 2 * c + BLOCK, X + c,
                    cols - c < BLOCK ? cols - c : BLOCK, BLOCK);
    memset(v.low, 0, 2 * v.n_sums * sizeof *v.low);
    for (size_t g = 0; g < v.n_groups; g++) {
        const size_t at = g / MULTIPLIERS * MULTIPLIERS,
                     to = g + at - read_at(at, MULTIPLIERS, v.n_groups), c = g * SMOL_Q4_GROUP,
                     end = c + SMOL_Q4_GROUP < cols ? c + SMOL_Q4_GROUP : cols;
        int32_t sum = 0;
        for (size_t i = c; i < end; i++)
            sum += X[i];
        v.low[to] = (int16_t)(sum & 2047);
        v.high[to] = (int16_t)((sum - (sum & 2047)) / 2048);
    }
}

/* A group's sums of pairs of q + 8 times bytes fit 16 bits, and are multiplied. */
static inline __m256i group_q4(__m256i sum, __m256i q, const int8_t *bytes, __m256i multiplier)
{
    return _mm256_add_epi32(sum,
                            _mm256_madd_epi16(_mm256_maddubs_epi16(q, load(bytes)), multiplier));
}

/* The sum of multipliers times the sums of their groups' X. */
static inline __m256i offset_q4(const struct row *row, const struct vector_q4 *v)
{
    const __m256i zero = _mm256_setzero_si256();
    uint8_t copy[MULTIPLIERS];
    const uint8_t *multipliers = readable(copy, row->multipliers, v->n_groups, MULTIPLIERS, row);
    __m256i low = zero, high = zero;

    for (size_t g = 0; g < v->n_groups; g += MULTIPLIERS) {
        const __m256i m = _mm256_cvtepu8_epi16(_mm_loadu_si128(
            (const __m128i *)(const void *)(multipliers + read_at(g, MULTIPLIERS, v->n_groups))));
        low = _mm256_add_epi32(low, _mm256_madd_epi16(m, load(v->low + g)));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(m, load(v->high + g)));
    }
    return add_wide(_mm256_slli_epi64(add_wide(zero, high), 11), low);
}

static inline __m256i lanes_q4(const struct row *row, const void *prepared, size_t cols)
{
    const struct vector_q4 v = vector_q4(prepared, cols);
    const __m256i nibbles = _mm256_set1_epi8(15), flip = _mm256_set1_epi8((char)0x88),
                  low = _mm256_set1_epi16(255), zero = _mm256_setzero_si256();
    const uint8_t *data = row->data, *multipliers = row->multipliers;
    const int8_t *x = v.bytes;
    __m256i total_h = zero,
            total_l = _mm256_sub_epi64(zero, _mm256_slli_epi64(offset_q4(row, &v), 3));

    for (size_t left = v.n / BLOCK; left > 0;) {
        size_t n = left < MOST_BLOCKS ? left : MOST_BLOCKS;
        __m256i sum_h = zero, sum_l = zero;
        left -= n;
        for (; n > 0; n--, data += BLOCK / 2, multipliers += 2, x += 2 * BLOCK) {
            const __m256i q = _mm256_xor_si256(load(data), flip), q0 = _mm256_and_si256(q, nibbles),
                          q1 = _mm256_and_si256(_mm256_srli_epi16(q, 4), nibbles);
            const __m256i both = _mm256_set1_epi16((short)smol_le16(multipliers));
            const __m256i m0 = _mm256_and_si256(both, low), m1 = _mm256_srli_epi16(both, 8);
            _mm_prefetch((const char *)data + PREFETCH_BYTES, _MM_HINT_T0);
            sum_h = group_q4(sum_h, q0, x, m0);
            sum_h = group_q4(sum_h, q1, x + SMOL_Q4_GROUP, m1);
            sum_l = group_q4(sum_l, q0, x + BLOCK, m0);
            sum_l = group_q4(sum_l, q1, x + BLOCK + SMOL_Q4_GROUP, m1);
        }
        total_h = add_wide(total_h, sum_h);
        total_l = add_wide(total_l, sum_l);
    }
    return _mm256_add_epi64(_mm256_slli_epi64(total_h, 8), total_l);
}

/* 32 numbers q + 8 times their multiplier. */
static inline void expand_group(int16_t *w, __m256i q, uint8_t multiplier)
{
    const __m256i signed_q = _mm256_sub_epi8(q, _mm256_set1_epi8(8)),
                  m = _mm256_set1_epi16(multiplier);
    const __m256i a = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(signed_q)),
                  b = _mm256_cvtepi8_epi16(_mm256_extracti128_si256(signed_q, 1));

    store(w, _mm256_mullo_epi16(a, m));
    store(w + 16, _mm256_mullo_epi16(b, m));
}

static void expand_q4(int16_t *w, const struct row *row, size_t cols)
{
    const __m256i nibbles = _mm256_set1_epi8(15), flip = _mm256_set1_epi8((char)0x88);

    for (size_t i = 0; i < cols; i += BLOCK) {
        const uint8_t *m = row->multipliers + i / SMOL_Q4_GROUP;
        const __m256i q = _mm256_xor_si256(load(row->data + i / 2), flip);
        expand_group(w + i, _mm256_and_si256(q, nibbles), m[0]);
        expand_group(w + i + SMOL_Q4_GROUP, _mm256_and_si256(_mm256_srli_epi16(q, 4), nibbles),
                     m[1]);
    }
}

void smol_rows_q4_avx2(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                       size_t x_stride, size_t n_x, void *scratch)
{
    const struct row_strides strides = row_strides(rows, SMOL_Q4);

    if (n_x > 1) {
        rows_tiles(sums, rows, strides, X, x_stride, n_x, scratch, expand_q4, 256);
    } else {
        prepare_q4(scratch, X, rows->cols);
        rows_single(sums, rows, strides, scratch, lanes_q4);
    }
}

/* ---- integer weights ---- */

void smol_rows_i16_avx2(int64_t *sums, const int16_t *w, size_t n_rows, size_t cols,
                        const int16_t *X)
{
    for (size_t r = 0; r < n_rows; r++)
        sums[r] = dot_int16(w + r * cols, X, cols);
}
