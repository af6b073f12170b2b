/* Little-endian loads and stores, and arithmetic that does not wrap. */
#ifndef SMOL_BYTES_H
#define SMOL_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t smol_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (unsigned)p[1] << 8);
}

static inline uint32_t smol_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t smol_le64(const uint8_t *p)
{
    return smol_le32(p) | (uint64_t)smol_le32(p + 4) << 32;
}

static inline void smol_put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void smol_put32(uint8_t *p, uint32_t v)
{
    smol_put16(p, (uint16_t)v);
    smol_put16(p + 2, (uint16_t)(v >> 16));
}

static inline void smol_put64(uint8_t *p, uint64_t v)
{
    smol_put32(p, (uint32_t)v);
    smol_put32(p + 4, (uint32_t)(v >> 32));
}

static inline float smol_bits_f32(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint32_t smol_f32_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static inline float smol_load_f32(const uint8_t *p) { return smol_bits_f32(smol_le32(p)); }

/* n floats in memory to the bytes that a file has, in place; on most machines they are. */
static inline void smol_put_floats(float *x, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        uint8_t bytes[4];
        smol_put32(bytes, smol_f32_bits(x[i]));
        memcpy(x + i, bytes, sizeof bytes);
    }
}

/* *out = a + b or a x b; false, and *out untouched, if it would wrap. */
static inline bool smol_add(uint64_t *out, uint64_t a, uint64_t b)
{
    if (a > UINT64_MAX - b)
        return false;
    *out = a + b;
    return true;
}

static inline bool smol_mul(uint64_t *out, uint64_t a, uint64_t b)
{
    if (b != 0 && a > UINT64_MAX / b)
        return false;
    *out = a * b;
    return true;
}

/* The next multiple of a power of two. The caller knows that it does not wrap. */
static inline uint64_t smol_round_up(uint64_t v, uint64_t power_of_two)
{
    return (v + power_of_two - 1) & ~(power_of_two - 1);
}

#endif
