/* Frozen row blocks times several vectors, with AVX-512: approximate. High bytes of the weights,
 * looked up as w1 + 128, times high bytes of the vectors, one product (vpdpbusd) for 64 weights.
 * Planes add up in the sums. */
#include "kernel/x86/registers_avx512.h"

#define CHUNK 768u /* columns: their weights take half of the first cache */
#define W_STEP (2u * BYTES)
#define TILE 12u              /* vectors */
#define SECTION (85u * CHUNK) /* columns: 127 x 127 of each fit 32 bits */
#define KEEP_WEIGHTS false
#define OFFSET 128

/* ---- vectors ---- */

/* Vectors are packed chunk by chunk, each chunk of all vectors. */
struct vectors {
    uint8_t *packed; /* (chunks, n_x, CHUNK): high bytes */
    int32_t *starts; /* (chunks, n_x): what a chunk's sums start with, -128 x the bytes' sum */
    size_t n_x, cols;
};

/* A chunk of a vector; returns the sum in lanes. */
static __m512i pack_chunk(uint8_t *to, const int16_t *X, size_t cols)
{
    const __m512i ones = _mm512_set1_epi8(1);
    __m512i sum = _mm512_setzero_si512();

    for (size_t i = 0; i < cols; i += BYTES) {
        __m512i h, l;
        split64(&h, &l, X + i, cols - i);
        _mm512_store_si512(to + i, h);
        sum = _mm512_dpbusd_epi32(sum, ones, h);
    }
    return sum;
}

/* A chunk of up to sixteen vectors. */
static void pack_sixteen(uint8_t *to, int32_t *starts, const int16_t *X, size_t x_stride,
                         size_t n_x, size_t cols)
{
    const __m512i zero = _mm512_setzero_si512();
    __m512i sums[LANES];

    for (size_t i = 0; i < LANES; i++)
        sums[i] = i < n_x ? pack_chunk(to + i * CHUNK, X + i * x_stride, cols) : zero;
    _mm512_mask_storeu_epi32(starts, tail16(n_x),
                             _mm512_sub_epi32(zero, _mm512_slli_epi32(sum_lanes(sums), 7)));
}

static void pack_vectors(const struct vectors *x, const int16_t *X, size_t x_stride)
{
    uint8_t *to = x->packed;
    int32_t *starts = x->starts;

    for (size_t c = 0; c < x->cols; c += CHUNK)
        for (size_t i = 0, n; i < x->n_x; i += n, to += n * CHUNK, starts += n) {
            n = x->n_x - i < LANES ? x->n_x - i : LANES;
            pack_sixteen(to, starts, X + i * x_stride + c, x_stride, n,
                         x->cols - c < CHUNK ? x->cols - c : CHUNK);
        }
}

/* ---- rows of weights ---- */

struct weights {
    struct table high; /* w1 + 128, in its low bytes */
    enum lookup lookup;
};

static void weights_load(struct weights *t, const int16_t *q)
{
    int16_t high[SMOL_TABLE_ENTRIES];

    for (unsigned u = 0; u < SMOL_TABLE_ENTRIES; u++)
        high[u] = (int16_t)(high_byte(q[u]) + OFFSET);
    table_load_flipped(&t->high, high, 0);
    t->lookup = t->high.lookup;
}

ALWAYS_INLINE void put_step(uint8_t *w, unsigned half, __m512i u, const struct weights *t,
                            enum lookup lookup, bool is_first, bool is_last)
{
    (void)is_first, (void)is_last;
    _mm512_store_si512(w + half * BYTES, look_up(t->high.low, u, lookup));
}

/* ---- products ---- */

/* clang-format off */
/* What is written for each of n vectors: its number, and the registers of its sums, of both halves of the rows. */
#define VECTORS_1(DO) DO(0, "0", "1")
#define VECTORS_2(DO) VECTORS_1(DO) DO(1, "2", "3")
#define VECTORS_3(DO) VECTORS_2(DO) DO(2, "4", "5")
#define VECTORS_4(DO) VECTORS_3(DO) DO(3, "6", "7")
#define VECTORS_5(DO) VECTORS_4(DO) DO(4, "8", "9")
#define VECTORS_6(DO) VECTORS_5(DO) DO(5, "10", "11")
#define VECTORS_7(DO) VECTORS_6(DO) DO(6, "12", "13")
#define VECTORS_8(DO) VECTORS_7(DO) DO(7, "14", "15")
#define VECTORS_9(DO) VECTORS_8(DO) DO(8, "16", "17")
#define VECTORS_10(DO) VECTORS_9(DO) DO(9, "18", "19")
#define VECTORS_11(DO) VECTORS_10(DO) DO(10, "20", "21")
#define VECTORS_12(DO) VECTORS_11(DO) DO(11, "22", "23")

#define START(v, a, b) "vpbroadcastd 4*" #v "(%[start]), %%zmm" a "\n\tvmovdqa64 %%zmm" a ", %%zmm" b "\n\t"
#define GO_ON(v, a, b) \
	"vpbroadcastd 4*" #v "(%[start]), %%zmm26\n\t" \
	"vpaddd 128*" #v "(%[totals]), %%zmm26, %%zmm" a "\n\tvpaddd 128*" #v "+64(%[totals]), %%zmm26, %%zmm" b "\n\t"
#define MEET(v, a, b) \
	"vpbroadcastd 768*" #v "(%[x]), %%zmm26\n\t" \
	"vpdpbusd %%zmm26, %%zmm24, %%zmm" a "\n\tvpdpbusd %%zmm26, %%zmm25, %%zmm" b "\n\t"
#define END(v, a, b) "vmovdqa64 %%zmm" a ", 128*" #v "(%[totals])\n\tvmovdqa64 %%zmm" b ", 128*" #v "+64(%[totals])\n\t"

/* In assembly, as the exact product. */
#pragma GCC diagnostic ignored "-Woverlength-strings" /* which both compilers take */
#define TILE_OF(n) \
	static void tile_##n(struct total *totals, const uint8_t *w, const uint8_t *x, const int32_t *start, size_t steps, bool is_first) \
	{ \
		__asm__ __volatile__("test %[is_first], %[is_first]\n\tjz 1f\n\t" VECTORS_##n(START) "jmp 2f\n\t" \
			"1:\n\t" VECTORS_##n(GO_ON) \
			"2:\n\t" \
			"vmovdqa64 (%[w]), %%zmm24\n\tvmovdqa64 64(%[w]), %%zmm25\n\t" \
			VECTORS_##n(MEET) \
			"add $128, %[w]\n\tadd $4, %[x]\n\tdec %[steps]\n\tjnz 2b\n\t" \
			VECTORS_##n(END) \
			: [w] "+r"(w), [x] "+r"(x), [steps] "+r"(steps) \
			: [totals] "r"(totals), [start] "r"(start), [is_first] "r"(is_first) \
			: "memory", "cc", "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", "zmm9", \
			  "zmm10", "zmm11", "zmm12", "zmm13", "zmm14", "zmm15", "zmm16", "zmm17", "zmm18", "zmm19", "zmm20", \
			  "zmm21", "zmm22", "zmm23", "zmm24", "zmm25", "zmm26"); \
	}
/* clang-format on */

struct total {
    __m512i half[2];
};

TILE_OF(1)
TILE_OF(2)
TILE_OF(3)
TILE_OF(4)
TILE_OF(5)
TILE_OF(6)
TILE_OF(7)
TILE_OF(8)
TILE_OF(9)
TILE_OF(10)
TILE_OF(11)
TILE_OF(12)

typedef void tile(struct total *totals, const uint8_t *w, const uint8_t *x, const int32_t *start,
                  size_t steps, bool is_first);

/* Tiles of nearly as many vectors. */
static void multiply_chunk(struct total *totals, const uint8_t *w, const struct vectors *x,
                           size_t chunk, size_t cols)
{
    static tile *const tiles[TILE] = {tile_1, tile_2, tile_3, tile_4,  tile_5,  tile_6,
                                      tile_7, tile_8, tile_9, tile_10, tile_11, tile_12};

    for (size_t i = 0, n, left = (x->n_x + TILE - 1) / TILE; left > 0; left--, i += n) {
        const size_t at = chunk * x->n_x + i;
        n = (x->n_x - i + left - 1) / left;
        tiles[n - 1](totals + i, w, x->packed + at * CHUNK, x->starts + at, (cols + 3) / 4,
                     chunk % (SECTION / CHUNK) == 0);
    }
}

ALWAYS_INLINE void take_totals(__m512i sums[2], const struct total *total, unsigned half,
                               const struct vectors *x, size_t i, size_t chunk)
{
    (void)x, (void)i, (void)chunk;
    for (unsigned k = 0; k < 2; k++)
        sums[k] = _mm512_slli_epi64(eight(total->half[half], k), 16);
}

#include "kernel/x86/batch/turned_avx512.h"

static void multiply_several(const struct output *to, const struct smol_frozen *t, uint32_t block,
                             uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                             void *scratch)
{
    const size_t chunks = (t->cols + CHUNK - 1) / CHUNK;
    uint8_t *at = scratch;
    const struct vectors x = {.packed = take(&at, chunks * n_x * CHUNK),
                              .starts = take(&at, chunks * n_x * sizeof(int32_t)),
                              .n_x = n_x,
                              .cols = t->cols};

    if (!t->is_packed)
        pack_vectors(&x, X, x_stride);
    multiply_with(to, t, block, n_blocks, &x, at);
}

void smol_frozen_fast_batch_avx512(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                                   uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                                   void *scratch)
{
    if (n_x == ALONE) {
        for (size_t i = 0; i < n_x; i++)
            smol_frozen_fast_avx512(sums + i * n_blocks * SMOL_ROW_BLOCK, t, block, n_blocks,
                                    X + i * x_stride, x_stride, 1,
                                    (uint8_t *)scratch + i * ALONE_BYTES(t->cols));
        return;
    }
    const struct output to = {.sums = sums, .stride = (size_t)n_blocks * SMOL_ROW_BLOCK};
    multiply_several(&to, t, block, n_blocks, X, x_stride, n_x, scratch);
}

bool smol_numbers_fast_batch_avx512(float *y, size_t y_stride, const struct smol_frozen *tensor,
                                    uint32_t block, uint32_t n_blocks, const int16_t *X,
                                    size_t x_stride, size_t n_x, const float *t, void *scratch)
{
    const struct output to = {.numbers = y, .stride = y_stride, .scale = tensor->scale, .t = t};

    if (!gives_numbers(tensor, n_x))
        return false;
    multiply_several(&to, tensor, block, n_blocks, X, x_stride, n_x, scratch);
    return true;
}

size_t smol_frozen_fast_batch_scratch_avx512(size_t cols, size_t n_x)
{
    const size_t chunks = (cols + CHUNK - 1) / CHUNK;

    return chunks * n_x * CHUNK + smol_round_up(chunks * n_x * sizeof(int32_t), BYTES) +
           scratch_with(cols, n_x, 1);
}
