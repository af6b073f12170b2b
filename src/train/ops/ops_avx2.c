/* What the network is made of with AVX2: 12 registers of sums, 2 of columns and a row's number. */
#include "train/ops/turn_sse.h"

typedef __m256 tile_vector;

#define TILE_LANES 8u

static inline tile_vector tile_set1(float x) { return _mm256_set1_ps(x); }

static inline tile_vector tile_load(const float *p) { return _mm256_loadu_ps(p); }

static inline void tile_store(float *p, tile_vector v) { _mm256_storeu_ps(p, v); }

static inline tile_vector tile_mul(tile_vector a, tile_vector b) { return _mm256_mul_ps(a, b); }

static inline tile_vector tile_fma(tile_vector a, tile_vector b, tile_vector c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline void tile_fetch(const float *p) { _mm_prefetch((const char *)p, _MM_HINT_T1); }

#define PRODUCT_ROWS 6
#define PRODUCT_TURN turn_sse
#include "train/ops/ops.inc"

const struct smol_ops smol_ops_avx2 = {.name = "avx2", SMOL_OPS};
