/* The parts of Fastfood that take time, with WebAssembly's vectors: bytes of a stream, and
 * Hadamard's transform, of which five stages and then three at a time keep eight registers. */
#include "kernel/wasm/registers_wasm.h"

#define LANES 4u

void smol_stream_bytes_wasm(uint8_t *bytes, size_t n, const struct smol_frozen *t, uint32_t plane,
                            uint32_t block, uint32_t n_blocks)
{
    for (uint32_t b = 0; b < n_blocks; b++, bytes += n) {
        struct generator s;
        generator_init(&s, t, plane, block + b);
        for (unsigned k = 0; k < PARTS; k++) {
            struct gen4 part = s.part[k];
            for (size_t i = 0; i < n; i += SMOL_STEP_BYTES)
                wasm_v128_store(bytes + i + STEP * k, step_four(&part));
        }
    }
}

typedef v128_t vector;

static inline vector add(vector a, vector b) { return wasm_f32x4_add(a, b); }

static inline vector subtract(vector a, vector b) { return wasm_f32x4_sub(a, b); }

static inline vector load_vector(const float *p) { return wasm_v128_load(p); }

static inline void store_vector(float *p, vector v) { wasm_v128_store(p, v); }

/* A stage over lanes whose numbers differ in one bit; where it is set, minus has the sign bit: the
 * difference. */
ALWAYS_INLINE vector stage_within(vector x, vector other, v128_t minus)
{
    return wasm_f32x4_add(other, wasm_v128_xor(x, minus));
}

static inline vector stages_within(vector x)
{
    const v128_t odd = wasm_u32x4_const(0, 0x80000000, 0, 0x80000000),
                 upper = wasm_u32x4_const(0, 0, 0x80000000, 0x80000000);

    x = stage_within(x, wasm_i32x4_shuffle(x, x, 1, 0, 3, 2), odd);
    return stage_within(x, wasm_i32x4_shuffle(x, x, 2, 3, 0, 1), upper);
}

#include "kernel/registers_hadamard.h"

void smol_hadamard_wasm(float *x, size_t n) { hadamard(x, n); }
