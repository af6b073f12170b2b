/* Tensors of a model of a test's, and what SPEC.md says of their bytes written down once more. */
#ifndef TEST_READING_H
#define TEST_READING_H

#include "make_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <smol/params.h>
#include <smol/weights.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static inline double *read_rows(const struct smol_file *file, const struct smol_tensor *t,
                                uint32_t begin, uint32_t n)
{
    const size_t size = smol_tensor_scratch_bytes(file, t);
    double *values = malloc(((size_t)n * t->cols + 1) * sizeof *values);
    void *scratch = aligned_alloc(64, (size + 63) / 64 * 64);

    memset(scratch, 0xa5, size);
    cr_assert_eq(smol_tensor_read(values, file, t, begin, n, scratch, NULL), SMOL_OK);
    free(scratch);
    return values;
}

static inline void find(struct smol_tensor *t, const struct smol_file *file, const char *name)
{
    cr_assert_eq(smol_tensor_find(t, &file->config, name, NULL), SMOL_OK, "%s", name);
}

/* A test's own view of bytes that model_make allocated. */
static inline uint8_t *writable(const uint8_t *bytes) { return (uint8_t *)(uintptr_t)bytes; }

static inline void close_model(struct smol_file *file) { free(writable(file->bytes.data)); }

/* u(row, col, plane): the key, the lane and the steps up to it, straight from SPEC.md 5. */
static inline uint8_t plain_byte(uint64_t seed, uint32_t number, uint32_t plane, uint32_t purpose,
                                 uint32_t cols, uint32_t row, uint32_t col)
{
    uint8_t text[21] = "smol/1 frozen", key[32], nonce[12] = {0}, start[256] = {0};
    const uint32_t steps = row % 64 * ((cols + 63) / 64) + col / 64 + 1, lane = col % 64 / 4;
    uint32_t v[4];

    for (int i = 0; i < 8; i++)
        text[13 + i] = (uint8_t)(seed >> 8 * i);
    crypto_generichash(key, 32, text, 21, NULL, 0);
    for (int i = 0; i < 4; i++) {
        nonce[i] = (uint8_t)(number >> 8 * i);
        nonce[4 + i] = (uint8_t)(plane >> 8 * i);
        nonce[8 + i] = (uint8_t)(purpose >> 8 * i);
    }
    crypto_stream_chacha20_ietf_xor_ic(start, start, 256, nonce, row / 64 * 4, key);
    for (uint32_t i = 0; i < 4; i++) {
        const uint8_t *p = start + 4 * (16 * i + lane);
        v[i] = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    }
    for (uint32_t i = 0; i < steps; i++) {
        const uint32_t e = v[0] - (v[1] << 27 | v[1] >> 5);
        v[0] = v[1] ^ (v[2] << 17 | v[2] >> 15);
        v[1] = v[2] + v[3];
        v[2] = v[3] + e;
        v[3] = e + v[0];
    }
    return (uint8_t)(v[3] >> 8 * (col % 4));
}

/* d numbers at offset, f32 or f16. */
static inline void stored_numbers(double *out, const uint8_t *p, enum smol_dtype type, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float f;
        if (type == SMOL_F32) {
            memcpy(&f, p + 4 * i, 4);
        } else {
            const int h = p[2 * i] | p[2 * i + 1] << 8, exponent = h >> 10 & 31,
                      fraction = h & 1023;
            f = (float)(exponent ? ldexp(fraction + 1024, exponent - 25) : ldexp(fraction, -24));
            f = h & 0x8000 ? -f : f;
        }
        out[i] = (double)f;
    }
}

#endif
