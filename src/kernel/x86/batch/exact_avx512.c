/* Frozen row blocks times several vectors, with AVX-512: exact.
 *
 * Weights are 16-bit integers w = 512 a + 256 + r, with r of -256..255, and X = 512 b + s, so that
 * a and b are of -64..63. Two sums are taken in each 32-bit lane, over the same columns: P, of w X,
 * which wraps around (vpdpwssd), and one that gives Q, of a b (vpdpbusd). With C, the vector's own
 * sum of 256 X, P - 2^18 Q - C is the sum of 512 a s + r X, each at most 512 x 64 x 256 + 256 x
 * 32512 < (2^31 - 2^18) / 128: over a part of 128 columns the wrapped difference is exact. After
 * each part its upper bits move to Q, so that less than 2^18 is left.
 *
 * Numbers of seven bits leave room for a sum in a byte, so one product does for two columns, those
 * of weights a, a' and numbers b, b': (a + 128 + b') (a' + b) = a b + a' b' + (a + 128) a' + (b' +
 * 128) b, where the last two are the rows' and the vector's own. So 64 weights take two and a half
 * products, where four of bytes would be needed.
 *
 * Of a step's eight columns a lane has the first and the third of four as integers, then the second
 * and the fourth, then the same of the other four; a byte's second column is the fourth after it.
 * Planes add up in the weights. */
#include "kernel/x86/registers_avx512.h"

#define CHUNK 256u           /* columns; bytes of one of the three kinds of a vector's chunk, too */
#define PART 128u            /* columns */
#define X_CHUNK (3u * CHUNK) /* bytes of a vector */
#define HALF (3u * BYTES)    /* of the weights of sixteen rows and four columns */
#define W_STEP (2u * HALF)
#define TILE 6u        /* vectors */
#define AHEAD 16u      /* vectors: so far ahead they are fetched */
#define SECTION 65536u /* columns whose sums of bytes fit 32 bits */
#define KEEP_WEIGHTS true

/* ---- vectors ---- */

/* Vectors are packed chunk by chunk, each chunk of all vectors. */
struct vectors {
    uint8_t *packed; /* (chunks, n_x, 3, CHUNK) */
    int64_t *sums;   /* (parts, n_x) C - 2^18 (b' + 128) b of a section's columns up to a part's end
                      */
    size_t n_x, cols;
};

/* b of 64 integers, the even and the odd ones, in plain order. */
static inline __m512i tops(__m512i even, __m512i odd)
{
    const __m512i half = _mm512_set1_epi16(256), odds = _mm512_set1_epi16((short)0xff00);

    even = _mm512_srai_epi16(_mm512_adds_epi16(even, half), 9);
    odd = _mm512_srai_epi16(_mm512_adds_epi16(odd, half), 1);
    return _mm512_ternarylogic_epi32(odds, odd, even, 0xca);
}

/* Up to PART columns of a vector; adds up its integers, and (b' + 128) b. next: a vector to fetch,
 * half of which another core may have made. */
static void pack_part(uint8_t *to, __m512i *sum, __m512i *sum_b, const int16_t *X,
                      const int16_t *next, size_t cols)
{
    const __m512i evens =
        _mm512_set_epi16(62, 60, 58, 56, 54, 52, 50, 48, 46, 44, 42, 40, 38, 36, 34, 32, 30, 28, 26,
                         24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odds = _mm512_add_epi16(evens, _mm512_set1_epi16(1)),
                  words = _mm512_set1_epi16(1), flip = _mm512_set1_epi8((char)0x80),
                  firsts = _mm512_set1_epi64(0xffffffff),
                  shifts = _mm512_set1_epi64(0x40404040c0c0c0c0);

    for (size_t i = 0; i < cols; i += BYTES, to += BYTES) {
        const uint64_t mask = tail64(cols - i);
        _mm_prefetch((const char *)(next + i), _MM_HINT_T0);
        _mm_prefetch((const char *)(next + i + 32), _MM_HINT_T0);
        const __m512i a = _mm512_maskz_loadu_epi16((__mmask32)mask, X + i);
        const __m512i b = _mm512_maskz_loadu_epi16((__mmask32)(mask >> 32), X + i + 32);
        const __m512i even = _mm512_permutex2var_epi16(a, evens, b);
        const __m512i odd = _mm512_permutex2var_epi16(a, odds, b), top = tops(even, odd);
        _mm512_store_si512(to, even);
        _mm512_store_si512(to + CHUNK, odd);
        _mm512_store_si512(to + 2 * CHUNK, _mm512_add_epi8(top, shifts));
        *sum = _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(*sum, a, words), b, words);
        *sum_b = _mm512_dpbusd_epi32(*sum_b, _mm512_xor_si512(_mm512_srli_epi64(top, 32), flip),
                                     _mm512_and_si512(top, firsts));
    }
}

/* A part of up to eight vectors, and their sums; before: those of the part before, or NULL. */
static void pack_eight(uint8_t *to, int64_t *sums, const int64_t *before, const int16_t *X,
                       size_t x_stride, size_t n_x, size_t cols)
{
    const __mmask8 mask = (__mmask8)((1u << n_x) - 1);
    __m512i own[16];

    for (unsigned i = 0; i < 8; i++) {
        own[2 * i] = own[2 * i + 1] = _mm512_setzero_si512();
        if (i < n_x)
            pack_part(to + i * X_CHUNK, &own[2 * i], &own[2 * i + 1], X + i * x_stride,
                      X + (i + AHEAD) * x_stride, cols);
    }
    const __m512i all = sum_lanes(own); /* of integers and of bytes, in turns */
    const __m512i sum = _mm512_srai_epi64(_mm512_slli_epi64(all, 32), 32 - 8);
    const __m512i sum_b = _mm512_slli_epi64(_mm512_srai_epi64(all, 32), 18);
    const __m512i earlier = _mm512_maskz_loadu_epi64(before ? mask : 0, before);
    _mm512_mask_storeu_epi64(sums, mask, _mm512_add_epi64(earlier, _mm512_sub_epi64(sum, sum_b)));
}

static void pack_vectors(const struct vectors *x, const int16_t *X, size_t x_stride)
{
    int64_t *sums = x->sums;

    for (size_t c = 0; c < x->cols; c += PART) {
        uint8_t *to = x->packed + c / CHUNK * x->n_x * X_CHUNK + c % CHUNK;
        for (size_t i = 0, n; i < x->n_x; i += n, to += n * X_CHUNK, sums += n) {
            n = x->n_x - i < 8 ? x->n_x - i : 8;
            pack_eight(to, sums, c % SECTION ? sums - x->n_x : NULL, X + i * x_stride + c, x_stride,
                       n, x->cols - c < PART ? x->cols - c : PART);
        }
    }
}

/* ---- rows of weights ---- */

/* A table; and its first 64 entries, which are all that there are for LOOKUP_64: as they are, and a
 * + 64 of them. */
struct weights {
    struct table bytes;
    __m512i words[2], tops;
    enum lookup lookup;
};

static void weights_load(struct weights *t, const int16_t *q)
{
    uint8_t tops[BYTES];

    table_load_flipped(&t->bytes, q, 0);
    for (unsigned u = 0; u < BYTES; u++)
        tops[u] = (uint8_t)((q[u] >> 9) + 64);
    t->words[0] = _mm512_loadu_si512(q);
    t->words[1] = _mm512_loadu_si512(q + 32);
    t->tops = _mm512_loadu_si512(tops);
    t->lookup = t->bytes.lookup;
}

/* The bytes of a where mask has ones, else those of b. */
ALWAYS_INLINE __m512i choose(__m512i mask, __m512i a, __m512i b)
{
    return _mm512_ternarylogic_epi32(mask, a, b, 0xca);
}

/* a + 64 of high bytes. */
ALWAYS_INLINE __m512i halve(__m512i high)
{
    const __m512i lows = _mm512_set1_epi8(127), flip = _mm512_set1_epi8(64);

    return _mm512_ternarylogic_epi32(_mm512_srli_epi16(high, 1), lows, flip, 0x6a);
}

ALWAYS_INLINE void put_step(uint8_t *w, unsigned half, __m512i u, const struct weights *t,
                            enum lookup lookup, bool is_first, bool is_last)
{
    const __m512i lows = _mm512_set1_epi16(255);
    __m512i even, odd, top;

    w += half * HALF;
    if (lookup == LOOKUP_64) {
        even = _mm512_permutex2var_epi16(t->words[0], u, t->words[1]);
        odd = _mm512_permutex2var_epi16(t->words[0], _mm512_srli_epi16(u, 8), t->words[1]);
        top = _mm512_permutexvar_epi8(u, t->tops);
    } else {
        const __m512i low = look_up(t->bytes.low, u, lookup),
                      high = look_up(t->bytes.high, u, lookup);
        even = choose(lows, low, _mm512_slli_epi16(high, 8));
        odd = choose(lows, _mm512_srli_epi16(low, 8), high);
        top = halve(high);
    }
    if (!is_first) {
        even = _mm512_add_epi16(even, _mm512_load_si512(w));
        odd = _mm512_add_epi16(odd, _mm512_load_si512(w + BYTES));
    }
    _mm512_store_si512(w, even);
    _mm512_store_si512(w + BYTES, odd);
    if (!is_first && is_last)
        top = halve(choose(lows, _mm512_srli_epi16(even, 8), odd));
    if (is_last)
        _mm512_store_si512(w + 2 * BYTES, top);
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
#define WEIGHTS(at) "vmovdqa64 " at "(%[w]), %%zmm24\n\tvmovdqa64 192+" at "(%[w]), %%zmm25\n\t"
#define MEET(at, a, b) \
	"vpbroadcastd " at "(%[x]), %%zmm26\n\tvpdpwssd %%zmm26, %%zmm24, %%zmm" a "\n\tvpdpwssd %%zmm26, %%zmm25, %%zmm" b "\n\t"
#define EVEN(v, p0, p1, q0, q1) MEET("768*" #v, p0, p1)
#define ODD(v, p0, p1, q0, q1) MEET("768*" #v "+256", p0, p1)
#define EVEN_2(v, p0, p1, q0, q1) MEET("768*" #v "+4", p0, p1)
#define ODD_2(v, p0, p1, q0, q1) MEET("768*" #v "+260", p0, p1)
#define TOPS \
	"vmovdqa64 128(%[w]), %%zmm24\n\tvmovdqa64 192+128(%[w]), %%zmm25\n\t" \
	"vmovdqa64 384+128(%[w]), %%zmm26\n\tvmovdqa64 384+192+128(%[w]), %%zmm27\n\t"
#define TOP(v, p0, p1, q0, q1) \
	"vpbroadcastd 768*" #v "+516(%[x]), %%zmm28\n\tvpbroadcastd 768*" #v "+512(%[x]), %%zmm29\n\t" \
	"vpaddb %%zmm24, %%zmm28, %%zmm30\n\tvpaddb %%zmm26, %%zmm29, %%zmm31\n\tvpdpbusd %%zmm31, %%zmm30, %%zmm" q0 "\n\t" \
	"vpaddb %%zmm25, %%zmm28, %%zmm28\n\tvpaddb %%zmm27, %%zmm29, %%zmm29\n\tvpdpbusd %%zmm29, %%zmm28, %%zmm" q1 "\n\t"
#define END_PAIR(v, own, p, q) \
	"vpsubd " own "(%[own]), %%zmm" q ", %%zmm" q "\n\tvpslld $18, %%zmm" q ", %%zmm24\n\tvpsubd %%zmm24, %%zmm" p ", %%zmm24\n\t" \
	"vpsubd 8*" #v "(%[sums])%{1to16%}, %%zmm24, %%zmm24\n\tvpsrad $18, %%zmm24, %%zmm24\n\t" \
	"vpaddd %%zmm24, %%zmm" q ", %%zmm" q "\n\t"
#define END(v, p0, p1, q0, q1) END_PAIR(v, "0", p0, q0) END_PAIR(v, "64", p1, q1)
#define PUT_PAIR(at, p, q) "vmovdqa64 %%zmm" p ", " at "(%[totals])\n\tvmovdqa64 %%zmm" q ", 64+" at "(%[totals])\n\t"
#define PUT(v, p0, p1, q0, q1) PUT_PAIR("256*" #v, p0, q0) PUT_PAIR("256*" #v "+128", p1, q1)

/* In assembly, since the compilers move the sums about so much that loads set the pace. 16 steps are a part. */
#pragma GCC diagnostic ignored "-Woverlength-strings" /* which both compilers take */
#define TILE_OF(n) \
	static void tile_##n(struct total *totals, const uint8_t *w, const uint8_t *x, const struct own *own, const int64_t *sums, \
			     size_t next, size_t steps, bool is_first) \
	{ \
		size_t left; \
		__asm__ __volatile__("test %[is_first], %[is_first]\n\tjz 1f\n\t" VECTORS_##n(ZERO) "jmp 2f\n\t" \
			"1:\n\t" VECTORS_##n(LOAD) \
			"2:\n\tmov $16, %k[left]\n\tcmp %[left], %[steps]\n\tcmovb %[steps], %[left]\n\tsub %[left], %[steps]\n\t" \
			"3:\n\t" \
			WEIGHTS("0") VECTORS_##n(EVEN) WEIGHTS("64") VECTORS_##n(ODD) \
			WEIGHTS("384") VECTORS_##n(EVEN_2) WEIGHTS("384+64") VECTORS_##n(ODD_2) TOPS VECTORS_##n(TOP) \
			"add $768, %[w]\n\tadd $8, %[x]\n\tdec %[left]\n\tjnz 3b\n\t" \
			VECTORS_##n(END) \
			"add $128, %[own]\n\tadd %[next], %[sums]\n\ttest %[steps], %[steps]\n\tjnz 2b\n\t" \
			VECTORS_##n(PUT) \
			: [w] "+r"(w), [x] "+r"(x), [own] "+r"(own), [sums] "+r"(sums), [steps] "+r"(steps), [left] "=&r"(left) \
			: [totals] "r"(totals), [next] "r"(next), [is_first] "r"(is_first) \
			: "memory", "cc", "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", "zmm9", \
			  "zmm10", "zmm11", "zmm12", "zmm13", "zmm14", "zmm15", "zmm16", "zmm17", "zmm18", "zmm19", "zmm20", \
			  "zmm21", "zmm22", "zmm23", "zmm24", "zmm25", "zmm26", "zmm27", "zmm28", "zmm29", "zmm30", "zmm31"); \
	}
/* clang-format on */

/* Of a vector and 32 rows. */
struct total {
    struct {
        __m512i p, q;
    } half[2];
};

/* Of 32 rows and a part of the columns. */
struct own {
    __m512i half[2];
};

TILE_OF(1)
TILE_OF(2)
TILE_OF(3)
TILE_OF(4)
TILE_OF(5)
TILE_OF(6)

typedef void tile(struct total *totals, const uint8_t *w, const uint8_t *x, const struct own *own,
                  const int64_t *sums, size_t next, size_t steps, bool is_first);

/* The rows' own sums of (a + 128) a' over some steps. Those of even steps and of odd ones are taken
 * apart, so that fewer products wait for each other. */
static struct own own_sums(const uint8_t *w, size_t steps)
{
    const __m512i shift = _mm512_set1_epi8(64), zero = _mm512_setzero_si512();
    __m512i sums[2][2] = {{zero, zero}, {zero, zero}};

    for (size_t i = 0; i < steps; i += 2)
        for (unsigned odd = 0; odd < 2 && i + odd < steps; odd++, w += 2 * W_STEP)
            for (unsigned half = 0; half < 2; half++) {
                const __m512i a = _mm512_load_si512(w + half * HALF + 2 * BYTES),
                              b = _mm512_load_si512(w + W_STEP + half * HALF + 2 * BYTES);
                sums[odd][half] = _mm512_dpbusd_epi32(sums[odd][half], _mm512_add_epi8(a, shift),
                                                      _mm512_sub_epi8(b, shift));
            }
    return (struct own){
        {_mm512_add_epi32(sums[0][0], sums[1][0]), _mm512_add_epi32(sums[0][1], sums[1][1])}};
}

/* Tiles of nearly as many vectors. */
static void multiply_chunk(struct total *totals, const uint8_t *w, const struct vectors *x,
                           size_t chunk, size_t cols)
{
    static tile *const tiles[TILE] = {tile_1, tile_2, tile_3, tile_4, tile_5, tile_6};
    struct own own[CHUNK / PART];

    for (size_t c = 0; c < cols; c += PART)
        own[c / PART] = own_sums(w + c / 4 * W_STEP, ((cols - c < PART ? cols - c : PART) + 7) / 8);
    for (size_t i = 0, n, left = (x->n_x + TILE - 1) / TILE; left > 0; left--, i += n) {
        n = (x->n_x - i + left - 1) / left;
        tiles[n - 1](totals + i, w, x->packed + (chunk * x->n_x + i) * X_CHUNK, own,
                     x->sums + chunk * (CHUNK / PART) * x->n_x + i, x->n_x * sizeof *x->sums,
                     (cols + 7) / 8, chunk % (SECTION / CHUNK) == 0);
    }
}

static inline size_t n_parts(size_t cols) { return (cols + PART - 1) / PART; }

ALWAYS_INLINE void take_totals(__m512i sums[2], const struct total *total, unsigned half,
                               const struct vectors *x, size_t i, size_t chunk)
{
    const size_t end = (chunk + 1) * CHUNK, parts = n_parts(end < x->cols ? end : x->cols);
    const int64_t C = x->sums[(parts - 1) * x->n_x + i];
    const __m512i p = total->half[half].p, q = total->half[half].q,
                  rest = _mm512_sub_epi32(_mm512_sub_epi32(p, _mm512_slli_epi32(q, 18)),
                                          _mm512_set1_epi32((int32_t)C));

    for (unsigned k = 0; k < 2; k++) {
        const __m512i high = _mm512_slli_epi64(eight(q, k), 18);
        sums[k] = _mm512_add_epi64(_mm512_add_epi64(high, eight(rest, k)), _mm512_set1_epi64(C));
    }
}

#include "kernel/x86/batch/turned_avx512.h"

static void multiply_several(const struct output *to, const struct smol_frozen *t, uint32_t block,
                             uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                             void *scratch)
{
    const size_t chunks = (t->cols + CHUNK - 1) / CHUNK;
    uint8_t *at = scratch;
    const struct vectors x = {.packed = take(&at, chunks * n_x * X_CHUNK),
                              .sums = take(&at, n_parts(t->cols) * n_x * sizeof(int64_t)),
                              .n_x = n_x,
                              .cols = t->cols};

    if (!t->is_packed)
        pack_vectors(&x, X, x_stride);
    multiply_with(to, t, block, n_blocks, &x, at);
}

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
    const struct output to = {.sums = sums, .stride = (size_t)n_blocks * SMOL_ROW_BLOCK};
    multiply_several(&to, t, block, n_blocks, X, x_stride, n_x, scratch);
}

bool smol_numbers_batch_avx512(float *y, size_t y_stride, const struct smol_frozen *tensor,
                               uint32_t block, uint32_t n_blocks, const int16_t *X, size_t x_stride,
                               size_t n_x, const float *t, void *scratch)
{
    const struct output to = {.numbers = y, .stride = y_stride, .scale = tensor->scale, .t = t};

    if (!gives_numbers(tensor, n_x))
        return false;
    multiply_several(&to, tensor, block, n_blocks, X, x_stride, n_x, scratch);
    return true;
}

size_t smol_frozen_batch_scratch_avx512(size_t cols, size_t n_x, uint32_t n_planes)
{
    const size_t chunks = (cols + CHUNK - 1) / CHUNK;

    return chunks * n_x * X_CHUNK + smol_round_up(n_parts(cols) * n_x * sizeof(int64_t), BYTES) +
           scratch_with(cols, n_x, n_planes);
}
