/* Products of frozen row blocks and of 8-bit rows with AVX-VNNI: AVX2 and the byte dot product
 * (vpdpbusd, unsigned x signed).
 *
 * X = 256 h + l is split into signed bytes once, weights are looked up as the two unsigned bytes of
 * w + 32768, and sum w X = sum (w + 32768) X - 32768 sum X. At most 2^18 columns: 2^15 products of
 * 255 x 128 in a lane, two sums of them in one, stay below 2^31. Times one vector nothing leaves
 * the registers; times several, two rows at a time exist as bytes. */
#include "kernel/x86/table_avx2.h"

#include <string.h>

#define STEP 32u /* columns of a register of bytes */
#define OFFSET 32768
#define SIDE 2u /* rows whose products wait for each other's */

/* The sum is s0 + 256 s1 + 65536 s3. */
struct sums {
    __m256i s0, s1, s3;
};

/* A vector as bytes h (n) and l (n), zeros past its end, and 32768 x its sum; the vectors lie one
 * behind the other. */
struct prepared {
    const int8_t *h, *l;
    int64_t offset;
};

#define OFFSET_BYTES 64u

static struct prepared vector_at(const int8_t *vectors, size_t n, size_t i)
{
    struct prepared v = {.h = vectors + i * (2 * n + OFFSET_BYTES)};

    v.l = v.h + n;
    memcpy(&v.offset, v.l + n, sizeof v.offset);
    return v;
}

static void prepare(int8_t *vectors, size_t n, size_t i, const int16_t *X, size_t cols)
{
    int8_t *h = vectors + i * (2 * n + OFFSET_BYTES);
    int64_t offset = 0;

    memset(h, 0, 2 * n);
    for (size_t c = 0; c < cols; c++) {
        const int high = (X[c] + 128) >> 8;
        h[c] = (int8_t)high;
        h[n + c] = (int8_t)(X[c] - 256 * high);
        offset += X[c] * OFFSET;
    }
    memcpy(h + 2 * n, &offset, sizeof offset);
}

static inline void sums_clear(struct sums *s) { s->s0 = s->s1 = s->s3 = _mm256_setzero_si256(); }

static inline void sums_add(struct sums *s, __m256i low, __m256i high, __m256i h, __m256i l)
{
    s->s0 = _mm256_dpbusd_epi32(s->s0, low, l);
    s->s1 = _mm256_dpbusd_epi32(s->s1, low, h);
    s->s3 = _mm256_dpbusd_epi32(s->s3, high, h);
    s->s1 = _mm256_dpbusd_epi32(s->s1, high, l);
}

static inline int64_t sum_lanes(__m256i v) { return sum_i64(add_wide(_mm256_setzero_si256(), v)); }

static inline int64_t sums_total(const struct sums *s)
{
    return sum_lanes(s->s0) + 256 * sum_lanes(s->s1) + 65536 * sum_lanes(s->s3);
}

/* What a plane of a row block is made of. */
struct block {
    struct half s[2]; /* its stream */
    uint32_t rows;
    size_t n; /* columns, whole steps */
    struct table table;
};

/* ---- one vector ---- */

static inline __attribute__((always_inline)) void half_sums(struct sums *sums, struct half *s,
                                                            const struct table *table,
                                                            const struct prepared *v, size_t i,
                                                            enum way way)
{
    __m256i low, high;

    look_up(&low, &high, table, half_step(s), way);
    sums_add(sums, low, high, load(v->h + i), load(v->l + i));
}

static inline __attribute__((always_inline)) void
block_single(int64_t *to, struct block *b, const struct prepared *v, enum way way, bool is_first)
{
    for (uint32_t r = 0; r < b->rows; r++) {
        struct sums sums;
        sums_clear(&sums);
        for (size_t i = 0; i < b->n; i += 2 * STEP) {
            half_sums(&sums, &b->s[0], &b->table, v, i, way);
            half_sums(&sums, &b->s[1], &b->table, v, i + STEP, way);
        }
        to[r] = sums_total(&sums) - v->offset + (is_first ? 0 : to[r]);
    }
}

/* ---- several vectors ---- */

static inline __attribute__((always_inline)) void
next_bytes(int8_t *row, size_t n, struct half *s, const struct table *table, enum way way)
{
    __m256i low, high;

    look_up(&low, &high, table, half_step(s), way);
    store(row, low);
    store(row + n, high);
}

static inline __attribute__((always_inline)) void next_row(int8_t *row, struct block *b,
                                                           enum way way)
{
    for (size_t i = 0; i < b->n; i += 2 * STEP) {
        next_bytes(row + i, b->n, &b->s[0], &b->table, way);
        next_bytes(row + i + STEP, b->n, &b->s[1], &b->table, way);
    }
}

/* Rows as bytes low (n), high (n), one behind the other, times a vector. */
static inline void multiply_rows(int64_t to[SIDE], const int8_t *rows, size_t n,
                                 const struct prepared *v)
{
    struct sums sums[SIDE];

    for (uint32_t r = 0; r < SIDE; r++)
        sums_clear(&sums[r]);
    for (size_t i = 0; i < n; i += STEP)
        for (uint32_t r = 0; r < SIDE; r++)
            sums_add(&sums[r], load(rows + 2 * r * n + i), load(rows + (2 * r + 1) * n + i),
                     load(v->h + i), load(v->l + i));
    for (uint32_t r = 0; r < SIDE; r++)
        to[r] = sums_total(&sums[r]) - v->offset;
}

/* The sums of vector i are at to + i x stride. */
static inline __attribute__((always_inline)) void block_several(int64_t *to, size_t stride,
                                                                struct block *b, int8_t *rows,
                                                                const int8_t *vectors, size_t n_x,
                                                                enum way way, bool is_first)
{
    for (uint32_t r = 0; r < b->rows; r += SIDE) {
        const uint32_t n_rows = b->rows - r < SIDE ? b->rows - r : SIDE;
        for (uint32_t i = 0; i < SIDE; i++) /* the last one may be beyond the end, and is not used
                                               then */
            next_row(rows + 2 * i * b->n, b, way);
        for (size_t i = 0; i < n_x; i++) {
            const struct prepared v = vector_at(vectors, b->n, i);
            int64_t sums[SIDE];
            multiply_rows(sums, rows, b->n, &v);
            for (uint32_t k = 0; k < n_rows; k++)
                to[i * stride + r + k] = sums[k] + (is_first ? 0 : to[i * stride + r + k]);
        }
    }
}

/* ---- row blocks ---- */

static inline __attribute__((always_inline)) void multiply_block(int64_t *to, size_t stride,
                                                                 struct block *b, int8_t *rows,
                                                                 const int8_t *vectors, size_t n_x,
                                                                 enum way way, bool is_first)
{
    const struct prepared v = vector_at(vectors, b->n, 0);

    if (n_x == 1)
        block_single(to, b, &v, way, is_first);
    else
        block_several(to, stride, b, rows, vectors, n_x, way, is_first);
}

void smol_frozen_avxvnni(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                         uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                         void *scratch)
{
    const size_t n = smol_round_up(t->cols, 2 * STEP), stride = (size_t)n_blocks * SMOL_ROW_BLOCK;
    int8_t *rows = scratch, *vectors = rows + 2 * SIDE * n;
    struct block b = {.n = n};

    for (size_t i = 0; i < n_x; i++)
        prepare(vectors, n, i, X + i * x_stride, t->cols);
    for (uint32_t p = 0; p < t->n_planes; p++) {
        smol_table_load_avx2(&b.table, t->table + p * SMOL_TABLE_ENTRIES, OFFSET);
        for (uint32_t i = 0; i < n_blocks; i++) {
            const uint32_t left = t->rows - (block + i) * SMOL_ROW_BLOCK;
            int64_t *to = sums + i * SMOL_ROW_BLOCK;
            b.rows = left < SMOL_ROW_BLOCK ? left : SMOL_ROW_BLOCK;
            lanes_init(b.s, t, p, block + i);
            if (b.table.way == WAY_32)
                multiply_block(to, stride, &b, rows, vectors, n_x, WAY_32, p == 0);
            else if (b.table.way == WAY_SUM)
                multiply_block(to, stride, &b, rows, vectors, n_x, WAY_SUM, p == 0);
            else
                multiply_block(to, stride, &b, rows, vectors, n_x, WAY_ODD, p == 0);
        }
    }
}

/* ---- rows of 8-bit embeddings ---- */

/* q + 128 is unsigned; what that adds is 128 x the sum of X, of the columns that go in whole steps.
 */
static int64_t dot_q8(const uint8_t *row, const struct prepared *v, const int16_t *X, size_t cols,
                      int64_t offset)
{
    const __m256i flip = _mm256_set1_epi8((char)128);
    __m256i h = _mm256_setzero_si256(), l = h;
    int64_t rest = 0;
    size_t i = 0;

    for (; i + STEP <= cols; i += STEP) {
        const __m256i q = _mm256_xor_si256(load(row + i), flip);
        h = _mm256_dpbusd_epi32(h, q, load(v->h + i));
        l = _mm256_dpbusd_epi32(l, q, load(v->l + i));
    }
    for (; i < cols; i++)
        rest += (int8_t)row[i] * X[i];
    return 256 * sum_lanes(h) + sum_lanes(l) - offset + rest;
}

void smol_rows_q8_avxvnni(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                          size_t x_stride, size_t n_x, void *scratch)
{
    const size_t n = smol_round_up(rows->cols, STEP), cols = rows->cols;

    for (size_t i = 0; i < n_x; i++) {
        const int16_t *x = X + i * x_stride;
        struct prepared v;
        int64_t offset = 0;
        prepare(scratch, n, 0, x, cols);
        v = vector_at(scratch, n, 0);
        for (size_t c = 0; c < cols / STEP * STEP; c++)
            offset += 128 * x[c];
        for (size_t r = 0; r < rows->n_rows; r++)
            sums[i * rows->n_rows + r] = dot_q8(rows->data + r * cols, &v, x, cols, offset);
    }
}
