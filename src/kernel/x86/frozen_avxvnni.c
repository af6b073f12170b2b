/* Products of frozen row blocks and of 8-bit rows with AVX-VNNI: AVX2 and the byte dot product
 * (vpdpbusd, unsigned x signed).
 *
 * X = 256 h + l is split into signed bytes once, weights are looked up as the two unsigned bytes of
 * w + 32768, and sum w X = sum (w + 32768) X - 32768 sum X. At most 2^18 columns: 2^15 products of
 * 255 x 128 in a lane, two sums of them in one, stay below 2^31. Times one vector nothing leaves
 * the registers; times several, two rows at a time exist as bytes. */
#include "kernel/rows.h"
#include "kernel/x86/table_avx2.h"

#define LOOKUPS(X) X(LOOKUP_32) X(LOOKUP_SUM) X(LOOKUP_ODD)
#define SIDE 1u
#define SIDE_256 1u
#define CHUNK 0
#define KEPT 1u
#define ROWS 2u /* whose products wait for each other's */
#define OFFSET 32768

static void table_load(struct table *t, const int16_t *q) { smol_table_load_avx2(t, q, OFFSET); }

/* Vectors as bytes h (n) and l (n), zeros past its end, one behind the other, and their sums. */
struct vectors {
    const int8_t *bytes;
    const int64_t *sums;
    size_t n_x;
};

/* The sum is s0 + 256 s1 + 65536 s3. */
struct sums {
    __m256i s0, s1, s3;
};

ALWAYS_INLINE void multiply(struct sums *s, __m256i low, __m256i high, __m256i h, __m256i l)
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

/* ---- one vector ---- */

struct vector {
    const int8_t *h, *l;
    int64_t sum;
};

ALWAYS_INLINE void sums_add(struct sums *sums, struct generator *s, const struct table *table,
                            enum lookup lookup, const struct vector *x, size_t c, unsigned k)
{
    __m256i low, high;

    look_up(&low, &high, table, generator_step(s, k), lookup);
    multiply(sums, low, high, load(x->h + c + STEP * k), load(x->l + c + STEP * k));
}

KEEP_SUMS;

ALWAYS_INLINE void rows_finish(int64_t *to, const struct kept *kept, uint32_t n_rows,
                               const struct vector *x, bool is_first)
{
    (void)n_rows;
    *to = sums_total(&kept->sums) - OFFSET * x->sum + (is_first ? 0 : *to);
}

#include "kernel/product_single.h"

/* ---- several vectors ---- */

/* A row is bytes low (n), then high (n). */
ALWAYS_INLINE void row_put(int8_t *w, size_t n, uint32_t r, size_t step, unsigned k, __m256i u,
                           const struct table *table, enum lookup lookup, bool is_first)
{
    int8_t *to = w + 2 * r * n + SMOL_STEP_BYTES * step + STEP * k;
    __m256i low, high;

    (void)is_first; /* planes add up in the sums */
    look_up(&low, &high, table, u, lookup);
    store(to, low);
    store(to + n, high);
}

static inline void rows_multiply(int64_t *to, size_t stride, const int8_t *w, size_t n,
                                 uint32_t n_rows, const struct vectors *x, bool is_first)
{
    for (size_t i = 0; i < x->n_x; i++, to += stride) {
        const int8_t *h = x->bytes + 2 * n * i, *l = h + n;
        struct sums sums[ROWS] = {0};
        for (size_t c = 0; c < n; c += STEP)
            for (uint32_t r = 0; r < ROWS; r++)
                multiply(&sums[r], load(w + 2 * r * n + c), load(w + (2 * r + 1) * n + c),
                         load(h + c), load(l + c));
        for (uint32_t r = 0; r < n_rows; r++)
            to[r] = sums_total(&sums[r]) - OFFSET * x->sums[i] + (is_first ? 0 : to[r]);
    }
}

#include "kernel/product_several.h"

void smol_frozen_avxvnni(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                         uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                         void *scratch)
{
    const size_t n = smol_round_up(t->cols, PARTS * STEP);
    int8_t *w = scratch, *bytes = w + 2 * ROWS * n;
    int64_t *totals = (int64_t *)(void *)(bytes + 2 * n * n_x);
    const struct vectors vectors = {bytes, totals, n_x};

    for (size_t i = 0; i < n_x; i++, bytes += 2 * n) {
        split_bytes(bytes, bytes + n, X + i * x_stride, t->cols, n);
        totals[i] = sum_integers(X + i * x_stride, t->cols);
    }
    if (n_x > 1) {
        multiply_planes(sums, t, block, n_blocks, &vectors, w);
    } else {
        const struct vector x = {vectors.bytes, vectors.bytes + n, totals[0]};
        multiply_single(sums, t, block, n_blocks, &x);
    }
}

/* ---- rows of 8-bit embeddings ---- */

static void prepare_q8(void *scratch, const int16_t *X, size_t cols)
{
    int8_t *h = (int8_t *)scratch + STEP;
    const int64_t sum = sum_integers(X, cols);

    split_bytes(h, h + cols, X, cols, cols);
    memcpy(scratch, &sum, sizeof sum);
}

/* q + 128 is unsigned; what that adds is 128 x the sum of X. */
static int64_t dot_q8(const struct row *row, const void *vector, size_t cols)
{
    const int8_t *x_h = (const int8_t *)vector + STEP, *x_l = x_h + cols;
    const __m256i flip = _mm256_set1_epi8((char)128);
    __m256i h = _mm256_setzero_si256(), l = h;
    int64_t sum, rest = 0;
    size_t i = 0;

    for (; i + STEP <= cols; i += STEP) {
        const __m256i q = _mm256_xor_si256(load(row->data + i), flip);
        h = _mm256_dpbusd_epi32(h, q, load(x_h + i));
        l = _mm256_dpbusd_epi32(l, q, load(x_l + i));
    }
    for (; i < cols; i++)
        rest += ((int8_t)row->data[i] + 128) * (256 * x_h[i] + x_l[i]);
    memcpy(&sum, vector, sizeof sum);
    return 256 * sum_lanes(h) + sum_lanes(l) + rest - 128 * sum;
}

ROWS_PRODUCT(smol_rows_q8_avxvnni, SMOL_Q8, prepare_q8, dot_q8)
