/* The ops over tiles of AVX-512's shape in plain C, so that these are tested on every machine. */
#include <string.h>

#define TILE_LANES 16u

typedef struct {
    float lane[TILE_LANES];
} tile_vector;

static inline tile_vector tile_set1(float x)
{
    tile_vector v;

    for (unsigned i = 0; i < TILE_LANES; i++)
        v.lane[i] = x;
    return v;
}

static inline tile_vector tile_load(const float *p)
{
    tile_vector v;

    memcpy(v.lane, p, sizeof v.lane);
    return v;
}

static inline void tile_store(float *p, tile_vector v) { memcpy(p, v.lane, sizeof v.lane); }

static inline tile_vector tile_mul(tile_vector a, tile_vector b)
{
    for (unsigned i = 0; i < TILE_LANES; i++)
        a.lane[i] *= b.lane[i];
    return a;
}

static inline tile_vector tile_fma(tile_vector a, tile_vector b, tile_vector c)
{
    for (unsigned i = 0; i < TILE_LANES; i++)
        c.lane[i] += a.lane[i] * b.lane[i];
    return c;
}

static inline void tile_fetch(const float *p) { (void)p; }

#define PRODUCT_ROWS 14
#include "train/ops/ops.inc"

extern const struct smol_ops ops_wide;
const struct smol_ops ops_wide = {.name = "wide", SMOL_OPS};
