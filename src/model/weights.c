/* The exact weights as doubles. SPEC.md 5.6 and 5.7. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/fft.h"
#include "base/fpenv.h"
#include "model/frozen_parts.h"
#include "model/model.h"

#include <smol/params.h>
#include <smol/weights.h>

/* Scratch: a table of every plane, then the integers of a row block, then floats of one row of A, B
 * or an embedding; of nola also all of A, and a table and a row block of B. */
struct scratch {
    int16_t *table, *integers, *table_b, *integers_b;
    float *floats, *a, *b;
    uint32_t *columns;           /* of a row of the sparse term */
    struct projector *projector; /* NULL without one */
};

/* The table that a tensor is, or NULL. */
static const struct smol_table_view *table_of(const struct smol_file *file,
                                              const struct smol_tensor *t)
{
    switch (t->part) {
    case SMOL_PART_WTE: return &file->wte;
    case SMOL_PART_WPE: return &file->wpe;
    case SMOL_PART_OUTPUT: return &file->output;
    default: return NULL;
    }
}

static void lay_out(struct scratch *s, struct smol_arena *arena, const struct smol_file *file,
                    const struct smol_tensor *t)
{
    const bool is_table = table_of(file, t) != NULL;
    const struct smol_scheme *scheme = smol_config_scheme(&file->config, t->layer, t->slot);
    const uint32_t cols = t->cols;

    s->table =
        smol_arena_take(arena, (uint64_t)SMOL_MAX_PLANES * SMOL_TABLE_ENTRIES, sizeof *s->table);
    s->integers = smol_arena_take(arena, (uint64_t)SMOL_ROW_BLOCK * cols, sizeof *s->integers);
    s->floats = smol_arena_take(arena, (uint64_t)cols + SMOL_MAX_RANK, sizeof *s->floats);
    s->columns =
        smol_arena_take(arena, is_table ? 0 : smol_scheme_sparse(scheme), sizeof *s->columns);
    s->a = s->b = NULL;
    s->table_b = s->integers_b = NULL;
    if (!is_table && scheme->kind == SMOL_MATRIX && scheme->source == SMOL_MATRIX_NOLA) {
        s->table_b = smol_arena_take(arena, (uint64_t)SMOL_MAX_PLANES * SMOL_TABLE_ENTRIES,
                                     sizeof *s->table_b);
        s->integers_b =
            smol_arena_take(arena, (uint64_t)SMOL_ROW_BLOCK * scheme->rank, sizeof *s->integers_b);
        s->a = smol_arena_take(arena, (uint64_t)scheme->rank * cols, sizeof *s->a);
        s->b = smol_arena_take(arena, (uint64_t)SMOL_ROW_BLOCK * scheme->rank, sizeof *s->b);
    }
    s->projector = smol_projector_place(
        arena, is_table || !smol_scheme_projects(scheme) ? 0 : scheme->dimensions, t->rows, cols);
}

size_t smol_tensor_scratch_bytes(const struct smol_file *file, const struct smol_tensor *tensor)
{
    struct smol_arena arena = {NULL, 0};
    struct scratch s;

    lay_out(&s, &arena, file, tensor);
    return (size_t)arena.used;
}

static void to_doubles(double *values, const float *floats, size_t n)
{
    for (size_t i = 0; i < n; i++)
        values[i] = (double)floats[i];
}

/* values (K) += row of B A, terms in the order of the rank. */
static void add_factors(double *values, const struct smol_file *file, const struct smol_scheme *s,
                        const struct smol_params_place *at, uint32_t row, uint32_t cols,
                        float *floats)
{
    const enum smol_dtype type = s->value_type;
    const uint8_t *params = file->params.data;
    float *b = floats + cols;

    smol_params_to_f32(b, type, params + at->factor_b, (uint64_t)row * s->rank, s->rank);
    for (uint32_t j = 0; j < s->rank; j++) {
        smol_params_to_f32(floats, type, params + at->factor_a, (uint64_t)j * cols, cols);
        for (uint32_t c = 0; c < cols; c++)
            values[c] += (double)b[j] * (double)floats[c];
    }
}

/* Nola's factor A into scratch, and the frozen matrix that B's rows come from. */
static void begin_nola(struct smol_frozen *b, struct scratch *scratch, const struct smol_file *file,
                       const struct smol_tensor *t, const struct smol_frozen_key *key)
{
    const uint8_t *params = file->params.data;
    struct smol_frozen a;

    smol_factor_frozen(&a, scratch->table_b, &file->config, t->layer, t->slot, false, key, params);
    smol_factor_values(scratch->a, &a);
    smol_factor_frozen(b, scratch->table_b, &file->config, t->layer, t->slot, true, key, params);
}

/* values (n, K) += rows row.. of B A, terms in the order of the rank. */
static void add_nola(double *values, struct scratch *scratch, const struct smol_frozen *b,
                     uint32_t row, uint32_t n, uint32_t cols)
{
    smol_factor_rows(scratch->b, b, row, n, scratch->integers_b);
    for (uint32_t r = 0; r < n; r++)
        for (uint32_t j = 0; j < b->cols; j++)
            for (uint32_t c = 0; c < cols; c++)
                values[(size_t)r * cols + c] += (double)scratch->b[(size_t)r * b->cols + j] *
                                                (double)scratch->a[(size_t)j * cols + c];
}

/* values (K) += row of the sparse term. floats: a row of it. */
static void add_sparse(double *values, const struct smol_file *file, const struct smol_scheme *s,
                       uint64_t sparse_at, const struct smol_frozen *f, uint32_t row,
                       const struct scratch *scratch)
{
    const uint32_t q = smol_scheme_sparse(s);
    struct smol_frozen places = *f;

    places.purpose = SMOL_PURPOSE_SPARSE;
    smol_sparse_columns(scratch->columns, &places, q, row, 1);
    smol_params_to_f32(scratch->floats, s->value_type, file->params.data + sparse_at,
                       (uint64_t)row * q, q);
    for (uint32_t k = 0; k < q; k++)
        values[scratch->columns[k]] += (double)scratch->floats[k];
}

/* values (K) += row of P theta. */
static void add_projection(double *values, struct projector *projector, uint32_t row, uint32_t cols)
{
    const float *v = smol_projector_row(projector, row);

    for (uint32_t c = 0; c < cols; c++)
        values[c] += (double)v[c];
}

/* values (n, K) times the gains of rows row.. */
static void apply_gains(double *values, const struct smol_file *file, const struct smol_scheme *s,
                        uint64_t gains_at, uint32_t row, uint32_t n, uint32_t cols)
{
    for (uint32_t r = 0; r < n; r++) {
        float gain;
        smol_params_to_f32(&gain, s->value_type, file->params.data + gains_at, row + r, 1);
        for (uint32_t c = 0; c < cols; c++)
            values[(size_t)r * cols + c] *= (double)gain;
    }
}

/* values (n, K) = sigma x sign x bit of rows row.. of a mask, all of one row block. signs: of the
 * block. */
static void mask_rows(double *values, const struct smol_frozen *f, const uint8_t *mask,
                      uint32_t row, uint32_t n, uint8_t *signs)
{
    const uint64_t row_bytes = smol_mask_row_bytes(f->cols);

    smol_mask_signs(signs, f, row / SMOL_ROW_BLOCK, smol_stream_bytes);
    for (uint32_t r = row; r < row + n; r++)
        for (uint32_t c = 0; c < f->cols; c++) {
            const uint8_t bit = (uint8_t)(1u << c % 8),
                          sign = signs[r % SMOL_ROW_BLOCK * row_bytes + c / 8] & bit;
            *values++ = !(mask[r * row_bytes + c / 8] & bit) ? 0 : sign ? -f->scale : f->scale;
        }
}

/* values (n, K) = rows of the matrix before factors and the like are added. */
static void plain_rows(double *values, const struct smol_file *file, const struct smol_scheme *s,
                       const struct smol_params_place *at, const struct smol_frozen *f,
                       uint32_t row, uint32_t n, const struct scratch *scratch)
{
    const uint8_t *params = file->params.data;

    if (s->source == SMOL_MATRIX_MASK) {
        mask_rows(values, f, params + at->mask, row, n, (uint8_t *)scratch->integers);
    } else if (s->source == SMOL_MATRIX_STORED) {
        const struct smol_table_view t = smol_stored_view(s, at, f->rows, f->cols, params);
        for (uint32_t r = 0; r < n; r++) {
            smol_embedding_row(scratch->floats, &t, row + r);
            to_doubles(values + (size_t)r * f->cols, scratch->floats, f->cols);
        }
    } else {
        smol_frozen_weights(scratch->integers, f, row, n);
        for (size_t i = 0; i < (size_t)n * f->cols; i++)
            values[i] = f->scale * (double)scratch->integers[i];
    }
}

/* Rows come a row block at a time, since a row is reached through those before it in its block. */
static enum smol_status read_matrix(double *values, const struct smol_file *file,
                                    const struct smol_tensor *t, uint32_t row_begin,
                                    uint32_t n_rows, struct scratch *scratch,
                                    struct smol_error *error)
{
    const struct smol_scheme *s = smol_config_scheme(&file->config, t->layer, t->slot);
    struct smol_fft *fft = NULL;
    const uint32_t end = row_begin + n_rows;
    struct smol_params_place at;
    struct smol_frozen_key key;
    const bool is_nola = s->source == SMOL_MATRIX_NOLA;
    struct smol_frozen f, b = {0};

    smol_frozen_key_init(&key, file->config.seed);
    smol_params_at(&at, &file->config, t->layer, t->slot);
    if (is_nola)
        begin_nola(&b, scratch, file, t, &key);
    smol_matrix_frozen(&f, scratch->table, &file->config, t->layer, t->slot, &key,
                       file->params.data);
    if (smol_scheme_projects(s)) {
        struct projected projected =
            smol_projected(&file->config, t->layer, t->slot, &key, file->params.data);
        enum smol_status status = SMOL_OK;
        if (projected.p.is_fourier)
            status = smol_fft_plan(&fft, projected.p.size, error);
        if (status)
            return status;
        projected.fft = fft;
        smol_projector_begin(scratch->projector, &projected, &smol_kernels_scalar);
    }
    for (uint32_t row = row_begin, n; row < end; row += n) {
        const uint32_t left = SMOL_ROW_BLOCK - row % SMOL_ROW_BLOCK;
        n = end - row < left ? end - row : left;
        plain_rows(values, file, s, &at, &f, row, n, scratch);
        if (is_nola)
            add_nola(values, scratch, &b, row, n, t->cols);
        for (uint32_t r = 0; s->rank && !is_nola && r < n; r++)
            add_factors(values + (size_t)r * t->cols, file, s, &at, row + r, t->cols,
                        scratch->floats);
        for (uint32_t r = 0; smol_scheme_has(s, SMOL_TERM_SPARSE) && r < n; r++)
            add_sparse(values + (size_t)r * t->cols, file, s, at.sparse, &f, row + r, scratch);
        for (uint32_t r = 0; smol_scheme_projects(s) && r < n; r++)
            add_projection(values + (size_t)r * t->cols, scratch->projector, row + r, t->cols);
        if (smol_scheme_has(s, SMOL_TERM_GAINS))
            apply_gains(values, file, s, at.gain, row, n, t->cols);
        values += (size_t)n * t->cols;
    }
    smol_fft_free(fft);
    return SMOL_OK;
}

/* The stored bias of a matrix. */
static void read_bias(double *values, const struct smol_file *file, const struct smol_tensor *t,
                      float *floats)
{
    const struct smol_scheme *s = smol_config_scheme(&file->config, t->layer, t->slot);
    struct smol_params_place at;

    smol_params_at(&at, &file->config, t->layer, t->slot);
    smol_params_to_f32(floats, s->value_type, file->params.data + at.bias, 0, t->cols);
    to_doubles(values, floats, t->cols);
}

static void read_norm(double *values, const struct smol_file *file, const struct smol_tensor *t,
                      struct scratch *scratch)
{
    struct smol_frozen_key key;

    smol_frozen_key_init(&key, file->config.seed);
    smol_norm_vector(scratch->floats, scratch->integers, file, &key, t->layer, t->slot,
                     t->part == SMOL_PART_WEIGHT);
    to_doubles(values, scratch->floats, t->cols);
}

/* Temperatures or slope factors of a layer. */
static void read_heads(double *values, const struct smol_file *file, const struct smol_tensor *t,
                       float *floats)
{
    struct smol_params_place at;

    smol_params_at(&at, &file->config, t->layer, t->slot);
    smol_params_to_f32(floats, file->config.head_type,
                       file->params.data +
                           (t->part == SMOL_PART_TEMPERATURE ? at.temperatures : at.slope_factors),
                       0, t->cols);
    to_doubles(values, floats, t->cols);
}

static enum smol_status read(double *values, const struct smol_file *file,
                             const struct smol_tensor *tensor, uint32_t row_begin, uint32_t n_rows,
                             void *scratch, struct smol_error *error)
{
    struct smol_arena arena = {scratch, 0};
    struct scratch s;

    if (row_begin > tensor->rows || n_rows > tensor->rows - row_begin)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "rows %u to %llu of a tensor of %u", row_begin,
                         (unsigned long long)row_begin + n_rows, tensor->rows);
    lay_out(&s, &arena, file, tensor);
    if (table_of(file, tensor)) {
        for (uint32_t r = 0; r < n_rows; r++) {
            smol_embedding_row(s.floats, table_of(file, tensor), row_begin + r);
            to_doubles(values + (size_t)r * tensor->cols, s.floats, tensor->cols);
        }
    } else if (tensor->part == SMOL_PART_TEMPERATURE || tensor->part == SMOL_PART_SLOPE_FACTOR) {
        if (n_rows)
            read_heads(values, file, tensor, s.floats);
    } else if (smol_config_scheme(&file->config, tensor->layer, tensor->slot)->kind == SMOL_NORM) {
        if (n_rows)
            read_norm(values, file, tensor, &s);
    } else if (tensor->part == SMOL_PART_BIAS) {
        if (n_rows)
            read_bias(values, file, tensor, s.floats);
    } else {
        return read_matrix(values, file, tensor, row_begin, n_rows, &s, error);
    }
    return SMOL_OK;
}

enum smol_status smol_tensor_read(double *values, const struct smol_file *file,
                                  const struct smol_tensor *tensor, uint32_t row_begin,
                                  uint32_t n_rows, void *scratch, struct smol_error *error)
{
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    return smol_fpenv_end(
        &host, status ? status : read(values, file, tensor, row_begin, n_rows, scratch, error));
}
