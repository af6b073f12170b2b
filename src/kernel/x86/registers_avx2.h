/* What the AVX2 kernels share. */
#ifndef SMOL_REGISTERS_AVX2_H
#define SMOL_REGISTERS_AVX2_H

#include "base/bytes.h"
#include "kernel/rows.h"

#include <immintrin.h>

smol_frozen_product smol_frozen_avx2, smol_frozen_fast_avx2;
smol_frozen_product smol_frozen_avxvnni, smol_frozen_avx512bw;
smol_rows_product smol_rows_q8_avx2, smol_rows_q4_avx2, smol_rows_q8_avxvnni;
smol_rows_product smol_rows_mask_avx2, smol_rows_ternary_avx2;
smol_rows_product smol_rows_mask_avx512bw, smol_rows_ternary_avx512bw;
void smol_stream_bytes_avx2(uint8_t *bytes, size_t n, const struct smol_frozen *t, uint32_t plane,
                            uint32_t block, uint32_t n_blocks);
void smol_hadamard_avx2(float *x, size_t n);
void smol_scale_by_bytes_avx2(float *x, const uint8_t *bytes, const float *table, size_t n);
void smol_rows_i16_avx2(int64_t *sums, const int16_t *w, size_t n_rows, size_t cols,
                        const int16_t *X);

static inline __m256i load(const void *p) { return _mm256_loadu_si256(p); }

static inline __m256i add_wide(__m256i sum, __m256i v)
{
    sum = _mm256_add_epi64(sum, _mm256_cvtepi32_epi64(_mm256_castsi256_si128(v)));
    return _mm256_add_epi64(sum, _mm256_cvtepi32_epi64(_mm256_extracti128_si256(v, 1)));
}

static inline int64_t sum_i64(__m256i v)
{
    int64_t lane[4];

    _mm256_storeu_si256((__m256i *)(void *)lane, v);
    return lane[0] + lane[1] + lane[2] + lane[3];
}

/* Two products of |w X| < 2^30 fit 32 bits. */
static inline int64_t dot_int16(const int16_t *w, const int16_t *X, size_t n)
{
    __m256i sum = _mm256_setzero_si256();
    int64_t rest = 0;
    size_t i = 0;

    for (; i + 16 <= n; i += 16)
        sum = add_wide(sum, _mm256_madd_epi16(load(w + i), load(X + i)));
    for (; i < n; i++)
        rest += (int32_t)w[i] * X[i];
    return sum_i64(sum) + rest;
}

static inline void store(void *p, __m256i v) { _mm256_storeu_si256(p, v); }

/* ---- stored rows ---- */

#define FOLD 4u              /* rows whose sums are brought together at once */
#define PREFETCH_BYTES 1024u /* ahead, in the one stream that rows are */

/* The sums of the four 64-bit lanes of each of four registers. */
static inline __m256i fold(const __m256i v[FOLD])
{
    const __m256i a =
        _mm256_add_epi64(_mm256_unpacklo_epi64(v[0], v[1]), _mm256_unpackhi_epi64(v[0], v[1]));
    const __m256i b =
        _mm256_add_epi64(_mm256_unpacklo_epi64(v[2], v[3]), _mm256_unpackhi_epi64(v[2], v[3]));

    return _mm256_add_epi64(_mm256_permute2x128_si256(a, b, 0x20),
                            _mm256_permute2x128_si256(a, b, 0x31));
}

/* A row's products with a vector that was made ready, summed in four 64-bit lanes. */
typedef __m256i row_lanes(const struct row *row, const void *prepared, size_t cols);

ALWAYS_INLINE void rows_single(int64_t *sums, const struct smol_rows *rows,
                               struct row_strides strides, const void *prepared, row_lanes *lanes)
{
    for (size_t first = 0; first < rows->n_rows; first += FOLD) {
        const size_t left = rows->n_rows - first, n = left < FOLD ? left : FOLD;
        __m256i v[FOLD];
        int64_t of_rows[FOLD];
        for (size_t r = 0; r < n; r++) {
            const struct row row = row_at(rows, strides, first + r);
            v[r] = lanes(&row, prepared, rows->cols);
        }
        for (size_t r = n; r < FOLD; r++)
            v[r] = _mm256_setzero_si256();
        store(n < FOLD ? of_rows : sums + first, fold(v));
        if (n < FOLD)
            memcpy(sums + first, of_rows, n * sizeof *sums);
    }
}

/* ---- several vectors ---- */

#define PAIR 2u /* of vectors */

/* The sums of the eight lanes of each of four registers, whose total fits 32 bits. */
static inline __m256i fold_narrow(const __m256i v[FOLD])
{
    const __m256i sums =
        _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));

    return _mm256_cvtepi32_epi64(
        _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1)));
}

/* v (PAIR, FOLD) += the products of columns c..end - 1 of four rows with two vectors. */
ALWAYS_INLINE size_t add_columns(__m256i v[PAIR][FOLD], const int16_t *const w[FOLD],
                                 const int16_t *const X[PAIR], size_t c, size_t end)
{
    for (; c + 16 <= end; c += 16) {
        const __m256i x[PAIR] = {load(X[0] + c), load(X[1] + c)};
        for (unsigned r = 0; r < FOLD; r++) {
            const __m256i row = load(w[r] + c);
            for (unsigned k = 0; k < PAIR; k++)
                v[k][r] = _mm256_add_epi32(v[k][r], _mm256_madd_epi16(row, x[k]));
        }
    }
    return c;
}

/* sums (PAIR, FOLD) of four rows w with two vectors. A lane's products of `chunk` columns,
 * an eighth of them, fit 32 bits; chunk is a multiple of 16. */
ALWAYS_INLINE void multiply_four(int64_t sums[PAIR][FOLD], const int16_t *const w[FOLD],
                                 const int16_t *const X[PAIR], size_t cols, size_t chunk)
{
    const bool is_narrow = cols <= chunk / 8; /* all lanes' products together fit 32 bits too */
    __m256i total[PAIR][FOLD], v[PAIR][FOLD];
    size_t c = 0;

    for (unsigned i = 0; i < PAIR * FOLD; i++)
        total[i / FOLD][i % FOLD] = v[i / FOLD][i % FOLD] = _mm256_setzero_si256();
    if (is_narrow)
        c = add_columns(v, w, X, c, cols);
    while (!is_narrow && c + 16 <= cols) {
        for (unsigned i = 0; i < PAIR * FOLD; i++)
            v[i / FOLD][i % FOLD] = _mm256_setzero_si256();
        c = add_columns(v, w, X, c, cols - c < chunk ? cols : c + chunk);
        for (unsigned i = 0; i < PAIR * FOLD; i++)
            total[i / FOLD][i % FOLD] = add_wide(total[i / FOLD][i % FOLD], v[i / FOLD][i % FOLD]);
    }
    for (unsigned k = 0; k < PAIR; k++)
        store(sums[k], is_narrow ? fold_narrow(v[k]) : fold(total[k]));
    for (; c < cols; c++)
        for (unsigned i = 0; i < PAIR * FOLD; i++)
            sums[i / FOLD][i % FOLD] += (int32_t)w[i % FOLD][c] * X[i / FOLD][c];
}

/* The first n of a tile's sums: seldom fewer than all, whose copy is one register's. */
static inline void put_sums(int64_t *dest, const int64_t sums[FOLD], size_t n)
{
    if (n == FOLD)
        store(dest, load(sums));
    else
        memcpy(dest, sums, n * sizeof *sums);
}

/* Four rows are expanded, and meet all vectors, two at a time; at the edges the last one stands
 * there again. */
ALWAYS_INLINE void rows_tiles(int64_t *sums, const struct smol_rows *rows,
                              struct row_strides strides, const int16_t *X, size_t x_stride,
                              size_t n_x, int16_t *scratch, expand_row *expand, size_t chunk)
{
    const size_t w_stride = smol_round_up(rows->cols, 64) + 64;

    for (size_t first = 0; first < rows->n_rows; first += FOLD) {
        const size_t left = rows->n_rows - first, n = left < FOLD ? left : FOLD;
        const int16_t *w[FOLD];
        for (size_t r = 0; r < FOLD; r++) {
            const struct row row = row_at(rows, strides, first + r);
            w[r] = scratch + (r < n ? r : n - 1) * w_stride;
            if (r < n)
                expand(scratch + r * w_stride, &row, rows->cols);
        }
        for (size_t k = 0; k < n_x; k += PAIR) {
            const size_t next = k + 1 < n_x ? k + 1 : k;
            const int16_t *const vectors[PAIR] = {X + k * x_stride, X + next * x_stride};
            int64_t s[PAIR][FOLD];
            multiply_four(s, w, vectors, rows->cols, chunk);
            put_sums(sums + k * rows->n_rows + first, s[0], n);
            put_sums(sums + next * rows->n_rows + first, s[next - k], n);
        }
    }
}

/* ---- the generator: words a, b, c, d of 16 lanes, two registers each ---- */

struct gen8 {
    __m256i a, b, c, d;
};

struct generator {
    struct gen8 part[2];
};

#define PARTS 2u /* registers of a step's bytes */
#define STEP 32u /* columns of such a register */

static inline __m256i rotl(__m256i x, int k)
{
    return _mm256_or_si256(_mm256_slli_epi32(x, k), _mm256_srli_epi32(x, 32 - k));
}

static inline void generators_init(struct generator *s, const struct smol_frozen *t, uint32_t plane,
                                   uint32_t block, uint32_t n_blocks)
{
    for (uint32_t b = 0; b < n_blocks; b++) {
        struct smol_stream stream;
        smol_stream_init(&stream, t->key, t->tensor, plane, t->purpose, block + b);
        for (unsigned i = 0; i < PARTS; i++)
            s[b].part[i] =
                (struct gen8){load(stream.word + 8 * i), load(stream.word + 16 + 8 * i),
                              load(stream.word + 32 + 8 * i), load(stream.word + 48 + 8 * i)};
    }
}

/* One step of eight lanes, part k of 16; the emitted 32 bytes are the new d. */
static inline __m256i generator_step(struct generator *generator, unsigned k)
{
    struct gen8 *s = &generator->part[k];
    const __m256i e = _mm256_sub_epi32(s->a, rotl(s->b, 27));

    s->a = _mm256_xor_si256(s->b, rotl(s->c, 17));
    s->b = _mm256_add_epi32(s->c, s->d);
    s->c = _mm256_add_epi32(s->d, e);
    s->d = _mm256_add_epi32(e, s->a);
    return s->d;
}

#endif
