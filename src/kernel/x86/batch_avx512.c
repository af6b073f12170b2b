/* Frozen row blocks times several vectors, with AVX-512.
 *
 * Four rows are generated at a time, as 16-bit integers w and their high bytes w1 = (w + 128) /
 * 256, and multiplied with two vectors at a time. Two sums are taken in each 32-bit lane, over the
 * same columns: P, of the whole products w X (vpdpwssd), which wraps around, and Q, of the high
 * bytes' products w1 h (vpdpbusd). sum w X differs from 65536 Q by less than 2^31 as long as no
 * more than 224 columns meet in a lane: |w X - 65536 w1 h| <= 256 (128 x 128 + 160 x 127) + 160 x
 * 128 < 2^31 / 224. So the wrapped difference P - 65536 Q is exact, with three products where four
 * byte products would be needed.
 *
 * Rows and vectors are packed in the order in which they are read: of a step's 64 columns the even
 * ones and the odd ones as 16-bit integers, then all high bytes, so that lane j of each of the
 * three has columns 4 j..4 j + 3. */
#include "kernel/x86/registers_avx512.h"

#define ROWS 4u
#define PART (3u * BYTES) /* of a row or a vector in a step: even, odd, high bytes */
#define CHUNK                                                                                      \
    (24u * BYTES) /* columns: a tile's rows of them stay in the first cache, and 96 <= 224 meet in \
                     a lane */
#define PAIR_STEP (2u * PART)   /* of two vectors */
#define ROWS_STEP (ROWS * PART) /* of four rows */

/* High bytes of 64 integers, the even and the odd ones, in plain order. */
static inline __m512i high_bytes(__m512i even, __m512i odd)
{
    const __m512i half = _mm512_set1_epi16(128), odds = _mm512_set1_epi16((short)0xff00);

    even = _mm512_srli_epi16(_mm512_adds_epi16(even, half), 8);
    odd = _mm512_and_si512(_mm512_adds_epi16(odd, half), odds);
    return _mm512_or_si512(even, odd);
}

/* ---- vectors ---- */

/* Two vectors are packed chunk by chunk: first -128 x the sums of high bytes by lanes, of each
 * vector; then the steps. */
static size_t pair_bytes(size_t n)
{
    return n / BYTES * PAIR_STEP + (n + CHUNK - 1) / CHUNK * 2 * BYTES;
}

/* Packs up to two vectors; one that is missing is zero. */
static void pack_pair(uint8_t *pack, const int16_t *X, size_t x_stride, size_t n_x, size_t cols)
{
    const __m512i evens =
        _mm512_set_epi16(62, 60, 58, 56, 54, 52, 50, 48, 46, 44, 42, 40, 38, 36, 34, 32, 30, 28, 26,
                         24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odds = _mm512_add_epi16(evens, _mm512_set1_epi16(1)),
                  ones = _mm512_set1_epi8((char)128);
    const size_t n = smol_round_up(cols, BYTES);

    for (size_t first = 0; first < n; first += CHUNK) {
        __m512i sums[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        uint8_t *at = pack + 2 * BYTES;
        for (size_t i = first; i < n && i < first + CHUNK; i += BYTES)
            for (size_t p = 0; p < 2; p++, at += PART) {
                const uint64_t mask = p < n_x ? tail64(cols - i) : 0;
                const int16_t *x = X + (mask ? p * x_stride + i : 0);
                const __m512i a = _mm512_maskz_loadu_epi16((__mmask32)mask, x);
                const __m512i b = _mm512_maskz_loadu_epi16((__mmask32)(mask >> 32), x + 32);
                const __m512i even = _mm512_permutex2var_epi16(a, evens, b);
                const __m512i odd = _mm512_permutex2var_epi16(a, odds, b),
                              h = high_bytes(even, odd);
                _mm512_store_si512(at, even);
                _mm512_store_si512(at + BYTES, odd);
                _mm512_store_si512(at + 2 * BYTES, h);
                sums[p] = _mm512_dpbusd_epi32(sums[p], ones, h);
            }
        for (size_t p = 0; p < 2; p++)
            _mm512_store_si512(pack + p * BYTES, _mm512_sub_epi32(_mm512_setzero_si512(), sums[p]));
        pack = at;
    }
}

/* ---- rows of weights ---- */

static void table_load(struct table *t, const int16_t *q) { table_load_flipped(t, q, 0); }

/* Even and odd columns; put_high_bytes adds the high bytes. */
ALWAYS_INLINE void row_put(uint8_t *w, size_t n, uint32_t r, size_t step, unsigned k, __m512i u,
                           const struct table *table, enum lookup lookup, bool is_first)
{
    const __m512i lows = _mm512_set1_epi16(255);
    const __m512i low = look_up(table->low, u, lookup), high = look_up(table->high, u, lookup);
    __m512i even = _mm512_or_si512(_mm512_and_si512(low, lows), _mm512_slli_epi16(high, 8));
    __m512i odd = _mm512_or_si512(_mm512_srli_epi16(low, 8), _mm512_andnot_si512(lows, high));

    (void)n, (void)k;
    w += r * PART + step * ROWS_STEP;
    if (!is_first) {
        even = _mm512_add_epi16(even, _mm512_load_si512(w));
        odd = _mm512_add_epi16(odd, _mm512_load_si512(w + BYTES));
    }
    _mm512_store_si512(w, even);
    _mm512_store_si512(w + BYTES, odd);
}

/* High bytes w1 + 128 of rows that are whole. */
static void put_high_bytes(uint8_t *w, size_t steps)
{
    const __m512i flip = _mm512_set1_epi8((char)0x80);

    for (size_t i = 0; i < steps * ROWS; i++, w += PART) {
        const __m512i high = high_bytes(_mm512_load_si512(w), _mm512_load_si512(w + BYTES));
        _mm512_store_si512(w + 2 * BYTES, _mm512_xor_si512(high, flip));
    }
}

/* ---- products ---- */

/* clang-format off */
#define LOAD(reg, offset, base) "vmovdqa64 " offset "(%[" base "]), %%zmm" reg "\n\t"
#define WORDS(sum, x) "vpdpwssd %%zmm" x ", %%zmm24, %[" sum "]\n\t"
#define HIGHS(sum, x) "vpdpbusd %%zmm" x ", %%zmm24, %[" sum "]\n\t"
#define ROW(even, odd, high, p0, p1, q0, q1) \
	LOAD("24", even, "w") WORDS(p0, "16") WORDS(p1, "19") \
	LOAD("24", high, "w") HIGHS(q0, "18") HIGHS(q1, "21") \
	LOAD("24", odd, "w") WORDS(p0, "17") WORDS(p1, "20")
#define ZERO(sum) "vpxord %[" sum "], %[" sum "], %[" sum "]\n\t"
#define FIRST(sum, offset) "vmovdqa64 " offset "(%[x]), %[" sum "]\n\t"
/* clang-format on */

/* P and Q (vectors x rows) of ROWS rows and two vectors over some steps of a chunk. In assembly,
 * since the compilers move the sixteen sums about so much that loads set the pace; so written, a
 * product ends every cycle. */
static inline void tile(__m512i P[8], __m512i Q[8], const uint8_t *w, const uint8_t *x,
                        size_t steps)
{
    /* clang-format off */
    __asm__(ZERO("p0") ZERO("p1") ZERO("p2") ZERO("p3") ZERO("p4") ZERO("p5") ZERO("p6") ZERO("p7")
            FIRST("q0", "0") FIRST("q1", "0") FIRST("q2", "0") FIRST("q3", "0")
            FIRST("q4", "64") FIRST("q5", "64") FIRST("q6", "64") FIRST("q7", "64")
            "add $128, %[x]\n"
            "1:\n\t"
            LOAD("16", "0", "x") LOAD("17", "64", "x") LOAD("18", "128", "x")
            LOAD("19", "192", "x") LOAD("20", "256", "x") LOAD("21", "320", "x")
            ROW("0", "64", "128", "p0", "p4", "q0", "q4")
            ROW("192", "256", "320", "p1", "p5", "q1", "q5")
            ROW("384", "448", "512", "p2", "p6", "q2", "q6")
            ROW("576", "640", "704", "p3", "p7", "q3", "q7")
            "add $768, %[w]\n\t"
            "add $384, %[x]\n\t"
            "dec %[steps]\n\t"
            "jnz 1b\n\t"
            : [p0] "=&v"(P[0]), [p1] "=&v"(P[1]), [p2] "=&v"(P[2]), [p3] "=&v"(P[3]), [p4] "=&v"(P[4]), [p5] "=&v"(P[5]),
              [p6] "=&v"(P[6]), [p7] "=&v"(P[7]), [q0] "=&v"(Q[0]), [q1] "=&v"(Q[1]), [q2] "=&v"(Q[2]), [q3] "=&v"(Q[3]),
              [q4] "=&v"(Q[4]), [q5] "=&v"(Q[5]), [q6] "=&v"(Q[6]), [q7] "=&v"(Q[7]), [w] "+r"(w), [x] "+r"(x),
              [steps] "+r"(steps)
            :
            : "memory", "cc", "zmm16", "zmm17", "zmm18", "zmm19", "zmm20", "zmm21", "zmm24");
    /* clang-format on */
}

/* Sums (vectors x rows) of a chunk's tile; the lanes of P - 65536 Q are exact, as said above. */
static inline __m512i tile_sums(const uint8_t *w, const uint8_t *x, size_t steps)
{
    __m512i P[8], Q[8], pairs[16];

    tile(P, Q, w, x, steps);
    for (unsigned i = 0; i < 8; i++) {
        const __m512i rest = _mm512_sub_epi32(P[i], _mm512_slli_epi32(Q[i], 16));
        pairs[i] = _mm512_and_si512(rest, _mm512_set1_epi32(65535));
        pairs[8 + i] = _mm512_add_epi32(Q[i], _mm512_srai_epi32(rest, 16));
    }
    return sum_pairs(pairs, 16);
}

/* Adds sums of two vectors' rows to (2, stride) memory. */
static inline void add_sums(int64_t *sums, size_t stride, __m512i v, __mmask8 rows, bool is_second,
                            bool is_first_chunk)
{
    for (unsigned p = 0; p < (is_second ? 2u : 1u); p++, sums += stride) {
        const __m256i part = p ? _mm512_extracti64x4_epi64(v, 1) : _mm512_castsi512_si256(v);
        const __m256i before =
            is_first_chunk ? _mm256_setzero_si256() : _mm256_maskz_loadu_epi64(rows, sums);
        _mm256_mask_storeu_epi64(sums, rows, _mm256_add_epi64(before, part));
    }
}

struct vectors {
    const uint8_t *pairs;
    size_t n_x;
};

static void rows_multiply(int64_t *to, size_t stride, uint8_t *w, size_t n, uint32_t n_rows,
                          const struct vectors *x, bool is_first)
{
    const __mmask8 mask = (__mmask8)((1u << n_rows) - 1);
    size_t at = 0; /* of a chunk in each pair */

    (void)is_first; /* all planes are in w */
    put_high_bytes(w, n / BYTES);
    for (size_t first = 0; first < n; first += CHUNK) {
        const size_t steps = (n - first < CHUNK ? n - first : CHUNK) / BYTES;
        for (size_t i = 0; i < x->n_x; i += 2)
            add_sums(to + i * stride, stride,
                     tile_sums(w + first / BYTES * ROWS_STEP, x->pairs + i / 2 * pair_bytes(n) + at,
                               steps),
                     mask, x->n_x - i > 1, first == 0);
        at += 2 * BYTES + steps * PAIR_STEP;
    }
}

#include "kernel/product_several.h"

void smol_frozen_batch_avx512(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                              uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                              void *scratch)
{
    const size_t n = smol_round_up(t->cols, BYTES);
    uint8_t *w = scratch, *pairs = w + n / BYTES * ROWS_STEP;
    const struct vectors vectors = {pairs, n_x};

    for (size_t i = 0; i < n_x; i += 2)
        pack_pair(pairs + i / 2 * pair_bytes(n), X + i * x_stride, x_stride, n_x - i, t->cols);
    multiply_several(sums, t, block, n_blocks, &vectors, w);
}
