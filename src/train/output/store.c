/* From parameters to the sections of a file and back: the numbers become what the file holds,
 * so that what is evaluated last is what a runtime will compute. SPEC.md 3.2, 3.3, 12. */
#include "base/error.h"
#include "base/number.h"
#include "kernel/kernel.h"
#include "train/alloc.h"
#include "train/net/weights.h"
#include "train/trainer.h"

#include <smol/file.h>
#include <smol/initial.h>
#include <smol/params.h>
#include <stdlib.h>

#define ALPHA_MAX 65504.0f

/* To nearest, ties to even, for |x| < 2^22: at 1.5 x 2^23 a float has no bits for a fraction. */
static int32_t round_even(float x) { return (int32_t)((x + 0x1.8p+23f) - 0x1.8p+23f); }

static enum smol_status too_large(const struct smol_param *p, struct smol_error *error)
{
    return smol_fail(error, SMOL_E_NUMERIC, SMOL_NO_OFFSET,
                     "%s: a number beyond the range of its type in the file", p->name);
}

/* Packs n numbers as f32 or f16 and takes back what was packed. */
static enum smol_status pack(uint8_t *dest, real *values, size_t n, const struct smol_param *p,
                             struct smol_error *error)
{
    const float most = p->param_group == SMOL_GROUP_ALPHA ? ALPHA_MAX : 0x1.fffffep+127f;

    for (size_t i = 0; i < n; i++) {
        float stored = (float)values[i];

        if (p->type == SMOL_F16) {
            const uint16_t half = smol_f32_to_f16(stored);

            smol_put16(dest + 2 * i, half);
            stored = smol_f16_to_f32(half);
        } else {
            smol_put32(dest + 4 * i, smol_f32_bits(stored));
        }
        if (!(fabsf(stored) <= most))
            return too_large(p, error);
        values[i] = (real)stored;
    }
    return SMOL_OK;
}

/* The same as blocks of 8 bits. */
static enum smol_status pack_blocks(uint8_t *dest, real *values, size_t n,
                                    const struct smol_param *p, struct smol_error *error)
{
    const float most = p->param_group == SMOL_GROUP_ALPHA ? ALPHA_MAX : 0x1p60f;

    for (size_t i = 0; i < n; i += SMOL_Q8_BLOCK, dest += SMOL_Q8_BLOCK_BYTES) {
        const size_t m = n - i < SMOL_Q8_BLOCK ? n - i : SMOL_Q8_BLOCK;
        float block[SMOL_Q8_BLOCK];

        for (size_t k = 0; k < m; k++) {
            block[k] = (float)values[i + k];
            if (!(fabsf(block[k]) <= most))
                return too_large(p, error);
        }
        smol_encode_numbers(dest, SMOL_Q8_BLOCKS, block, m);
        smol_decode_numbers(block, SMOL_Q8_BLOCKS, dest, m);
        for (size_t k = 0; k < m; k++) {
            if (!(fabsf(block[k]) <= most))
                return too_large(p, error);
            values[i + k] = (real)block[k];
        }
    }
    return SMOL_OK;
}

static enum smol_status pack_numbers(uint8_t *dest, real *values, size_t n,
                                     const struct smol_param *p, struct smol_error *error)
{
    return p->type == SMOL_Q8_BLOCKS ? pack_blocks(dest, values, n, p, error)
                                     : pack(dest, values, n, p, error);
}

/* One row as i8 with a scale. */
static enum smol_status pack_q8(uint8_t *dest, uint8_t *dest_scale, real *values, size_t n,
                                const struct smol_param *p, struct smol_error *error)
{
    float largest = 0, scale;

    for (size_t i = 0; i < n; i++) {
        const float magnitude = fabsf((float)values[i]);

        if (!(magnitude <= 0x1p60f))
            return too_large(p, error);
        largest = magnitude > largest ? magnitude : largest;
    }
    scale = largest / 127.0f;
    for (size_t i = 0; i < n; i++) {
        const int32_t rounded = scale > 0 ? round_even((float)values[i] / scale) : 0;
        /* A subnormal scale is rounded too coarsely for the quotient to stay in range by
         * itself. */
        const int32_t q = rounded > 127 ? 127 : rounded < -127 ? -127 : rounded;

        dest[i] = (uint8_t)q;
        values[i] = (real)(scale * (float)q);
    }
    smol_put32(dest_scale, smol_f32_bits(scale));
    return SMOL_OK;
}

/* Rows of 4 bits with a multiplier a group and a scale a row. */
static enum smol_status pack_q4(const struct smol_table_view *table, uint8_t *embeddings,
                                const struct smol_table_layout *at, real *values,
                                const struct smol_param *p, struct smol_error *error)
{
    const uint32_t cols = (uint32_t)p->cols;
    float *row = malloc(cols * sizeof *row);

    if (!row)
        return smol_fail_memory(error);
    for (size_t r = 0; r < p->rows; r++) {
        float scale;

        for (uint32_t i = 0; i < cols; i++) {
            row[i] = (float)values[r * cols + i];
            if (!(fabsf(row[i]) <= 0x1p60f)) {
                free(row);
                return too_large(p, error);
            }
        }
        scale = smol_encode_q4(embeddings + at->data + r * smol_row_bytes(SMOL_Q4, cols),
                               embeddings + at->multipliers + r * smol_row_multipliers(cols), row,
                               cols);
        smol_put32(embeddings + at->scales + 4 * r, smol_f32_bits(scale));
        smol_embedding_row(row, table, (uint32_t)r);
        for (uint32_t i = 0; i < cols; i++)
            values[r * cols + i] = (real)row[i];
    }
    free(row);
    return SMOL_OK;
}

static enum smol_status pack_table(struct smol_trainer *t, uint32_t param,
                                   const struct smol_table_layout *at, struct smol_error *error)
{
    const struct smol_param *p = t->net->params + param;
    real *values = smol_net_value(t->net, param);
    enum smol_status status = SMOL_OK;

    if (p->type == SMOL_Q4) {
        const struct smol_table_view table = {SMOL_Q4,
                                              (uint32_t)p->rows,
                                              (uint32_t)p->cols,
                                              t->embeddings + at->data,
                                              t->embeddings + at->multipliers,
                                              t->embeddings + at->scales};
        return pack_q4(&table, t->embeddings, at, values, p, error);
    }
    if (p->type != SMOL_Q8)
        return pack(t->embeddings + at->data, values, smol_param_size(p), p, error);
    for (size_t row = 0; row < p->rows && status == SMOL_OK; row++)
        status =
            pack_q8(t->embeddings + at->data + row * p->cols, t->embeddings + at->scales + 4 * row,
                    values + row * p->cols, p->cols, p, error);
    return status;
}

/* The parameters after wte and wpe are listed in the order of LRND. */
static enum smol_status pack_learned(struct smol_trainer *t, struct smol_error *error)
{
    uint64_t at = 0;

    for (uint32_t i = 2; i < t->net->n_params; i++) {
        const struct smol_param *p = t->net->params + i;
        const uint64_t size = smol_params_array_bytes((uint8_t)p->type, smol_param_size(p));
        enum smol_status status = SMOL_E_SIZE;

        if (size <= t->learned_bytes - at)
            status = pack_numbers(t->learned + at, smol_net_value(t->net, i), smol_param_size(p), p,
                                  error);
        if (status != SMOL_OK)
            return status;
        at += size;
    }
    return SMOL_OK;
}

static enum smol_status pack_all(struct smol_trainer *t, struct smol_error *error)
{
    struct smol_embedding_layout layout;
    enum smol_status status;

    smol_embedding_layout(&layout, &t->net->config);
    t->learned_bytes = smol_params_bytes(&t->net->config);
    t->embedding_bytes = layout.size_bytes;
    t->embeddings = smol_train_alloc((size_t)layout.size_bytes, 1);
    t->learned = smol_train_alloc((size_t)t->learned_bytes, 1);
    if (!t->embeddings || !t->learned)
        return smol_fail_memory(error);
    status = pack_table(t, t->net->wte, &layout.wte, error);
    if (status == SMOL_OK)
        status = pack_table(t, t->net->wpe, &layout.wpe, error);
    if (status == SMOL_OK)
        status = pack_learned(t, error);
    return status;
}

enum smol_status smol_trainer_finish(struct smol_trainer *t, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    if (t->finished)
        return SMOL_OK;
    t->finished = true;
    if (t->best && isfinite(t->best_nats))
        memcpy(t->net->value, t->best, t->net->n_values * sizeof *t->best);
    if (!t->options.full)
        status = pack_all(t, error);
    if (status == SMOL_OK)
        smol_net_materialise(t->net, false);
    return status;
}

enum smol_status smol_trainer_model(uint8_t **out, size_t *size_bytes, const struct smol_trainer *t,
                                    const char *card, size_t card_bytes, struct smol_error *error)
{
    struct smol_parts parts = {.config = t->net->config, .tokenizer = t->tokenizer.tokenizer};
    enum smol_status status;
    uint8_t *bytes;
    uint64_t size;

    if (!t->finished || t->options.full)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "only a finished training of a frozen network has a "
                         "model file");
    if (t->learned_bytes > 0)
        parts.learned = (struct smol_span){t->learned, (size_t)t->learned_bytes};
    if (card_bytes > 0)
        parts.card = (struct smol_span){(const uint8_t *)card, card_bytes};
    parts.embeddings = (struct smol_span){t->embeddings, (size_t)t->embedding_bytes};
    status = smol_file_size(&size, &parts, error);
    if (status != SMOL_OK)
        return status;
    bytes = malloc((size_t)size + SMOL_SIGNATURE_BLOCK_BYTES);
    if (!bytes)
        return smol_fail_memory(error);
    status = smol_file_write(bytes, size, &parts, error);
    if (status != SMOL_OK) {
        free(bytes);
        return status;
    }
    *out = bytes;
    *size_bytes = (size_t)size;
    return SMOL_OK;
}
