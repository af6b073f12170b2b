/* The numbers of a new model: parameters as SPEC.md 12 has them at the start, embeddings from the
 * seed or from tables of other programs. */
#include "cli/cli.h"
#include "smoltool/embedding_rows.h"
#include "smoltool/new/new.h"
#include "smoltool/small_file.h"

#include <smol/initial.h>
#include <smol/weights.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An array of n parameters, the first n_ones of them 1 and the others 0. */
static bool fill_ones(uint8_t *dest, enum smol_dtype type, size_t n, size_t n_ones)
{
    float *values = calloc(n, sizeof *values);

    if (!values)
        return false;
    for (size_t i = 0; i < n_ones; i++)
        values[i] = 1.0f;
    smol_encode_numbers(dest, type, values, n);
    free(values);
    return true;
}

/* The factor A from the seed. */
static bool fill_factor(uint8_t *dest, const struct smol_config *c, uint32_t layer,
                        enum smol_slot slot, const struct smol_scheme *s)
{
    uint32_t rows, cols;
    float *a;

    smol_config_shape(&rows, &cols, c, slot);
    a = malloc((size_t)s->rank * cols * sizeof *a);
    if (!a)
        return false;
    smol_initial_factor(a, c, layer, slot, s->rank);
    smol_encode_numbers(dest, s->value_type, a, (size_t)s->rank * cols);
    free(a);
    return true;
}

/* A row block of a frozen matrix into a stored one. */
static bool put_block(uint8_t *learned, const struct smol_table_layout *at, enum smol_dtype type,
                      const struct smol_tensor *t, uint32_t begin, uint32_t n, const double *values)
{
    float *row = malloc(t->cols * sizeof *row);
    bool good = row;

    for (uint32_t r = 0; r < n && good; r++) {
        for (uint32_t c = 0; c < t->cols; c++)
            row[c] = (float)values[(size_t)r * t->cols + c];
        good = table_put_row(learned, at, type, begin + r, row, t->cols);
    }
    free(row);
    return good;
}

/* Rows as they would be if the matrix were frozen. */
static bool fill_rows(uint8_t *learned, const struct smol_config *c, uint32_t layer,
                      enum smol_slot slot, const struct smol_table_layout *at)
{
    const struct smol_scheme unit = {.kind = SMOL_MATRIX, .source = SMOL_MATRIX_UNIT, .d = 1},
                             norm = {.kind = SMOL_NORM, .source = SMOL_NORM_FROZEN};
    const enum smol_dtype type = smol_config_scheme(c, layer, slot)->alpha_type;
    struct smol_file frozen = {.config = *c};
    char name[SMOL_MAX_TENSOR_NAME];
    struct smol_tensor t;
    size_t scratch_bytes;
    double *values;
    void *scratch;
    bool good;

    smol_config_fill(&frozen.config, &unit, &norm, 1.0);
    snprintf(name, sizeof name, "h.%u.%s.weight", (unsigned)layer, smol_slot_name(slot));
    if (smol_tensor_find(&t, &frozen.config, name, NULL))
        return false;
    scratch_bytes = smol_tensor_scratch_bytes(&frozen, &t);
    scratch = cli_memory(scratch_bytes);
    values = malloc((size_t)64 * t.cols * sizeof *values);
    good = scratch && values;
    for (uint32_t r = 0, n; r < t.rows && good; r += n) {
        n = t.rows - r < 64 ? t.rows - r : 64;
        good = !smol_tensor_read(values, &frozen, &t, r, n, scratch, NULL) &&
               put_block(learned, at, type, &t, r, n, values);
    }
    free(values);
    cli_memory_free(scratch, scratch_bytes);
    return good;
}

/* The temperatures and slope factors of a layer. */
static bool fill_heads(uint8_t *learned, const struct smol_config *c, uint32_t layer)
{
    struct smol_params_place at;

    smol_params_at(&at, c, layer, SMOL_LN_1);
    return (!smol_config_has(c, SMOL_FEATURE_TEMPERATURES) ||
            fill_ones(learned + at.temperatures, c->head_type, c->n_heads, c->n_heads)) &&
           (!smol_config_has(c, SMOL_FEATURE_SLOPE_FACTORS) ||
            fill_ones(learned + at.slope_factors, c->head_type, c->n_heads, c->n_heads));
}

/* One slot's parameters: alphas (1, 0, ...), projections and sparse terms 0, gains 1 and
 * biases 0, factor A and masks from the seed, B zero, stored matrices as if they were frozen. All
 * is zero before. */
static bool fill_slot(uint8_t *learned, const struct smol_config *c, uint32_t layer,
                      enum smol_slot slot)
{
    const struct smol_scheme *s = smol_config_scheme(c, layer, slot);
    struct smol_params_place at;

    smol_params_at(&at, c, layer, slot);
    if (s->kind == SMOL_NORM)
        return s->source != SMOL_NORM_STORED ||
               fill_ones(learned + at.gain, s->value_type, c->width, c->width);
    if ((s->source == SMOL_MATRIX_OWN || s->source == SMOL_MATRIX_SHARED ||
         s->source == SMOL_MATRIX_NOLA) &&
        !fill_ones(learned + at.alphas, s->alpha_type, s->d, 1))
        return false;
    if (s->source == SMOL_MATRIX_MASK)
        smol_initial_mask(learned + at.mask, c, layer, slot);
    if (s->source == SMOL_MATRIX_STORED && !fill_rows(learned, c, layer, slot, &at.rows))
        return false;
    if (smol_scheme_has(s, SMOL_TERM_LAYER_GAIN) &&
        !fill_ones(learned + at.layer_gain, s->alpha_type, 1, 1))
        return false;
    if (smol_scheme_has(s, SMOL_TERM_GAINS)) {
        uint32_t rows, cols;
        smol_config_shape(&rows, &cols, c, slot);
        if (!fill_ones(learned + at.gain, s->value_type, rows, rows))
            return false;
    }
    return s->rank == 0 || s->source == SMOL_MATRIX_NOLA ||
           fill_factor(learned + at.factor_a, c, layer, slot, s);
}

static bool fill_params(uint8_t *learned, const struct smol_config *c)
{
    for (uint32_t layer = 0; layer < c->n_layers; layer++) {
        if (!fill_heads(learned, c, layer))
            return false;
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++)
            if (!fill_slot(learned, c, layer, slot))
                return false;
    }
    if (smol_config_has(c, SMOL_FEATURE_HISTORY)) {
        float numbers[SMOL_HISTORY_LENGTHS];
        smol_initial_history(numbers);
        smol_encode_numbers(learned + smol_params_history_at(c), c->head_type, numbers,
                            SMOL_HISTORY_LENGTHS);
    }
    return fill_slot(learned, c, 0, SMOL_LN_F);
}

typedef void initial_rows(float *values, const struct smol_config *config, double std,
                          uint32_t row_begin, uint32_t n_rows);

/* Where the rows of a table come from: a file's array, or the seed if that is NULL. */
struct table_from {
    const struct smol_array *array;
    initial_rows *initial;
};

/* One table, a row block of 64 at a time; q4-row has to be seen before it is put. */
static enum smol_status fill_table(uint8_t *embeddings, const struct smol_table_layout *at,
                                   const struct smol_config *c, uint32_t n_rows,
                                   enum smol_dtype type, struct table_from from, float *values,
                                   struct smol_error *error)
{
    const uint64_t n_blocks = ((uint64_t)n_rows + 63) / 64;

    for (uint64_t b = type == SMOL_Q4_ROW ? 0 : n_blocks; b < 2 * n_blocks; b++) {
        const uint32_t row = (uint32_t)(b % n_blocks * 64),
                       n = n_rows - row < 64 ? n_rows - row : 64;
        if (!from.array)
            from.initial(values, c, SMOL_INITIAL_STD, row, n);
        else if (smol_array_values(values, from.array, (uint64_t)row * c->width,
                                   (size_t)n * c->width, error))
            return error->code;
        for (uint32_t r = 0; r < n; r++) {
            const float *of_row = values + (size_t)r * c->width;
            if (b < n_blocks)
                table_see_row(embeddings, at, type, of_row, c->width);
            else if (!table_put_row(embeddings, at, type, row + r, of_row, c->width))
                return cli_error_memory(error);
        }
    }
    return SMOL_OK;
}

/* false with an error; *path then names the file to complain of, if it is one that a table comes
 * from. */
static bool fill_embeddings(uint8_t *embeddings, const struct smol_config *c,
                            const struct imports *from, float *values, const char **path,
                            struct smol_error *error)
{
    const bool has_output = smol_config_has(c, SMOL_FEATURE_OUTPUT_TABLE);
    struct smol_embedding_layout at;
    const struct {
        const struct smol_table_layout *at;
        uint32_t rows;
        enum smol_dtype type;
        struct table_from from;
        const char *path;
    } tables[] = {
        {&at.wte,
         c->vocab,
         c->wte_type,
         {from->wte_path ? &from->wte.array : NULL, smol_initial_wte},
         from->wte_path},
        {&at.wpe,
         smol_config_has(c, SMOL_FEATURE_DISTANCES) ? 0 : c->context,
         c->wpe_type,
         {from->wpe_path ? &from->wpe.array : NULL, smol_initial_wpe},
         from->wpe_path},
        {&at.output, has_output ? c->vocab : 0, c->output_type, {NULL, smol_initial_output}, NULL},
    };

    smol_embedding_layout(&at, c);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        const enum smol_status status = fill_table(embeddings, tables[i].at, c, tables[i].rows,
                                                   tables[i].type, tables[i].from, values, error);
        if (status != SMOL_OK && status != SMOL_E_MEMORY)
            *path = tables[i].path;
        if (status != SMOL_OK)
            return false;
    }
    return true;
}

uint8_t *new_file(uint64_t *size, const struct smol_config *c, const struct imports *from,
                  struct smol_span tokenizer, const char **path, struct smol_error *error)
{
    struct smol_parts parts = {.config = *c, .tokenizer = tokenizer};
    uint8_t *learned = NULL, *embeddings = NULL, *bytes = NULL;
    uint64_t learned_bytes, embedding_bytes;
    float *values;

    cli_error_memory(error);
    learned_bytes = smol_params_bytes(c);
    embedding_bytes = smol_embedding_bytes(c);
    learned = calloc(learned_bytes + 1, 1);
    embeddings = calloc(embedding_bytes, 1);
    values = malloc((size_t)64 * c->width * sizeof *values);
    if (learned && embeddings && values && fill_params(learned, c) &&
        fill_embeddings(embeddings, c, from, values, path, error)) {
        parts.params = (struct smol_span){learned_bytes ? learned : NULL, learned_bytes};
        parts.embeddings = (struct smol_span){embeddings, embedding_bytes};
        bytes = small_file_make(size, &parts, error);
    }
    free(learned);
    free(embeddings);
    free(values);
    return bytes;
}
