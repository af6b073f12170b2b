/* Stored numbers are finite and within their limits. SPEC.md 3.2 and 3.3. */
#include "base/error.h"
#include "base/number.h"
#include "format/format.h"

#include <smol/params.h>

#define ALPHA_MAX 65504.0f
#define ANY_FINITE 0x1.fffffep127f
#define SCALE_MAX 0x1p60f

/* One block of 8-bit numbers and its scale, whose place in the array is at. */
static enum smol_status check_block(const uint8_t *block, uint64_t n, float max, uint64_t at,
                                    const char *what, struct smol_error *error)
{
    const uint16_t bits = smol_le16(block);
    const float scale = smol_bits_f32((uint32_t)bits << 16);

    if ((bits & 0x7f80u) == 0x7f80u)
        return smol_fail(error, SMOL_E_NONFINITE, at, "%s: a scale that is not finite", what);
    if (bits > smol_f32_bits(SCALE_MAX) >> 16)
        return smol_fail(error, SMOL_E_RANGE, at, "%s: a scale that is not in 0..2^60", what);
    for (uint64_t i = 0; i < n; i++) {
        const float f = scale * (float)(int8_t)block[2 + i];
        if (!(f >= -max && f <= max))
            return smol_fail(error, SMOL_E_RANGE, at + 2 + i, "%s: a number beyond its limit",
                             what);
    }
    return SMOL_OK;
}

static enum smol_status check_blocks(const uint8_t *data, uint64_t n, float max, const char *what,
                                     struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    for (uint64_t at = 0; n > 0 && status == SMOL_OK; at += SMOL_Q8_BLOCK_BYTES) {
        const uint64_t in_block = n < SMOL_Q8_BLOCK ? n : SMOL_Q8_BLOCK;
        status = check_block(data + at, in_block, max, at, what, error);
        n -= in_block;
    }
    return status;
}

enum smol_status smol_numbers_check(const uint8_t *data, enum smol_dtype type, uint64_t n,
                                    float max, const char *what, struct smol_error *error)
{
    const uint32_t size = smol_dtype_bytes(type);

    if (type == SMOL_Q8_BLOCKS)
        return check_blocks(data, n, max, what, error);
    for (uint64_t i = 0; i < n; i++) {
        const float f =
            type == SMOL_F32 ? smol_load_f32(data + 4 * i) : smol_load_f16(data + 2 * i);
        if (f >= -max && f <= max) /* false for not-a-number */
            continue;
        if (f - f == 0)
            return smol_fail(error, SMOL_E_RANGE, size * i, "%s: a number beyond its limit", what);
        return smol_fail(error, SMOL_E_NONFINITE, size * i, "%s: a number that is not finite",
                         what);
    }
    return SMOL_OK;
}

/* Past the columns of a row of 4-bit values everything is zero. data_at: where the table's rows are
 * in the file. */
static enum smol_status check_q4_tail(const struct smol_table_view *t, uint64_t data_at,
                                      uint64_t multipliers_at, struct smol_error *error)
{
    const uint64_t row_bytes = smol_row_bytes(SMOL_Q4, t->cols),
                   n_multipliers = smol_row_multipliers(t->cols);
    const size_t n = (size_t)smol_round_up(t->cols, 64);

    for (uint64_t row = 0; row < t->rows; row++) {
        for (size_t c = t->cols; c < n; c++)
            if (smol_q4(t->data + row * row_bytes, c) != 0)
                return smol_fail(error, SMOL_E_PADDING,
                                 data_at + row * row_bytes + c / 64 * 32 + c % 32,
                                 "a 4-bit number past the last column is not zero");
        if (n - t->cols >= SMOL_Q4_GROUP && t->multipliers[(row + 1) * n_multipliers - 1] != 0)
            return smol_fail(error, SMOL_E_PADDING, multipliers_at + (row + 1) * n_multipliers - 1,
                             "a multiplier past the last column is not zero");
    }
    return SMOL_OK;
}

/* Rows of ternary numbers: five to a byte in the one way that there is, and zeros past the
 * columns. */
static enum smol_status check_ternary(const struct smol_table_view *t, uint64_t data_at,
                                      struct smol_error *error)
{
    const size_t row_bytes = (size_t)smol_row_bytes(SMOL_TERNARY, t->cols);

    for (uint64_t row = 0; row < t->rows; row++) {
        const uint8_t *data = t->data + row * row_bytes;
        for (uint64_t i = 0; i < row_bytes; i++)
            if ((data[i] * 243 / 256 * 256 + 242) / 243 != data[i])
                return smol_fail(error, SMOL_E_RANGE, data_at + row * row_bytes + i,
                                 "byte %u stands for no five ternary numbers", data[i]);
        for (size_t c = t->cols; c < 5 * row_bytes; c++)
            if (smol_ternary(data, row_bytes, c) != 0)
                return smol_fail(error, SMOL_E_PADDING, data_at + row * row_bytes + c % row_bytes,
                                 "a ternary number past the last column is not zero");
    }
    return SMOL_OK;
}

/* In a row of an odd number of columns the last byte has one. */
static enum smol_status check_q4_row_tail(const struct smol_table_view *t, uint64_t data_at,
                                          struct smol_error *error)
{
    const uint64_t row_bytes = smol_row_bytes(SMOL_Q4_ROW, t->cols);

    for (uint64_t end = row_bytes; t->cols % 2 != 0 && end <= t->rows * row_bytes; end += row_bytes)
        if (t->data[end - 1] >> 4 != 0)
            return smol_fail(error, SMOL_E_PADDING, data_at + end - 1,
                             "a 4-bit number past the last column is not zero");
    return SMOL_OK;
}

static enum smol_status check_scales(const struct smol_table_view *t, uint64_t scales_at,
                                     const char *what, struct smol_error *error)
{
    const uint32_t n = t->type == SMOL_Q4_ROW ? 1 : t->rows;

    for (uint32_t i = 0; i < n; i++) {
        const uint32_t bits = smol_le32(t->scales + 4 * (uint64_t)i);
        const uint64_t at = scales_at + 4 * (uint64_t)i;
        if ((bits & 0x7f800000u) == 0x7f800000u)
            return smol_fail(error, SMOL_E_NONFINITE, at, "%s: a scale that is not finite", what);
        if (bits > smol_f32_bits(SCALE_MAX))
            return smol_fail(error, SMOL_E_RANGE, at, "%s: a scale that is not in 0..2^60", what);
    }
    return SMOL_OK;
}

/* A table: finite values, scales within limits, legal rows. part: where it is in the file. */
static enum smol_status check_table(const struct smol_table_view *t,
                                    const struct smol_table_layout *part, const char *what,
                                    struct smol_error *error)
{
    const uint64_t n = (uint64_t)t->rows * t->cols;
    enum smol_status status = SMOL_OK;

    if (!t->scales) {
        status = smol_numbers_check(t->data, t->type, n, ANY_FINITE, what, error);
        return smol_fail_within(part->data, status, error);
    }
    if (t->type == SMOL_Q4)
        status = check_q4_tail(t, part->data, part->multipliers, error);
    else if (t->type == SMOL_TERNARY)
        status = check_ternary(t, part->data, error);
    else if (t->type == SMOL_Q4_ROW)
        status = check_q4_row_tail(t, part->data, error);
    return status ? status : check_scales(t, part->scales, what, error);
}

static enum smol_status check_mask(const uint8_t *mask, uint64_t at, uint32_t rows, uint32_t cols,
                                   struct smol_error *error)
{
    const uint64_t row_bytes = smol_mask_row_bytes(cols);

    for (uint64_t end = row_bytes; cols % 8 != 0 && end <= rows * row_bytes; end += row_bytes)
        if (mask[end - 1] >> cols % 8 != 0)
            return smol_fail(error, SMOL_E_PADDING, at + end - 1,
                             "a bit of a mask past the last column is not zero");
    return SMOL_OK;
}

/* The mask or the stored rows of a matrix, if it has any. LRND lies at file_offset. */
static enum smol_status check_weights(const struct smol_scheme *s,
                                      const struct smol_params_place *at, uint32_t rows,
                                      uint32_t cols, const uint8_t *params, uint64_t file_offset,
                                      struct smol_error *error)
{
    const struct smol_table_view table = smol_stored_view(s, at, rows, cols, params);
    const struct smol_table_layout part = {.data = file_offset + at->rows.data,
                                           .multipliers = file_offset + at->rows.multipliers,
                                           .scales = file_offset + at->rows.scales};

    if (s->kind == SMOL_MATRIX && s->source == SMOL_MATRIX_MASK)
        return check_mask(params + at->mask, file_offset + at->mask, rows, cols, error);
    if (s->kind == SMOL_MATRIX && s->source == SMOL_MATRIX_STORED)
        return check_table(&table, &part, "stored matrix", error);
    return SMOL_OK;
}

/* n numbers at a place of LRND. */
struct array {
    uint64_t at;
    enum smol_dtype type;
    uint64_t n;
    float max;
    const char *what;
};

/* The values of one slot, array after array, since 8-bit blocks end with each. LRND lies at
 * file_offset. */
static enum smol_status check_slot(const struct smol_config *config, uint32_t layer,
                                   enum smol_slot slot, const uint8_t *params, uint64_t file_offset,
                                   struct smol_error *error)
{
    const struct smol_scheme *s = smol_config_scheme(config, layer, slot);
    const enum smol_dtype alphas = s->alpha_type, values = s->value_type;
    const bool is_nola = s->kind == SMOL_MATRIX && s->source == SMOL_MATRIX_NOLA;
    const bool is_norm = s->kind == SMOL_NORM, is_stored = is_norm && s->source == SMOL_NORM_STORED;
    const bool is_first = slot == SMOL_LN_1;     /* with it the layer's heads are checked */
    const uint64_t rank = is_nola ? 0 : s->rank; /* of stored factors */
    struct smol_params_place at;
    uint32_t rows, cols;

    smol_params_at(&at, config, layer, slot);
    smol_config_shape(&rows, &cols, config, slot);
    const uint64_t d = smol_scheme_parameters(s),
                   n_gains = smol_scheme_has(s, SMOL_TERM_GAINS) ? rows : 0,
                   n_biases = smol_scheme_has(s, SMOL_TERM_BIASES) ? rows : 0;
    const struct array arrays[] = {
        {at.alphas, alphas, d, ALPHA_MAX, "alpha"},
        {at.bias_alphas, alphas, is_nola || is_norm ? d : 0, ALPHA_MAX, "alpha"},
        {at.layer_gain, alphas, smol_scheme_has(s, SMOL_TERM_LAYER_GAIN), ALPHA_MAX,
         "gain of a layer"},
        {at.temperatures, config->head_type,
         is_first && smol_config_has(config, SMOL_FEATURE_TEMPERATURES) ? config->n_heads : 0,
         ALPHA_MAX, "temperature of a head"},
        {at.slope_factors, config->head_type,
         is_first && smol_config_has(config, SMOL_FEATURE_SLOPE_FACTORS) ? config->n_heads : 0,
         ALPHA_MAX, "slope factor of a head"},
        {at.factor_a, values, rank * cols, ANY_FINITE, "low-rank factor"},
        {at.factor_b, values, rank * rows, ANY_FINITE, "low-rank factor"},
        {at.sparse, values, (uint64_t)smol_scheme_sparse(s) * rows, ANY_FINITE, "sparse term"},
        {at.gain, values, is_stored ? cols : n_gains, ANY_FINITE, is_norm ? "stored norm" : "gain"},
        {at.bias, values, is_stored ? cols : n_biases, ANY_FINITE,
         is_norm ? "stored norm" : "bias"},
        {at.models, values, smol_scheme_has(s, SMOL_TERM_MODELS) ? config->n_models : 0, ANY_FINITE,
         "number of a model"},
    };
    enum smol_status status = SMOL_OK;

    for (size_t i = 0; i < sizeof arrays / sizeof *arrays && status == SMOL_OK; i++) {
        const struct array *a = &arrays[i];
        status = smol_numbers_check(params + a->at, a->type, a->n, a->max, a->what, error);
        status = smol_fail_within(file_offset + a->at, status, error);
    }
    return status ? status : check_weights(s, &at, rows, cols, params, file_offset, error);
}

static enum smol_status check_history(const struct smol_config *config, const uint8_t *params,
                                      uint64_t file_offset, struct smol_error *error)
{
    const uint64_t at = smol_params_history_at(config);

    return smol_fail_within(file_offset + at,
                            smol_numbers_check(params + at, config->head_type,
                                               smol_config_history(config), ALPHA_MAX,
                                               "number of the history", error),
                            error);
}

enum smol_status smol_params_check(const struct smol_config *config, const struct smol_span *params,
                                   uint64_t file_offset, struct smol_error *error)
{
    enum smol_status status;

    if (params->size_bytes == 0)
        return SMOL_OK;
    for (uint32_t layer = 0; layer < config->n_layers; layer++)
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++) {
            status = check_slot(config, layer, slot, params->data, file_offset, error);
            if (status)
                return status;
        }
    status = check_slot(config, 0, SMOL_LN_F, params->data, file_offset, error);
    return status ? status : check_history(config, params->data, file_offset, error);
}

enum smol_status smol_zeros_check(const uint8_t *bytes, uint64_t from, uint64_t to,
                                  struct smol_error *error)
{
    for (uint64_t i = from; i < to; i++)
        if (bytes[i] != 0)
            return smol_fail(error, SMOL_E_PADDING, i, "a padding byte is not zero");
    return SMOL_OK;
}

/* The end of a part is padded with zeros to 64 bytes from the start of EMBD, which is itself a
 * multiple of 64. */
static enum smol_status check_end(const struct smol_file *file, uint64_t embd_at, uint64_t end,
                                  struct smol_error *error)
{
    return smol_zeros_check(file->bytes.data, end, embd_at + smol_round_up(end - embd_at, 64),
                            error);
}

/* Of all parts of a table, whose last one its rows are with q4-row. */
static enum smol_status check_padding(const struct smol_file *file, const struct smol_table_view *t,
                                      const struct smol_table_layout *part, uint64_t embd_at,
                                      struct smol_error *error)
{
    const uint64_t rows = t->rows;
    enum smol_status status =
        check_end(file, embd_at, part->data + rows * smol_row_bytes(t->type, t->cols), error);

    if (t->type == SMOL_Q4_ROW)
        return status;
    if (status == SMOL_OK && t->multipliers)
        status = check_end(file, embd_at, part->multipliers + rows * smol_row_multipliers(t->cols),
                           error);
    if (status == SMOL_OK && t->scales)
        status = check_end(file, embd_at, part->scales + 4 * rows, error);
    return status;
}

/* The tokens of a delta's rows: ascending, and within the vocabulary. */
static enum smol_status check_tokens(const struct smol_file *file,
                                     const struct smol_rows_view *rows, struct smol_error *error)
{
    const uint64_t at = rows->n ? (uint64_t)(rows->tokens - file->bytes.data) : 0;
    uint64_t least = 0;

    for (uint64_t i = 0; i < rows->n; i++) {
        const uint32_t token = smol_le32(rows->tokens + 4 * i);
        if (token < least || token >= file->config.vocab)
            return smol_fail(error, token < least ? SMOL_E_CANONICAL : SMOL_E_RANGE, at + 4 * i,
                             token < least ? "the tokens of rows do not ascend"
                                           : "a row of a token beyond the vocabulary");
        least = (uint64_t)token + 1;
    }
    return SMOL_OK;
}

static enum smol_status check_rows(const struct smol_file *file, uint64_t embd_at,
                                   struct smol_error *error)
{
    const uint64_t n = (uint64_t)file->input_rows.n + file->output_rows.n;
    enum smol_status status = check_tokens(file, &file->input_rows, error);

    if (status == SMOL_OK)
        status = check_tokens(file, &file->output_rows, error);
    return status ? status : check_end(file, embd_at, embd_at + 4 * n, error);
}

enum smol_status smol_embeddings_check(const struct smol_file *file, uint64_t embd_at,
                                       struct smol_error *error)
{
    const struct smol_table_view *tables[] = {&file->wte, &file->wpe, &file->output,
                                              &file->input_rows.table, &file->output_rows.table};
    const uint8_t *bytes = file->bytes.data;
    enum smol_status status = SMOL_OK;

    if (file->embeddings.data && smol_config_is_delta(&file->config))
        status = check_rows(file, embd_at, error);
    for (size_t i = 0; i < sizeof tables / sizeof *tables && status == SMOL_OK; i++) {
        const struct smol_table_view *t = tables[i];
        if (!t->data || (t == &file->output && t->data == file->wte.data))
            continue;
        const struct smol_table_layout part = {
            .data = (uint64_t)(t->data - bytes),
            .multipliers = t->multipliers ? (uint64_t)(t->multipliers - bytes) : 0,
            .scales = t->scales ? (uint64_t)(t->scales - bytes) : 0,
        };

        status = check_table(t, &part, "embedding", error);
        if (status == SMOL_OK)
            status = check_padding(file, t, &part, embd_at, error);
    }
    return status;
}
