/* What the AVX2 kernels share. */
#ifndef SMOL_REGISTERS_AVX2_H
#define SMOL_REGISTERS_AVX2_H

#include "base/bytes.h"
#include "kernel/kernel.h"

#include <immintrin.h>

smol_frozen_product smol_frozen_avx2;

static inline __m256i load(const void *p)
{
	return _mm256_loadu_si256(p);
}

static inline __m256i add_wide(__m256i sum, __m256i v)
{
	sum = _mm256_add_epi64(sum, _mm256_cvtepi32_epi64(_mm256_castsi256_si128(v)));
	return _mm256_add_epi64(sum, _mm256_cvtepi32_epi64(_mm256_extracti128_si256(v, 1)));
}

static inline int64_t sum_i64(__m256i v)
{
	int64_t lane[4];

	_mm256_storeu_si256((__m256i *)(void *)lane, v);
	return lane[0] + lane[1] + lane[2] + lane[3];
}

#endif
