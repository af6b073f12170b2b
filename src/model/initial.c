/* The numbers that a new model starts with, and numbers in file encoding. SPEC.md 12. */
#include "base/bytes.h"
#include "frozen/frozen.h"
#include "kernel/kernel.h"

#include <smol/initial.h>
#include <smol/params.h>

#include <math.h>
#include <string.h>

static const float default_epsilon = 1e-5f;

static double default_sigma(const struct smol_config *c, enum smol_slot slot)
{
    const bool residual = slot == SMOL_ATTN_C_PROJ || slot == SMOL_MLP_C_PROJ;
    uint32_t rows, cols;

    smol_config_shape(c, slot, &rows, &cols);
    return 1.0 / sqrt((residual ? 2.0 * c->n_layers : 1.0) * cols);
}

void smol_config_fill(struct smol_config *config, const struct smol_scheme *matrix,
                      const struct smol_scheme *norm, double gain)
{
    struct smol_layer_span span = {.n_layers = (uint16_t)config->n_layers};

    config->ln_epsilon = default_epsilon;
    config->logit_scale = 1.0f;
    for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++) {
        const bool is_norm = slot == SMOL_LN_1 || slot == SMOL_LN_2;
        config->schemes[slot] = is_norm ? *norm : *matrix;
        if (!is_norm)
            config->schemes[slot].sigma = (float)(gain * default_sigma(config, slot));
        else if (norm->source == SMOL_NORM_OWN)
            config->schemes[slot].sigma = 1.0f;
        span.scheme[slot] = slot;
    }
    config->spans[0] = span;
    config->n_spans = 1;
    config->n_schemes = SMOL_N_SLOTS;
    config->ln_f = SMOL_LN_1;
    smol_config_canonicalise(config);
}

uint32_t smol_sparse_numbers(double part, uint32_t cols)
{
    const double n = part * cols + 0.5;

    return n < 1 ? 1 : n < cols ? (uint32_t)n : cols;
}

static void gauss_rows(float *values, const struct smol_config *c, enum smol_purpose purpose,
                       uint32_t number, uint32_t rows, uint32_t cols, double std,
                       uint32_t row_begin, uint32_t n_rows)
{
    struct smol_frozen_key key;
    const struct smol_frozen f = {
        .key = &key, .tensor = number, .purpose = purpose, .rows = rows, .cols = cols};

    smol_frozen_key_init(&key, c->seed);
    smol_frozen_gauss_rows(values, &f, std, row_begin, n_rows);
}

void smol_initial_wte(float *values, const struct smol_config *config, double std,
                      uint32_t row_begin, uint32_t n_rows)
{
    gauss_rows(values, config, SMOL_PURPOSE_EMBEDDING, 0, config->vocab, config->width, std,
               row_begin, n_rows);
}

void smol_initial_wpe(float *values, const struct smol_config *config, double std,
                      uint32_t row_begin, uint32_t n_rows)
{
    gauss_rows(values, config, SMOL_PURPOSE_EMBEDDING, 1, config->context, config->width, std,
               row_begin, n_rows);
}

void smol_initial_factor(float *values, const struct smol_config *config, uint32_t layer,
                         enum smol_slot slot, uint32_t rank)
{
    uint32_t rows, cols;
    struct smol_frozen_key key;

    smol_config_shape(config, slot, &rows, &cols);
    const struct smol_frozen f = {.key = &key,
                                  .tensor = smol_frozen_number(config, layer, slot),
                                  .purpose = SMOL_PURPOSE_FACTOR,
                                  .rows = rank,
                                  .cols = cols};
    smol_frozen_key_init(&key, config->seed);
    smol_frozen_gauss_rows(values, &f, 1.0 / sqrt((double)cols), 0, rank);
}

/* Half to even for |x| < 2^22, brought into -most..most: a subnormal scale is too coarse to keep a
 * quotient in range by itself. */
static int32_t round_within(float x, int32_t most)
{
    const float magic = 0x1.8p23f;
    const float sum = x + magic, q = sum - magic;

    return q > (float)most ? most : q < -(float)most ? -most : (int32_t)q;
}

static float largest_of(const float *values, size_t n)
{
    float largest = 0;

    for (size_t i = 0; i < n; i++)
        largest = fabsf(values[i]) > largest ? fabsf(values[i]) : largest;
    return largest;
}

float smol_encode_q8(uint8_t *dest, const float *values, size_t n)
{
    const float scale = largest_of(values, n) / 127.0f;

    for (size_t i = 0; i < n; i++)
        dest[i] = (uint8_t)(scale > 0 ? round_within(values[i] / scale, 127) : 0);
    return scale;
}

/* One block; the scale is rounded up to the upper half of a float, so that no quotient is beyond
 * 127 by more than its rounding. */
static void encode_block(uint8_t *block, const float *values, size_t n)
{
    const uint32_t bits = smol_f32_bits(largest_of(values, n) / 127.0f),
                   half = (bits + 0xffffu) >> 16;
    const float scale = smol_bits_f32(half << 16);

    smol_put16(block, (uint16_t)half);
    for (size_t i = 0; i < n; i++)
        block[2 + i] = (uint8_t)(scale > 0 ? round_within(values[i] / scale, 127) : 0);
}

void smol_encode_numbers(uint8_t *dest, enum smol_dtype type, const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (type == SMOL_F32)
            smol_put32(dest + 4 * i, smol_f32_bits(values[i]));
        else if (type == SMOL_F16)
            smol_put16(dest + 2 * i, smol_f32_to_f16(values[i]));
        else if (i % SMOL_Q8_BLOCK == 0)
            encode_block(dest + i / SMOL_Q8_BLOCK * SMOL_Q8_BLOCK_BYTES, values + i,
                         n - i < SMOL_Q8_BLOCK ? n - i : SMOL_Q8_BLOCK);
}

void smol_decode_numbers(float *values, enum smol_dtype type, const uint8_t *data, size_t n)
{
    smol_params_to_f32(values, type, data, 0, n);
}

float smol_encode_q4(uint8_t *dest, uint8_t *multipliers, const float *values, size_t n)
{
    const float scale = largest_of(values, n) / 1785.0f; /* 7 x 255 */

    memset(dest, 0, smol_row_bytes(SMOL_Q4, (uint32_t)n));
    memset(multipliers, 0, smol_row_multipliers((uint32_t)n));
    for (size_t i = 0; scale > 0 && i < n; i += SMOL_Q4_GROUP) {
        const size_t end = n - i < SMOL_Q4_GROUP ? n : i + SMOL_Q4_GROUP;
        const int32_t m = round_within(largest_of(values + i, end - i) / 7.0f / scale, 255);
        const float step = scale * (float)m;
        multipliers[i / SMOL_Q4_GROUP] = (uint8_t)m;
        for (size_t j = i; m > 0 && j < end; j++) {
            const int32_t q = round_within(values[j] / step, 7);
            dest[j / 64 * 32 + j % 32] |= (uint8_t)((q & 15) << (j % 64 < 32 ? 0 : 4));
        }
    }
    return scale;
}
