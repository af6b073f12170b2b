/* A model's weights under GPT-2's names, read in the order of another file. */
#include "smoltool/export/export.h"

#include "cli/cli.h"
#include "cli/countdown.h"

#include <smol/primitives.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE_ROWS 64u /* a row block: SPEC.md 5.4 */
#define TILE_BYTES                                                                                 \
    ((size_t)16 * 1024 * 1024) /* of a transposed matrix; the more, the less often it is made */

static bool is_matrix(const struct smol_tensor *t)
{
    return t->part == SMOL_PART_WEIGHT && smol_slot_is_matrix(t->slot);
}

static bool is_table(const struct smol_tensor *t)
{
    return t->part == SMOL_PART_WTE || t->part == SMOL_PART_WPE || t->part == SMOL_PART_OUTPUT;
}

/* "h.0.attn.c_attn.shifted" before a matrix. */
static void fill_shift(struct export_tensor *shift, const struct smol_tensor *matrix)
{
    *shift = (struct export_tensor){.source = *matrix,
                                    .rows = 1,
                                    .cols = matrix->cols,
                                    .is_vector = true,
                                    .is_shift = true,
                                    .factor = 1.0};
    snprintf(shift->name, sizeof shift->name, "h.%u.%s.shifted", (unsigned)matrix->layer,
             smol_slot_name(matrix->slot));
}

/* Whether the inputs of a tensor are shifted. */
static bool is_shifted(const struct smol_config *config, const struct smol_tensor *t)
{
    return smol_config_has(config, SMOL_FEATURE_HALF_SHIFT) && is_matrix(t) &&
           (t->slot == SMOL_ATTN_C_ATTN || t->slot == SMOL_MLP_C_FC);
}

/* The bias of zeros beside a matrix that has none. */
static void fill_bias(struct export_tensor *bias, const struct export_tensor *matrix)
{
    const size_t n = strlen(matrix->name) - strlen("weight");

    *bias = (struct export_tensor){.source = matrix->source,
                                   .rows = 1,
                                   .cols = matrix->source.rows,
                                   .is_vector = true,
                                   .is_zero = true,
                                   .factor = 1.0};
    memcpy(bias->name, matrix->name, n);
    strcpy(bias->name + n, "bias");
}

/* What the logits are multiplied by; false if it is not one number for all models. SPEC.md 16. */
static bool logit_scale(double *scale, const struct smol_file *f)
{
    bool is_one = true;

    *scale = (double)f->config.logit_scale;
    for (uint32_t m = 0; m < f->n_models; m++) {
        float s = f->parts[m].file->config.logit_scale;

        for (uint32_t d = f->n_models; d < f->n_models + f->n_deltas; d++)
            s = fmaf(f->parts[d].factor, f->parts[d].file->config.logit_scale, s);
        s = fmaf(f->factor, f->config.logit_scale, s);
        is_one = is_one && (m == 0 || (double)s == *scale);
        *scale = (double)s;
    }
    return is_one;
}

static void fill(struct export_tensor *t, double scale, const struct smol_tensor *source,
                 bool transposed)
{
    *t = (struct export_tensor){
        .source = *source, .rows = source->rows, .cols = source->cols, .factor = 1.0};
    memcpy(t->name, source->name, sizeof t->name);
    t->is_vector = !is_matrix(source) && !is_table(source);
    if (is_matrix(source) && transposed) {
        t->is_transposed = true;
        t->rows = source->cols;
        t->cols = source->rows;
    }
    /* GPT-2 has no logit scale: the last LayerNorm absorbs it. */
    if (strncmp(t->name, "ln_f.", 5) == 0)
        t->factor = scale;
}

/* Whether a matrix has no bias, and GPT-2's has. */
static bool lacks_bias(const struct smol_file *file, const struct export_tensor *matrix)
{
    char name[SMOL_MAX_TENSOR_NAME];
    struct smol_tensor bias;

    snprintf(name, sizeof name, "%.*sbias", (int)(strlen(matrix->name) - strlen("weight")),
             matrix->name);
    return file->config.features == 0 && is_matrix(&matrix->source) &&
           smol_file_tensor_find(&bias, file, name, NULL) != SMOL_OK;
}

struct export_tensor *export_list(size_t *n, const struct smol_file *file, bool transposed,
                                  struct smol_error *error)
{
    const uint32_t n_sources = smol_file_tensor_count(file);
    struct export_tensor *list = calloc(2 * (size_t)n_sources, sizeof *list);
    struct smol_tensor source;
    double scale;

    *n = 0;
    if (!list || !logit_scale(&scale, file)) {
        if (list)
            cli_error(error, SMOL_E_ARGUMENT,
                      "mixes models whose logits have different scales, which the format cannot "
                      "say");
        else
            cli_error_memory(error);
        free(list);
        return NULL;
    }
    for (uint32_t i = 0; i < n_sources; i++) {
        smol_file_tensor_at(&source, file, i);
        if (is_shifted(&file->config, &source))
            fill_shift(&list[(*n)++], &source);
        fill(&list[(*n)++], scale, &source, transposed);
        if (lacks_bias(file, &list[*n - 1])) {
            fill_bias(&list[*n], &list[*n - 1]);
            (*n)++;
        }
    }
    return list;
}

uint64_t export_count(const struct export_tensor *tensor)
{
    return (uint64_t)tensor->rows * tensor->cols;
}

struct smol_array export_array(const struct export_tensor *t)
{
    return (struct smol_array){.name = t->name,
                               .type = SMOL_ARRAY_F32,
                               .n_dims = t->is_vector ? 1 : 2,
                               .shape = {t->is_vector ? t->cols : t->rows, t->cols},
                               .size_bytes = 4 * export_count(t)};
}

struct export_reader {
    const struct smol_file *file;
    const struct export_tensor *tensor;
    uint32_t row;   /* the next, of tensor->rows */
    double *values; /* (SOURCE_ROWS, columns of the source) */
    float *tile;    /* (tile_rows(), tensor->cols) */
    void *scratch;
    size_t scratch_bytes;
    struct countdown countdown;
    double n_done, n_all; /* values */
};

/* Rows that are read at once: of the source a row block, of a transposed tensor as many as fit into
 * a tile. */
static uint32_t tile_rows(const struct export_tensor *t)
{
    const size_t fit = TILE_BYTES / sizeof(float) / t->cols;
    const uint32_t most = !t->is_transposed ? SOURCE_ROWS
                          : fit < 1         ? 1
                          : fit < t->rows   ? (uint32_t)fit
                                            : t->rows;

    return t->rows < most ? t->rows : most;
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

enum smol_status export_reader_create(struct export_reader **reader, const struct smol_file *file,
                                      const struct export_tensor *tensors, size_t n,
                                      struct smol_error *error)
{
    struct export_reader *r = calloc(1, sizeof *r);
    size_t n_values = 0, n_tile = 0;

    if (!r)
        return cli_error_memory(error);
    r->file = file;
    for (size_t i = 0; i < n; i++) {
        const struct smol_tensor *s = &tensors[i].source;
        n_values =
            larger(n_values, (size_t)(s->rows < SOURCE_ROWS ? s->rows : SOURCE_ROWS) * s->cols);
        n_tile = larger(n_tile, (size_t)tile_rows(&tensors[i]) * tensors[i].cols);
        r->scratch_bytes = larger(r->scratch_bytes, smol_tensor_scratch_bytes(file, s));
        r->n_all += (double)tensors[i].rows * tensors[i].cols;
    }
    r->values = malloc(n_values * sizeof *r->values);
    r->tile = malloc(n_tile * sizeof *r->tile);
    r->scratch = cli_memory(r->scratch_bytes);
    if (!r->values || !r->tile || !r->scratch) {
        export_reader_destroy(r);
        return cli_error_memory(error);
    }
    countdown_begin(&r->countdown, "weights");
    *reader = r;
    return SMOL_OK;
}

void export_reader_destroy(struct export_reader *reader)
{
    if (!reader)
        return;
    countdown_end(&reader->countdown);
    free(reader->values);
    free(reader->tile);
    cli_memory_free(reader->scratch, reader->scratch_bytes);
    free(reader);
}

void export_reader_begin(struct export_reader *reader, const struct export_tensor *tensor)
{
    reader->tensor = tensor;
    reader->row = 0;
}

static enum smol_status too_large(const struct export_tensor *t, struct smol_error *error)
{
    return cli_error(error, SMOL_E_NUMERIC, "%s: a weight is too large for a float", t->name);
}

/* n values of the source, the first one step apart from the next in the tile. */
static bool narrow(float *dest, const double *values, size_t n, size_t step, double factor)
{
    bool good = true;

    for (size_t i = 0; i < n; i++) {
        const float v = (float)(values[i] * factor);
        good = good && isfinite(v);
        dest[i * step] = v;
    }
    return good;
}

static enum smol_status read_rows(struct export_reader *r, uint32_t n_rows,
                                  struct smol_error *error)
{
    const struct export_tensor *t = r->tensor;
    enum smol_status status =
        smol_tensor_read(r->values, r->file, &t->source, r->row, n_rows, r->scratch, error);

    if (!status && !narrow(r->tile, r->values, (size_t)n_rows * t->cols, 1, t->factor))
        status = too_large(t, error);
    return status;
}

/* SPEC.md 8, half-shift: purpose 9. */
static enum smol_status read_shift(struct export_reader *r, struct smol_error *error)
{
    const struct smol_tensor *t = &r->tensor->source;
    const uint32_t n_pairs = t->cols / 2,
                   tensor = 4 * t->layer + (t->slot == SMOL_MLP_C_FC ? 2 : 0);
    const size_t n_steps = n_pairs / 512 + 1;
    const struct smol_file *model = r->file->n_models ? r->file->parts[0].file : r->file;
    uint8_t *bytes = malloc(64 * n_steps);

    if (!bytes)
        return cli_error_memory(error);
    smol_primitive_stream(bytes, model->config.seed, tensor, 0, 9, 0, n_steps);
    memset(r->tile, 0, t->cols * sizeof *r->tile);
    for (uint32_t k = 0; k < n_pairs; k++)
        r->tile[2 * k + (bytes[k / 8] >> k % 8 & 1)] = 1.0f;
    free(bytes);
    return SMOL_OK;
}

/* All rows of the source are made, and of each the columns that are the tile's rows are kept. */
static enum smol_status read_columns(struct export_reader *r, uint32_t n_rows,
                                     struct smol_error *error)
{
    const struct export_tensor *t = r->tensor;
    enum smol_status status = SMOL_OK;

    for (uint32_t begin = 0, n; !status && begin < t->source.rows; begin += n) {
        n = t->source.rows - begin < SOURCE_ROWS ? t->source.rows - begin : SOURCE_ROWS;
        status = smol_tensor_read(r->values, r->file, &t->source, begin, n, r->scratch, error);
        for (uint32_t i = 0; !status && i < n; i++)
            if (!narrow(r->tile + begin + i, r->values + (size_t)i * t->source.cols + r->row,
                        n_rows, t->cols, t->factor))
                status = too_large(t, error);
    }
    return status;
}

enum smol_status export_reader_next(const float **values, size_t *n, struct export_reader *reader,
                                    struct smol_error *error)
{
    const struct export_tensor *t = reader->tensor;
    const uint32_t left = t->rows - reader->row, most = tile_rows(t),
                   n_rows = left < most ? left : most;
    enum smol_status status = SMOL_OK;

    if (t->is_shift && n_rows)
        status = read_shift(reader, error);
    else if (t->is_zero)
        memset(reader->tile, 0, (size_t)n_rows * t->cols * sizeof *reader->tile);
    else if (n_rows)
        status = t->is_transposed ? read_columns(reader, n_rows, error)
                                  : read_rows(reader, n_rows, error);
    if (status)
        return status;
    reader->row += n_rows;
    reader->n_done += (double)n_rows * t->cols;
    countdown_show(&reader->countdown, reader->n_done, reader->n_all);
    *values = reader->tile;
    *n = (size_t)n_rows * t->cols;
    return SMOL_OK;
}
