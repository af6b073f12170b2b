/* Stored rows times vectors with a row in each 32-bit lane, with AVX-512 VNNI.
 *
 * Four columns of 16 rows are a register of unsigned bytes u, a quad; the same columns of a vector
 * X = 256 h + l are two quads of signed bytes, each of which all lanes get: no sum ever crosses
 * lanes. Weights are made bytes once for all vectors, and vectors once for all rows, some hundred
 * columns at a time (a chunk), so that both stay in the first cache. u = w + offset, and sum w X =
 * sum u X - offset x sum X. Of a chunk, sum w X fits 32 bits, in which sums may wrap before. */
#ifndef SMOL_LANES_AVX512_H
#define SMOL_LANES_AVX512_H

#include "kernel/rows.h"
#include "kernel/x86/sums_avx512.h"

#define CHUNK_COLS 512u /* 128 x 32512 x 512 < 2^31 */
#define QUAD_X 8u       /* bytes of h and l of four columns */
#define TILE_VECTORS 5u /* at most, and two registers of rows: 20 sums, in registers */
#define REGISTERS 2u    /* of 16 rows */

/* 16 rows, the last one as often as some are missing. */
struct lanes {
    const uint8_t *rows[LANES], *more[LANES]; /* signs or multipliers */
};

/* Sums stay in registers only if all loops over them are unrolled before anything else. */
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 10")
#endif

/* A tile of rows (16 a register) and vectors. */
struct lanes_tile {
    int64_t *sums; /* (vectors, stride) */
    size_t stride, n_rows;
    const uint8_t *w, *x; /* quads of the rows; a chunk of each vector: -offset x its sum first */
    size_t x_stride, n_quads;
    bool is_first; /* chunk, to whose sums the others' are added */
};

typedef void multiply_tile(const struct lanes_tile *t);

/* How rows of one type become quads, from byte `at` of a row on, n bytes of it. */
struct lanes_type {
    size_t chunk_bytes, row_bytes, cols;
    uint32_t quads; /* of 32 bytes of a row */
    int32_t offset;
    multiply_tile *const *tiles; /* of 1 .. tile_vectors */
    size_t tile_vectors;
    /* Quads of 16 rows, `step` bytes from one to the next. */
    void (*put_weights)(uint8_t *w, size_t step, const struct lanes *lanes, size_t at, size_t n);
    /* Their quads of a vector, of which up to 64 bytes more may be written; the sum of X. */
    int32_t (*put_vector)(uint8_t *x, const int16_t *X, size_t cols, size_t at, size_t n);
};

/* The four 32-bit words of 16 bytes of each of 16 rows. */
ALWAYS_INLINE void load_words(__m512i words[4], const uint8_t *const rows[LANES], size_t at,
                              size_t left)
{
    const __mmask16 m = tail16(left);
    __m512i a[4];

    for (unsigned i = 0; i < 4; i++) {
        a[i] = _mm512_castsi128_si512(_mm_maskz_loadu_epi8(m, rows[i] + at));
        a[i] = _mm512_inserti32x4(a[i], _mm_maskz_loadu_epi8(m, rows[i + 4] + at), 1);
        a[i] = _mm512_inserti32x4(a[i], _mm_maskz_loadu_epi8(m, rows[i + 8] + at), 2);
        a[i] = _mm512_inserti32x4(a[i], _mm_maskz_loadu_epi8(m, rows[i + 12] + at), 3);
    }
    const __m512i l01 = _mm512_unpacklo_epi32(a[0], a[1]), l23 = _mm512_unpacklo_epi32(a[2], a[3]),
                  h01 = _mm512_unpackhi_epi32(a[0], a[1]), h23 = _mm512_unpackhi_epi32(a[2], a[3]);
    words[0] = _mm512_unpacklo_epi64(l01, l23);
    words[1] = _mm512_unpackhi_epi64(l01, l23);
    words[2] = _mm512_unpacklo_epi64(h01, h23);
    words[3] = _mm512_unpackhi_epi64(h01, h23);
}

/* Up to 32 integers as the bytes of eight quads, h and l of one after the other, four columns of
 * each in the given order: `order` has their bytes among those of l + 128 and h, in turns. Adds the
 * integers to the lanes of a sum. */
ALWAYS_INLINE __m512i put_columns(uint8_t *x, const int16_t *X, size_t n, __m512i order,
                                  __m512i sum)
{
    const __m512i v = _mm512_maskz_loadu_epi16((__mmask32)tail64(n), X);
    const __m512i bytes =
        _mm512_xor_si512(_mm512_add_epi16(v, _mm512_set1_epi16(128)), _mm512_set1_epi16(128));

    _mm512_storeu_si512(x, _mm512_permutexvar_epi8(order, bytes));
    return _mm512_dpwssd_epi32(sum, v, _mm512_set1_epi16(1));
}

/* Columns one after the other. */
static inline __m512i plain_order(void)
{
    const __m512i four =
        _mm512_set_epi32(0x0e0c0a08, 0x0f0d0b09, 0x06040200, 0x07050301, 0x0e0c0a08, 0x0f0d0b09,
                         0x06040200, 0x07050301, 0x0e0c0a08, 0x0f0d0b09, 0x06040200, 0x07050301,
                         0x0e0c0a08, 0x0f0d0b09, 0x06040200, 0x07050301);
    const __m512i block = _mm512_set_epi32(
        0x30303030, 0x30303030, 0x30303030, 0x30303030, 0x20202020, 0x20202020, 0x20202020,
        0x20202020, 0x10101010, 0x10101010, 0x10101010, 0x10101010, 0, 0, 0, 0);

    return _mm512_add_epi8(four, block);
}

/* ---- products ---- */

ALWAYS_INLINE __m512i broadcast(const uint8_t *four)
{
    return _mm512_set1_epi32((int32_t)smol_le32(four));
}

ALWAYS_INLINE void add_lanes(int64_t *sums, __m512i v, size_t left, bool is_first)
{
    const __mmask16 m = tail16(left);
    const __mmask8 low = (__mmask8)m, high = (__mmask8)(m >> 8);
    __m512i a = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(v)),
            b = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(v, 1));

    if (!is_first) {
        a = _mm512_add_epi64(a, _mm512_maskz_loadu_epi64(low, sums));
        b = _mm512_add_epi64(b, _mm512_maskz_loadu_epi64(high, sums + 8));
    }
    _mm512_mask_storeu_epi64(sums, low, a);
    _mm512_mask_storeu_epi64(sums + 8, high, b);
}

/* The products of four columns, added to the sums (vectors, registers). */
ALWAYS_INLINE void add_quad(__m512i *h, __m512i *l, const uint8_t *w, const uint8_t *x,
                            size_t x_stride, unsigned n_x)
{
    __m512i u[REGISTERS];

    UNROLL
    for (unsigned r = 0; r < REGISTERS; r++)
        u[r] = _mm512_load_si512(w + r * BYTES);
    UNROLL
    for (unsigned i = 0; i < n_x; i++) {
        const __m512i xh = broadcast(x + i * x_stride), xl = broadcast(x + i * x_stride + 4);
        UNROLL
        for (unsigned r = 0; r < REGISTERS; r++) {
            h[i * REGISTERS + r] = _mm512_dpbusd_epi32(h[i * REGISTERS + r], u[r], xh);
            l[i * REGISTERS + r] = _mm512_dpbusd_epi32(l[i * REGISTERS + r], u[r], xl);
        }
    }
}

/* Rows of a register. */
ALWAYS_INLINE size_t left_of(const struct lanes_tile *t, unsigned r)
{
    return t->n_rows > r * LANES ? t->n_rows - r * LANES : 0;
}

ALWAYS_INLINE void multiply_lanes(const struct lanes_tile *t, unsigned n_x)
{
    __m512i h[2 * TILE_VECTORS], l[2 * TILE_VECTORS];
    const uint8_t *w = t->w, *x = t->x + BYTES;

    UNROLL
    for (unsigned i = 0; i < REGISTERS * n_x; i++) {
        h[i] = _mm512_setzero_si512();
        l[i] = broadcast(t->x + i / REGISTERS * t->x_stride);
    }
    for (size_t q = 0; q < t->n_quads; q++, w += REGISTERS * BYTES, x += QUAD_X)
        add_quad(h, l, w, x, t->x_stride, n_x);
    UNROLL
    for (unsigned i = 0; i < REGISTERS * n_x; i++)
        add_lanes(t->sums + i / REGISTERS * t->stride + i % REGISTERS * LANES,
                  _mm512_add_epi32(_mm512_slli_epi32(h[i], 8), l[i]), left_of(t, i % REGISTERS),
                  t->is_first);
}

static void tile_1(const struct lanes_tile *t) { multiply_lanes(t, 1); }

static void tile_2(const struct lanes_tile *t) { multiply_lanes(t, 2); }

static void tile_3(const struct lanes_tile *t) { multiply_lanes(t, 3); }

static void tile_4(const struct lanes_tile *t) { multiply_lanes(t, 4); }

static void tile_5(const struct lanes_tile *t) { multiply_lanes(t, 5); }

static multiply_tile *const tiles[TILE_VECTORS] = {tile_1, tile_2, tile_3, tile_4, tile_5};

/* ---- all rows and vectors ---- */

/* Up to 16 rows from one on. Not inline, or GCC keeps the pointers in vectors. */
static __attribute__((noinline)) void lanes_at(struct lanes *lanes, const struct smol_rows *rows,
                                               struct row_strides strides, size_t first)
{
    for (size_t i = 0; i < LANES; i++) {
        const size_t r = first + i < rows->n_rows ? first + i : rows->n_rows - 1;
        const struct row row = row_at(rows, strides, r);
        lanes->rows[i] = row.data;
        lanes->more[i] = row.signs ? row.signs : row.multipliers;
    }
}

/* Fetches a part of the next n rows, as large as bytes at .. at + size of each. */
static inline void fetch_rows(const struct smol_rows *rows, size_t row_bytes, size_t first,
                              size_t n, size_t at, size_t size)
{
    const size_t end = rows->n_rows * row_bytes, from = first * row_bytes + n * at,
                 to = from + n * size < end ? from + n * size : end;

    for (size_t i = from; i < to; i += LINE_BYTES)
        fetch_line(rows->data + i);
}

static inline size_t lanes_quads(const struct lanes_type *type, size_t n_bytes)
{
    return (n_bytes + 3) / 4 * type->quads / 8;
}

/* Bytes of a vector's chunks up to a byte of rows. */
static inline size_t lanes_vector_bytes(const struct lanes_type *type, size_t n_bytes)
{
    return (n_bytes + type->chunk_bytes - 1) / type->chunk_bytes * BYTES +
           (size_t)smol_round_up(lanes_quads(type, n_bytes) * QUAD_X, BYTES);
}

ALWAYS_INLINE void lanes_put_vector(uint8_t *x, const struct lanes_type *type, const int16_t *X)
{
    for (size_t at = 0; at < type->row_bytes; at += type->chunk_bytes) {
        const size_t left = type->row_bytes - at,
                     n = left < type->chunk_bytes ? left : type->chunk_bytes;
        uint8_t *chunk = x + lanes_vector_bytes(type, at);
        const int32_t sum = type->put_vector(chunk + BYTES, X, type->cols, at, n);
        smol_put32(chunk, (uint32_t)(-type->offset * sum));
    }
}

/* A chunk of some rows with all vectors. */
static void lanes_multiply(struct lanes_tile t, const struct lanes_type *type, size_t n_x)
{
    for (size_t left = n_x, n; left > 0; left -= n) {
        const size_t n_tiles = (left + type->tile_vectors - 1) / type->tile_vectors;
        n = (left + n_tiles - 1) / n_tiles;
        type->tiles[n - 1](&t);
        t.sums += n * t.stride;
        t.x += n * t.x_stride;
    }
}

ALWAYS_INLINE void rows_in_lanes(int64_t *sums, const struct smol_rows *rows,
                                 struct row_strides strides, const struct lanes_type *type,
                                 const int16_t *X, size_t x_stride, size_t n_x, uint8_t *scratch)
{
    _Alignas(BYTES) uint8_t w[REGISTERS * BYTES * (CHUNK_COLS / 4 + CHUNK_COLS / SMOL_Q4_GROUP)];
    struct lanes_tile t = {.stride = rows->n_rows, .w = w};

    t.x_stride = lanes_vector_bytes(type, type->row_bytes);
    for (size_t i = 0; i < n_x && !rows->is_packed; i++)
        lanes_put_vector(scratch + i * t.x_stride, type, X + i * x_stride);
    for (size_t first = 0; first < rows->n_rows; first += REGISTERS * LANES) {
        struct lanes lanes[REGISTERS];
        t.n_rows = rows->n_rows - first;
        t.sums = sums + first;
        for (size_t r = 0; r < REGISTERS; r++)
            lanes_at(&lanes[r], rows, strides, first + r * LANES);
        for (size_t at = 0; at < type->row_bytes; at += type->chunk_bytes) {
            const size_t left = type->row_bytes - at,
                         n = left < type->chunk_bytes ? left : type->chunk_bytes;
            for (size_t r = 0; r < REGISTERS; r++)
                type->put_weights(w + r * BYTES, REGISTERS * BYTES, &lanes[r], at, n);
            fetch_rows(rows, type->row_bytes, first + REGISTERS * LANES, REGISTERS * LANES, at, n);
            t.x = scratch + lanes_vector_bytes(type, at);
            t.n_quads = lanes_quads(type, n);
            t.is_first = at == 0;
            lanes_multiply(t, type, n_x);
        }
    }
}

/* ---- 8 bits ---- */

ALWAYS_INLINE void put_weights_q8(uint8_t *w, size_t step, const struct lanes *lanes, size_t at,
                                  size_t n)
{
    const __m512i flip = _mm512_set1_epi8((char)0x80);

    for (size_t i = 0; i < n; i += 16) {
        __m512i words[4];
        load_words(words, lanes->rows, at + i, n - i);
        for (unsigned j = 0; j < 4 && i + 4 * j < n; j++, w += step)
            _mm512_store_si512(w, _mm512_xor_si512(words[j], flip));
    }
}

ALWAYS_INLINE int32_t put_vector_plain(uint8_t *x, const int16_t *X, size_t cols, size_t at,
                                       size_t n)
{
    const __m512i order = plain_order();
    __m512i sum = _mm512_setzero_si512();

    (void)cols;
    for (size_t i = 0; i < n; i += 32)
        sum = put_columns(x + i / 4 * QUAD_X, X + at + i, n - i, order, sum);
    return _mm512_reduce_add_epi32(sum);
}

/* ---- masks ---- */

/* A word of a mask has 32 columns; bytes w + 1 of four of them, whose bits are eight apart, are
 * made of fields of two bits: the low one set where there is none, the high one where it is 1. */
ALWAYS_INLINE void put_weights_mask(uint8_t *w, size_t step, const struct lanes *lanes, size_t at,
                                    size_t n)
{
    const __m512i even = _mm512_set1_epi8(0x55), field = _mm512_set1_epi8(3);

    for (size_t i = 0; i < n; i += 16) {
        __m512i mask[4], signs[4];
        load_words(mask, lanes->rows, at + i, n - i);
        load_words(signs, lanes->more, at + i, n - i);
        for (unsigned j = 0; j < 4 && i + 4 * j < n; j++, w += 8 * step) {
            const __m512i plus = _mm512_andnot_si512(signs[j], mask[j]);
            /* bits of `even` from the complement of the second, others from the third */
            __m512i fields[2] = {
                _mm512_ternarylogic_epi32(even, mask[j], _mm512_slli_epi32(plus, 1), 0x3a),
                _mm512_ternarylogic_epi32(even, _mm512_srli_epi32(mask[j], 1), plus, 0x3a)};
            for (unsigned f = 0; f < 4; f++)
                for (unsigned odd = 0; odd < 2; odd++) {
                    _mm512_store_si512(w + (4 * odd + f) * step,
                                       _mm512_and_si512(fields[odd], field));
                    fields[odd] = _mm512_srli_epi32(fields[odd], 2);
                }
        }
    }
}

/* Bits 0, 2, 4, 6, 1, 3, 5, 7 of the four bytes. */
ALWAYS_INLINE int32_t put_vector_mask(uint8_t *x, const int16_t *X, size_t cols, size_t at,
                                      size_t n)
{
    const __m512i first =
        _mm512_set_epi32(0x3e2e1e0e, 0x3f2f1f0f, 0x3a2a1a0a, 0x3b2b1b0b, 0x36261606, 0x37271707,
                         0x32221202, 0x33231303, 0x3c2c1c0c, 0x3d2d1d0d, 0x38281808, 0x39291909,
                         0x34241404, 0x35251505, 0x30201000, 0x31211101);
    __m512i sum = _mm512_setzero_si512();

    for (size_t i = 0; i < n; i += 4)
        sum = put_columns(x + 2 * i * QUAD_X, X + 8 * (at + i), cols - 8 * (at + i), first, sum);
    return _mm512_reduce_add_epi32(sum);
}

/* ---- ternary numbers ---- */

/* Of 16 bytes, or as many as there are, the quads of each plane in turns. */
ALWAYS_INLINE void put_weights_ternary(uint8_t *w, size_t step, const struct lanes *lanes,
                                       size_t at, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        const size_t quads = n - i < 16 ? (n - i + 3) / 4 : 4;
        __m512i words[4];
        load_words(words, lanes->rows, at + i, n - i);
        for (size_t k = 0; k < DIGITS; k++)
            for (size_t j = 0; j < quads; j++, w += step) {
                _mm512_store_si512(w, first_digit(words[j]));
                words[j] = without_first(words[j]);
            }
    }
}

ALWAYS_INLINE int32_t put_vector_ternary(uint8_t *x, const int16_t *X, size_t cols, size_t at,
                                         size_t n)
{
    const size_t row_bytes = (size_t)smol_row_bytes(SMOL_TERNARY, (uint32_t)cols);
    const __m512i order = plain_order();
    __m512i sum = _mm512_setzero_si512();

    for (size_t i = 0; i < n; i += 16)
        for (size_t k = 0; k < DIGITS; k++) {
            const size_t c = k * row_bytes + at + i, bytes = n - i < 16 ? n - i : 16,
                         left = c < cols ? cols - c : 0;
            sum = put_columns(x, X + (left ? c : 0), left < bytes ? left : bytes, order, sum);
            x += (bytes + 3) / 4 * QUAD_X;
        }
    return _mm512_reduce_add_epi32(sum);
}

#endif
