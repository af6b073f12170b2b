/* The parts of Fastfood that take time, with AVX2: bytes of a stream, factors by bytes, and Hadamard's transform, of which
 * six stages and then three at a time keep eight registers. */
#include "kernel/registers_avx2.h"

#define LANES 8u
#define REGISTERS 8u

void smol_stream_bytes_avx2(uint8_t *bytes, size_t n, const struct smol_frozen *t, uint32_t plane, uint32_t block)
{
	struct half s[2];

	lanes_init(s, t, plane, block);
	for (size_t i = 0; i < n; i += SMOL_STEP_BYTES) {
		store(bytes + i, half_step(s));
		store(bytes + i + 32, half_step(s + 1));
	}
}

/* A stage over lanes whose numbers differ in one bit; where it is set, minus has the sign bit: the difference. */
static inline __m256 stage_within(__m256 x, __m256 other, __m256 minus)
{
	return _mm256_add_ps(other, _mm256_xor_ps(x, minus));
}

static inline __m256 stages_within(__m256 x)
{
	x = stage_within(x, _mm256_permute_ps(x, 0xb1), _mm256_setr_ps(0, -0.0f, 0, -0.0f, 0, -0.0f, 0, -0.0f));
	x = stage_within(x, _mm256_permute_ps(x, 0x4e), _mm256_setr_ps(0, 0, -0.0f, -0.0f, 0, 0, -0.0f, -0.0f));
	return stage_within(x, _mm256_permute2f128_ps(x, x, 1), _mm256_setr_ps(0, 0, 0, 0, -0.0f, -0.0f, -0.0f, -0.0f));
}

/* Stages between n registers, n a power of two. */
static inline __attribute__((always_inline)) void stages_between(__m256 *v, unsigned n)
{
	for (unsigned h = 1; h < n; h *= 2)
		for (unsigned i = 0; i < n; i++)
			if (!(i & h)) {
				const __m256 a = v[i], b = v[i + h];
				v[i] = _mm256_add_ps(a, b);
				v[i + h] = _mm256_sub_ps(a, b);
			}
}

/* n registers that lie stride numbers apart; the stages within them as well if they are neighbours. */
static inline __attribute__((always_inline)) void transform(float *x, size_t stride, unsigned n, bool within)
{
	__m256 v[REGISTERS];

	for (unsigned i = 0; i < n; i++) {
		v[i] = _mm256_loadu_ps(x + i * stride);
		if (within)
			v[i] = stages_within(v[i]);
	}
	stages_between(v, n);
	for (unsigned i = 0; i < n; i++)
		_mm256_storeu_ps(x + i * stride, v[i]);
}

/* The stages over distances h, 2 h, ... (count / 2) h. */
static inline __attribute__((always_inline)) void pass(float *x, size_t n, size_t h, unsigned count)
{
	for (size_t i = 0; i < n; i += count * h)
		for (size_t j = i; j < i + h; j += LANES)
			transform(x + j, h, count, false);
}

void smol_hadamard_avx2(float *x, size_t n)
{
	size_t h = REGISTERS * LANES; /* n is at least that */

	for (size_t i = 0; i < n; i += h)
		transform(x + i, LANES, REGISTERS, true);
	for (; h * 8 <= n; h *= 8)
		pass(x, n, h, 8);
	if (h * 4 <= n)
		pass(x, n, h, 4);
	else if (h * 2 <= n)
		pass(x, n, h, 2);
}

void smol_scale_by_bytes_avx2(float *x, const uint8_t *bytes, const float *table, size_t n)
{
	for (size_t i = 0; i < n; i += LANES) {
		const __m256i index = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(bytes + i)));
		_mm256_storeu_ps(x + i, _mm256_mul_ps(_mm256_loadu_ps(x + i), _mm256_i32gather_ps(table, index, 4)));
	}
}
