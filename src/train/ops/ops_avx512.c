/* What the network is made of with AVX-512: 28 registers of sums, 2 of columns and a row's number.
 */
#include "train/ops/turn_sse.h"

typedef __m512 tile_vector;

#define TILE_LANES 16u

static inline tile_vector tile_set1(float x) { return _mm512_set1_ps(x); }

static inline tile_vector tile_load(const float *p) { return _mm512_loadu_ps(p); }

static inline void tile_store(float *p, tile_vector v) { _mm512_storeu_ps(p, v); }

static inline tile_vector tile_mul(tile_vector a, tile_vector b) { return _mm512_mul_ps(a, b); }

static inline tile_vector tile_fma(tile_vector a, tile_vector b, tile_vector c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline void tile_fetch(const float *p) { _mm_prefetch((const char *)p, _MM_HINT_T1); }

/* Of rows p, p + 4 stride, p + 8 stride and p + 12 stride, four numbers each. */
static inline __m512 four_rows(const float *p, size_t stride)
{
    const __m512 first = _mm512_castps128_ps512(_mm_loadu_ps(p)),
                 two = _mm512_insertf32x4(first, _mm_loadu_ps(p + 4 * stride), 1),
                 three = _mm512_insertf32x4(two, _mm_loadu_ps(p + 8 * stride), 2);

    return _mm512_insertf32x4(three, _mm_loadu_ps(p + 12 * stride), 3);
}

static inline void turn_four(float *to, size_t to_stride, const float *from, size_t stride)
{
    const __m512 a = four_rows(from, stride), b = four_rows(from + stride, stride),
                 c = four_rows(from + 2 * stride, stride), d = four_rows(from + 3 * stride, stride);
    const __m512d ab = _mm512_castps_pd(_mm512_unpacklo_ps(a, b)),
                  ab_high = _mm512_castps_pd(_mm512_unpackhi_ps(a, b)),
                  cd = _mm512_castps_pd(_mm512_unpacklo_ps(c, d)),
                  cd_high = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));

    tile_store(to, _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)));
    tile_store(to + to_stride, _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)));
    tile_store(to + 2 * to_stride, _mm512_castpd_ps(_mm512_unpacklo_pd(ab_high, cd_high)));
    tile_store(to + 3 * to_stride, _mm512_castpd_ps(_mm512_unpackhi_pd(ab_high, cd_high)));
}

/* 16 x 16 floats, transposed. */
static inline void turn_wide(float *to, size_t to_stride, const float *from, size_t stride)
{
    for (size_t i = 0; i < 16; i += 4)
        turn_four(to + i * to_stride, to_stride, from + i, stride);
}

#define PRODUCT_ROWS 14
#define PRODUCT_ROOM 147456u
#define PRODUCT_TURN_WIDE turn_wide
#define PRODUCT_TURN turn_sse
#include "train/ops/ops.inc"

const struct smol_ops smol_ops_avx512 = {.name = "avx512", SMOL_OPS};
