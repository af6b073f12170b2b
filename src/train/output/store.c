/* From parameters to the sections of a file and back: parameters become what the file stores, so
 * that the last evaluation is of what a runtime will compute. SPEC.md 3.2, 3.3, 12. */
#include "base/error.h"
#include "base/number.h"
#include "kernel/kernel.h"
#include "train/alloc.h"
#include "train/net/latent.h"
#include "train/net/round.h"
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

/* The scale that all rows of q4-row share; 0 for other types. row: (cols) for their floats. */
static float table_scale(const struct smol_net *net, uint32_t param, float *row)
{
    const struct smol_param *p = net->params + param;
    const uint32_t rows = p->type == SMOL_Q4_ROW ? (uint32_t)p->rows : 0;
    float scale = 0;

    for (uint32_t r = 0; r < rows; r++) {
        to_floats(row, smol_net_value(net, param) + r * p->cols, p->cols, SCALED_MAX);
        const float of_row = smol_q4_row_scale(row, p->cols);
        scale = of_row > scale ? of_row : scale;
    }
    return scale;
}

/* Packs rows that have a scale, and takes back what was packed. row: (cols) for their floats. */
static enum smol_status pack_rows(uint8_t *section, const struct smol_table_layout *at,
                                  const struct smol_net *net, uint32_t param, float *row,
                                  struct smol_error *error)
{
    const struct smol_param *p = net->params + param;
    const bool is_fitted = smol_param_is_fitted(net, param);
    const bool is_shared = p->type == SMOL_Q4_ROW;
    const uint32_t cols = (uint32_t)p->cols,
                   n_multipliers = is_shared ? 1 : smol_row_multipliers(cols);
    const float scale = table_scale(net, param, row);
    real *values = smol_net_value(net, param);

    for (uint32_t r = 0; r < p->rows; r++, values += cols) {
        struct smol_row_code code = {section + at->data + r * smol_row_bytes(p->type, cols),
                                     section + at->multipliers + (size_t)r * n_multipliers, scale,
                                     is_fitted};

        if (!to_floats(row, values, cols, SCALED_MAX))
            return too_large(p, error);
        smol_row_round(&code, row, p->type, cols);
        smol_put32(section + at->scales + (is_shared ? 0 : (size_t)4 * r),
                   smol_f32_bits(code.scale));
        from_floats(values, row, cols, FLT_MAX);
    }
    return SMOL_OK;
}

static enum smol_status pack_table(uint8_t *section, const struct smol_table_layout *at,
                                   const struct smol_net *net, uint32_t param,
                                   struct smol_error *error)
{
    const struct smol_param *p = net->params + param;
    enum smol_status status;
    float *row;

    if (!smol_dtype_is_scaled(p->type))
        return pack(section + at->data, smol_net_value(net, param), p, error);
    row = malloc(p->cols * sizeof *row);
    status = row ? pack_rows(section, at, net, param, row, error) : smol_fail_memory(error);
    free(row);
    return status;
}

/* Of a ternary matrix, whose numbers are -1, 0 and 1 already. signs: (cols). */
static enum smol_status pack_ternary(uint8_t *params, const struct smol_table_layout *at,
                                     const struct smol_net *net, const struct smol_net_matrix *m,
                                     int8_t *signs, struct smol_error *error)
{
    const uint32_t cols = (uint32_t)m->cols;
    const real *values = smol_net_value(net, m->full);

    for (size_t r = 0; r < m->rows; r++, values += cols) {
        const float scale = smol_ternary_scale(net, m, r);

        if (!(scale <= SCALED_MAX))
            return too_large(net->params + m->row_scale, error);
        for (uint32_t c = 0; c < cols; c++)
            signs[c] = (int8_t)values[c];
        smol_encode_ternary(params + at->data + r * smol_row_bytes(SMOL_TERNARY, cols), signs,
                            cols);
        smol_put32(params + at->scales + 4 * r, smol_f32_bits(scale));
    }
    return SMOL_OK;
}

/* A stored matrix. *at: where in LRND, and then where it ends. */
static enum smol_status pack_stored(struct smol_trainer *t, const struct smol_net_matrix *m,
                                    uint64_t *at, struct smol_error *error)
{
    const struct smol_net *net = t->net;
    const enum smol_dtype type = net->params[m->full].type;
    struct smol_table_layout layout;
    enum smol_status status;
    int8_t *signs;

    *at = smol_table_place(&layout, type, (uint32_t)m->rows, (uint32_t)m->cols, *at, 1);
    if (*at > t->params_bytes)
        return SMOL_E_SIZE;
    if (m->row_scale == SMOL_NO_PARAM)
        return pack_table(t->params, &layout, net, m->full, error);
    signs = malloc(m->cols);
    status =
        signs ? pack_ternary(t->params, &layout, net, m, signs, error) : smol_fail_memory(error);
    free(signs);
    return status;
}

/* A mask's scores, of which a bit each is left. */
static void pack_mask(uint8_t *dest, const real *scores, const struct smol_param *p)
{
    for (size_t r = 0; r < p->rows; r++, dest += smol_mask_row_bytes((uint32_t)p->cols))
        for (size_t c = 0; c < p->cols; c++)
            dest[c / 8] |= (uint8_t)((scores[r * p->cols + c] > 0) << c % 8);
}

/* The matrix whose scores or rows a parameter is, NULL if there is none. */
static const struct smol_net_matrix *matrix_of(const struct smol_net *net, uint32_t param)
{
    for (uint32_t l = 0; l < net->config.n_layers; l++)
        for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++)
            if (smol_slot_is_matrix(slot) && net->layers[l].matrix[slot].full == param)
                return &net->layers[l].matrix[slot];
    return NULL;
}

/* The logit scale, a float of CONF, whose rules smol_file_write checks. */
static void pack_config(struct smol_trainer *t, real *value)
{
    t->net->config.logit_scale = (float)*value + 0.0f; /* of a delta it may be 0, but not -0 */
    *value = (real)t->net->config.logit_scale;
}

/* Factors of models, floats of BASE. */
static void pack_factors(struct smol_trainer *t, real *values)
{
    for (uint32_t m = 0; m < t->net->models.n; m++) {
        t->models[m].factor = (float)values[m];
        values[m] = (real)t->models[m].factor;
    }
}

static enum smol_status pack_param(struct smol_trainer *t, uint32_t param, uint64_t *at,
                                   struct smol_error *error)
{
    const struct smol_param *p = t->net->params + param;
    real *values = smol_net_value(t->net, param);
    const uint64_t from = *at;

    switch (p->place) {
    case SMOL_IN_ROWS: return pack_stored(t, matrix_of(t->net, param), at, error);
    case SMOL_IN_SCALES: return SMOL_OK;
    case SMOL_IN_CONFIG: pack_config(t, values); return SMOL_OK;
    case SMOL_IN_BASE: pack_factors(t, values); return SMOL_OK;
    case SMOL_IN_MASK: *at += p->rows * smol_mask_row_bytes((uint32_t)p->cols); break;
    case SMOL_IN_NUMBERS: *at += smol_params_array_bytes(p->type, smol_param_size(p)); break;
    }
    if (*at > t->params_bytes)
        return SMOL_E_SIZE;
    if (p->place == SMOL_IN_NUMBERS)
        return pack(t->params + from, values, p, error);
    pack_mask(t->params + from, values, p);
    return SMOL_OK;
}

/* The parameters after the tables are listed in the order of LRND. */
static enum smol_status pack_params(struct smol_trainer *t, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;
    uint64_t at = 0;

    for (uint32_t i = t->net->n_tables; i < t->net->n_params && status == SMOL_OK; i++)
        status = pack_param(t, i, &at, error);
    return status;
}

/* Before anything is packed, since masks change gains. */
static void store_latent(struct smol_net *net)
{
    for (uint32_t i = 0; i < net->config.n_layers * SMOL_N_SLOTS; i++) {
        const struct smol_net_matrix *m = &net->layers[i / SMOL_N_SLOTS].matrix[i % SMOL_N_SLOTS];

        if (m->score != SMOL_NO_PARAM)
            smol_mask_store(net, m);
        if (m->row_scale != SMOL_NO_PARAM)
            smol_ternary_store(net, m);
    }
    net->stored = true;
}

/* Of a delta: the tokens of the rows, of both tables, and the rows. */
static enum smol_status pack_table_rows(struct smol_trainer *t,
                                        const struct smol_embedding_layout *layout,
                                        struct smol_error *error)
{
    const struct smol_net_models *models = &t->net->models;
    const bool has_output = models->output_rows != models->rows;
    enum smol_status status;

    if (models->n_rows == 0)
        return SMOL_OK;
    for (uint32_t i = 0; i < models->n_rows; i++) {
        smol_put32(t->embeddings + (size_t)4 * i, models->tokens[i]);
        if (has_output)
            smol_put32(t->embeddings + (size_t)4 * (models->n_rows + i), models->tokens[i]);
    }
    status = pack_table(t->embeddings, &layout->wte, t->net, models->rows, error);
    if (status == SMOL_OK && has_output)
        status = pack_table(t->embeddings, &layout->output, t->net, models->output_rows, error);
    return status;
}

static enum smol_status pack_tables(struct smol_trainer *t,
                                    const struct smol_embedding_layout *layout,
                                    struct smol_error *error)
{
    const struct smol_net *net = t->net;

    if (net->models.n > 0)
        return pack_table_rows(t, layout, error);
    enum smol_status status = pack_table(t->embeddings, &layout->wte, net, net->wte, error);

    if (status == SMOL_OK && net->wpe != SMOL_NO_PARAM)
        status = pack_table(t->embeddings, &layout->wpe, net, net->wpe, error);
    if (status == SMOL_OK && net->output != net->wte)
        status = pack_table(t->embeddings, &layout->output, net, net->output, error);
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
    store_latent(t->net);
    status = pack_tables(t, &layout, error);
    if (status == SMOL_OK)
        status = pack_params(t, error);
    return status;
}

/* No step follows: the best values, if they were kept, take the place of the last. */
static void end(struct smol_trainer *t)
{
    t->finished = true;
    if (t->best && isfinite(t->best_nats))
        memcpy(t->net->value, t->best, t->net->n_values * sizeof *t->best);
}

static enum smol_status finish(struct smol_trainer *t, bool exact, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    end(t);
    if (exact)
        t->net->rounds = false;
    else
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
    return smol_trainer_leave(t, finish(t, false, error));
}

enum smol_status smol_trainer_finish_exact(struct smol_trainer *t, struct smol_error *error)
{
    const enum smol_status status = smol_train_safetensors_check(&t->options, error);

    if (t->finished || status != SMOL_OK)
        return status;
    smol_trainer_enter(t);
    return smol_trainer_leave(t, finish(t, true, error));
}

enum smol_status smol_trainer_set_history(struct smol_trainer *t,
                                          float numbers[SMOL_HISTORY_LENGTHS],
                                          struct smol_error *error)
{
    const uint32_t param = t->net->history;
    real before[SMOL_HISTORY_LENGTHS];
    enum smol_status status;

    if (!t->embeddings || param == SMOL_NO_PARAM)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "only a finished training that was rounded has a history's numbers, and "
                         "only with that feature");
    real *values = smol_net_value(t->net, param);
    uint8_t *dest = t->params + smol_params_history_at(&t->net->config);

    memcpy(before, values, sizeof before);
    for (uint32_t k = 0; k < SMOL_HISTORY_LENGTHS; k++)
        values[k] = (real)numbers[k];
    status = pack(dest, values, t->net->params + param, error);
    if (status) {
        memcpy(values, before, sizeof before);
        pack(dest, values, t->net->params + param, NULL);
        return status;
    }
    for (uint32_t k = 0; k < SMOL_HISTORY_LENGTHS; k++)
        numbers[k] = (float)values[k];
    return SMOL_OK;
}

/* What a delta has of its models in place of their tables and tokens. base: room for BASE. */
static void make_delta(struct smol_parts *parts, uint8_t *base, const struct smol_trainer *t)
{
    const uint32_t n = t->net->models.n;

    for (uint32_t m = 0; m < n; m++)
        smol_base_entry_encode(base + SMOL_BASE_ENTRY_BYTES * m, t->models[m].hash,
                               t->models[m].factor);
    parts->base = (struct smol_span){base, SMOL_BASE_ENTRY_BYTES * n};
    parts->tokenizer = (struct smol_span){NULL, 0};
    parts->config.context = t->options.model_context;
}

enum smol_status smol_trainer_model(uint8_t **out, size_t *size_bytes, const struct smol_trainer *t,
                                    const char *card, size_t card_bytes, struct smol_error *error)
{
    struct smol_parts parts = {.config = t->net->config, .tokenizer = t->tokenizer.tokenizer};
    uint8_t base[SMOL_MAX_MODELS * SMOL_BASE_ENTRY_BYTES];
    enum smol_status status;
    uint8_t *bytes;
    uint64_t size;

    if (!t->embeddings)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "only a finished training that was rounded has a model file");
    if (t->params_bytes > 0)
        parts.params = (struct smol_span){t->params, (size_t)t->params_bytes};
    if (card_bytes > 0)
        parts.card = (struct smol_span){(const uint8_t *)card, card_bytes};
    if (t->embedding_bytes > 0)
        parts.embeddings = (struct smol_span){t->embeddings, (size_t)t->embedding_bytes};
    if (smol_config_is_delta(&parts.config))
        make_delta(&parts, base, t);
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
