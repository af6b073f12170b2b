/* The parts of Fastfood that take time, with AVX2: bytes of a stream, factors by bytes, and
 * Hadamard's transform, of which six stages and then three at a time keep eight registers. */
#include "kernel/x86/registers_avx2.h"

#define LANES 8u

void smol_stream_bytes_avx2(uint8_t *bytes, size_t n, const struct smol_frozen *t, uint32_t plane,
                            uint32_t block, uint32_t n_blocks)
{
    for (uint32_t b = 0; b < n_blocks; b++) {
        struct generator s;
        generators_init(&s, t, plane, block + b, 1);
        for (size_t i = 0; i < n; i += SMOL_STEP_BYTES, bytes += SMOL_STEP_BYTES)
            for (unsigned k = 0; k < PARTS; k++)
                store(bytes + STEP * k, generator_step(&s, k));
    }
}

typedef __m256 vector;

static inline vector add(vector a, vector b) { return _mm256_add_ps(a, b); }

static inline vector subtract(vector a, vector b) { return _mm256_sub_ps(a, b); }

static inline vector load_vector(const float *p) { return _mm256_loadu_ps(p); }

static inline void store_vector(float *p, vector v) { _mm256_storeu_ps(p, v); }

/* A stage over lanes whose numbers differ in one bit; where it is set, minus has the sign bit: the
 * difference. */
static inline vector stage_within(vector x, vector other, vector minus)
{
    return _mm256_add_ps(other, _mm256_xor_ps(x, minus));
}

static inline vector stages_within(vector x)
{
    x = stage_within(x, _mm256_permute_ps(x, 0xb1),
                     _mm256_setr_ps(0, -0.0f, 0, -0.0f, 0, -0.0f, 0, -0.0f));
    x = stage_within(x, _mm256_permute_ps(x, 0x4e),
                     _mm256_setr_ps(0, 0, -0.0f, -0.0f, 0, 0, -0.0f, -0.0f));
    return stage_within(x, _mm256_permute2f128_ps(x, x, 1),
                        _mm256_setr_ps(0, 0, 0, 0, -0.0f, -0.0f, -0.0f, -0.0f));
}

#include "kernel/registers_hadamard.h"

void smol_hadamard_avx2(float *x, size_t n) { hadamard(x, n); }

void smol_scale_by_bytes_avx2(float *x, const uint8_t *bytes, const float *table, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        const __m256i index =
            _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(bytes + i)));
        _mm256_storeu_ps(
            x + i, _mm256_mul_ps(_mm256_loadu_ps(x + i), _mm256_i32gather_ps(table, index, 4)));
    }
}
