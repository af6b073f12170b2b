/* 4 x 4 floats, transposed. */
#ifndef SMOL_TURN_SSE_H
#define SMOL_TURN_SSE_H

#include <immintrin.h>
#include <stddef.h>

static inline void turn_sse(float *to, size_t to_stride, const float *from, size_t stride)
{
    __m128 a = _mm_loadu_ps(from), b = _mm_loadu_ps(from + stride),
           c = _mm_loadu_ps(from + 2 * stride), d = _mm_loadu_ps(from + 3 * stride);

    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(to, a);
    _mm_storeu_ps(to + to_stride, b);
    _mm_storeu_ps(to + 2 * to_stride, c);
    _mm_storeu_ps(to + 3 * to_stride, d);
}

#endif
