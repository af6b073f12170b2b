/* The approximate product of frozen row blocks, with AVX-512: high bytes of the weights, looked up
 * as w1 + 128, times high bytes of the vector, one product (vpdpbusd) for 64 weights. Planes add
 * up, each by itself. */
#include "kernel/x86/registers_avx512.h"

#define SIDE SMOL_BLOCK_BATCH
#define SIDE_256 SIDE
#define CHUNK 0
#define KEPT LANES
#define ROWS 1u
#define OFFSET 128
#define INPUTS 4u          /* vectors multiplied with a row at once */
#define NARROW_COLS 65536u /* up to here the 16 lanes of a sum fit 32 bits together */

/* The table of w1 + 128 alone, in low bytes. */
static void table_load(struct table *t, const int16_t *q)
{
    int16_t high[SMOL_TABLE_ENTRIES];

    for (unsigned u = 0; u < SMOL_TABLE_ENTRIES; u++)
        high[u] = (int16_t)(high_byte(q[u]) + OFFSET);
    table_load_flipped(t, high, 0);
}

/* A vector's high bytes, whole registers; returns 128 x their sum. */
static int64_t prepare(uint8_t *bytes, const int16_t *X, size_t cols)
{
    const __m512i ones = _mm512_set1_epi8(1);
    __m512i sum = _mm512_setzero_si512();

    for (size_t i = 0; i < cols; i += BYTES) {
        __m512i h, l;
        split64(&h, &l, X + i, cols - i);
        _mm512_store_si512(bytes + i, h);
        sum = _mm512_dpbusd_epi32(sum, ones, h);
    }
    return OFFSET * sum_i32(sum);
}

/* ---- one vector ---- */

struct vector {
    const uint8_t *bytes;
    int64_t offset;
    bool is_narrow;
};

struct sums {
    __m512i sum;
};

ALWAYS_INLINE void sums_add(struct sums *s, __m512i u, const struct table *table,
                            enum lookup lookup, const struct vector *x, size_t c, unsigned k)
{
    (void)k;
    add_products(&s->sum, look_up(table->low, u, lookup), _mm512_load_si512(x->bytes + c));
}

struct kept {
    __m512i sums[KEPT];
};

ALWAYS_INLINE void sums_keep(struct kept *kept, unsigned i, const struct sums *s, bool is_first)
{
    (void)is_first;
    kept->sums[i] = s->sum;
}

ALWAYS_INLINE void rows_finish(int64_t *to, const struct kept *kept, uint32_t n_rows,
                               const struct vector *x, bool is_first)
{
    if (x->is_narrow) {
        const __m512i sums = sum_lanes(kept->sums);
        for (unsigned half = 0; half < 2; half++)
            add_eight(to, half, n_rows, is_first,
                      _mm512_slli_epi64(
                          _mm512_sub_epi64(eight(sums, half), _mm512_set1_epi64(x->offset)), 16));
    } else {
        for (uint32_t r = 0; r < n_rows; r++)
            to[r] = 65536 * (sum_i32(kept->sums[r]) - x->offset) + (is_first ? 0 : to[r]);
    }
}

#include "kernel/product_single.h"

/* ---- several vectors ---- */

ALWAYS_INLINE void row_put(uint8_t *w, size_t n, uint32_t r, size_t step, unsigned k, __m512i u,
                           const struct table *table, enum lookup lookup, bool is_first)
{
    (void)n, (void)r, (void)k, (void)is_first;
    _mm512_store_si512(w + BYTES * step, look_up(table->low, u, lookup));
}

/* A row of bytes times some vectors, n bytes apart. */
ALWAYS_INLINE void row_by_vectors(int64_t *sums, size_t stride, const uint8_t *w, const uint8_t *x,
                                  const int64_t *offsets, size_t n, unsigned n_in, bool is_first)
{
    __m512i sum[INPUTS];

    for (unsigned p = 0; p < n_in; p++)
        sum[p] = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i += BYTES) {
        const __m512i bytes = _mm512_load_si512(w + i);
        for (unsigned p = 0; p < n_in; p++)
            sum[p] = _mm512_dpbusd_epi32(sum[p], bytes, _mm512_load_si512(x + p * n + i));
    }
    for (unsigned p = 0; p < n_in; p++)
        sums[p * stride] =
            65536 * (sum_i32(sum[p]) - offsets[p]) + (is_first ? 0 : sums[p * stride]);
}

struct vectors {
    const uint8_t *bytes; /* n apart */
    const int64_t *offsets;
    size_t n_x;
};

static inline void rows_multiply(int64_t *to, size_t stride, const uint8_t *w, size_t n,
                                 uint32_t n_rows, const struct vectors *x, bool is_first)
{
    (void)n_rows;
    for (size_t i = 0, n_in; i < x->n_x; i += n_in) {
        n_in = x->n_x - i >= INPUTS ? INPUTS : 1;
        if (n_in == INPUTS)
            row_by_vectors(to + i * stride, stride, w, x->bytes + i * n, x->offsets + i, n, INPUTS,
                           is_first);
        else
            row_by_vectors(to + i * stride, stride, w, x->bytes + i * n, x->offsets + i, n, 1,
                           is_first);
    }
}

#include "kernel/product_several.h"

void smol_frozen_fast_avx512(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                             uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                             void *scratch)
{
    const size_t n = smol_round_up(t->cols, BYTES);
    uint8_t *w = scratch, *bytes = w + n;
    int64_t *offsets = (int64_t *)(void *)(bytes + n_x * n);
    const struct vectors vectors = {bytes, offsets, n_x};

    for (size_t i = 0; i < n_x; i++)
        offsets[i] = prepare(bytes + i * n, X + i * x_stride, t->cols);
    if (n_x == 1) {
        const struct vector x = {bytes, offsets[0], t->cols <= NARROW_COLS};
        multiply_single(sums, t, block, n_blocks, &x);
    } else {
        multiply_planes(sums, t, block, n_blocks, &vectors, w);
    }
}
