/* Frozen row blocks times one vector, with AVX-512.
 *
 * Nothing leaves the registers: X = 256 h + l is split into signed bytes once, the integer weights
 * are looked up as the two unsigned bytes of w + 32768, and the byte dot product (vpdpbusd,
 * unsigned x signed) does the rest exactly: sum w X = sum (w + 32768) X - 32768 sum X. A stream's
 * step waits for the one before it, so some row blocks run side by side. */
#include "kernel/x86/registers_avx512.h"

#define OFFSET 32768
#define NARROW_COLS 16384u /* up to here the 16 lanes of a sum fit 32 bits together */

/* The three sums of byte products of one row: s0 + 256 s1 + 65536 s3. At most 2^18 columns: |s1| <
 * 2^31. */
struct sums {
    __m512i s0, s1, s3;
};

/* The next row of n_blocks row blocks times the vector. */
static inline __attribute__((always_inline)) void next_rows(struct sums *out, struct lanes *s,
                                                            uint32_t n_blocks, const uint8_t *split,
                                                            size_t n, const struct table *table,
                                                            bool is_narrow)
{
    for (uint32_t b = 0; b < n_blocks; b++)
        out[b].s0 = out[b].s1 = out[b].s3 = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i += BYTES) {
        const __m512i h = _mm512_load_si512(split + i), l = _mm512_load_si512(split + n + i);
        for (uint32_t b = 0; b < n_blocks; b++) {
            const __m512i u = lanes_step(&s[b]);
            const __m512i w0 = look_up(table->low, u, is_narrow),
                          w1 = look_up(table->high, u, is_narrow);
            out[b].s0 = _mm512_dpbusd_epi32(out[b].s0, w0, l);
            out[b].s1 = _mm512_dpbusd_epi32(out[b].s1, w0, h);
            out[b].s3 = _mm512_dpbusd_epi32(out[b].s3, w1, h);
            out[b].s1 = _mm512_dpbusd_epi32(out[b].s1, w1, l);
        }
    }
}

/* Carries upward, so that low is within 0..65535 and the sum is low + 65536 high in each lane. */
static inline void carry(__m512i *low, __m512i *high, const struct sums *s)
{
    const __m512i byte = _mm512_set1_epi32(255);
    const __m512i middle = _mm512_add_epi32(s->s1, _mm512_srai_epi32(s->s0, 8));

    *low = _mm512_or_si512(_mm512_and_si512(s->s0, byte),
                           _mm512_slli_epi32(_mm512_and_si512(middle, byte), 8));
    *high = _mm512_add_epi32(s->s3, _mm512_srai_epi32(middle, 8));
}

/* n_blocks row blocks side by side; the last one may have fewer rows, whose sums are not written.
 */
static inline __attribute__((always_inline)) void blocks(int64_t *sums, const struct smol_frozen *t,
                                                         uint32_t plane, uint32_t block,
                                                         uint32_t n_blocks, const uint8_t *split,
                                                         int64_t offset, const struct table *table,
                                                         bool is_narrow_table)
{
    const size_t n = smol_round_up(t->cols, BYTES);
    const bool is_narrow = t->cols <= NARROW_COLS;
    const uint32_t rows = t->rows - block * SMOL_ROW_BLOCK;
    struct lanes s[SMOL_BLOCK_BATCH];
    __m512i pairs[SMOL_BLOCK_BATCH][2 * FOLD];

    lanes_init(s, t, plane, block, n_blocks);
    for (uint32_t r = 0; r < SMOL_ROW_BLOCK && r < rows; r += FOLD) {
        for (uint32_t i = 0; i < FOLD; i++) {
            struct sums row[SMOL_BLOCK_BATCH];
            next_rows(row, s, n_blocks, split, n, table, is_narrow_table);
            for (uint32_t b = 0; b < n_blocks; b++)
                carry(&pairs[b][i], &pairs[b][FOLD + i], &row[b]);
        }
        for (uint32_t b = 0; b < n_blocks; b++) {
            const uint32_t first = b * SMOL_ROW_BLOCK + r, left = first < rows ? rows - first : 0;
            if (left)
                finish_rows(sums + first, pairs[b], 16, offset, left < FOLD ? left : FOLD,
                            is_narrow);
        }
    }
}

/* The compiler makes a loop of its own for each number of blocks and width of table. */
static void group(int64_t *sums, const struct smol_frozen *t, uint32_t plane, uint32_t block,
                  uint32_t n_blocks, const uint8_t *split, int64_t offset,
                  const struct table *table)
{
    if (!table->is_narrow)
        for (uint32_t b = 0; b < n_blocks; b++)
            blocks(sums + b * SMOL_ROW_BLOCK, t, plane, block + b, 1, split, offset, table, false);
    else if (n_blocks == 3)
        blocks(sums, t, plane, block, 3, split, offset, table, true);
    else if (n_blocks == 2)
        blocks(sums, t, plane, block, 2, split, offset, table, true);
    else
        blocks(sums, t, plane, block, 1, split, offset, table, true);
}

/* One vector: the planes, one after the other, each with its table; their sums add up. */
static void single(int64_t *sums, const struct smol_frozen *t, uint32_t block, uint32_t n_blocks,
                   const int16_t *X, void *scratch)
{
    const int64_t offset = OFFSET * split_vector(scratch, X, t->cols);
    const uint32_t left = t->rows - block * SMOL_ROW_BLOCK, most = n_blocks * SMOL_ROW_BLOCK,
                   n = left < most ? left : most;
    int64_t plane[SMOL_BLOCK_BATCH * SMOL_ROW_BLOCK];
    struct table table;

    table_load(&table, t->table, 0x8000);
    group(sums, t, 0, block, n_blocks, scratch, offset, &table);
    for (uint32_t p = 1; p < t->n_planes; p++) {
        table_load(&table, t->table + p * SMOL_TABLE_ENTRIES, 0x8000);
        group(plane, t, p, block, n_blocks, scratch, offset, &table);
        for (uint32_t r = 0; r < n; r++)
            sums[r] += plane[r];
    }
}

void smol_frozen_avx512(int64_t *sums, const struct smol_frozen *tensor, uint32_t block,
                        uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                        void *scratch)
{
    if (n_x > 1)
        smol_frozen_batch_avx512(sums, tensor, block, n_blocks, X, x_stride, n_x, scratch);
    else
        single(sums, tensor, block, n_blocks, X, scratch);
}
