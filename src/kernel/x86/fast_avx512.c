/* The approximate product of frozen row blocks, with AVX-512: high bytes of the weights, looked up
 * as w1 + 128, times high bytes of the vector, one product (vpdpbusd) for 64 weights. Planes add
 * up, each by itself. */
#include "kernel/x86/registers_avx512.h"

#define OFFSET 128
#define INPUTS 4u /* vectors multiplied with a row at once */

/* A vector's high bytes, whole registers; returns 128 x their sum. */
static int64_t prepare(uint8_t *bytes, const int16_t *X, size_t cols)
{
    const __m512i ones = _mm512_set1_epi8(1);
    __m512i sum = _mm512_setzero_si512();

    for (size_t i = 0; i < cols; i += BYTES) {
        __m512i h, l;
        split64(&h, &l, X + i, cols - i);
        _mm512_store_si512(bytes + i, h);
        sum = _mm512_dpbusd_epi32(sum, ones, h);
    }
    return OFFSET * sum_i32(sum);
}

/* The table of w1 + 128 alone. */
static void fast_table(struct table *t, const int16_t *q)
{
    int16_t high[SMOL_TABLE_ENTRIES];

    for (unsigned u = 0; u < SMOL_TABLE_ENTRIES; u++) {
        const int byte = (q[u] + 32768 + 128) / 256;
        high[u] = (int16_t)(byte > 255 ? 255 : byte < 1 ? 1 : byte);
    }
    table_load(t, high, 0);
}

/* The next row of each block times one vector. */
static inline __attribute__((always_inline)) void rows_single(__m512i *sums, struct lanes *s,
                                                              uint32_t n_blocks, const uint8_t *x,
                                                              size_t n, const struct table *t,
                                                              bool is_narrow)
{
    for (uint32_t b = 0; b < n_blocks; b++)
        sums[b] = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i += BYTES) {
        const __m512i h = _mm512_load_si512(x + i);
        for (uint32_t b = 0; b < n_blocks; b++)
            sums[b] =
                _mm512_dpbusd_epi32(sums[b], look_up(t->low, lanes_step(&s[b]), is_narrow), h);
    }
}

static inline __attribute__((always_inline)) void single(int64_t *sums, const struct smol_frozen *t,
                                                         uint32_t plane, uint32_t block,
                                                         uint32_t n_blocks, const uint8_t *x,
                                                         int64_t offset, const struct table *table,
                                                         bool is_narrow)
{
    const uint32_t rows = t->rows - block * SMOL_ROW_BLOCK;
    struct lanes s[SMOL_BLOCK_BATCH];

    lanes_init(s, t, plane, block, n_blocks);
    for (uint32_t r = 0; r < SMOL_ROW_BLOCK && r < rows; r++) {
        __m512i row[SMOL_BLOCK_BATCH];
        rows_single(row, s, n_blocks, x, smol_round_up(t->cols, BYTES), table, is_narrow);
        for (uint32_t b = 0; b < n_blocks && b * SMOL_ROW_BLOCK + r < rows; b++) {
            int64_t *sum = sums + b * SMOL_ROW_BLOCK + r;
            *sum = 65536 * (sum_i32(row[b]) - offset) + (plane ? *sum : 0);
        }
    }
}

/* The compiler makes a loop of its own for each number of blocks and width of table. */
static void group(int64_t *sums, const struct smol_frozen *t, uint32_t plane, uint32_t block,
                  uint32_t n_blocks, const uint8_t *x, int64_t offset, const struct table *table)
{
    if (!table->is_narrow)
        for (uint32_t b = 0; b < n_blocks; b++)
            single(sums + b * SMOL_ROW_BLOCK, t, plane, block + b, 1, x, offset, table, false);
    else if (n_blocks == 3)
        single(sums, t, plane, block, 3, x, offset, table, true);
    else if (n_blocks == 2)
        single(sums, t, plane, block, 2, x, offset, table, true);
    else
        single(sums, t, plane, block, 1, x, offset, table, true);
}

/* A row of bytes times some vectors, n bytes apart. */
static inline __attribute__((always_inline)) void row_by_vectors(int64_t *sums, size_t stride,
                                                                 const uint8_t *w, const uint8_t *x,
                                                                 const int64_t *offsets, size_t n,
                                                                 unsigned n_in, bool is_first)
{
    __m512i sum[INPUTS];

    for (unsigned p = 0; p < n_in; p++)
        sum[p] = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i += BYTES) {
        const __m512i bytes = _mm512_load_si512(w + i);
        for (unsigned p = 0; p < n_in; p++)
            sum[p] = _mm512_dpbusd_epi32(sum[p], bytes, _mm512_load_si512(x + p * n + i));
    }
    for (unsigned p = 0; p < n_in; p++)
        sums[p * stride] =
            65536 * (sum_i32(sum[p]) - offsets[p]) + (is_first ? 0 : sums[p * stride]);
}

/* One plane of one row block times several vectors; w: a row of bytes. */
static void batch_block(int64_t *sums, size_t stride, const struct smol_frozen *t, uint32_t plane,
                        uint32_t block, const uint8_t *x, const int64_t *offsets, size_t n_x,
                        const struct table *table, uint8_t *w)
{
    const size_t n = smol_round_up(t->cols, BYTES);
    const uint32_t rows = t->rows - block * SMOL_ROW_BLOCK;
    struct lanes s;

    lanes_init(&s, t, plane, block, 1);
    for (uint32_t r = 0; r < SMOL_ROW_BLOCK && r < rows; r++) {
        for (size_t i = 0; i < n; i += BYTES)
            _mm512_store_si512(w + i, look_up(table->low, lanes_step(&s), table->is_narrow));
        for (size_t i = 0; i < n_x; i += INPUTS) {
            int64_t *at = sums + i * stride + r;
            if (n_x - i >= INPUTS)
                row_by_vectors(at, stride, w, x + i * n, offsets + i, n, INPUTS, plane == 0);
            else
                for (size_t p = 0; p < n_x - i; p++)
                    row_by_vectors(at + p * stride, stride, w, x + (i + p) * n, offsets + i + p, n,
                                   1, plane == 0);
        }
    }
}

void smol_frozen_fast_avx512(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                             uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                             void *scratch)
{
    const size_t n = smol_round_up(t->cols, BYTES), stride = (size_t)n_blocks * SMOL_ROW_BLOCK;
    uint8_t *w = scratch, *x = w + n;
    int64_t *offsets = (int64_t *)(void *)(x + n_x * n);
    struct table table;

    for (size_t i = 0; i < n_x; i++)
        offsets[i] = prepare(x + i * n, X + i * x_stride, t->cols);
    for (uint32_t p = 0; p < t->n_planes; p++) {
        fast_table(&table, t->table + p * SMOL_TABLE_ENTRIES);
        if (n_x == 1)
            group(sums, t, p, block, n_blocks, x, offsets[0], &table);
        else
            for (uint32_t b = 0; b < n_blocks; b++)
                batch_block(sums + b * SMOL_ROW_BLOCK, stride, t, p, block + b, x, offsets, n_x,
                            &table, w);
    }
}
