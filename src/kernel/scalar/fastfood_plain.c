/* The parts of Fastfood that take time, in plain C: the definition, and what instruction sets
 * without a version of their own use. */
#include "kernel/scalar/fastfood_plain.h"

void smol_stream_bytes_plain(uint8_t *bytes, size_t n, const struct smol_frozen *t, uint32_t plane,
                             uint32_t block)
{
    struct smol_stream stream;

    smol_stream_init(&stream, t->key, t->tensor, plane, t->purpose, block);
    for (size_t i = 0; i < n; i += SMOL_STEP_BYTES)
        smol_stream_step(&stream, bytes + i);
}

void smol_hadamard_plain(float *x, size_t n)
{
    for (size_t h = 1; h < n; h *= 2)
        for (size_t i = 0; i < n; i += 2 * h)
            for (size_t j = i; j < i + h; j++) {
                const float a = x[j], b = x[j + h];
                x[j] = a + b;
                x[j + h] = a - b;
            }
}

void smol_scale_by_bytes_plain(float *x, const uint8_t *bytes, const float *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= table[bytes[i]];
}
