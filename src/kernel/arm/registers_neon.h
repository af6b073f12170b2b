/* What the NEON kernels share: the generator in registers, its tables, sums of 16-bit products. */
#ifndef SMOL_REGISTERS_NEON_H
#define SMOL_REGISTERS_NEON_H

#include "base/bytes.h"
#include "kernel/kernel.h"

#include <arm_neon.h>

#define STEP 64u /* columns of a step of a stream: four registers of bytes */

smol_frozen_product smol_frozen_neon, smol_frozen_fast_neon, smol_frozen_fast_neon_dotprod;
smol_rows_product smol_rows_q8_neon, smol_rows_q4_neon, smol_rows_q8_neon_dotprod;
void smol_stream_bytes_neon(uint8_t *bytes, size_t n, const struct smol_frozen *t, uint32_t plane,
                            uint32_t block);
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

struct quarter {
    uint32x4_t a, b, c, d;
};

static inline void lanes_init(struct quarter s[4], const struct smol_frozen *t, uint32_t plane,
                              uint32_t block)
{
    struct smol_stream stream;

    smol_stream_init(&stream, t->key, t->tensor, plane, t->purpose, block);
    for (unsigned i = 0; i < 4; i++) {
        s[i].a = vld1q_u32(stream.word + 4 * i);
        s[i].b = vld1q_u32(stream.word + 16 + 4 * i);
        s[i].c = vld1q_u32(stream.word + 32 + 4 * i);
        s[i].d = vld1q_u32(stream.word + 48 + 4 * i);
    }
}

/* One step of four lanes; the emitted 16 bytes are the new d. */
static inline uint8x16_t quarter_step(struct quarter *s)
{
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
    bool is_narrow; /* the two top bits of an index do not matter: at most six bases */
};

static inline void table_load(struct table *t, const int16_t *q)
{
    uint8_t low[SMOL_TABLE_ENTRIES], high[SMOL_TABLE_ENTRIES];

    t->is_narrow = true;
    for (unsigned u = 0; u < SMOL_TABLE_ENTRIES; u++) {
        t->is_narrow = t->is_narrow && q[u] == q[u & 63];
        low[u] = (uint8_t)q[u];
        high[u] = (uint8_t)((uint16_t)q[u] >> 8);
    }
    for (unsigned i = 0; i < 4; i++)
        for (unsigned j = 0; j < 4; j++) {
            t->low[i].val[j] = vld1q_u8(low + 64 * i + 16 * j);
            t->high[i].val[j] = vld1q_u8(high + 64 * i + 16 * j);
        }
}

/* An index past its 64 entries leaves what the table before it gave. */
static inline uint8x16_t look_up(const uint8x16x4_t entries[4], uint8x16_t u, bool is_narrow)
{
    if (is_narrow)
        return vqtbl4q_u8(entries[0], vandq_u8(u, vdupq_n_u8(63)));
    uint8x16_t v = vqtbl4q_u8(entries[0], u);
    v = vqtbx4q_u8(v, entries[1], vsubq_u8(u, vdupq_n_u8(64)));
    v = vqtbx4q_u8(v, entries[2], vsubq_u8(u, vdupq_n_u8(128)));
    return vqtbx4q_u8(v, entries[3], vsubq_u8(u, vdupq_n_u8(192)));
}

/* The integers of 16 bytes. */
static inline int16x8x2_t look_up_integers(const struct table *t, uint8x16_t u, bool is_narrow)
{
    const uint8x16_t low = look_up(t->low, u, is_narrow), high = look_up(t->high, u, is_narrow);

    return (int16x8x2_t){
        {vreinterpretq_s16_u8(vzip1q_u8(low, high)), vreinterpretq_s16_u8(vzip2q_u8(low, high))}};
}

/* ---- the approximate product ---- */

/* The integer in units of 256, to nearest, within -127..127. */
static inline int8_t high_byte(int16_t v)
{
    const int h = (v + 32768 + 128) / 256 - 128;

    return (int8_t)(h > 127 ? 127 : h < -127 ? -127 : h);
}

/* A sum of products of bytes, n a multiple of 64. */
typedef int64_t dot_bytes(const int8_t *w, const int8_t *x, size_t n);

/* One plane of a row block times the vectors x (n_x, n), added to the sums of those before it; w: a
 * row of bytes. */
static inline void fast_plane(int64_t *sums, size_t stride, const struct smol_frozen *t,
                              uint32_t plane, uint32_t block, const int8_t *x, size_t n_x,
                              const struct table *table, int8_t *w, dot_bytes *dot)
{
    const size_t n = smol_round_up(t->cols, STEP);
    const uint32_t rows = t->rows - block * SMOL_ROW_BLOCK;
    struct quarter s[4];

    lanes_init(s, t, plane, block);
    for (uint32_t r = 0; r < SMOL_ROW_BLOCK && r < rows; r++) {
        for (size_t i = 0; i < n; i += 16)
            vst1q_u8((uint8_t *)w + i,
                     look_up(table->low, quarter_step(&s[i / 16 % 4]), table->is_narrow));
        for (size_t i = 0; i < n_x; i++)
            sums[i * stride + r] =
                65536 * dot(w, x + i * n, n) + (plane ? sums[i * stride + r] : 0);
    }
}

static inline void fast_product(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                                uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                                void *scratch, dot_bytes *dot)
{
    const size_t n = smol_round_up(t->cols, STEP);
    int16_t high[SMOL_TABLE_ENTRIES];
    int8_t *w = scratch, *x = w + n;
    struct table table;

    for (size_t i = 0; i < n_x; i++)
        for (size_t c = 0; c < n; c++)
            x[i * n + c] = c < t->cols ? high_byte(X[i * x_stride + c]) : 0;
    for (uint32_t p = 0; p < t->n_planes; p++) {
        for (unsigned u = 0; u < SMOL_TABLE_ENTRIES; u++)
            high[u] = high_byte(t->table[p * SMOL_TABLE_ENTRIES + u]);
        table_load(&table, high);
        for (uint32_t b = 0; b < n_blocks; b++)
            fast_plane(sums + b * SMOL_ROW_BLOCK, (size_t)n_blocks * SMOL_ROW_BLOCK, t, p,
                       block + b, x, n_x, &table, w, dot);
    }
}

#endif
