/* From parameters to the sections of a file and back: parameters become what the file stores, so
 * that the last evaluation is of what a runtime will compute. SPEC.md 3.2, 3.3, 12. */
#include "base/error.h"
#include "base/number.h"
#include "kernel/kernel.h"
#include "train/alloc.h"
#include "train/net/mask.h"
#include "train/net/weights.h"
#include "train/trainer.h"

#include <float.h>

#define ALPHA_MAX 65504.0f
#define SCALED_MAX 0x1p60f /* of numbers that share a scale */

/* n floats of what is to be stored; false if one is beyond most. */
static bool to_floats(float *floats, const real *values, size_t n, float most)
{
    bool within = true;

    for (size_t i = 0; i < n; i++) {
        floats[i] = (float)values[i];
        within = within && fabsf(floats[i]) <= most;
    }
    return within;
}

/* The other way, of what was stored. */
static bool from_floats(real *values, const float *floats, size_t n, float most)
{
    bool within = true;

    for (size_t i = 0; i < n; i++) {
        values[i] = (real)floats[i];
        within = within && fabsf(floats[i]) <= most;
    }
    return within;
}

static enum smol_status too_large(const struct smol_param *p, struct smol_error *error)
{
    return smol_fail(error, SMOL_E_NUMERIC, SMOL_NO_OFFSET,
                     "%s: a value beyond the range of its type in the file", p->name);
}

/* Packs an array and takes back what was packed. */
static enum smol_status pack(uint8_t *dest, real *values, const struct smol_param *p,
                             struct smol_error *error)
{
    const float scaled = p->type == SMOL_Q8_BLOCKS ? SCALED_MAX : FLT_MAX;
    const float most = p->param_group == SMOL_GROUP_ALPHA ? ALPHA_MAX : scaled;
    /* What rounds to the largest f16 is well beyond it. */
    const float before = p->type == SMOL_F16 ? FLT_MAX : most;
    float block[SMOL_Q8_BLOCK];

    for (size_t i = 0, n; i < smol_param_size(p); i += n) {
        n = smol_param_size(p) - i < SMOL_Q8_BLOCK ? smol_param_size(p) - i : SMOL_Q8_BLOCK;
        if (!to_floats(block, values + i, n, before))
            return too_large(p, error);
        smol_encode_numbers(dest, p->type, block, n);
        smol_params_to_f32(block, p->type, dest, 0, n);
        if (!from_floats(values + i, block, n, most))
            return too_large(p, error);
        dest += smol_params_array_bytes(p->type, n);
    }
    return SMOL_OK;
}

/* The same of a table whose rows have a scale. row: (C) for its floats. */
static enum smol_status pack_rows(uint8_t *embeddings, const struct smol_table_layout *at,
                                  real *values, float *row, const struct smol_param *p,
                                  struct smol_error *error)
{
    const uint32_t cols = (uint32_t)p->cols;
    const struct smol_table_view table = {p->type,
                                          (uint32_t)p->rows,
                                          cols,
                                          embeddings + at->data,
                                          embeddings + at->multipliers,
                                          embeddings + at->scales};

    for (uint32_t r = 0; r < table.rows; r++, values += cols) {
        uint8_t *data = embeddings + at->data + r * smol_row_bytes(p->type, cols),
                *multipliers = embeddings + at->multipliers + r * smol_row_multipliers(cols);
        float scale;

        if (!to_floats(row, values, cols, SCALED_MAX))
            return too_large(p, error);
        scale = p->type == SMOL_Q4 ? smol_encode_q4(data, multipliers, row, cols)
                                   : smol_encode_q8(data, row, cols);
        smol_put32(embeddings + at->scales + (size_t)4 * r, smol_f32_bits(scale));
        smol_embedding_row(row, &table, r);
        from_floats(values, row, cols, FLT_MAX);
    }
    return SMOL_OK;
}

static enum smol_status pack_table(struct smol_trainer *t, uint32_t param,
                                   const struct smol_table_layout *at, struct smol_error *error)
{
    const struct smol_param *p = t->net->params + param;
    real *values = smol_net_value(t->net, param);
    enum smol_status status;
    float *row;

    if (p->type != SMOL_Q8 && p->type != SMOL_Q4)
        return pack(t->embeddings + at->data, values, p, error);
    row = malloc(p->cols * sizeof *row);
    status = row ? pack_rows(t->embeddings, at, values, row, p, error) : smol_fail_memory(error);
    free(row);
    return status;
}

/* A mask's scores, of which a bit each is left. */
static void pack_mask(uint8_t *dest, const real *scores, const struct smol_param *p)
{
    for (size_t r = 0; r < p->rows; r++, dest += smol_mask_row_bytes((uint32_t)p->cols))
        for (size_t c = 0; c < p->cols; c++)
            dest[c / 8] |= (uint8_t)((scores[r * p->cols + c] > 0) << c % 8);
}

static uint64_t packed_bytes(const struct smol_param *p)
{
    if (p->place == SMOL_IN_MASK)
        return p->rows * smol_mask_row_bytes((uint32_t)p->cols);
    return p->place == SMOL_IN_CONFIG ? 0 : smol_params_array_bytes(p->type, smol_param_size(p));
}

/* The logit scale, a float of CONF, whose rules smol_file_write checks. */
static void pack_config(struct smol_trainer *t, real *value)
{
    t->net->config.logit_scale = (float)*value;
    *value = (real)t->net->config.logit_scale;
}

/* The parameters after the tables are listed in the order of LRND. */
static enum smol_status pack_params(struct smol_trainer *t, struct smol_error *error)
{
    uint64_t at = 0;

    for (uint32_t i = t->net->n_tables; i < t->net->n_params; i++) {
        const struct smol_param *p = t->net->params + i;
        const uint64_t size = packed_bytes(p);
        enum smol_status status = SMOL_OK;

        if (size > t->params_bytes - at)
            status = SMOL_E_SIZE;
        else if (p->place == SMOL_IN_MASK)
            pack_mask(t->params + at, smol_net_value(t->net, i), p);
        else if (p->place == SMOL_IN_CONFIG)
            pack_config(t, smol_net_value(t->net, i));
        else
            status = pack(t->params + at, smol_net_value(t->net, i), p, error);
        if (status != SMOL_OK)
            return status;
        at += size;
    }
    return SMOL_OK;
}

/* Before anything is packed, since it changes gains. */
static void store_masks(struct smol_net *net)
{
    for (uint32_t l = 0; l < net->config.n_layers; l++)
        for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++)
            if (smol_slot_is_matrix(slot) && net->layers[l].matrix[slot].score != SMOL_NO_PARAM)
                smol_mask_store(net, &net->layers[l].matrix[slot]);
    net->stored = true;
}

static enum smol_status pack_tables(struct smol_trainer *t,
                                    const struct smol_embedding_layout *layout,
                                    struct smol_error *error)
{
    const struct smol_net *net = t->net;
    enum smol_status status = pack_table(t, net->wte, &layout->wte, error);

    if (status == SMOL_OK && net->wpe != SMOL_NO_PARAM)
        status = pack_table(t, net->wpe, &layout->wpe, error);
    if (status == SMOL_OK && net->output != net->wte)
        status = pack_table(t, net->output, &layout->output, error);
    return status;
}

static enum smol_status pack_all(struct smol_trainer *t, struct smol_error *error)
{
    struct smol_embedding_layout layout;
    enum smol_status status;

    smol_embedding_layout(&layout, &t->net->config);
    t->params_bytes = smol_params_bytes(&t->net->config);
    t->embedding_bytes = layout.size_bytes;
    t->embeddings = smol_train_alloc((size_t)layout.size_bytes, 1);
    t->params = smol_train_alloc((size_t)t->params_bytes, 1);
    if (!t->embeddings || !t->params)
        return smol_fail_memory(error);
    store_masks(t->net);
    status = pack_tables(t, &layout, error);
    if (status == SMOL_OK)
        status = pack_params(t, error);
    return status;
}

static enum smol_status finish(struct smol_trainer *t, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    t->finished = true;
    if (t->best && isfinite(t->best_nats))
        memcpy(t->net->value, t->best, t->net->n_values * sizeof *t->best);
    if (!t->options.full)
        status = pack_all(t, error);
    if (status == SMOL_OK)
        smol_net_materialise(t->net, false);
    return status;
}

enum smol_status smol_trainer_finish(struct smol_trainer *t, struct smol_error *error)
{
    if (t->finished)
        return SMOL_OK;
    smol_trainer_enter(t);
    return smol_trainer_leave(t, finish(t, error));
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
    if (t->params_bytes > 0)
        parts.params = (struct smol_span){t->params, (size_t)t->params_bytes};
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
