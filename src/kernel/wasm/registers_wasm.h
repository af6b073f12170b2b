/* What the kernels for WebAssembly's vectors share: the generator in registers, sums of 16-bit
 * products. */
#ifndef SMOL_REGISTERS_WASM_H
#define SMOL_REGISTERS_WASM_H

#include "base/bytes.h"
#include "kernel/product.h"

#include <wasm_simd128.h>

#define STEP 16u /* columns of a register of bytes */

/* From here on the compiler does not know what v is, and cannot make of what follows something else
 * that takes more instructions here. */
#define HIDE(v) __asm__("" : "+r"(v))

smol_frozen_product smol_frozen_wasm, smol_frozen_fast_wasm;
smol_rows_product smol_rows_q8_wasm, smol_rows_q4_wasm, smol_rows_mask_wasm, smol_rows_ternary_wasm;
void smol_stream_bytes_wasm(uint8_t *bytes, size_t n, const struct smol_frozen *t, uint32_t plane,
                            uint32_t block, uint32_t n_blocks);
void smol_hadamard_wasm(float *x, size_t n);
void smol_rows_i16_wasm(int64_t *sums, const int16_t *w, size_t n_rows, size_t cols,
                        const int16_t *X);

/* ---- products ---- */

/* Four sums of 32 bits to two of 64. */
ALWAYS_INLINE v128_t add_wide(v128_t sum, v128_t v)
{
    return wasm_i64x2_add(wasm_i64x2_add(sum, wasm_i64x2_extend_low_i32x4(v)),
                          wasm_i64x2_extend_high_i32x4(v));
}

ALWAYS_INLINE int64_t sum_i64(v128_t v)
{
    return wasm_i64x2_extract_lane(v, 0) + wasm_i64x2_extract_lane(v, 1);
}

ALWAYS_INLINE int64_t sum_i32(v128_t v) { return sum_i64(add_wide(wasm_i64x2_splat(0), v)); }

/* The products of eight pairs, by twos. */
ALWAYS_INLINE v128_t add_products(v128_t sum, v128_t w, const int16_t *X)
{
    return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(w, wasm_v128_load(X)));
}

/* 16 bytes w, times 16 columns. */
ALWAYS_INLINE v128_t add_bytes(v128_t sum, v128_t w, const int16_t *X)
{
    sum = add_products(sum, wasm_i16x8_extend_low_i8x16(w), X);
    return add_products(sum, wasm_i16x8_extend_high_i8x16(w), X + 8);
}

/* Two products of |w X| < 2^30 fit 32 bits. */
static inline int64_t dot_int16(const int16_t *w, const int16_t *X, size_t n)
{
    v128_t sum = wasm_i64x2_splat(0);
    int64_t rest = 0;
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        sum = add_wide(sum, wasm_i32x4_dot_i16x8(wasm_v128_load(w + i), wasm_v128_load(X + i)));
    for (; i < n; i++)
        rest += (int32_t)w[i] * X[i];
    return sum_i64(sum) + rest;
}

/* ---- the generator: words a, b, c, d of 16 lanes, four registers each ---- */

struct gen4 {
    v128_t a, b, c, d;
};

#define PARTS 4u /* registers of a step's bytes */

struct generator {
    struct gen4 part[PARTS];
};

static inline void generator_init(struct generator *s, const struct smol_frozen *t, uint32_t plane,
                                  uint32_t block)
{
    struct smol_stream stream;

    smol_stream_init(&stream, t->key, t->tensor, plane, t->purpose, block);
    for (unsigned i = 0; i < PARTS; i++)
        s->part[i] = (struct gen4){
            wasm_v128_load(stream.word + 4 * i), wasm_v128_load(stream.word + 16 + 4 * i),
            wasm_v128_load(stream.word + 32 + 4 * i), wasm_v128_load(stream.word + 48 + 4 * i)};
}

ALWAYS_INLINE v128_t rotl(v128_t x, uint32_t k)
{
    return wasm_v128_or(wasm_i32x4_shl(x, k), wasm_u32x4_shr(x, 32 - k));
}

/* One step of four lanes; the emitted 16 bytes are the new d. */
ALWAYS_INLINE v128_t step_four(struct gen4 *s)
{
    const v128_t e = wasm_i32x4_sub(s->a, rotl(s->b, 27));

    s->a = wasm_v128_xor(s->b, rotl(s->c, 17));
    s->b = wasm_i32x4_add(s->c, s->d);
    s->c = wasm_i32x4_add(s->d, e);
    s->d = wasm_i32x4_add(e, s->a);
    return s->d;
}

#endif
