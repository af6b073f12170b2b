/* The numbers of a new model: parameters as SPEC.md 12 has them at the start, embeddings from the
 * seed or from tables of other programs. */
#include "cli/cli.h"
#include "smoltool/embedding_rows.h"
#include "smoltool/new/new.h"

#include <smol/initial.h>
#include <smol/params.h>

#include <stdlib.h>

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

/* One slot's parameters: alphas (1, 0, ...), projections and sparse terms 0, gains 1 and
 * biases 0, factor A from the seed, B zero. All is zero before. */
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
    for (uint32_t layer = 0; layer < c->n_layers; layer++)
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++)
            if (!fill_slot(learned, c, layer, slot))
                return false;
    return fill_slot(learned, c, 0, SMOL_LN_F);
}

typedef void initial_rows(float *values, const struct smol_config *config, double std,
                          uint32_t row_begin, uint32_t n_rows);

/* Where the rows of a table come from: a file's array, or the seed if that is NULL. */
struct table_from {
    const struct smol_array *array;
    initial_rows *initial;
};

/* One table, a row block of 64 at a time. */
static enum smol_status fill_table(uint8_t *embeddings, const struct smol_table_layout *at,
                                   const struct smol_config *c, uint32_t n_rows,
                                   enum smol_dtype type, struct table_from from, float *values,
                                   struct smol_error *error)
{
    for (uint32_t row = 0; row < n_rows; row += 64) {
        const uint32_t n = n_rows - row < 64 ? n_rows - row : 64;
        if (!from.array)
            from.initial(values, c, SMOL_INITIAL_STD, row, n);
        else if (smol_array_values(values, from.array, (uint64_t)row * c->width,
                                   (size_t)n * c->width, error))
            return error->code;
        for (uint32_t r = 0; r < n; r++)
            table_put_row(embeddings, at, type, row + r, values + (size_t)r * c->width, c->width);
    }
    return SMOL_OK;
}

/* NULL, or the path of the file to complain of. */
static const char *fill_embeddings(uint8_t *embeddings, const struct smol_config *c,
                                   const struct imports *from, float *values,
                                   struct smol_error *error)
{
    const struct table_from wte = {from->wte_path ? &from->wte.array : NULL, smol_initial_wte};
    const struct table_from wpe = {from->wpe_path ? &from->wpe.array : NULL, smol_initial_wpe};
    struct smol_embedding_layout at;

    smol_embedding_layout(&at, c);
    if (fill_table(embeddings, &at.wte, c, c->vocab, c->wte_type, wte, values, error))
        return from->wte_path;
    if (fill_table(embeddings, &at.wpe, c, c->context, c->wpe_type, wpe, values, error))
        return from->wpe_path;
    return NULL;
}

uint8_t *new_file(uint64_t *size, const struct smol_config *c, const struct imports *from,
                  struct smol_span tokenizer, const char **path, struct smol_error *error)
{
    struct smol_parts parts = {.config = *c, .tokenizer = tokenizer};
    uint8_t *learned = NULL, *embeddings = NULL, *bytes = NULL;
    uint64_t learned_bytes, embedding_bytes;
    const char *bad = NULL;
    float *values;

    cli_error_memory(error);
    learned_bytes = smol_params_bytes(c);
    embedding_bytes = smol_embedding_bytes(c);
    learned = calloc(learned_bytes + 1, 1);
    embeddings = calloc(embedding_bytes, 1);
    values = malloc((size_t)64 * c->width * sizeof *values);
    if (!learned || !embeddings || !values || !fill_params(learned, c) ||
        (bad = fill_embeddings(embeddings, c, from, values, error)) != NULL)
        goto done;
    parts.params = (struct smol_span){learned_bytes ? learned : NULL, learned_bytes};
    parts.embeddings = (struct smol_span){embeddings, embedding_bytes};
    bytes = table_file(size, &parts, error);
done:
    if (bad)
        *path = bad;
    free(learned);
    free(embeddings);
    free(values);
    return bytes;
}
