/* What the AVX-512 kernels share: lanes, tails, sums, the generator in registers and its tables. */
#ifndef SMOL_REGISTERS_AVX512_H
#define SMOL_REGISTERS_AVX512_H

#include "base/bytes.h"
#include "kernel/kernel.h"

#include <immintrin.h>

#define BYTES 64u /* of a register, and of a step of a stream */
#define LANES 16u /* floats of a register */

smol_frozen_product smol_frozen_avx512;
smol_rows_product smol_rows_q8_avx512;

/* Some row blocks times several vectors, or of several planes. */
smol_frozen_product smol_frozen_batch_avx512;

/* The halving tree of lanes16. */
static inline float reduce_tree(__m512 v)
{
	const __m256 h8 = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
	const __m128 h4 = _mm_add_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
	const __m128 h2 = _mm_add_ps(h4, _mm_movehl_ps(h4, h4));
	return _mm_cvtss_f32(_mm_add_ss(h2, _mm_movehdup_ps(h2)));
}

static inline __mmask16 tail16(size_t n)
{
	return (__mmask16)(n >= LANES ? 0xffffu : (1u << n) - 1u);
}

static inline __mmask64 tail64(size_t n)
{
	return n >= BYTES ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1;
}

/* ---- integers ---- */

static inline int64_t sum_i32(__m512i v)
{
	const __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(v));
	const __m512i high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(v, 1));

	return _mm512_reduce_add_epi64(_mm512_add_epi64(low, high));
}

/* The sums of the 32-bit lanes of 16 registers, in their order: pairs are folded into one register, four times. */
static inline __m512i sum_lanes(const __m512i v[16])
{
	const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 13, 9, 5, 1, 14, 10, 6, 2, 12, 8, 4, 0);
	__m512i a[8], b[4], c[2];

	for (unsigned i = 0; i < 8; i++)
		a[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(v[i], v[i + 8]), _mm512_unpackhi_epi32(v[i], v[i + 8]));
	for (unsigned i = 0; i < 4; i++)
		b[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(a[i], a[i + 4]), _mm512_unpackhi_epi64(a[i], a[i + 4]));
	for (unsigned i = 0; i < 2; i++)
		c[i] = _mm512_add_epi32(_mm512_shuffle_i32x4(b[2 * i], b[2 * i + 1], 0x88),
		                        _mm512_shuffle_i32x4(b[2 * i], b[2 * i + 1], 0xdd));
	const __m512i sums = _mm512_add_epi32(_mm512_shuffle_i32x4(c[0], c[1], 0x88), _mm512_shuffle_i32x4(c[0], c[1], 0xdd));
	return _mm512_permutexvar_epi32(order, sums);
}

/* sums[i] = 2^shift x (sum of lanes of high[i]) + sum of lanes of low[i], for eight pairs v = low 0..7, high 0..7. */
static inline __m512i sum_pairs(const __m512i v[16], unsigned shift)
{
	const __m512i s = sum_lanes(v);
	const __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(s));
	const __m512i high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(s, 1));

	return _mm512_add_epi64(low, _mm512_slli_epi64(high, shift));
}

/* The low and high signed bytes of 64 integers X = 256 h + l. */
static inline void split64(__m512i *h, __m512i *l, const int16_t *X, size_t n)
{
	const __m512i bias = _mm512_set1_epi16(128);
	const __m512i a = _mm512_maskz_loadu_epi16((__mmask32)tail64(n), X);
	const __m512i b = _mm512_maskz_loadu_epi16((__mmask32)(tail64(n) >> 32), X + 32);
	const __m256i h0 = _mm512_cvtepi16_epi8(_mm512_srai_epi16(_mm512_add_epi16(a, bias), 8));
	const __m256i h1 = _mm512_cvtepi16_epi8(_mm512_srai_epi16(_mm512_add_epi16(b, bias), 8));

	*l = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi16_epi8(a)), _mm512_cvtepi16_epi8(b), 1);
	*h = _mm512_inserti64x4(_mm512_castsi256_si512(h0), h1, 1);
}

struct lanes {
	__m512i a, b, c, d;
};

static inline void lanes_init(struct lanes *s, const struct smol_frozen *t, uint32_t plane, uint32_t block)
{
	struct smol_stream stream;

	smol_stream_init(&stream, t->key, t->tensor, plane, t->purpose, block);
	s->a = _mm512_load_si512(stream.word);
	s->b = _mm512_load_si512(stream.word + 16);
	s->c = _mm512_load_si512(stream.word + 32);
	s->d = _mm512_load_si512(stream.word + 48);
}

/* One step; the emitted bytes are the new d. */
static inline __m512i lanes_step(struct lanes *s)
{
	const __m512i e = _mm512_sub_epi32(s->a, _mm512_rol_epi32(s->b, 27));

	s->a = _mm512_xor_si512(s->b, _mm512_rol_epi32(s->c, 17));
	s->b = _mm512_add_epi32(s->c, s->d);
	s->c = _mm512_add_epi32(s->d, e);
	s->d = _mm512_add_epi32(e, s->a);
	return s->d;
}

/* The bytes of a table of 256 16-bit integers, low and high, 64 to a register. */
struct table {
	__m512i low[4], high[4];
	bool is_narrow; /* the two top bits of an index do not matter: at most six bases */
};

static inline void table_load(struct table *t, const int16_t *q, uint16_t flip)
{
	uint8_t low[256], high[256];

	t->is_narrow = true;
	for (unsigned u = 0; u < 256; u++) {
		low[u] = (uint8_t)((uint16_t)q[u] ^ flip);
		high[u] = (uint8_t)(((uint16_t)q[u] ^ flip) >> 8);
		t->is_narrow = t->is_narrow && q[u] == q[u & 63];
	}
	for (unsigned i = 0; i < 4; i++) {
		t->low[i] = _mm512_loadu_si512(low + 64 * i);
		t->high[i] = _mm512_loadu_si512(high + 64 * i);
	}
}

static inline __m512i look_up(const __m512i entries[4], __m512i u, bool is_narrow)
{
	if (is_narrow)
		return _mm512_permutexvar_epi8(u, entries[0]);
	const __m512i first = _mm512_permutex2var_epi8(entries[0], u, entries[1]);
	const __m512i second = _mm512_permutex2var_epi8(entries[2], u, entries[3]);
	return _mm512_mask_blend_epi8(_mm512_movepi8_mask(u), first, second);
}

#endif
