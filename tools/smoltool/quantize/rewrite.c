/* A model with other number types: its parameters, stored matrices and embeddings encoded anew. */
#include "cli/cli.h"
#include "smoltool/embedding_rows.h"
#include "smoltool/params.h"
#include "smoltool/quantize/quantize.h"
#include "smoltool/small_file.h"

#include <stdlib.h>
#include <string.h>

/* Every scheme but a mask's bits; schemes that were different may now be one. */
static void set_types(struct smol_config *c, const struct quantize_types *t)
{
    if (t->has_embeddings && smol_config_is_delta(c)) {
        c->wte_type = c->input_rows ? t->embeddings : SMOL_F32;
        c->output_type = c->output_rows ? t->embeddings : SMOL_F32;
    } else if (t->has_embeddings) {
        c->wte_type = t->embeddings;
        c->wpe_type = smol_config_has(c, SMOL_FEATURE_DISTANCES) ? SMOL_F32 : t->embeddings;
        c->output_type = smol_config_has(c, SMOL_FEATURE_OUTPUT_TABLE) ? t->embeddings : SMOL_F32;
    }
    if (t->has_params && smol_config_has_head_type(c))
        c->head_type = t->params;
    for (uint32_t i = 0; i < c->n_schemes; i++) {
        struct smol_scheme *s = c->schemes + i;
        const bool is_stored = s->kind == SMOL_MATRIX && s->source == SMOL_MATRIX_STORED;
        const bool has_alphas = smol_scheme_parameters(s) > 0 && !is_stored &&
                                (s->kind == SMOL_NORM ||
                                 (s->source != SMOL_MATRIX_UNIT && s->source != SMOL_MATRIX_MASK));
        const bool has_values = s->kind == SMOL_NORM
                                    ? s->source == SMOL_NORM_STORED
                                    : (s->rank > 0 && s->source != SMOL_MATRIX_NOLA) ||
                                          s->terms & (SMOL_TERM_GAINS | SMOL_TERM_BIASES |
                                                      SMOL_TERM_SPARSE | SMOL_TERM_MODELS);

        if (is_stored && t->has_matrices)
            s->alpha_type = t->matrices;
        if (t->has_params && has_alphas)
            s->alpha_type = t->params;
        if (t->has_params && has_values)
            s->value_type = t->params;
    }
    smol_config_canonicalise(c);
}

/* Row by row. */
static bool recode_rows(uint8_t *to, const struct param_part *b, const uint8_t *from,
                        const struct param_part *a)
{
    float *row = malloc(a->cols * sizeof *row);
    bool good = row;

    for (uint64_t i = 0; i < a->n && good; i += a->cols) {
        param_read(row, from, a, i, a->cols);
        good = table_put_row(to, &b->rows, b->type, i / a->cols, row, a->cols);
    }
    free(row);
    return good;
}

/* What keeps its type keeps its bytes: encoding anew may find another scale. */
static void copy(uint8_t *to, const struct param_part *b, const uint8_t *from,
                 const struct param_part *a)
{
    const uint64_t n_rows = a->kind == PARAM_NUMBERS ? 1 : a->n / a->cols;

    if (a->kind == PARAM_NUMBERS)
        memcpy(to + b->at, from + a->at, smol_params_array_bytes(a->type, a->n));
    if (a->kind == PARAM_MASK)
        memcpy(to + b->at, from + a->at, n_rows * smol_mask_row_bytes(a->cols));
    if (a->kind != PARAM_ROWS)
        return;
    memcpy(to + b->rows.data, from + a->rows.data, n_rows * smol_row_bytes(a->type, a->cols));
    if (a->type == SMOL_Q4)
        memcpy(to + b->rows.multipliers, from + a->rows.multipliers,
               n_rows * smol_row_multipliers(a->cols));
    if (smol_dtype_is_scaled(a->type))
        memcpy(to + b->rows.scales, from + a->rows.scales, n_rows * 4);
}

/* The parts are of one kind and length. */
static bool recode(uint8_t *to, struct param_part b, const uint8_t *from, struct param_part a)
{
    float block[SMOL_Q8_BLOCK];

    if (a.n == 0)
        return true;
    if (a.type == b.type) {
        copy(to, &b, from, &a);
        return true;
    }
    if (a.kind == PARAM_ROWS)
        return recode_rows(to, &b, from, &a);
    for (uint64_t i = 0; i < a.n; i += SMOL_Q8_BLOCK) {
        const size_t n = a.n - i < SMOL_Q8_BLOCK ? (size_t)(a.n - i) : SMOL_Q8_BLOCK;

        param_read(block, from, &a, i, n);
        smol_encode_numbers(to + b.at + smol_params_array_bytes(b.type, i), b.type, block, n);
    }
    return true;
}

static bool recode_slot(uint8_t *to, const struct smol_config *new, const struct smol_file *file,
                        uint32_t layer, enum smol_slot slot)
{
    for (enum param_place p = PARAM_OF_WEIGHT; p < PARAM_N_PLACES; p++)
        if (!recode(to, param_of_slot(new, layer, slot, p), file->params.data,
                    param_of_slot(&file->config, layer, slot, p)))
            return false;
    return true;
}

static bool recode_params(uint8_t *to, const struct smol_config *new, const struct smol_file *file)
{
    const struct smol_config *old = &file->config;
    bool good = recode(to, param_shared(new), file->params.data, param_shared(old));

    for (uint32_t layer = 0; layer < old->n_layers; layer++) {
        for (enum param_layer_place p = PARAM_LAYER_GAIN; p < PARAM_N_LAYER_PLACES; p++)
            good = good && recode(to, param_of_layer(new, layer, p), file->params.data,
                                  param_of_layer(old, layer, p));
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++)
            good = good && recode_slot(to, new, file, layer, slot);
    }
    return good && recode_slot(to, new, file, 0, SMOL_LN_F) &&
           recode(to, param_history(new), file->params.data, param_history(old));
}

/* Rows of q4-row have all to be seen before the first is put. */
static enum smol_status encode_table(uint8_t *embeddings, const struct smol_table_layout *at,
                                     enum smol_dtype type, const struct smol_file *file,
                                     const char *name, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;
    struct table_rows m;
    struct smol_tensor t;
    float *row;

    if (smol_tensor_find(&t, &file->config, name, NULL))
        return SMOL_OK; /* the model has none */
    row = malloc(t.cols * sizeof *row);
    if (!table_rows_init(&m, file, &t, file, &t) || !row)
        status = cli_error_memory(error);
    for (uint64_t i = type == SMOL_Q4_ROW ? 0 : t.rows; i < 2 * (uint64_t)t.rows && !status; i++) {
        const uint32_t r = (uint32_t)(i % t.rows);
        status = smol_tensor_read(m.a, file, &t, r, 1, m.scratch, error);
        for (uint32_t c = 0; c < t.cols && !status; c++)
            row[c] = (float)m.a[c];
        if (!status && i < t.rows)
            table_see_row(embeddings, at, type, row, t.cols);
        else if (!status && !table_put_row(embeddings, at, type, r, row, t.cols))
            status = cli_error_memory(error);
    }
    table_rows_free(&m);
    free(row);
    return status;
}

/* The same of the rows of a delta. */
static bool encode_rows(uint8_t *embeddings, const struct smol_table_layout *at,
                        enum smol_dtype type, const struct smol_rows_view *rows)
{
    float *row = malloc((rows->table.cols + 1) * sizeof *row);
    bool good = row;

    for (uint64_t i = type == SMOL_Q4_ROW ? 0 : rows->n; good && i < 2 * (uint64_t)rows->n; i++) {
        const uint32_t r = (uint32_t)(i % rows->n);

        rows_read(row, rows, r);
        if (i < rows->n)
            table_see_row(embeddings, at, type, row, rows->table.cols);
        else
            good = table_put_row(embeddings, at, type, r, row, rows->table.cols);
    }
    free(row);
    return good;
}

static enum smol_status encode_tables(uint8_t *embeddings, const struct smol_config *new,
                                      const struct smol_file *file, struct smol_error *error)
{
    struct smol_embedding_layout at;
    enum smol_status status;

    smol_embedding_layout(&at, new);
    if (smol_config_is_delta(new)) {
        memcpy(embeddings, file->embeddings.data,
               4 * ((size_t) new->input_rows + new->output_rows)); /* the tokens */
        return encode_rows(embeddings, &at.wte, new->wte_type, &file->input_rows) &&
                       encode_rows(embeddings, &at.output, new->output_type, &file->output_rows)
                   ? SMOL_OK
                   : cli_error_memory(error);
    }
    status = encode_table(embeddings, &at.wte, new->wte_type, file, "wte.weight", error);
    if (!status)
        status = encode_table(embeddings, &at.wpe, new->wpe_type, file, "wpe.weight", error);
    if (!status)
        status =
            encode_table(embeddings, &at.output, new->output_type, file, "lm_head.weight", error);
    return status;
}

uint8_t *quantize_file(uint64_t *size_bytes, const struct smol_file *file,
                       const struct quantize_types *types, struct smol_error *error)
{
    uint8_t *params = NULL, *embeddings = NULL, *bytes = NULL;
    struct smol_parts parts;
    uint64_t params_bytes, embedding_bytes;
    enum smol_status status = SMOL_OK;

    smol_parts_of(&parts, file);
    set_types(&parts.config, types);
    params_bytes = smol_params_bytes(&parts.config);
    embedding_bytes = smol_embedding_bytes(&parts.config);
    params = calloc(params_bytes + 1, 1);
    embeddings = calloc(embedding_bytes + 1, 1);
    if (!params || !embeddings || !recode_params(params, &parts.config, file))
        status = cli_error_memory(error);
    parts.params = (struct smol_span){params_bytes ? params : NULL, params_bytes};
    if (types->has_embeddings) {
        if (!status)
            status = encode_tables(embeddings, &parts.config, file, error);
        parts.embeddings = (struct smol_span){embeddings, embedding_bytes};
    }
    if (!status)
        bytes = small_file_make(size_bytes, &parts, error);
    free(params);
    free(embeddings);
    return bytes;
}
