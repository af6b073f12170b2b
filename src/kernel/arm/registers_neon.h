/* What the NEON kernels share: the generator in registers, its tables, sums of 16-bit products. */
#ifndef SMOL_REGISTERS_NEON_H
#define SMOL_REGISTERS_NEON_H

#include "base/bytes.h"
#include "kernel/product.h"

#include <arm_neon.h>

#define STEP 16u /* columns of a register of bytes */

smol_frozen_product smol_frozen_neon, smol_frozen_fast_neon, smol_frozen_fast_neon_dotprod;
smol_rows_product smol_rows_q8_neon, smol_rows_q4_neon, smol_rows_q8_neon_dotprod;
smol_rows_product smol_rows_mask_neon, smol_rows_mask_neon_dotprod;
smol_rows_product smol_rows_ternary_neon, smol_rows_ternary_neon_dotprod;
void smol_stream_bytes_neon(uint8_t *bytes, size_t n, const struct smol_frozen *t, uint32_t plane,
                            uint32_t block, uint32_t n_blocks);
void smol_hadamard_neon(float *x, size_t n);
void smol_rows_i16_neon(int64_t *sums, const int16_t *w, size_t n_rows, size_t cols,
                        const int16_t *X);

/* ---- products ---- */

/* Adds the products of eight pairs: two of them, |w X| < 2^30, fit 32 bits, the rest is summed
 * in 64. */
static inline int64x2_t add_products(int64x2_t sum, int16x8_t w, int16x8_t X)
{
    const int32x4_t low = vmull_s16(vget_low_s16(w), vget_low_s16(X));

    return vpadalq_s32(sum, vmlal_high_s16(low, w, X));
}

static inline int64_t dot_int16(const int16_t *w, const int16_t *X, size_t n)
{
    int64x2_t sum = vdupq_n_s64(0);
    int64_t rest = 0;
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        sum = add_products(sum, vld1q_s16(w + i), vld1q_s16(X + i));
    for (; i < n; i++)
        rest += (int32_t)w[i] * X[i];
    return vaddvq_s64(sum) + rest;
}

/* ---- the generator: words a, b, c, d of 16 lanes, four registers each ---- */

struct gen4 {
    uint32x4_t a, b, c, d;
};

struct generator {
    struct gen4 part[4];
};

#define PARTS 4u /* registers of a step's bytes */

static inline void generators_init(struct generator *s, const struct smol_frozen *t, uint32_t plane,
                                   uint32_t block, uint32_t n_blocks)
{
    for (uint32_t b = 0; b < n_blocks; b++) {
        struct smol_stream stream;
        smol_stream_init(&stream, t->key, t->tensor, plane, t->purpose, block + b);
        for (unsigned i = 0; i < PARTS; i++)
            s[b].part[i] = (struct gen4){
                vld1q_u32(stream.word + 4 * i), vld1q_u32(stream.word + 16 + 4 * i),
                vld1q_u32(stream.word + 32 + 4 * i), vld1q_u32(stream.word + 48 + 4 * i)};
    }
}

/* One step of four lanes, part k of 16; the emitted 16 bytes are the new d. */
static inline uint8x16_t generator_step(struct generator *generator, unsigned k)
{
    struct gen4 *s = &generator->part[k];
    const uint32x4_t rotated_b = vsriq_n_u32(vshlq_n_u32(s->b, 27), s->b, 5);
    const uint32x4_t rotated_c = vsriq_n_u32(vshlq_n_u32(s->c, 17), s->c, 15);
    const uint32x4_t e = vsubq_u32(s->a, rotated_b);

    s->a = veorq_u32(s->b, rotated_c);
    s->b = vaddq_u32(s->c, s->d);
    s->c = vaddq_u32(s->d, e);
    s->d = vaddq_u32(e, s->a);
    return vreinterpretq_u8_u32(s->d);
}

/* ---- tables: the bytes of 256 integers, 64 to four registers ---- */

struct table {
    uint8x16x4_t low[4], high[4];
    enum lookup lookup;
};

#define LOOKUPS(X) X(LOOKUP_64) X(LOOKUP_256)

static inline void table_load_integers(struct table *t, const int16_t *q)
{
    uint8_t low[SMOL_TABLE_ENTRIES], high[SMOL_TABLE_ENTRIES];

    for (unsigned u = 0; u < SMOL_TABLE_ENTRIES; u++) {
        low[u] = (uint8_t)q[u];
        high[u] = (uint8_t)((uint16_t)q[u] >> 8);
    }
    for (unsigned i = 0; i < 4; i++)
        for (unsigned j = 0; j < 4; j++) {
            t->low[i].val[j] = vld1q_u8(low + 64 * i + 16 * j);
            t->high[i].val[j] = vld1q_u8(high + 64 * i + 16 * j);
        }
    t->lookup = repeats(q, 64) ? LOOKUP_64 : LOOKUP_256;
}

/* An index past its 64 entries leaves what the table before it gave. */
ALWAYS_INLINE uint8x16_t look_up(const uint8x16x4_t entries[4], uint8x16_t u, enum lookup lookup)
{
    if (lookup == LOOKUP_64)
        return vqtbl4q_u8(entries[0], vandq_u8(u, vdupq_n_u8(63)));
    uint8x16_t v = vqtbl4q_u8(entries[0], u);
    v = vqtbx4q_u8(v, entries[1], vsubq_u8(u, vdupq_n_u8(64)));
    v = vqtbx4q_u8(v, entries[2], vsubq_u8(u, vdupq_n_u8(128)));
    return vqtbx4q_u8(v, entries[3], vsubq_u8(u, vdupq_n_u8(192)));
}

#endif
