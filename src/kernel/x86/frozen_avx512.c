/* Frozen row blocks times one vector, with AVX-512.
 *
 * Nothing leaves the registers: X = 256 h + l is split into signed bytes once, the integer weights
 * are looked up as the two unsigned bytes of w + 32768, and the byte dot product (vpdpbusd,
 * unsigned x signed) does the rest exactly: sum w X = sum (w + 32768) X - 32768 sum X. A stream's
 * step waits for the one before it, so some row blocks run side by side. */
#include "kernel/x86/four_avx512.h"

#define SIDE SMOL_BLOCK_BATCH
#define SIDE_256 3u
#define CHUNK 0
#define KEPT LANES
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

/* The next step is always made while the bytes of this one meet the vector. */
ALWAYS_INLINE void first_steps(struct generator *s, uint32_t n)
{
    for (uint32_t b = 0; b < n; b++)
        generator_step(&s[b], 0);
}

/* The streams of some row blocks, whose first step is made. */
ALWAYS_INLINE void streams_begin(struct generator *s, const struct smol_frozen *t, uint32_t plane,
                                 uint32_t block, uint32_t n_blocks)
{
    generators_init(s, t, plane, block, n_blocks);
    first_steps(s, n_blocks);
}

/* With one register for all weights. In assembly, since four row blocks need all registers there
 * are, and in this order: with the look-ups first, the products do not keep what they wait for from
 * being begun. */
ALWAYS_INLINE void sums_add_64(struct sums *sums, struct generator *s, const struct table *table,
                               const __m512i *h, const __m512i *l)
{
    __m512i low, high, e, r;

    __asm__("vpermb %[lows], %[d], %[low]\n\t"
            "vpermb %[highs], %[d], %[high]\n\t"
            "vprold $27, %[b], %[r]\n\t"
            "vpsubd %[r], %[a], %[e]\n\t"
            "vprold $17, %[c], %[r]\n\t"
            "vpxord %[r], %[b], %[a]\n\t"
            "vpaddd %[d], %[c], %[b]\n\t"
            "vpaddd %[e], %[d], %[c]\n\t"
            "vpaddd %[a], %[e], %[d]\n\t"
            "vpdpbusd %[h], %[low], %[s1]\n\t"
            "vpdpbusd %[l], %[low], %[s0]\n\t"
            "vpdpbusd %[h], %[high], %[s3]\n\t"
            "vpdpbusd %[l], %[high], %[s1]"
            : [a] "+v"(s->a), [b] "+v"(s->b), [c] "+v"(s->c), [d] "+v"(s->d), [s0] "+v"(sums->s0),
              [s1] "+v"(sums->s1), [s3] "+v"(sums->s3), [low] "=&v"(low), [high] "=&v"(high),
              [e] "=&v"(e), [r] "=&v"(r)
            : [lows] "m"(table->low[0]), [highs] "m"(table->high[0]), [h] "m"(*h), [l] "m"(*l));
}

ALWAYS_INLINE void sums_add(struct sums *sums, struct generator *s, const struct table *table,
                            enum lookup lookup, const struct vector *x, size_t c, unsigned k)
{
    const __m512i *h = (const __m512i *)(const void *)(x->h + c),
                  *l = (const __m512i *)(const void *)(x->l + c);

    if (lookup == LOOKUP_64) {
        sums_add_64(sums, s, table, h, l);
        return;
    }
    const __m512i w0 = look_up(table->low, s->d, lookup), w1 = look_up(table->high, s->d, lookup);
    generator_step(s, k);
    add_products(&sums->s1, w0, *h);
    add_products(&sums->s0, w0, *l);
    add_products(&sums->s3, w1, *h);
    add_products(&sums->s1, w1, *l);
}

/* Those of some rows. */
struct kept {
    __m512i s0[KEPT], s1[KEPT], s3[KEPT];
};

ALWAYS_INLINE void sums_keep(struct kept *kept, unsigned i, const struct sums *s, bool is_first)
{
    (void)is_first;
    kept->s0[i] = s->s0;
    kept->s1[i] = s->s1;
    kept->s3[i] = s->s3;
}

ALWAYS_INLINE void rows_finish(int64_t *to, const struct kept *kept, uint32_t n_rows,
                               const struct vector *x, bool is_first)
{
    if (x->is_narrow) {
        const __m512i s0 = sum_lanes(kept->s0), s1 = sum_lanes(kept->s1), s3 = sum_lanes(kept->s3);
        for (unsigned half = 0; half < 2; half++)
            add_eight(
                to, half, n_rows, is_first,
                _mm512_add_epi64(_mm512_sub_epi64(eight(s0, half), _mm512_set1_epi64(x->offset)),
                                 _mm512_add_epi64(_mm512_slli_epi64(eight(s1, half), 8),
                                                  _mm512_slli_epi64(eight(s3, half), 16))));
    } else {
        for (uint32_t r = 0; r < n_rows; r++)
            to[r] = sum_i32(kept->s0[r]) + 256 * sum_i32(kept->s1[r]) +
                    65536 * sum_i32(kept->s3[r]) - x->offset + (is_first ? 0 : to[r]);
    }
}

/* Rows of four blocks at once, if nothing is to be fetched. */
ALWAYS_INLINE bool rows_side_by_side(struct kept *kept, struct generator *s, uint32_t n_blocks,
                                     const struct vector *x, size_t cols, const struct table *table,
                                     enum lookup lookup, size_t ahead, uint32_t n_rows)
{
    if (n_blocks < 4 || lookup != LOOKUP_64 || ahead)
        return false;
    four_blocks(kept->s0, s, table, x->h, x->l, smol_round_up(cols, BYTES), n_rows);
    return true;
}

#define ROWS_SIDE_BY_SIDE rows_side_by_side
#define STREAMS_BEGIN streams_begin
#include "kernel/product_single.h"

#define RUNS_BEGIN(s) first_steps(s, SMOL_RUNS)
#define RUNS_TABLE(t, q) table_load_narrow(t, q, 0x8000)
#include "kernel/x86/runs_avx512.h"

/* The vector, made ready in the scratch unless it is there. */
static struct vector make_ready(const struct smol_frozen *t, const int16_t *X, void *scratch)
{
    struct alone *made = scratch;

    if (!t->is_packed)
        made->sum = split_vector(made->bytes, X, t->cols);
    return (struct vector){.h = made->bytes,
                           .l = made->bytes + smol_round_up(t->cols, BYTES),
                           .offset = OFFSET * made->sum,
                           .is_narrow = t->cols <= NARROW_COLS};
}

void smol_runs_avx512(int64_t *sums, const struct smol_frozen *t, const struct smol_stream *streams,
                      uint32_t n, uint32_t n_rows, const int16_t *X, void *scratch)
{
    const struct vector x = make_ready(t, X, scratch);

    multiply_runs(sums, t, streams, n, n_rows, &x);
}

void smol_frozen_avx512(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                        uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                        void *scratch)
{
    if (n_x > 1) {
        smol_frozen_batch_avx512(sums, t, block, n_blocks, X, x_stride, n_x, scratch);
        return;
    }
    const struct vector x = make_ready(t, X, scratch);

    multiply_single(sums, t, block, n_blocks, &x);
}

void smol_streams_avx512(struct smol_stream *streams, const struct smol_frozen *t, uint32_t block,
                         uint32_t n_rows)
{
    const size_t steps = smol_round_up(t->cols, BYTES) / BYTES * n_rows;
    struct generator s;

    generators_init(&s, t, 0, block, 1);
    for (size_t i = 0; i < SMOL_ROW_BLOCK / n_rows; i++) {
        for (size_t k = 0; k < steps && i > 0; k++)
            generator_step(&s, 0);
        memcpy(&streams[i], &s, sizeof s);
    }
}
