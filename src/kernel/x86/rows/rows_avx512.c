/* Rows of stored numbers times vectors, with AVX-512: of 8 and 4 bits, integer weights of 16, masks
 * and ternary numbers. */
#include "kernel/x86/rows/lanes_q4_avx512.h"
#include "kernel/x86/split_avx512.h"

#define PREFETCH_BYTES 16384u /* ahead, in the one stream that rows are */
#define SIDE 4u               /* rows that share what is read of a vector */
#define NARROW_COLS 16384u    /* up to here the 16 lanes of a sum of 8 bits fit 32 bits together */
#define MOST_Q4_COLS 65536u   /* a lane's sums of 4 bits: 1,024 chunks x 4 x 8 x 128 x 255 < 2^31 */
#define NARROW_Q4_COLS 8000u  /* and of 4 bits: 125 chunks x 16 lanes x 4 x 8 x 128 x 255 < 2^31 */

/* Rows of so many columns meet up to so many vectors one vector after the other: in one stream they
 * come from memory faster than 16 side by side. */
#define WIDE_COLS 512u
#define FEW_Q8 16u
#define FEW_Q4 6u

/* ---- 8 bits ---- */

/* The sums of `side` rows' products with a vector: with its bytes l at sums[r], with its bytes h at
 * sums[r + FOLD]. q + 128 is unsigned, sum q X = sum (q + 128) X - 128 sum X. */
ALWAYS_INLINE void rows_q8(__m512i *sums, const uint8_t *data, const uint8_t *split, size_t cols,
                           unsigned side)
{
    const __m512i flip = _mm512_set1_epi8((char)0x80), zero = _mm512_setzero_si512();
    const size_t n = smol_round_up(cols, BYTES);
    __m512i l[SIDE], h[SIDE];

    for (unsigned r = 0; r < side; r++)
        l[r] = h[r] = zero;
    for (size_t i = 0; i < n; i += BYTES) {
        const __mmask64 mask = tail64(cols - i);
        const __m512i xh = _mm512_load_si512(split + i), xl = _mm512_load_si512(split + n + i);
        for (unsigned r = 0; r < side; r++) {
            const uint8_t *at = data + r * cols + i;
            const __m512i q = _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, at), flip);
            _mm_prefetch((const char *)data + i * side + r * BYTES + PREFETCH_BYTES, _MM_HINT_T0);
            l[r] = _mm512_dpbusd_epi32(l[r], q, xl);
            h[r] = _mm512_dpbusd_epi32(h[r], q, xh);
        }
    }
    for (unsigned r = 0; r < side; r++) {
        sums[r] = l[r];
        sums[r + FOLD] = h[r];
    }
}

static void single_q8(int64_t *sums, const struct smol_rows *rows, const uint8_t *split,
                      int64_t offset)
{
    for (size_t first = 0; first < rows->n_rows; first += FOLD) {
        const size_t left = rows->n_rows - first, n = left < FOLD ? left : FOLD;
        const uint8_t *data = rows->data + first * rows->cols;
        __m512i pairs[2 * FOLD];
        size_t r = 0;
        for (; r + SIDE <= n; r += SIDE)
            rows_q8(pairs + r, data + r * rows->cols, split, rows->cols, SIDE);
        for (; r < n; r++)
            rows_q8(pairs + r, data + r * rows->cols, split, rows->cols, 1);
        for (; r < FOLD; r++)
            pairs[r] = pairs[r + FOLD] = _mm512_setzero_si512();
        finish_rows(sums + first, pairs, 8, offset, (uint32_t)n, rows->cols <= NARROW_COLS, true);
    }
}

void smol_rows_q8_avx512(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                         size_t x_stride, size_t n_x, void *scratch)
{
    const struct row_strides strides = row_strides(rows, SMOL_Q8);

    if (n_x > (rows->cols < WIDE_COLS ? 1 : FEW_Q8)) {
        const struct lanes_type type = {.chunk_bytes = CHUNK_COLS,
                                        .row_bytes = strides.data,
                                        .cols = rows->cols,
                                        .quads = 8,
                                        .offset = 128,
                                        .tiles = tiles,
                                        .tile_vectors = TILE_VECTORS,
                                        .put_weights = put_weights_q8,
                                        .put_vector = put_vector_plain};
        rows_in_lanes(sums, rows, strides, &type, X, x_stride, n_x, scratch);
        return;
    }
    for (size_t i = 0; i < n_x; i++)
        single_q8(sums + i * rows->n_rows, rows, scratch,
                  128 * split_vector(scratch, X + i * x_stride, rows->cols));
}

/* ---- 4 bits ---- */

/* Of each four lanes of a, then of b, the first and third; the others. */
static inline __m512i evens(__m512i a, __m512i b)
{
    return _mm512_castps_si512(
        _mm512_shuffle_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), 0x88));
}

static inline __m512i odds(__m512i a, __m512i b)
{
    return _mm512_castps_si512(
        _mm512_shuffle_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), 0xdd));
}

/* A prepared vector: bytes h and l as split_vector leaves them, then for each chunk of 64 columns
 * -8 x their sums by lanes. */
static void prepare_q4(uint8_t *vector, const int16_t *X, size_t cols)
{
    const size_t n = smol_round_up(cols, BYTES);
    const __m512i eights = _mm512_set1_epi8(8), zero = _mm512_setzero_si512();

    split_vector(vector, X, cols);
    for (size_t i = 0; i < 2 * n; i += BYTES) {
        const __m512i sum = _mm512_dpbusd_epi32(zero, eights, _mm512_load_si512(vector + i));
        _mm512_store_si512(vector + 2 * n + i, _mm512_sub_epi32(zero, sum));
    }
}

/* The sums of `side` rows, those of h in lanes 0 and 1 of each four, of l in lanes 2 and 3. q + 8
 * is unsigned, so that the byte products, begun at -8 x the sums of X, are of q; they fit 16 bits,
 * and then come the multipliers, of lanes 0..7 and of the others. */
ALWAYS_INLINE void rows_q4(__m512i *sums, const struct smol_rows *rows, struct row_strides strides,
                           size_t first, const uint8_t *vector, unsigned side)
{
    const size_t n = smol_round_up(rows->cols, BYTES);
    const __m512i spread =
        _mm512_inserti64x4(_mm512_set1_epi16((short)0x8001), _mm256_set1_epi16((short)0x8000), 0);
    const __m512i shift = _mm512_inserti64x4(_mm512_set1_epi16(4), _mm256_setzero_si256(), 0);
    const __m512i nibbles = _mm512_set1_epi8(15), flip = _mm512_set1_epi8(8);
    const uint8_t *data = rows->data + first * strides.data,
                  *multipliers = rows->multipliers + first * strides.multipliers;
    __m512i v[SIDE];

    for (unsigned r = 0; r < side; r++)
        v[r] = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i += BYTES) {
        const __m512i xh = _mm512_load_si512(vector + i), xl = _mm512_load_si512(vector + n + i),
                      h0 = _mm512_load_si512(vector + 2 * n + i),
                      l0 = _mm512_load_si512(vector + 3 * n + i);
        for (unsigned r = 0; r < side; r++) {
            const __m512i twice = _mm512_broadcast_i64x4(_mm256_loadu_si256(
                (const __m256i *)(const void *)(data + r * strides.data + i / 2)));
            const __m512i q =
                _mm512_xor_si512(_mm512_and_si512(_mm512_srlv_epi16(twice, shift), nibbles), flip);
            const __m512i m = _mm512_shuffle_epi8(
                _mm512_set1_epi16((short)smol_le16(multipliers + r * strides.multipliers + i / 32)),
                spread);
            const __m512i h = _mm512_dpbusd_epi32(h0, q, xh), l = _mm512_dpbusd_epi32(l0, q, xl);
            v[r] = _mm512_dpwssd_epi32(v[r], _mm512_packs_epi32(h, l), m);
        }
        for (unsigned k = 0; k < side; k += 2)
            _mm_prefetch((const char *)data + i / 2 * side + k * 32 + PREFETCH_BYTES, _MM_HINT_T0);
    }
    for (unsigned r = 0; r < side; r++)
        sums[r] = v[r];
}

/* l + 256 h of eight rows. */
static __m512i fold_q4(const __m512i v[FOLD])
{
    __m512i a[4], b[2];

    for (unsigned i = 0; i < 4; i++)
        a[i] = _mm512_add_epi32(evens(v[2 * i], v[2 * i + 1]), odds(v[2 * i], v[2 * i + 1]));
    for (unsigned i = 0; i < 2; i++)
        b[i] = _mm512_add_epi32(_mm512_shuffle_i32x4(a[2 * i], a[2 * i + 1], 0x88),
                                _mm512_shuffle_i32x4(a[2 * i], a[2 * i + 1], 0xdd));
    const __m512i s = _mm512_add_epi32(_mm512_shuffle_i32x4(b[0], b[1], 0x88),
                                       _mm512_shuffle_i32x4(b[0], b[1], 0xdd));
    return _mm512_add_epi64(_mm512_srai_epi64(_mm512_slli_epi64(s, 32), 24),
                            _mm512_srai_epi64(s, 32));
}

static void single_q4(int64_t *sums, const struct smol_rows *rows, struct row_strides strides,
                      const uint8_t *vector, bool is_first)
{
    for (size_t first = 0; first < rows->n_rows; first += FOLD) {
        const size_t left = rows->n_rows - first, n = left < FOLD ? left : FOLD;
        const __mmask8 mask = (__mmask8)((1u << n) - 1);
        __m512i v[FOLD];
        size_t r = 0;
        for (; r + SIDE <= n; r += SIDE)
            rows_q4(v + r, rows, strides, first + r, vector, SIDE);
        for (; r < n; r++)
            rows_q4(v + r, rows, strides, first + r, vector, 1);
        for (; r < FOLD; r++)
            v[r] = _mm512_setzero_si512();
        if (rows->cols <= NARROW_Q4_COLS) {
            const __m512i before = _mm512_maskz_loadu_epi64(is_first ? 0 : mask, sums + first);
            _mm512_mask_storeu_epi64(sums + first, mask, _mm512_add_epi64(before, fold_q4(v)));
        } else {
            for (r = 0; r < n; r++)
                sums[first + r] = 256 * sum_i32(_mm512_maskz_mov_epi32(0x3333, v[r])) +
                                  sum_i32(_mm512_maskz_mov_epi32(0xcccc, v[r])) +
                                  (is_first ? 0 : sums[first + r]);
        }
    }
}

static void one_q4(int64_t *sums, const struct smol_rows *rows, struct row_strides strides,
                   const int16_t *X, void *scratch)
{
    for (size_t c = 0; c < rows->cols; c += MOST_Q4_COLS) {
        const size_t left = rows->cols - c;
        const struct smol_rows part = {.data = rows->data + c / 2,
                                       .multipliers = rows->multipliers + c / SMOL_Q4_GROUP,
                                       .n_rows = rows->n_rows,
                                       .cols = left < MOST_Q4_COLS ? left : MOST_Q4_COLS};
        prepare_q4(scratch, X + c, part.cols);
        single_q4(sums, &part, strides, scratch, c == 0);
    }
}

void smol_rows_q4_avx512(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                         size_t x_stride, size_t n_x, void *scratch)
{
    const struct row_strides strides = row_strides(rows, SMOL_Q4);

    if (n_x > (rows->cols < WIDE_COLS ? 1 : FEW_Q4)) {
        const struct lanes_type type = {.chunk_bytes = CHUNK_COLS / 2,
                                        .row_bytes = strides.data,
                                        .cols = rows->cols,
                                        .quads = 18,
                                        .tiles = q4_tiles,
                                        .tile_vectors = TILE_Q4,
                                        .put_weights = put_weights_q4,
                                        .put_vector = put_vector_q4};
        rows_in_lanes(sums, rows, strides, &type, X, x_stride, n_x, scratch);
        return;
    }
    for (size_t i = 0; i < n_x; i++)
        one_q4(sums + i * rows->n_rows, rows, strides, X + i * x_stride, scratch);
}

/* ---- integer weights ---- */

/* A pair's sum, at most 2 x 32672 x 32512 < 2^31, fits 32 bits; then 64 bits. */
void smol_rows_i16_avx512(int64_t *sums, const int16_t *w, size_t n_rows, size_t cols,
                          const int16_t *X)
{
    for (size_t r = 0; r < n_rows; r++, w += cols) {
        __m512i sum = _mm512_setzero_si512();
        for (size_t i = 0; i < cols; i += BYTES / 2) {
            const __mmask32 m = (__mmask32)tail64(cols - i);
            const __m512i v = _mm512_madd_epi16(_mm512_maskz_loadu_epi16(m, w + i),
                                                _mm512_maskz_loadu_epi16(m, X + i));
            _mm_prefetch((const char *)(w + i) + PREFETCH_BYTES, _MM_HINT_T0);
            sum = _mm512_add_epi64(
                sum, _mm512_add_epi64(_mm512_cvtepi32_epi64(_mm512_castsi512_si256(v)),
                                      _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(v, 1))));
        }
        sums[r] = _mm512_reduce_add_epi64(sum);
    }
}

/* ---- masks and ternary numbers ---- */

/* sum + the products of bytes u, unsigned, and x, signed, four to a lane. */
static inline __m512i add_bytes(__m512i sum, __m512i u, __m512i x)
{
    return _mm512_dpbusd_epi32(sum, u, x);
}

#include "kernel/x86/rows/bits_avx512.h"

void smol_rows_mask_avx512(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                           size_t x_stride, size_t n_x, void *scratch)
{
    const struct row_strides strides = mask_strides(rows);
    const struct lanes_type type = {.chunk_bytes = CHUNK_COLS / 8,
                                    .row_bytes = strides.data,
                                    .cols = rows->cols,
                                    .quads = 64,
                                    .offset = 1,
                                    .tiles = tiles,
                                    .tile_vectors = TILE_VECTORS,
                                    .put_weights = put_weights_mask,
                                    .put_vector = put_vector_mask};

    if (n_x > 1)
        rows_in_lanes(sums, rows, strides, &type, X, x_stride, n_x, scratch);
    else
        mask_single(sums, rows, X, scratch);
}

void smol_rows_ternary_avx512(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                              size_t x_stride, size_t n_x, void *scratch)
{
    const struct row_strides strides = row_strides(rows, SMOL_TERNARY);
    const struct lanes_type type = {.chunk_bytes = 96,
                                    .row_bytes = strides.data,
                                    .cols = rows->cols,
                                    .quads = 40,
                                    .offset = 1,
                                    .tiles = tiles,
                                    .tile_vectors = TILE_VECTORS,
                                    .put_weights = put_weights_ternary,
                                    .put_vector = put_vector_ternary};

    if (n_x > 1)
        rows_in_lanes(sums, rows, strides, &type, X, x_stride, n_x, scratch);
    else
        ternary_single(sums, rows, X, scratch);
}
