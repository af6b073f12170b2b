/* Frozen row blocks times one vector, with AVX-512.
 *
 * Nothing leaves the registers: X = 256 h + l is split into signed bytes once, the integer weights
 * are looked up as the two unsigned bytes of w + 32768, and the byte dot product (vpdpbusd,
 * unsigned x signed) does the rest exactly: sum w X = sum (w + 32768) X - 32768 sum X. A stream's
 * step waits for the one before it, so some row blocks run side by side. */
#include "kernel/x86/registers_avx512.h"

#define SIDE SMOL_BLOCK_BATCH
#define SIDE_256 SIDE
#define CHUNK 0
#define KEPT FOLD
#define OFFSET 32768
#define NARROW_COLS 16384u /* up to here the 16 lanes of a sum fit 32 bits together */

static void table_load(struct table *t, const int16_t *q) { table_load_flipped(t, q, 0x8000); }

/* The vector as bytes, and what the offset adds. */
struct vector {
    const uint8_t *h, *l;
    int64_t offset;
    bool is_narrow;
};

/* The three sums of byte products of one row: s0 + 256 s1 + 65536 s3. At most 2^18 columns: |s1| <
 * 2^31. */
struct sums {
    __m512i s0, s1, s3;
};

ALWAYS_INLINE void sums_add(struct sums *s, __m512i u, const struct table *table,
                            enum lookup lookup, const struct vector *x, size_t c, unsigned k)
{
    const __m512i h = _mm512_load_si512(x->h + c), l = _mm512_load_si512(x->l + c);
    const __m512i w0 = look_up(table->low, u, lookup), w1 = look_up(table->high, u, lookup);

    (void)k;
    add_products(&s->s1, w0, h);
    add_products(&s->s0, w0, l);
    add_products(&s->s3, w1, h);
    add_products(&s->s1, w1, l);
}

/* Low and high parts of the sums of FOLD rows. */
struct kept {
    __m512i pairs[2 * FOLD];
};

/* Carries upward, so that low is within 0..65535 and the sum is low + 65536 high in each lane. */
ALWAYS_INLINE void sums_keep(struct kept *kept, unsigned i, const struct sums *s, bool is_first)
{
    const __m512i byte = _mm512_set1_epi32(255);
    const __m512i middle = _mm512_add_epi32(s->s1, _mm512_srai_epi32(s->s0, 8));

    (void)is_first;
    kept->pairs[i] = _mm512_or_si512(_mm512_and_si512(s->s0, byte),
                                     _mm512_slli_epi32(_mm512_and_si512(middle, byte), 8));
    kept->pairs[FOLD + i] = _mm512_add_epi32(s->s3, _mm512_srai_epi32(middle, 8));
}

ALWAYS_INLINE void rows_finish(int64_t *to, const struct kept *kept, uint32_t n_rows,
                               const struct vector *x, bool is_first)
{
    finish_rows(to, kept->pairs, 16, x->offset, n_rows, x->is_narrow, is_first);
}

#include "kernel/product_single.h"

void smol_frozen_avx512(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                        uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                        void *scratch)
{
    struct vector x = {.h = scratch, .is_narrow = t->cols <= NARROW_COLS};

    if (n_x > 1) {
        smol_frozen_batch_avx512(sums, t, block, n_blocks, X, x_stride, n_x, scratch);
        return;
    }
    x.l = x.h + smol_round_up(t->cols, BYTES);
    x.offset = OFFSET * split_vector(scratch, X, t->cols);
    multiply_single(sums, t, block, n_blocks, &x);
}
