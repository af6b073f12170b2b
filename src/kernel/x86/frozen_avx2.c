/* Frozen row blocks with AVX2.
 *
 * Times one vector nothing leaves the registers: X = 256 h + l is split into 16-bit integers once,
 * in the order in which the bytes of the weights come together, and w h and w l are summed by
 * vpmaddwd. |w h| <= 32640 x 128, four of them meet in a lane for each 32 columns: 126 x 4 x 32640
 * x 128 < 2^31, so 4,032 columns fit before the sums move to 64 bits. Planes add up. Times several
 * vectors, some rows at a time exist, as 16-bit integers. */
#include "kernel/x86/table_avx2.h"

#include <string.h>

#define STEP 32u /* columns of a register of bytes */
#define CHUNK 4032u
#define LANES 16u
#define GROUP 8u /* rows that exist at once, for which a plane's table is made ready */

/* ---- one vector ---- */

/* 32 columns of X: in each half of a register, the columns whose weights vpunpck brings there. */
struct split {
    __m256i h[2], l[2];
};

static inline __m256i high_of(__m256i X)
{
    return _mm256_srai_epi16(_mm256_add_epi16(X, _mm256_set1_epi16(128)), 8);
}

static void split_step(struct split *s, const int16_t X[STEP])
{
    const __m256i a = load(X), b = load(X + LANES);
    const __m256i first = _mm256_permute2x128_si256(a, b, 0x20),
                  second = _mm256_permute2x128_si256(a, b, 0x31);

    s->h[0] = high_of(first);
    s->h[1] = high_of(second);
    s->l[0] = _mm256_sub_epi16(first, _mm256_slli_epi16(s->h[0], 8));
    s->l[1] = _mm256_sub_epi16(second, _mm256_slli_epi16(s->h[1], 8));
}

/* Zeros stand in the columns that X does not have. */
static void split_vector(struct split *split, const int16_t *X, size_t cols)
{
    const size_t steps = (cols + 63) / 64 * 2;

    for (size_t i = 0; i < steps; i++) {
        const size_t at = i * STEP, left = at < cols ? cols - at : 0;
        int16_t rest[STEP] = {0};
        memcpy(rest, X + (left ? at : 0), (left < STEP ? left : STEP) * sizeof *X);
        split_step(&split[i], rest);
    }
}

static inline __attribute__((always_inline)) void multiply_step(__m256i *sum_h, __m256i *sum_l,
                                                                __m256i u, const struct split *x,
                                                                const struct table *table,
                                                                enum way way)
{
    __m256i low, high;

    look_up(&low, &high, table, u, way);
    const __m256i w0 = _mm256_unpacklo_epi8(low, high), w1 = _mm256_unpackhi_epi8(low, high);

    *sum_h = _mm256_add_epi32(
        *sum_h, _mm256_add_epi32(_mm256_madd_epi16(w0, x->h[0]), _mm256_madd_epi16(w1, x->h[1])));
    *sum_l = _mm256_add_epi32(
        *sum_l, _mm256_add_epi32(_mm256_madd_epi16(w0, x->l[0]), _mm256_madd_epi16(w1, x->l[1])));
}

/* One plane of a row block, added to the sums of those before it. */
static inline __attribute__((always_inline)) void
block_single(int64_t *sums, uint32_t rows, struct half s[2], const struct split *x, size_t cols,
             const struct table *table, enum way way, bool is_first)
{
    for (uint32_t r = 0; r < rows; r++) {
        __m256i wide_h = _mm256_setzero_si256(), wide_l = wide_h;
        for (size_t i = 0; i < cols;) {
            const size_t end = cols - i < CHUNK ? cols : i + CHUNK;
            __m256i sum_h = _mm256_setzero_si256(), sum_l = sum_h;
            for (; i < end; i += 2 * STEP) {
                multiply_step(&sum_h, &sum_l, half_step(&s[0]), &x[i / STEP], table, way);
                multiply_step(&sum_h, &sum_l, half_step(&s[1]), &x[i / STEP + 1], table, way);
            }
            wide_h = add_wide(wide_h, sum_h);
            wide_l = add_wide(wide_l, sum_l);
        }
        sums[r] = 256 * sum_i64(wide_h) + sum_i64(wide_l) + (is_first ? 0 : sums[r]);
    }
}

/* The compiler makes a loop of its own for each way to look up. */
static void plane_single(int64_t *sums, const struct smol_frozen *t, uint32_t plane, uint32_t block,
                         uint32_t rows, const struct split *x, const struct table *table)
{
    struct half s[2];

    lanes_init(s, t, plane, block);
    if (table->way == WAY_32)
        block_single(sums, rows, s, x, t->cols, table, WAY_32, plane == 0);
    else if (table->way == WAY_SUM)
        block_single(sums, rows, s, x, t->cols, table, WAY_SUM, plane == 0);
    else
        block_single(sums, rows, s, x, t->cols, table, WAY_ODD, plane == 0);
}

/* ---- several vectors ---- */

/* 32 weights of one plane, added to w unless it is the first. */
static inline __attribute__((always_inline)) void
add_weights(int16_t *w, __m256i u, const struct table *table, enum way way, bool is_first)
{
    __m256i low, high;

    look_up(&low, &high, table, u, way);
    const __m256i a = _mm256_unpacklo_epi8(low, high), b = _mm256_unpackhi_epi8(low, high);
    const __m256i v[2] = {_mm256_permute2x128_si256(a, b, 0x20),
                          _mm256_permute2x128_si256(a, b, 0x31)};

    for (unsigned i = 0; i < 2; i++)
        store(w + LANES * i, is_first ? v[i] : _mm256_add_epi16(load(w + LANES * i), v[i]));
}

static inline __attribute__((always_inline)) void add_plane(int16_t *w, struct half s[2],
                                                            size_t cols, const struct table *table,
                                                            enum way way, bool is_first)
{
    for (size_t i = 0; i < cols; i += 2 * STEP) {
        add_weights(w + i, half_step(&s[0]), table, way, is_first);
        add_weights(w + i + STEP, half_step(&s[1]), table, way, is_first);
    }
}

/* The next rows of integers w (n_rows, whole steps). */
static void next_rows(int16_t *w, uint32_t n_rows, const struct smol_frozen *t,
                      struct half (*streams)[2], struct table *table)
{
    const size_t stride = smol_round_up(t->cols, 2 * STEP);

    for (uint32_t p = 0; p < t->n_planes; p++) {
        if (t->n_planes > 1)
            smol_table_load_avx2(table, t->table + p * SMOL_TABLE_ENTRIES, 0);
        for (uint32_t r = 0; r < n_rows; r++)
            if (table->way == WAY_32)
                add_plane(w + r * stride, streams[p], t->cols, table, WAY_32, p == 0);
            else if (table->way == WAY_SUM)
                add_plane(w + r * stride, streams[p], t->cols, table, WAY_SUM, p == 0);
            else
                add_plane(w + r * stride, streams[p], t->cols, table, WAY_ODD, p == 0);
    }
}

static void block_rows(int64_t *sums, size_t sums_stride, const struct smol_frozen *t,
                       uint32_t block, uint32_t rows, const int16_t *X, size_t x_stride, size_t n_x,
                       int16_t *w)
{
    const size_t stride = smol_round_up(t->cols, 2 * STEP);
    struct half streams[SMOL_MAX_PLANES][2];
    struct table table;

    for (uint32_t p = 0; p < t->n_planes; p++)
        lanes_init(streams[p], t, p, block);
    smol_table_load_avx2(&table, t->table, 0);
    for (uint32_t first = 0; first < rows; first += GROUP) {
        const uint32_t n_rows = rows - first < GROUP ? rows - first : GROUP;
        next_rows(w, n_rows, t, streams, &table);
        for (uint32_t r = 0; r < n_rows; r++)
            for (size_t i = 0; i < n_x; i++)
                sums[i * sums_stride + first + r] =
                    dot_int16(w + r * stride, X + i * x_stride, t->cols);
    }
}

static uint32_t rows_of(const struct smol_frozen *t, uint32_t block)
{
    const uint32_t left = t->rows - block * SMOL_ROW_BLOCK;

    return left < SMOL_ROW_BLOCK ? left : SMOL_ROW_BLOCK;
}

void smol_frozen_avx2(int64_t *sums, const struct smol_frozen *t, uint32_t block, uint32_t n_blocks,
                      const int16_t *X, size_t x_stride, size_t n_x, void *scratch)
{
    struct table table;

    if (n_x > 1) {
        for (uint32_t b = 0; b < n_blocks; b++)
            block_rows(sums + b * SMOL_ROW_BLOCK, (size_t)n_blocks * SMOL_ROW_BLOCK, t, block + b,
                       rows_of(t, block + b), X, x_stride, n_x, scratch);
        return;
    }
    split_vector(scratch, X, t->cols);
    for (uint32_t p = 0; p < t->n_planes; p++) {
        smol_table_load_avx2(&table, t->table + p * SMOL_TABLE_ENTRIES, 0);
        for (uint32_t b = 0; b < n_blocks; b++)
            plane_single(sums + b * SMOL_ROW_BLOCK, t, p, block + b, rows_of(t, block + b), scratch,
                         &table);
    }
}
