/* Frozen row blocks times one vector, with AVX-512 that has neither VBMI nor VNNI, as the first
 * processors with it.
 *
 * As in frozen_avx2.c, X = 256 h + l is split into 16-bit integers once, in the order in which the
 * bytes of the weights come together, and w h and w l are summed by vpmaddwd: |w h| <= 32640 x 128,
 * four of them meet in a lane for each 64 columns, and 126 x 4 x 32640 x 128 < 2^31, so 8,064
 * columns fit before the sums move to 64 bits. A table's registers are looked up one over the other
 * under masks. A stream's step waits for the one before it, so some row blocks run side by side. */
#include "kernel/x86/registers_avx512bw.h"

#define CHUNK (126u * BYTES)

/* 64 columns of X: in each quarter of a register, the columns whose weights vpunpck brings there.
 */
struct split_step {
    __m512i h[2], l[2];
};

static void split_columns(struct split_step *s, const int16_t *X, size_t n)
{
    const __m512i a = _mm512_maskz_loadu_epi16((__mmask32)tail64(n), X);
    const __m512i b = _mm512_maskz_loadu_epi16((__mmask32)(tail64(n) >> 32), X + 32);
    const __m512i part[2] = {_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xdd)};

    for (unsigned i = 0; i < 2; i++) {
        s->h[i] = _mm512_srai_epi16(_mm512_add_epi16(part[i], _mm512_set1_epi16(128)), 8);
        s->l[i] = _mm512_sub_epi16(part[i], _mm512_slli_epi16(s->h[i], 8));
    }
}

enum width {
    WIDTH_32 = 2,
    WIDTH_64 = 4,
    WIDTH_256 = 16
}; /* registers of entries that differ: five bases, six, more */

/* The bytes of a table's integers, 16 to a register, four times. */
struct table {
    __m512i low[16], high[16];
    enum width width;
};

static void table_load(struct table *t, const int16_t *q)
{
    bool is_32 = true, is_64 = true;

    for (unsigned i = 0; i < 16; i++) {
        uint8_t low[16], high[16];
        for (unsigned k = 0; k < 16; k++) {
            const unsigned u = 16 * i + k;
            is_32 = is_32 && q[u] == q[u & 31];
            is_64 = is_64 && q[u] == q[u & 63];
            low[k] = (uint8_t)q[u];
            high[k] = (uint8_t)((uint16_t)q[u] >> 8);
        }
        t->low[i] = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)low));
        t->high[i] = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)high));
    }
    t->width = is_32 ? WIDTH_32 : is_64 ? WIDTH_64 : WIDTH_256;
}

/* Which bytes have bits over the lowest four that choose register i of the table. */
static inline __attribute__((always_inline)) __mmask64 chosen(__m512i u, unsigned i,
                                                              enum width width)
{
    const __m512i bits = _mm512_and_si512(u, _mm512_set1_epi8((char)(16 * ((unsigned)width - 1))));

    return _mm512_cmpeq_epi8_mask(bits, _mm512_set1_epi8((char)(16 * i)));
}

/* 64 weights: those of columns 16 i..16 i + 7 in w[0], of 16 i + 8..16 i + 15 in w[1]. */
static inline __attribute__((always_inline)) void weights(__m512i w[2], __m512i u,
                                                          const struct table *t, enum width width)
{
    const __m512i index = _mm512_and_si512(u, _mm512_set1_epi8(15));
    __m512i low = _mm512_shuffle_epi8(t->low[0], index),
            high = _mm512_shuffle_epi8(t->high[0], index);

    for (unsigned i = 1; i < (unsigned)width; i++) {
        const __mmask64 mask = width == WIDTH_32 ? _mm512_test_epi8_mask(u, _mm512_set1_epi8(16))
                                                 : chosen(u, i, width);
        low = _mm512_mask_shuffle_epi8(low, mask, t->low[i], index);
        high = _mm512_mask_shuffle_epi8(high, mask, t->high[i], index);
    }
    w[0] = _mm512_unpacklo_epi8(low, high);
    w[1] = _mm512_unpackhi_epi8(low, high);
}

struct sums {
    __m512i h, l;
};

static inline __m512i add_to_i64(__m512i sum, __m512i v)
{
    sum = _mm512_add_epi64(sum, _mm512_cvtepi32_epi64(_mm512_castsi512_si256(v)));
    return _mm512_add_epi64(sum, _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(v, 1)));
}

/* The next row of n_blocks row blocks times the columns of one chunk. */
static inline __attribute__((always_inline)) void
next_columns(struct sums *sums, struct lanes *s, uint32_t n_blocks, const struct split_step *x,
             size_t steps, const struct table *t, enum width width)
{
    for (uint32_t b = 0; b < n_blocks; b++)
        sums[b].h = sums[b].l = _mm512_setzero_si512();
    for (size_t i = 0; i < steps; i++)
        for (uint32_t b = 0; b < n_blocks; b++) {
            __m512i w[2];
            weights(w, lanes_step(&s[b]), t, width);
            for (unsigned k = 0; k < 2; k++) {
                sums[b].h = _mm512_add_epi32(sums[b].h, _mm512_madd_epi16(w[k], x[i].h[k]));
                sums[b].l = _mm512_add_epi32(sums[b].l, _mm512_madd_epi16(w[k], x[i].l[k]));
            }
        }
}

/* n_blocks row blocks side by side; the last one may have fewer rows, whose sums are not written.
 */
static inline __attribute__((always_inline)) void
blocks(int64_t *to, const struct smol_frozen *t, uint32_t plane, uint32_t block, uint32_t n_blocks,
       const struct split_step *x, const struct table *table, enum width width)
{
    const uint32_t rows = t->rows - block * SMOL_ROW_BLOCK;
    struct lanes s[SMOL_BLOCK_BATCH];

    lanes_init(s, t, plane, block, n_blocks);
    for (uint32_t r = 0; r < SMOL_ROW_BLOCK && r < rows; r++) {
        __m512i wide[SMOL_BLOCK_BATCH][2] = {{_mm512_setzero_si512()}};
        for (size_t i = 0; i < t->cols; i += CHUNK) {
            const size_t left = t->cols - i, n = left < CHUNK ? left : CHUNK;
            struct sums sums[SMOL_BLOCK_BATCH];
            next_columns(sums, s, n_blocks, x + i / BYTES, (n + BYTES - 1) / BYTES, table, width);
            for (uint32_t b = 0; b < n_blocks; b++) {
                wide[b][0] = add_to_i64(wide[b][0], sums[b].h);
                wide[b][1] = add_to_i64(wide[b][1], sums[b].l);
            }
        }
        for (uint32_t b = 0; b < n_blocks && b * SMOL_ROW_BLOCK + r < rows; b++) {
            int64_t *sum = to + b * SMOL_ROW_BLOCK + r;
            const __m512i both = _mm512_add_epi64(_mm512_slli_epi64(wide[b][0], 8), wide[b][1]);
            *sum = _mm512_reduce_add_epi64(both) + (plane ? *sum : 0);
        }
    }
}

static inline __attribute__((always_inline)) void
group(int64_t *sums, const struct smol_frozen *t, uint32_t plane, uint32_t block, uint32_t n_blocks,
      const struct split_step *x, const struct table *table, enum width width)
{
    if (n_blocks == 3)
        blocks(sums, t, plane, block, 3, x, table, width);
    else if (n_blocks == 2)
        blocks(sums, t, plane, block, 2, x, table, width);
    else
        blocks(sums, t, plane, block, 1, x, table, width);
}

/* The compiler makes a loop of its own for each number of blocks and width of table; wide tables
 * leave no registers for a second block. */
static void plane_blocks(int64_t *sums, const struct smol_frozen *t, uint32_t plane, uint32_t block,
                         uint32_t n_blocks, const struct split_step *x, const struct table *table)
{
    if (table->width == WIDTH_32)
        group(sums, t, plane, block, n_blocks, x, table, WIDTH_32);
    else if (table->width == WIDTH_64)
        group(sums, t, plane, block, n_blocks, x, table, WIDTH_64);
    else
        for (uint32_t b = 0; b < n_blocks; b++)
            blocks(sums + b * SMOL_ROW_BLOCK, t, plane, block + b, 1, x, table, WIDTH_256);
}

void smol_frozen_avx512bw(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                          uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                          void *scratch)
{
    struct split_step *x = scratch;
    struct table table;

    if (n_x > 1) {
        smol_frozen_avx2(sums, t, block, n_blocks, X, x_stride, n_x, scratch);
        return;
    }
    for (size_t i = 0; i < t->cols; i += BYTES)
        split_columns(&x[i / BYTES], X + i, t->cols - i);
    for (uint32_t p = 0; p < t->n_planes; p++) {
        table_load(&table, t->table + p * SMOL_TABLE_ENTRIES);
        plane_blocks(sums, t, p, block, n_blocks, x, &table);
    }
}
