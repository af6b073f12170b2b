/* The approximate product of frozen row blocks and one vector, with AVX-512: high bytes of the
 * weights, looked up as w1 + 128, times high bytes of the vector, one product (vpdpbusd) for 64
 * weights. Planes add up, each by itself. */
#include "kernel/x86/registers_avx512.h"

#define SIDE SMOL_BLOCK_BATCH
#define SIDE_256 3u
#define CHUNK 0
#define KEPT LANES
#define OFFSET 128
#define NARROW_COLS 65536u /* up to here the 16 lanes of a sum fit 32 bits together */

/* The table of w1 + 128 alone, in low bytes. */
static void table_load(struct table *t, const int16_t *q)
{
    int16_t high[SMOL_TABLE_ENTRIES];

    for (unsigned u = 0; u < SMOL_TABLE_ENTRIES; u++)
        high[u] = (int16_t)(high_byte(q[u]) + OFFSET);
    table_load_flipped(t, high, 0);
}

/* A vector's high bytes, whole registers; returns their sum. */
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
    return sum_i32(sum);
}

struct vector {
    const uint8_t *bytes;
    int64_t offset;
    bool is_narrow;
};

struct sums {
    __m512i sum;
};

ALWAYS_INLINE void sums_add(struct sums *sums, struct generator *s, const struct table *table,
                            enum lookup lookup, const struct vector *x, size_t c, unsigned k)
{
    add_products(&sums->sum, look_up(table->low, generator_step(s, k), lookup),
                 _mm512_load_si512(x->bytes + c));
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

/* The table of w1 + 128, as above. */
static void table_load_high(struct table *t, const int16_t *q)
{
    int16_t high[64];

    for (unsigned u = 0; u < 64; u++)
        high[u] = (int16_t)(high_byte(q[u]) + OFFSET);
    table_load_narrow(t, high, 0);
}

#define RUNS_BEGIN(s) (void)(s)
#define RUNS_TABLE table_load_high
#include "kernel/x86/runs_avx512.h"

/* The vector, made ready in the scratch unless it is there. */
static struct vector make_ready(const struct smol_frozen *t, const int16_t *X, void *scratch)
{
    struct alone *made = scratch;

    if (!t->is_packed)
        made->sum = prepare(made->bytes, X, t->cols);
    return (struct vector){made->bytes, OFFSET * made->sum, t->cols <= NARROW_COLS};
}

void smol_runs_fast_avx512(int64_t *sums, const struct smol_frozen *t,
                           const struct smol_stream *streams, uint32_t n, uint32_t n_rows,
                           const int16_t *X, void *scratch)
{
    const struct vector x = make_ready(t, X, scratch);

    multiply_runs(sums, t, streams, n, n_rows, &x);
}

void smol_frozen_fast_avx512(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                             uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                             void *scratch)
{
    if (n_x > 1) {
        smol_frozen_fast_batch_avx512(sums, t, block, n_blocks, X, x_stride, n_x, scratch);
        return;
    }
    const struct vector x = make_ready(t, X, scratch);

    multiply_single(sums, t, block, n_blocks, &x);
}
