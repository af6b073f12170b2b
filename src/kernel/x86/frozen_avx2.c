/* Frozen row blocks with AVX2.
 *
 * Times one vector nothing leaves the registers: X = 256 h + l is split into 16-bit integers once,
 * in the order in which the bytes of the weights come together, and w h and w l are summed by
 * vpmaddwd. |w h| <= 32640 x 128, four of them meet in a lane for each 32 columns: 126 x 4 x 32640
 * x 128 < 2^31, so 4,032 columns fit before the sums move to 64 bits. Planes add up. Times several
 * vectors, some rows at a time exist, as 16-bit integers. */
#include "kernel/x86/table_avx2.h"

#define LOOKUPS(X) X(LOOKUP_32) X(LOOKUP_SUM) X(LOOKUP_ODD)
#define SIDE 1u
#define CHUNK 4032u
#define KEPT 1u
#define ROWS 8u /* for which a plane's table is made ready */
#define LANES 16u

static void table_load(struct table *t, const int16_t *q) { smol_table_load_avx2(t, q, 0); }

/* 32 weights: in each half of w[0] and w[1] the columns that vpunpck brings there. */
ALWAYS_INLINE void look_up_integers(__m256i w[2], const struct table *t, __m256i u,
                                    enum lookup lookup)
{
    __m256i low, high;

    look_up(&low, &high, t, u, lookup);
    w[0] = _mm256_unpacklo_epi8(low, high);
    w[1] = _mm256_unpackhi_epi8(low, high);
}

/* ---- one vector ---- */

/* 32 columns of X, in the order of such weights. */
struct vector {
    __m256i h[2], l[2];
};

static void split_step(struct vector *s, const int16_t X[STEP])
{
    const __m256i a = load(X), b = load(X + LANES);
    const __m256i x[2] = {_mm256_permute2x128_si256(a, b, 0x20),
                          _mm256_permute2x128_si256(a, b, 0x31)};

    for (unsigned i = 0; i < 2; i++) {
        s->h[i] = _mm256_srai_epi16(_mm256_add_epi16(x[i], _mm256_set1_epi16(128)), 8);
        s->l[i] = _mm256_sub_epi16(x[i], _mm256_slli_epi16(s->h[i], 8));
    }
}

/* Zeros stand in the columns that X does not have. */
static void split_vector(struct vector *x, const int16_t *X, size_t cols)
{
    for (size_t at = 0; at < smol_round_up(cols, PARTS * STEP); at += STEP, x++) {
        const size_t left = at < cols ? cols - at : 0;
        int16_t rest[STEP] = {0};
        memcpy(rest, X + (left ? at : 0), (left < STEP ? left : STEP) * sizeof *X);
        split_step(x, rest);
    }
}

struct sums {
    __m256i h, l;
};

ALWAYS_INLINE __m256i multiply_step(__m256i sum, const __m256i w[2], const __m256i x[2])
{
    return _mm256_add_epi32(
        sum, _mm256_add_epi32(_mm256_madd_epi16(w[0], x[0]), _mm256_madd_epi16(w[1], x[1])));
}

ALWAYS_INLINE void sums_add(struct sums *sums, __m256i u, const struct table *table,
                            enum lookup lookup, const struct vector *x, size_t c, unsigned k)
{
    __m256i w[2];

    x += c / STEP + k;
    look_up_integers(w, table, u, lookup);
    sums->h = multiply_step(sums->h, w, x->h);
    sums->l = multiply_step(sums->l, w, x->l);
}

/* Sums of 64 bits. */
struct kept {
    __m256i h, l;
};

ALWAYS_INLINE void sums_keep(struct kept *kept, unsigned i, const struct sums *s, bool is_first)
{
    const __m256i zero = _mm256_setzero_si256();

    (void)i;
    kept->h = add_wide(is_first ? zero : kept->h, s->h);
    kept->l = add_wide(is_first ? zero : kept->l, s->l);
}

ALWAYS_INLINE void rows_finish(int64_t *to, const struct kept *kept, uint32_t n_rows,
                               const struct vector *x, bool is_first)
{
    (void)n_rows, (void)x;
    *to = 256 * sum_i64(kept->h) + sum_i64(kept->l) + (is_first ? 0 : *to);
}

#include "kernel/product_single.h"

/* ---- several vectors ---- */

ALWAYS_INLINE void row_put(int16_t *w, size_t n, uint32_t r, size_t step, unsigned k, __m256i u,
                           const struct table *table, enum lookup lookup, bool is_first)
{
    int16_t *to = w + r * n + SMOL_STEP_BYTES * step + STEP * k;
    __m256i v[2];

    look_up_integers(v, table, u, lookup);
    const __m256i a = _mm256_permute2x128_si256(v[0], v[1], 0x20),
                  b = _mm256_permute2x128_si256(v[0], v[1], 0x31);
    store(to, is_first ? a : _mm256_add_epi16(load(to), a));
    store(to + LANES, is_first ? b : _mm256_add_epi16(load(to + LANES), b));
}

struct vectors {
    const int16_t *X;
    size_t n, cols, stride;
};

static inline void rows_multiply(int64_t *to, size_t stride, const int16_t *w, size_t n,
                                 uint32_t n_rows, const struct vectors *x, bool is_first)
{
    (void)is_first; /* all planes are in w */
    for (uint32_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < x->n; i++)
            to[i * stride + r] = dot_int16(w + r * n, x->X + i * x->stride, x->cols);
}

#include "kernel/product_several.h"

void smol_frozen_avx2(int64_t *sums, const struct smol_frozen *t, uint32_t block, uint32_t n_blocks,
                      const int16_t *X, size_t x_stride, size_t n_x, void *scratch)
{
    const struct vectors x = {X, n_x, t->cols, x_stride};

    if (n_x > 1) {
        multiply_several(sums, t, block, n_blocks, &x, scratch);
    } else {
        split_vector(scratch, X, t->cols);
        multiply_single(sums, t, block, n_blocks, scratch);
    }
}
