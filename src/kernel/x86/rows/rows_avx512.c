/* Rows of stored numbers times vectors, with AVX-512: of 8 and 4 bits, integer weights of 16, masks
 * and ternary numbers. */
#include "kernel/x86/rows/lanes_q4_avx512.h"
#include "kernel/x86/split_avx512.h"

#define PREFETCH_BYTES 2048u /* ahead, in the one stream that rows are */
#define NARROW_COLS 16384u   /* up to here the 16 lanes of a sum of 8 bits fit 32 bits together */
#define MOST_Q4_COLS 65536u  /* a lane's sums of 4 bits: 1,024 chunks x 4 x 8 x 128 x 255 < 2^31 */
#define NARROW_Q4_COLS 8000u /* and of 4 bits: 125 chunks x 16 lanes x 4 x 8 x 128 x 255 < 2^31 */

/* The sums of a row's products with a vector: low + 256 high in each lane. */
typedef void row_sums(__m512i *low, __m512i *high, const struct row *row, const uint8_t *vector,
                      size_t cols);

ALWAYS_INLINE void rows_single(int64_t *sums, const struct smol_rows *rows,
                               struct row_strides strides, const uint8_t *vector, int64_t offset,
                               bool is_narrow, bool is_first, row_sums *multiply)
{
    for (size_t first = 0; first < rows->n_rows; first += FOLD) {
        const size_t left = rows->n_rows - first, n = left < FOLD ? left : FOLD;
        __m512i pairs[2 * FOLD];
        for (size_t r = 0; r < n; r++) {
            const struct row row = row_at(rows, strides, first + r);
            multiply(&pairs[r], &pairs[r + FOLD], &row, vector, rows->cols);
        }
        for (size_t r = n; r < FOLD; r++)
            pairs[r] = pairs[r + FOLD] = _mm512_setzero_si512();
        finish_rows(sums + first, pairs, 8, offset, (uint32_t)n, is_narrow, is_first);
    }
}

/* ---- 8 bits ---- */

/* q + 128 is unsigned, sum q X = sum (q + 128) X - 128 sum X. */
static inline void row_q8(__m512i *low, __m512i *high, const struct row *row, const uint8_t *split,
                          size_t cols)
{
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    const size_t n = smol_round_up(cols, BYTES);
    __m512i sum_l = _mm512_setzero_si512(), sum_h = sum_l;

    for (size_t i = 0; i < n; i += BYTES) {
        const uint8_t *at = row->data + i;
        const __m512i q = _mm512_xor_si512(_mm512_maskz_loadu_epi8(tail64(cols - i), at), flip);
        _mm_prefetch((const char *)at + PREFETCH_BYTES, _MM_HINT_T0);
        sum_l = _mm512_dpbusd_epi32(sum_l, q, _mm512_load_si512(split + n + i));
        sum_h = _mm512_dpbusd_epi32(sum_h, q, _mm512_load_si512(split + i));
    }
    *low = _mm512_and_si512(sum_l, _mm512_set1_epi32(255));
    *high = _mm512_add_epi32(sum_h, _mm512_srai_epi32(sum_l, 8));
}

void smol_rows_q8_avx512(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                         size_t x_stride, size_t n_x, void *scratch)
{
    const struct row_strides strides = row_strides(rows, SMOL_Q8);

    if (n_x > 1) {
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
    rows_single(sums, rows, strides, scratch, 128 * split_vector(scratch, X, rows->cols),
                rows->cols <= NARROW_COLS, true, row_q8);
}

/* ---- 4 bits ---- */

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

/* q + 8 is unsigned, so that the byte products, begun at -8 x the sums of X, are of q; they fit 16
 * bits, and then come the multipliers: 0 in lanes 0..7, 1 in others. The sum is low + 256 high. */
static inline void row_q4(__m512i *low, __m512i *high, const struct row *row, const uint8_t *vector,
                          size_t cols)
{
    const size_t n = smol_round_up(cols, BYTES);
    const __m512i spread = _mm512_inserti64x4(_mm512_set1_epi32((int)0x80808001u),
                                              _mm256_set1_epi32((int)0x80808000u), 0);
    const __m512i nibbles = _mm512_set1_epi8(15), flip = _mm512_set1_epi8(8);
    __m512i sum_l = _mm512_setzero_si512(), sum_h = sum_l;

    for (size_t i = 0; i < n; i += BYTES) {
        const __m256i bytes =
            _mm256_loadu_si256((const __m256i *)(const void *)(row->data + i / 2));
        const __m512i both =
            _mm512_inserti64x4(_mm512_castsi256_si512(bytes), _mm256_srli_epi16(bytes, 4), 1);
        const __m512i q = _mm512_xor_si512(_mm512_and_si512(both, nibbles), flip);
        const __m512i m = _mm512_shuffle_epi8(
            _mm512_set1_epi16((short)smol_le16(row->multipliers + i / 32)), spread);
        const __m512i h = _mm512_dpbusd_epi32(_mm512_load_si512(vector + 2 * n + i), q,
                                              _mm512_load_si512(vector + i));
        const __m512i l = _mm512_dpbusd_epi32(_mm512_load_si512(vector + 3 * n + i), q,
                                              _mm512_load_si512(vector + n + i));
        _mm_prefetch((const char *)row->data + i / 2 + PREFETCH_BYTES, _MM_HINT_T0);
        sum_h = _mm512_dpwssd_epi32(sum_h, h, m);
        sum_l = _mm512_dpwssd_epi32(sum_l, l, m);
    }
    *low = _mm512_and_si512(sum_l, _mm512_set1_epi32(255));
    *high = _mm512_add_epi32(sum_h, _mm512_srai_epi32(sum_l, 8));
}

void smol_rows_q4_avx512(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                         size_t x_stride, size_t n_x, void *scratch)
{
    const struct row_strides strides = row_strides(rows, SMOL_Q4);

    if (n_x > 1) {
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
    for (size_t c = 0; c < rows->cols; c += MOST_Q4_COLS) {
        const size_t left = rows->cols - c;
        const struct smol_rows part = {.data = rows->data + c / 2,
                                       .multipliers = rows->multipliers + c / SMOL_Q4_GROUP,
                                       .n_rows = rows->n_rows,
                                       .cols = left < MOST_Q4_COLS ? left : MOST_Q4_COLS};
        prepare_q4(scratch, X + c, part.cols);
        rows_single(sums, &part, row_strides(rows, SMOL_Q4), scratch, 0,
                    part.cols <= NARROW_Q4_COLS, c == 0, row_q4);
    }
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
