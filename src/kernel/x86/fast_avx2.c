/* The approximate product of frozen row blocks, with AVX2: high bytes of the weights, looked up,
 * times high bytes of the vectors. No pair of products, at most 2 x 127 x 127, saturates the 16
 * bits of vpmaddubsw. Planes add up, each by itself. */
#include "kernel/x86/table_avx2.h"

#include <string.h>

#define STEP 32u /* columns of a register of bytes */

static int high_byte(int16_t v)
{
    const int h = (v + 32768 + 128) / 256 - 128;

    return h > 127 ? 127 : h < -127 ? -127 : h;
}

static inline __attribute__((always_inline)) void next_row(int8_t *w, struct half s[2], size_t n,
                                                           const struct table *table, enum way way)
{
    for (size_t i = 0; i < n; i += 2 * STEP) {
        store(w + i, look_up_bytes(table, half_step(&s[0]), way));
        store(w + i + STEP, look_up_bytes(table, half_step(&s[1]), way));
    }
}

/* w and x of n bytes, a multiple of 64. */
static int64_t dot_bytes(const int8_t *w, const int8_t *x, size_t n)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sum = _mm256_setzero_si256();

    for (size_t i = 0; i < n; i += STEP) {
        const __m256i a = load(w + i), b = load(x + i);
        const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
    }
    return sum_i64(add_wide(_mm256_setzero_si256(), sum));
}

/* One plane of a row block times the vectors x (n_x, n), added to the sums of those before it; w: a
 * row of bytes. */
static void plane(int64_t *sums, size_t stride, const struct smol_frozen *t, uint32_t p,
                  uint32_t block, const int8_t *x, size_t n_x, const struct table *table, int8_t *w)
{
    const size_t n = smol_round_up(t->cols, 2 * STEP);
    const uint32_t rows = t->rows - block * SMOL_ROW_BLOCK;
    struct half s[2];

    lanes_init(s, t, p, block);
    for (uint32_t r = 0; r < SMOL_ROW_BLOCK && r < rows; r++) {
        if (table->way == WAY_256)
            next_row(w, s, n, table, WAY_256);
        else if (table->way == WAY_32)
            next_row(w, s, n, table, WAY_32);
        else
            next_row(w, s, n, table, WAY_SUM);
        for (size_t i = 0; i < n_x; i++)
            sums[i * stride + r] =
                65536 * dot_bytes(w, x + i * n, n) + (p ? sums[i * stride + r] : 0);
    }
}

void smol_frozen_fast_avx2(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                           uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                           void *scratch)
{
    const size_t n = smol_round_up(t->cols, 2 * STEP);
    int8_t *w = scratch, *x = w + n;
    struct table table;

    memset(x, 0, n_x * n);
    for (size_t i = 0; i < n_x; i++)
        for (size_t c = 0; c < t->cols; c++)
            x[i * n + c] = (int8_t)high_byte(X[i * x_stride + c]);
    for (uint32_t p = 0; p < t->n_planes; p++) {
        smol_table_load_bytes_avx2(&table, t->table + p * SMOL_TABLE_ENTRIES);
        for (uint32_t b = 0; b < n_blocks; b++)
            plane(sums + b * SMOL_ROW_BLOCK, (size_t)n_blocks * SMOL_ROW_BLOCK, t, p, block + b, x,
                  n_x, &table, w);
    }
}
