/* Frozen row blocks times one vector, with AVX-512 that has neither VBMI nor VNNI, as the first
 * processors with it.
 *
 * As in frozen_avx2.c, X = 256 h + l is split into 16-bit integers once, in the order in which the
 * bytes of the weights come together, and w h and w l are summed by vpmaddwd: |w h| <= 32640 x 128,
 * four of them meet in a lane for each 64 columns, and 126 x 4 x 32640 x 128 < 2^31, so 8,064
 * columns fit before the sums move to 64 bits. A table's registers are looked up one over the other
 * under masks. A stream's step waits for the one before it, so some row blocks run side by side. */
#include "kernel/x86/registers_avx512bw.h"

#define LOOKUPS(X) X(LOOKUP_32) X(LOOKUP_64) X(LOOKUP_256)
#define SIDE 3u
#define SIDE_256 1u /* whole tables leave no registers for a second block */
#define CHUNK (126u * BYTES)
#define KEPT 1u

/* 64 columns of X: in each quarter of a register, those whose weights vpunpck brings there. */
struct vector {
    __m512i h[2], l[2];
};

static void split_columns(struct vector *s, const int16_t *X, size_t n)
{
    const __m512i a = _mm512_maskz_loadu_epi16((__mmask32)tail64(n), X);
    const __m512i b = _mm512_maskz_loadu_epi16((__mmask32)(tail64(n) >> 32), X + 32);
    const __m512i part[2] = {_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xdd)};

    for (unsigned i = 0; i < 2; i++) {
        s->h[i] = _mm512_srai_epi16(_mm512_add_epi16(part[i], _mm512_set1_epi16(128)), 8);
        s->l[i] = _mm512_sub_epi16(part[i], _mm512_slli_epi16(s->h[i], 8));
    }
}

/* The bytes of a table's integers, 16 to a register, four times. */
struct table {
    __m512i low[16], high[16];
    enum lookup lookup;
};

static void table_load(struct table *t, const int16_t *q)
{
    for (unsigned i = 0; i < 16; i++) {
        uint8_t low[16], high[16];
        for (unsigned k = 0; k < 16; k++) {
            low[k] = (uint8_t)q[16 * i + k];
            high[k] = (uint8_t)((uint16_t)q[16 * i + k] >> 8);
        }
        t->low[i] = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)low));
        t->high[i] = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)high));
    }
    t->lookup = repeats(q, 32) ? LOOKUP_32 : repeats(q, 64) ? LOOKUP_64 : LOOKUP_256;
}

/* Which bytes have bits over the lowest four that choose register i of n. */
ALWAYS_INLINE __mmask64 chosen(__m512i u, unsigned i, unsigned n)
{
    const __m512i bits = _mm512_and_si512(u, _mm512_set1_epi8((char)(16 * (n - 1))));

    return n == 2 ? _mm512_test_epi8_mask(u, _mm512_set1_epi8(16))
                  : _mm512_cmpeq_epi8_mask(bits, _mm512_set1_epi8((char)(16 * i)));
}

/* 64 weights: those of columns 16 i..16 i + 7 in w[0], of 16 i + 8..16 i + 15 in w[1]. */
ALWAYS_INLINE void look_up(__m512i w[2], __m512i u, const struct table *t, enum lookup lookup)
{
    const unsigned n = lookup == LOOKUP_32 ? 2 : lookup == LOOKUP_64 ? 4 : 16;
    const __m512i index = _mm512_and_si512(u, _mm512_set1_epi8(15));
    __m512i low = _mm512_shuffle_epi8(t->low[0], index),
            high = _mm512_shuffle_epi8(t->high[0], index);

    for (unsigned i = 1; i < n; i++) {
        const __mmask64 mask = chosen(u, i, n);
        low = _mm512_mask_shuffle_epi8(low, mask, t->low[i], index);
        high = _mm512_mask_shuffle_epi8(high, mask, t->high[i], index);
    }
    w[0] = _mm512_unpacklo_epi8(low, high);
    w[1] = _mm512_unpackhi_epi8(low, high);
}

struct sums {
    __m512i h, l;
};

ALWAYS_INLINE void sums_add(struct sums *sums, struct generator *s, const struct table *table,
                            enum lookup lookup, const struct vector *x, size_t c, unsigned part)
{
    __m512i w[2];

    look_up(w, generator_step(s, part), table, lookup);
    for (unsigned k = 0; k < 2; k++) {
        sums->h = _mm512_add_epi32(sums->h, _mm512_madd_epi16(w[k], x[c / BYTES].h[k]));
        sums->l = _mm512_add_epi32(sums->l, _mm512_madd_epi16(w[k], x[c / BYTES].l[k]));
    }
}

/* Sums of 64 bits. */
struct kept {
    __m512i h, l;
};

static inline __m512i add_wide(__m512i sum, __m512i v)
{
    sum = _mm512_add_epi64(sum, _mm512_cvtepi32_epi64(_mm512_castsi512_si256(v)));
    return _mm512_add_epi64(sum, _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(v, 1)));
}

ALWAYS_INLINE void sums_keep(struct kept *kept, unsigned i, const struct sums *s, bool is_first)
{
    const __m512i zero = _mm512_setzero_si512();

    (void)i;
    kept->h = add_wide(is_first ? zero : kept->h, s->h);
    kept->l = add_wide(is_first ? zero : kept->l, s->l);
}

ALWAYS_INLINE void rows_finish(int64_t *to, const struct kept *kept, uint32_t n_rows,
                               const struct vector *x, bool is_first)
{
    const __m512i both = _mm512_add_epi64(_mm512_slli_epi64(kept->h, 8), kept->l);

    (void)n_rows, (void)x;
    *to = _mm512_reduce_add_epi64(both) + (is_first ? 0 : *to);
}

#include "kernel/product_single.h"

void smol_frozen_avx512bw(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                          uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                          void *scratch)
{
    struct vector *x = scratch;

    if (n_x > 1) {
        smol_frozen_avx2(sums, t, block, n_blocks, X, x_stride, n_x, scratch);
        return;
    }
    for (size_t i = 0; i < t->cols; i += BYTES)
        split_columns(&x[i / BYTES], X + i, t->cols - i);
    multiply_single(sums, t, block, n_blocks, x);
}
