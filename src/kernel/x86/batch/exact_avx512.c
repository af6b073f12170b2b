/* Frozen row blocks times several vectors, with AVX-512: exact.
 *
 * Weights are 16-bit integers w = 256 w1 + 128 + w0, with bytes w1 and w0 of -128..127, and X = 256
 * h + l. Two sums are taken in each 32-bit lane, over the same columns: P, of w X, which wraps
 * around (vpdpwssd), and Q, of (w1 + 128) h (vpdpbusd). With C, the vector's own sum of 128 X -
 * 2^23 h, P - 65536 Q - C is the sum of 256 w1 l + w0 X, each at most 256 x 128 x 128 + 128 x 32512
 * < 2^31 / 256 - 256: over a chunk of 256 columns the wrapped difference is exact, with three
 * products where four of bytes would be needed. After each chunk its upper half moves to Q, so that
 * less than 65536 is left.
 *
 * Of a step's four columns a lane has the first and the third as integers, then the others, then
 * all high bytes. Planes add up in the weights. */
#include "kernel/x86/registers_avx512.h"

#define CHUNK 256u          /* columns */
#define PART CHUNK          /* bytes of one of the three parts of a vector's chunk */
#define X_CHUNK (3u * PART) /* of a vector */
#define HALF (3u * BYTES)   /* of the weights of sixteen rows and four columns */
#define W_STEP (2u * HALF)
#define TILE 6u        /* vectors */
#define AHEAD 16u      /* vectors: so far ahead they are fetched */
#define SECTION 65536u /* columns whose sums of high bytes fit 32 bits */
#define KEEP_WEIGHTS true

/* ---- vectors ---- */

/* Vectors are packed chunk by chunk, each chunk of all vectors. */
struct vectors {
    uint8_t *packed; /* (chunks, n_x, 3, PART) */
    int64_t *sums;   /* (chunks, n_x) C of a section's columns up to a chunk's end */
    size_t n_x, cols;
};

/* High bytes of 64 integers, the even and the odd ones, in plain order. */
static inline __m512i high_bytes(__m512i even, __m512i odd)
{
    const __m512i half = _mm512_set1_epi16(128), odds = _mm512_set1_epi16((short)0xff00);

    even = _mm512_srli_epi16(_mm512_adds_epi16(even, half), 8);
    odd = _mm512_and_si512(_mm512_adds_epi16(odd, half), odds);
    return _mm512_or_si512(even, odd);
}

/* A chunk of a vector; adds up its integers, and their high bytes. next: a vector to fetch, half of
 * which another core may have made. */
static void pack_chunk(uint8_t *to, __m512i *sum, __m512i *sum_h, const int16_t *X,
                       const int16_t *next, size_t cols)
{
    const __m512i evens =
        _mm512_set_epi16(62, 60, 58, 56, 54, 52, 50, 48, 46, 44, 42, 40, 38, 36, 34, 32, 30, 28, 26,
                         24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odds = _mm512_add_epi16(evens, _mm512_set1_epi16(1)),
                  words = _mm512_set1_epi16(1), bytes = _mm512_set1_epi8(1);

    for (size_t i = 0; i < cols; i += BYTES, to += BYTES) {
        const uint64_t mask = tail64(cols - i);
        _mm_prefetch((const char *)(next + i), _MM_HINT_T0);
        _mm_prefetch((const char *)(next + i + 32), _MM_HINT_T0);
        const __m512i a = _mm512_maskz_loadu_epi16((__mmask32)mask, X + i);
        const __m512i b = _mm512_maskz_loadu_epi16((__mmask32)(mask >> 32), X + i + 32);
        const __m512i even = _mm512_permutex2var_epi16(a, evens, b);
        const __m512i odd = _mm512_permutex2var_epi16(a, odds, b), h = high_bytes(even, odd);
        _mm512_store_si512(to, even);
        _mm512_store_si512(to + PART, odd);
        _mm512_store_si512(to + 2 * PART, h);
        *sum = _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(*sum, a, words), b, words);
        *sum_h = _mm512_dpbusd_epi32(*sum_h, bytes, h);
    }
}

/* A chunk of up to eight vectors, and their C; before: that of the chunk before, or NULL. */
static void pack_eight(uint8_t *to, int64_t *C, const int64_t *before, const int16_t *X,
                       size_t x_stride, size_t n_x, size_t cols)
{
    const __mmask8 mask = (__mmask8)((1u << n_x) - 1);
    __m512i sums[16];

    for (unsigned i = 0; i < 8; i++) {
        sums[2 * i] = sums[2 * i + 1] = _mm512_setzero_si512();
        if (i < n_x)
            pack_chunk(to + i * X_CHUNK, &sums[2 * i], &sums[2 * i + 1], X + i * x_stride,
                       X + (i + AHEAD) * x_stride, cols);
    }
    const __m512i all = sum_lanes(sums); /* of integers and of high bytes, in turns */
    const __m512i sum = _mm512_srai_epi64(_mm512_slli_epi64(all, 32), 32 - 7);
    const __m512i sum_h = _mm512_slli_epi64(_mm512_srai_epi64(all, 32), 23);
    const __m512i earlier = _mm512_maskz_loadu_epi64(before ? mask : 0, before);
    _mm512_mask_storeu_epi64(C, mask, _mm512_add_epi64(earlier, _mm512_sub_epi64(sum, sum_h)));
}

static void pack_vectors(const struct vectors *x, const int16_t *X, size_t x_stride)
{
    uint8_t *to = x->packed;
    int64_t *C = x->sums;

    for (size_t c = 0; c < x->cols; c += CHUNK)
        for (size_t i = 0, n; i < x->n_x; i += n, to += n * X_CHUNK, C += n) {
            n = x->n_x - i < 8 ? x->n_x - i : 8;
            pack_eight(to, C, c % SECTION ? C - x->n_x : NULL, X + i * x_stride + c, x_stride, n,
                       x->cols - c < CHUNK ? x->cols - c : CHUNK);
        }
}

/* ---- rows of weights ---- */

/* A table; and its first 64 entries, which are all that there are for LOOKUP_64, as they are. */
struct weights {
    struct table bytes;
    __m512i words[2];
    enum lookup lookup;
};

static void weights_load(struct weights *t, const int16_t *q)
{
    table_load_flipped(&t->bytes, q, 0);
    t->words[0] = _mm512_loadu_si512(q);
    t->words[1] = _mm512_loadu_si512(q + 32);
    t->lookup = t->bytes.lookup;
}

/* The bytes of a where mask has ones, else those of b. */
ALWAYS_INLINE __m512i choose(__m512i mask, __m512i a, __m512i b)
{
    return _mm512_ternarylogic_epi32(mask, a, b, 0xca);
}

ALWAYS_INLINE void put_step(uint8_t *w, unsigned half, __m512i u, const struct weights *t,
                            enum lookup lookup, bool is_first, bool is_last)
{
    const __m512i lows = _mm512_set1_epi16(255), flip = _mm512_set1_epi8((char)0x80);
    __m512i even, odd, top = look_up(t->bytes.high, u, lookup);

    w += half * HALF;
    if (lookup == LOOKUP_64) {
        even = _mm512_permutex2var_epi16(t->words[0], u, t->words[1]);
        odd = _mm512_permutex2var_epi16(t->words[0], _mm512_srli_epi16(u, 8), t->words[1]);
    } else {
        const __m512i low = look_up(t->bytes.low, u, lookup);
        even = choose(lows, low, _mm512_slli_epi16(top, 8));
        odd = choose(lows, _mm512_srli_epi16(low, 8), top);
    }
    if (!is_first) {
        even = _mm512_add_epi16(even, _mm512_load_si512(w));
        odd = _mm512_add_epi16(odd, _mm512_load_si512(w + BYTES));
    }
    _mm512_store_si512(w, even);
    _mm512_store_si512(w + BYTES, odd);
    if (!is_first && is_last)
        top = choose(lows, _mm512_srli_epi16(even, 8), odd);
    if (is_last)
        _mm512_store_si512(w + 2 * BYTES, _mm512_xor_si512(top, flip));
}

/* ---- products ---- */

/* clang-format off */
/* What is written for each of n vectors: its number, and the registers of its sums P and Q, of both halves of the rows. */
#define VECTORS_1(DO) DO(0, "0", "1", "2", "3")
#define VECTORS_2(DO) VECTORS_1(DO) DO(1, "4", "5", "6", "7")
#define VECTORS_3(DO) VECTORS_2(DO) DO(2, "8", "9", "10", "11")
#define VECTORS_4(DO) VECTORS_3(DO) DO(3, "12", "13", "14", "15")
#define VECTORS_5(DO) VECTORS_4(DO) DO(4, "16", "17", "18", "19")
#define VECTORS_6(DO) VECTORS_5(DO) DO(5, "20", "21", "22", "23")

#define ZERO_PAIR(p, q) "vpxord %%zmm" p ", %%zmm" p ", %%zmm" p "\n\tvpxord %%zmm" q ", %%zmm" q ", %%zmm" q "\n\t"
#define ZERO(v, p0, p1, q0, q1) ZERO_PAIR(p0, q0) ZERO_PAIR(p1, q1)
#define LOAD_PAIR(at, p, q) "vmovdqa64 " at "(%[totals]), %%zmm" p "\n\tvmovdqa64 64+" at "(%[totals]), %%zmm" q "\n\t"
#define LOAD(v, p0, p1, q0, q1) LOAD_PAIR("256*" #v, p0, q0) LOAD_PAIR("256*" #v "+128", p1, q1)
#define WEIGHTS(part) "vmovdqa64 64*" #part "(%[w]), %%zmm24\n\tvmovdqa64 192+64*" #part "(%[w]), %%zmm25\n\t"
#define MEET(op, v, part, a, b) \
	"vpbroadcastd 768*" #v "+256*" #part "(%[x]), %%zmm26\n\t" \
	op " %%zmm26, %%zmm24, %%zmm" a "\n\t" op " %%zmm26, %%zmm25, %%zmm" b "\n\t"
#define EVEN(v, p0, p1, q0, q1) MEET("vpdpwssd", v, 0, p0, p1)
#define ODD(v, p0, p1, q0, q1) MEET("vpdpwssd", v, 1, p0, p1)
#define HIGH(v, p0, p1, q0, q1) MEET("vpdpbusd", v, 2, q0, q1)
#define END_PAIR(v, at, p, q) \
	"vpslld $16, %%zmm" q ", %%zmm24\n\tvpsubd %%zmm24, %%zmm" p ", %%zmm24\n\t" \
	"vpsubd 8*" #v "(%[C])%{1to16%}, %%zmm24, %%zmm24\n\tvpsrad $16, %%zmm24, %%zmm24\n\t" \
	"vpaddd %%zmm24, %%zmm" q ", %%zmm" q "\n\t" \
	"vmovdqa64 %%zmm" p ", " at "(%[totals])\n\tvmovdqa64 %%zmm" q ", 64+" at "(%[totals])\n\t"
#define END(v, p0, p1, q0, q1) END_PAIR(v, "256*" #v, p0, q0) END_PAIR(v, "256*" #v "+128", p1, q1)

/* In assembly, since the compilers move the sums about so much that loads set the pace. */
#pragma GCC diagnostic ignored "-Woverlength-strings" /* which both compilers take */
#define TILE_OF(n) \
	static void tile_##n(struct total *totals, const uint8_t *w, const uint8_t *x, const int64_t *C, size_t steps, bool is_first) \
	{ \
		__asm__ __volatile__("test %[is_first], %[is_first]\n\tjz 1f\n\t" VECTORS_##n(ZERO) "jmp 2f\n\t" \
			"1:\n\t" VECTORS_##n(LOAD) \
			"2:\n\t" \
			WEIGHTS(0) VECTORS_##n(EVEN) WEIGHTS(2) VECTORS_##n(HIGH) WEIGHTS(1) VECTORS_##n(ODD) \
			"add $384, %[w]\n\tadd $4, %[x]\n\tdec %[steps]\n\tjnz 2b\n\t" \
			VECTORS_##n(END) \
			: [w] "+r"(w), [x] "+r"(x), [steps] "+r"(steps) \
			: [totals] "r"(totals), [C] "r"(C), [is_first] "r"(is_first) \
			: "memory", "cc", "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", "zmm9", \
			  "zmm10", "zmm11", "zmm12", "zmm13", "zmm14", "zmm15", "zmm16", "zmm17", "zmm18", "zmm19", "zmm20", \
			  "zmm21", "zmm22", "zmm23", "zmm24", "zmm25", "zmm26"); \
	}
/* clang-format on */

/* Of a vector and 32 rows. */
struct total {
    struct {
        __m512i p, q;
    } half[2];
};

TILE_OF(1)
TILE_OF(2)
TILE_OF(3)
TILE_OF(4)
TILE_OF(5)
TILE_OF(6)

typedef void tile(struct total *totals, const uint8_t *w, const uint8_t *x, const int64_t *C,
                  size_t steps, bool is_first);

/* Tiles of nearly as many vectors. */
static void multiply_chunk(struct total *totals, const uint8_t *w, const struct vectors *x,
                           size_t chunk, size_t cols)
{
    static tile *const tiles[TILE] = {tile_1, tile_2, tile_3, tile_4, tile_5, tile_6};

    for (size_t i = 0, n, left = (x->n_x + TILE - 1) / TILE; left > 0; left--, i += n) {
        const size_t at = chunk * x->n_x + i;
        n = (x->n_x - i + left - 1) / left;
        tiles[n - 1](totals + i, w, x->packed + at * X_CHUNK, x->sums + at, (cols + 3) / 4,
                     chunk % (SECTION / CHUNK) == 0);
    }
}

ALWAYS_INLINE void put_totals(int64_t *to, const struct total *total, unsigned half,
                              const struct vectors *x, size_t i, size_t chunk, uint32_t n_rows,
                              bool is_first)
{
    const int64_t C = x->sums[chunk * x->n_x + i];
    const __m512i p = total->half[half].p, q = total->half[half].q,
                  rest = _mm512_sub_epi32(_mm512_sub_epi32(p, _mm512_slli_epi32(q, 16)),
                                          _mm512_set1_epi32((int32_t)C));

    for (unsigned k = 0; k < 2; k++) {
        const __m512i high = _mm512_slli_epi64(eight(q, k), 16),
                      sum = _mm512_add_epi64(high, eight(rest, k));
        add_eight(to, k, n_rows, is_first, _mm512_add_epi64(sum, _mm512_set1_epi64(C)));
    }
}

#include "kernel/x86/batch/turned_avx512.h"

void smol_frozen_batch_avx512(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                              uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                              void *scratch)
{
    if (n_x == ALONE) {
        for (size_t i = 0; i < n_x; i++)
            smol_frozen_avx512(sums + i * n_blocks * SMOL_ROW_BLOCK, t, block, n_blocks,
                               X + i * x_stride, x_stride, 1,
                               (uint8_t *)scratch + i * ALONE_BYTES(t->cols));
        return;
    }
    const size_t chunks = (t->cols + CHUNK - 1) / CHUNK;
    uint8_t *at = scratch;
    const struct vectors x = {.packed = take(&at, chunks * n_x * X_CHUNK),
                              .sums = take(&at, chunks * n_x * sizeof(int64_t)),
                              .n_x = n_x,
                              .cols = t->cols};

    if (!t->is_packed)
        pack_vectors(&x, X, x_stride);
    multiply_with(sums, t, block, n_blocks, &x, at);
}

size_t smol_frozen_batch_scratch_avx512(size_t cols, size_t n_x, uint32_t n_planes)
{
    const size_t chunks = (cols + CHUNK - 1) / CHUNK;

    return chunks * n_x * X_CHUNK + smol_round_up(chunks * n_x * sizeof(int64_t), BYTES) +
           scratch_with(cols, n_x, n_planes);
}
