/* The exact weights as doubles. SPEC.md 5.6, 5.7 and 16. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/fft.h"
#include "base/fpenv.h"
#include "model/frozen_parts.h"
#include "model/model.h"

#include <smol/params.h>
#include <smol/weights.h>

/* Scratch: a table of every plane, then the integers of a row block, or of a norm's vector with a
 * table behind it, then floats of one row of A, B or an embedding; of nola also all of A, and a
 * table and a row block of B; of a joined file also rows of a part that are added to others. */
struct scratch {
    int16_t *table, *integers, *table_b, *integers_b;
    float *floats, *a, *b, *more_floats;
    double *more;
    uint32_t *columns;           /* of a row of the sparse term */
    struct projector *projector; /* NULL without one */
};

static bool is_table(const struct smol_tensor *t)
{
    return t->part == SMOL_PART_WTE || t->part == SMOL_PART_WPE || t->part == SMOL_PART_OUTPUT;
}

/* The most that a part takes of what not every matrix has. */
struct sizes {
    uint32_t nola_rank, sparse, dimensions;
};

static struct sizes sizes_of(const struct mixture *m, const struct smol_tensor *t)
{
    struct sizes most = {0};

    for (uint32_t i = 0; !is_table(t) && i < m->n_parts; i++) {
        const struct smol_scheme *s = smol_config_scheme(&m->files[i]->config, t->layer, t->slot);
        if (s->kind != SMOL_MATRIX)
            continue;
        if (s->source == SMOL_MATRIX_NOLA && s->rank > most.nola_rank)
            most.nola_rank = s->rank;
        if (smol_scheme_sparse(s) > most.sparse)
            most.sparse = smol_scheme_sparse(s);
        if (smol_scheme_projects(s) && s->dimensions > most.dimensions)
            most.dimensions = s->dimensions;
    }
    return most;
}

static void lay_out(struct scratch *s, struct smol_arena *arena, const struct mixture *m,
                    const struct smol_tensor *t)
{
    const struct sizes most = sizes_of(m, t);
    const uint32_t cols = t->cols, r = most.nola_rank;
    const uint64_t table = (uint64_t)SMOL_MAX_PLANES * SMOL_TABLE_ENTRIES,
                   rows = (uint64_t)SMOL_ROW_BLOCK * cols;
    const bool is_matrix = smol_slot_is_matrix(t->slot);

    s->table = smol_arena_take(arena, is_matrix ? table : 0, sizeof *s->table);
    s->integers = smol_arena_take(arena, is_matrix ? rows : cols + table, sizeof *s->integers);
    s->floats = smol_arena_take(arena, (uint64_t)cols + SMOL_MAX_RANK, sizeof *s->floats);
    s->columns = smol_arena_take(arena, most.sparse, sizeof *s->columns);
    s->table_b = smol_arena_take(arena, r ? table : 0, sizeof *s->table_b);
    s->integers_b = smol_arena_take(arena, (uint64_t)SMOL_ROW_BLOCK * r, sizeof *s->integers_b);
    s->a = smol_arena_take(arena, (uint64_t)r * cols, sizeof *s->a);
    s->b = smol_arena_take(arena, (uint64_t)SMOL_ROW_BLOCK * r, sizeof *s->b);
    s->more_floats = smol_arena_take(arena, cols, sizeof *s->more_floats);
    s->more = smol_arena_take(arena, m->n_parts > 1 ? (uint64_t)SMOL_ROW_BLOCK * cols : 0,
                              sizeof *s->more);
    s->projector = smol_projector_place(arena, most.dimensions, t->rows, cols);
}

size_t smol_tensor_scratch_bytes(const struct smol_file *file, const struct smol_tensor *tensor)
{
    struct smol_arena arena = {NULL, 0};
    struct mixture mixture;
    struct scratch s;

    if (!smol_file_is_whole(file))
        return 0;
    smol_mixture_of(&mixture, file);
    lay_out(&s, &arena, &mixture, tensor);
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

    smol_mask_signs(signs, f, row / SMOL_ROW_BLOCK, 1, smol_stream_bytes);
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
    } else if (smol_matrix_is_zero(&file->config, s)) {
        for (size_t i = 0; i < (size_t)n * f->cols; i++)
            values[i] = 0;
    } else {
        smol_frozen_weights(scratch->integers, f, row, n);
        for (size_t i = 0; i < (size_t)n * f->cols; i++)
            values[i] = f->scale * (double)scratch->integers[i];
    }
}

/* Rows of the matrix of a file, of a delta its term. They come a row block at a time, since a row
 * is reached through those before it in its block. */
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
        if (smol_scheme_has(s, SMOL_TERM_GAINS) && !smol_config_is_delta(&file->config))
            apply_gains(values, file, s, at.gain, row, n, t->cols);
        values += (size_t)n * t->cols;
    }
    smol_fft_free(fft);
    return SMOL_OK;
}

/* values (n, cols) times 1 + the deltas' gains of rows row.., in double. */
static void add_gains(double *values, const struct mixture *m, const struct smol_tensor *t,
                      uint32_t row, uint32_t n, uint32_t cols)
{
    for (uint32_t r = 0; r < n; r++) {
        double sum = 1;
        for (uint32_t d = m->n_models; d < m->n_parts; d++) {
            const struct smol_config *c = &m->files[d]->config;
            const struct smol_scheme *s = smol_config_scheme(c, t->layer, t->slot);
            struct smol_params_place at;
            float gain;
            if (!smol_scheme_has(s, SMOL_TERM_GAINS))
                continue;
            smol_params_at(&at, c, t->layer, t->slot);
            smol_params_to_f32(&gain, s->value_type, m->files[d]->params.data + at.gain, row + r,
                               1);
            sum += (double)m->factors[d] * (double)gain;
        }
        for (uint32_t c = 0; c < cols; c++)
            values[(size_t)r * cols + c] *= sum;
    }
}

/* The sum so far and factor x more, in which part 0 stands first. */
static void mix(double *values, const double *more, double factor, bool is_first, size_t n)
{
    for (size_t i = 0; i < n; i++)
        values[i] = is_first ? factor * values[i] : values[i] + factor * more[i];
}

/* Rows of one row block of a joined file's matrix. */
static enum smol_status mix_block(double *values, const struct mixture *m,
                                  const struct smol_tensor *t, uint32_t row, uint32_t n,
                                  struct scratch *scratch, struct smol_error *error)
{
    const size_t size = (size_t)n * t->cols;

    for (uint32_t i = 0; i < m->n_parts; i++) {
        const bool is_delta = i >= m->n_models;
        enum smol_status status;
        if (i == m->n_models)
            add_gains(values, m, t, row, n, t->cols);
        if (is_delta &&
            !smol_delta_has_term(smol_config_scheme(&m->files[i]->config, t->layer, t->slot)))
            continue;
        if ((status =
                 read_matrix(i ? scratch->more : values, m->files[i], t, row, n, scratch, error)))
            return status;
        mix(values, scratch->more,
            (double)(is_delta ? m->factors[i] : smol_mixture_factor(m, i, t->layer, t->slot)),
            i == 0, size);
    }
    return SMOL_OK;
}

static enum smol_status read_dense(double *values, const struct mixture *m,
                                   const struct smol_tensor *t, uint32_t row_begin, uint32_t n_rows,
                                   struct scratch *scratch, struct smol_error *error)
{
    const uint32_t end = row_begin + n_rows;
    enum smol_status status = SMOL_OK;

    if (m->n_parts == 1)
        return read_matrix(values, m->files[0], t, row_begin, n_rows, scratch, error);
    for (uint32_t row = row_begin, n; row < end && !status; row += n) {
        const uint32_t left = SMOL_ROW_BLOCK - row % SMOL_ROW_BLOCK;
        n = end - row < left ? end - row : left;
        status = mix_block(values, m, t, row, n, scratch, error);
        values += (size_t)n * t->cols;
    }
    return status;
}

/* The stored bias of a file's matrix, or 0. */
static void file_bias(double *values, const struct smol_file *file, const struct smol_tensor *t,
                      float *floats)
{
    const struct smol_scheme *s = smol_config_scheme(&file->config, t->layer, t->slot);
    struct smol_params_place at;

    memset(floats, 0, t->cols * sizeof *floats);
    smol_params_at(&at, &file->config, t->layer, t->slot);
    if (smol_scheme_has(s, SMOL_TERM_BIASES))
        smol_params_to_f32(floats, s->value_type, file->params.data + at.bias, 0, t->cols);
    to_doubles(values, floats, t->cols);
}

static void read_bias(double *values, const struct mixture *m, const struct smol_tensor *t,
                      const struct scratch *scratch)
{
    file_bias(values, m->files[0], t, scratch->floats);
    if (m->n_parts == 1)
        return;
    for (uint32_t i = 0; i < m->n_parts; i++) {
        for (uint32_t r = 0; i == m->n_models && r < t->cols; r++)
            add_gains(values + r, m, t, r, 1, 1);
        if (i)
            file_bias(scratch->more, m->files[i], t, scratch->floats);
        mix(values, scratch->more,
            (double)(i < m->n_models ? smol_mixture_factor(m, i, t->layer, t->slot)
                                     : m->factors[i]),
            i == 0, t->cols);
    }
}

static void read_floats(double *values, const struct mixture *m, const struct smol_tensor *t,
                        struct scratch *s)
{
    if (t->part == SMOL_PART_TEMPERATURE || t->part == SMOL_PART_SLOPE_FACTOR)
        smol_mixture_heads(s->floats, s->more_floats, m, t->layer, t->part);
    else if (t->part == SMOL_PART_HISTORY)
        smol_mixture_history(s->floats, m);
    else
        smol_mixture_norm(s->floats, s->more_floats, s->integers, m, t->layer, t->slot,
                          t->part == SMOL_PART_WEIGHT);
    to_doubles(values, s->floats, t->cols);
}

/* Whether a tensor is the bias of a matrix, and not of a LayerNorm. */
static bool is_bias(const struct smol_tensor *t)
{
    return t->part == SMOL_PART_BIAS && smol_slot_is_matrix(t->slot);
}

static enum smol_status read(double *values, const struct smol_file *file,
                             const struct smol_tensor *t, uint32_t row_begin, uint32_t n_rows,
                             void *scratch, struct smol_error *error)
{
    struct smol_arena arena = {scratch, 0};
    struct mixture mixture;
    struct scratch s;

    if (row_begin > t->rows || n_rows > t->rows - row_begin)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "rows %u to %llu of a tensor of %u", row_begin,
                         (unsigned long long)row_begin + n_rows, t->rows);
    if (!smol_file_is_whole(file))
        return smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET,
                         "is a delta, whose weights are those of the files that it changes");
    smol_mixture_of(&mixture, file);
    lay_out(&s, &arena, &mixture, t);
    if (!is_table(t) && t->part == SMOL_PART_WEIGHT && smol_slot_is_matrix(t->slot))
        return read_dense(values, &mixture, t, row_begin, n_rows, &s, error);
    for (uint32_t r = 0; is_table(t) && r < n_rows; r++) {
        smol_mixture_row(s.floats, s.more_floats, &mixture, t->part, row_begin + r);
        to_doubles(values + (size_t)r * t->cols, s.floats, t->cols);
    }
    if (is_table(t) || n_rows == 0)
        return SMOL_OK;
    if (is_bias(t))
        read_bias(values, &mixture, t, &s);
    else
        read_floats(values, &mixture, t, &s);
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
