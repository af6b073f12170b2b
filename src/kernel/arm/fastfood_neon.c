/* The parts of Fastfood that take time, with NEON: bytes of a stream, and Hadamard's transform, of
 * which five stages and then three at a time keep eight registers. */
#include "kernel/arm/registers_neon.h"

#define LANES 4u

void smol_stream_bytes_neon(uint8_t *bytes, size_t n, const struct smol_frozen *t, uint32_t plane,
                            uint32_t block, uint32_t n_blocks)
{
    for (uint32_t b = 0; b < n_blocks; b++) {
        struct generator s;
        generators_init(&s, t, plane, block + b, 1);
        for (size_t i = 0; i < n; i += SMOL_STEP_BYTES, bytes += SMOL_STEP_BYTES)
            for (unsigned k = 0; k < PARTS; k++)
                vst1q_u8(bytes + STEP * k, generator_step(&s, k));
    }
}

typedef float32x4_t vector;

static inline vector add(vector a, vector b) { return vaddq_f32(a, b); }

static inline vector subtract(vector a, vector b) { return vsubq_f32(a, b); }

static inline vector load_vector(const float *p) { return vld1q_f32(p); }

static inline void store_vector(float *p, vector v) { vst1q_f32(p, v); }

/* A stage over lanes whose numbers differ in one bit; where it is set, minus has the sign bit: the
 * difference. */
static inline vector stage_within(vector x, vector other, uint32x4_t minus)
{
    return vaddq_f32(other, vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(x), minus)));
}

static inline vector stages_within(vector x)
{
    static const uint32_t odd[4] = {0, 0x80000000, 0, 0x80000000},
                          upper[4] = {0, 0, 0x80000000, 0x80000000};

    x = stage_within(x, vrev64q_f32(x), vld1q_u32(odd));
    return stage_within(x, vextq_f32(x, x, 2), vld1q_u32(upper));
}

#include "kernel/registers_hadamard.h"

void smol_hadamard_neon(float *x, size_t n) { hadamard(x, n); }
