/* Frozen row blocks with AVX2.
 *
 * Times one vector nothing leaves the registers: X = 256 h + l is split into 16-bit integers once,
 * in the order in which the bytes of the weights come together, and w h and w l are summed by
 * vpmaddwd. |w h| <= 32640 x 128, four of them meet in a lane for each 32 columns: 126 x 4 x 32640
 * x 128 < 2^31, so 4,032 columns fit before the sums move to 64 bits. Planes add up. Times several
 * vectors, some rows at a time exist, as 16-bit integers, and X is not split: struct long_sum. */
#include "kernel/x86/table_avx2.h"

#define LOOKUPS(X) X(LOOKUP_32) X(LOOKUP_SUM) X(LOOKUP_ODD)
#define SIDE 1u
#define SIDE_256 1u
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

ALWAYS_INLINE void sums_add(struct sums *sums, struct generator *s, const struct table *table,
                            enum lookup lookup, const struct vector *x, size_t c, unsigned k)
{
    __m256i w[2];

    x += c / STEP + k;
    look_up_integers(w, table, generator_step(s, k), lookup);
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

#define TILE 3u /* vectors that meet PAIR rows at once: their sums take 12 registers */

/* A lane's sum of products |m| < 2^31 is kept as two: of m modulo 2^32, and of m >> 16. */
struct long_sum {
    __m256i low, high;
};

/* Less 2^16 times the second, the first is a sum of halves of 16 bits: up to 65,536 of them stay
 * below 2^32, and a row has no more than 262,144 / 16. */
static inline int64_t long_total(struct long_sum s)
{
    const __m256i halves = _mm256_sub_epi32(s.low, _mm256_slli_epi32(s.high, 16)),
                  zero = _mm256_setzero_si256(), wide = add_wide(zero, s.high);

    return sum_i64(_mm256_add_epi64(
        _mm256_slli_epi64(wide, 16),
        _mm256_add_epi64(_mm256_srli_epi64(halves, 32), _mm256_blend_epi32(halves, zero, 0xaa))));
}

/* clang-format off */
#define ZERO(low, high) "vpxor %[" low "], %[" low "], %[" low "]\n\tvpxor %[" high "], %[" high "], %[" high "]\n\t"
#define ADD(m, low, high) \
	"vpaddd %%ymm" m ", %[" low "], %[" low "]\n\t" \
	"vpsrad $16, %%ymm" m ", %%ymm" m "\n\t" \
	"vpaddd %%ymm" m ", %[" high "], %[" high "]\n\t"
#define VECTOR(x, low0, high0, low1, high1) \
	"vmovdqu (%[" x "], %[c]), %%ymm15\n\t" \
	"vpmaddwd %%ymm15, %%ymm12, %%ymm14\n\t" \
	"vpmaddwd %%ymm15, %%ymm13, %%ymm15\n\t" \
	ADD("14", low0, high0) ADD("15", low1, high1)
/* clang-format on */

/* The sums (TILE, PAIR) of two rows and three vectors of n columns, a multiple of LANES over 0. In
 * assembly, since the compilers give each sum two registers, and so most of them none. */
static inline void multiply_columns(struct long_sum s[TILE][PAIR], const int16_t *const w[PAIR],
                                    const int16_t *const X[TILE], size_t n)
{
    ptrdiff_t c = -(ptrdiff_t)(n * sizeof *X[0]);

    /* clang-format off */
    __asm__(ZERO("l0", "h0") ZERO("l1", "h1") ZERO("l2", "h2") ZERO("l3", "h3") ZERO("l4", "h4") ZERO("l5", "h5")
            "1:\n\t"
            "vmovdqu (%[w0], %[c]), %%ymm12\n\t"
            "vmovdqu (%[w1], %[c]), %%ymm13\n\t"
            VECTOR("x0", "l0", "h0", "l1", "h1")
            VECTOR("x1", "l2", "h2", "l3", "h3")
            VECTOR("x2", "l4", "h4", "l5", "h5")
            "add $32, %[c]\n\t"
            "jnz 1b\n\t"
            : [l0] "=&x"(s[0][0].low), [h0] "=&x"(s[0][0].high), [l1] "=&x"(s[0][1].low), [h1] "=&x"(s[0][1].high),
              [l2] "=&x"(s[1][0].low), [h2] "=&x"(s[1][0].high), [l3] "=&x"(s[1][1].low), [h3] "=&x"(s[1][1].high),
              [l4] "=&x"(s[2][0].low), [h4] "=&x"(s[2][0].high), [l5] "=&x"(s[2][1].low), [h5] "=&x"(s[2][1].high),
              [c] "+&r"(c)
            : [w0] "r"(w[0] + n), [w1] "r"(w[1] + n), [x0] "r"(X[0] + n), [x1] "r"(X[1] + n), [x2] "r"(X[2] + n)
            : "memory", "cc", "ymm12", "ymm13", "ymm14", "ymm15");
    /* clang-format on */
}

/* The same of one vector. */
static inline void multiply_one(struct long_sum s[PAIR], const int16_t *const w[PAIR],
                                const int16_t *X, size_t n)
{
    for (unsigned r = 0; r < PAIR; r++) {
        s[r] = (struct long_sum){_mm256_setzero_si256(), _mm256_setzero_si256()};
        for (size_t c = 0; c < n; c += LANES) {
            const __m256i m = _mm256_madd_epi16(load(w[r] + c), load(X + c));
            s[r].low = _mm256_add_epi32(s[r].low, m);
            s[r].high = _mm256_add_epi32(s[r].high, _mm256_srai_epi32(m, 16));
        }
    }
}

/* The sums of n_rows <= PAIR rows with n_x <= TILE vectors from i on, to to[k x stride + r]. */
static inline void multiply_tile(int64_t *to, size_t stride, const int16_t *const w[PAIR],
                                 uint32_t n_rows, const struct vectors *x, size_t i, size_t n_x)
{
    const size_t n = x->cols / LANES * LANES;
    const int16_t *X[TILE]; /* the last one may stand there again */
    struct long_sum s[TILE][PAIR];

    for (size_t k = 0; k < TILE; k++)
        X[k] = x->X + (i + (k < n_x ? k : n_x - 1)) * x->stride;
    if (n_x == 1)
        multiply_one(s[0], w, X[0], n);
    else if (n > 0)
        multiply_columns(s, w, X, n);
    for (size_t k = 0; k < n_x; k++)
        for (uint32_t r = 0; r < n_rows; r++) {
            int64_t sum = n > 0 ? long_total(s[k][r]) : 0;
            for (size_t c = n; c < x->cols; c++)
                sum += (int32_t)w[r][c] * X[k][c];
            to[k * stride + r] = sum;
        }
}

/* Each triple of vectors meets all rows, which stay near: they are fewer. */
static inline void rows_multiply(int64_t *to, size_t stride, const int16_t *w, size_t n,
                                 uint32_t n_rows, const struct vectors *x, bool is_first)
{
    (void)is_first; /* all planes are in w */
    for (size_t i = 0; i < x->n; i += TILE)
        for (uint32_t r = 0; r < n_rows; r += PAIR) {
            const uint32_t n_of_rows = r + 1 < n_rows ? PAIR : 1;
            const int16_t *const rows[PAIR] = {w + r * n, w + (r + n_of_rows - 1) * n};
            multiply_tile(to + i * stride + r, stride, rows, n_of_rows, x, i,
                          x->n - i < TILE ? x->n - i : TILE);
        }
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
