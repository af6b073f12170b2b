/* See adapter.h. */
#include "smoltool/export/adapter.h"
#include "cli/cli.h"
#include "smoltool/params.h"

#include <smol/params.h>

#include <stdlib.h>

/* ---- what else a delta may have ---- */

/* What of the file as a whole is no factor, in words, or NULL. */
static const char *other_of_file(const struct smol_file *file)
{
    const struct smol_config *c = &file->config;

    if (c->features)
        return "a model of another architecture than GPT-2's";
    if (file->n_models != 1)
        return "a mix of models";
    if (file->n_deltas)
        return "a sum of deltas";
    if (file->parts[0].factor != 1.0f)
        return "a factor of its model";
    if (c->input_rows || c->output_rows)
        return "rows of embeddings";
    return c->logit_scale != 0.0f ? "a logit scale" : NULL;
}

/* The same of a scheme. */
static const char *other_of_scheme(const struct smol_scheme *s)
{
    static const struct {
        enum smol_term term;
        const char *words;
    } terms[] = {{SMOL_TERM_MODELS, "a factor of its model"},
                 {SMOL_TERM_GAINS, "gains"},
                 {SMOL_TERM_BIASES, "biases"},
                 {SMOL_TERM_SPARSE, "a sparse term"}};

    if (s->kind == SMOL_NORM)
        return s->source == SMOL_NORM_FROZEN ? NULL : "gains and biases of a norm";
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++)
        if (smol_scheme_has(s, terms[i].term))
            return terms[i].words;
    return s->source == SMOL_MATRIX_UNIT ? NULL : "numbers that are no low-rank factors";
}

static enum smol_status check(const struct smol_file *file, const char *format,
                              struct smol_error *error)
{
    const struct smol_config *c = &file->config;
    const char *other = NULL;

    if (!smol_config_is_delta(c))
        return cli_error(error, SMOL_E_ARGUMENT,
                         "is no delta; --safetensors, --npz and --gguf export models");
    if ((other = other_of_file(file)) != NULL)
        return cli_error(error, SMOL_E_ARGUMENT, "has %s, which %s has no place for", other,
                         format);
    for (uint32_t layer = 0; layer < c->n_layers; layer++)
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++)
            if ((other = other_of_scheme(smol_config_scheme(c, layer, slot))) != NULL)
                return cli_error(error, SMOL_E_ARGUMENT,
                                 "h.%u.%s has %s, which %s has no place for", layer,
                                 smol_slot_name(slot), other, format);
    if ((other = other_of_scheme(smol_config_scheme(c, 0, SMOL_LN_F))) != NULL)
        return cli_error(error, SMOL_E_ARGUMENT, "ln_f has %s, which %s has no place for", other,
                         format);
    return SMOL_OK;
}

/* ---- the factors ---- */

static size_t add(struct adapter_factor *list, const struct smol_config *c, uint32_t layer,
                  enum smol_slot slot)
{
    const uint32_t rank = smol_config_scheme(c, layer, slot)->rank;
    uint32_t rows, cols;

    if (!smol_slot_is_matrix(slot) || rank == 0)
        return 0;
    smol_config_shape(&rows, &cols, c, slot);
    list[0] = (struct adapter_factor){layer, slot, false, rank, rank, cols};
    list[1] = (struct adapter_factor){layer, slot, true, rank, rows, rank};
    return 2;
}

struct adapter_factor *adapter_list(size_t *n, const struct smol_file *file, const char *format,
                                    struct smol_error *error)
{
    const struct smol_config *c = &file->config;
    struct adapter_factor *list;

    *n = 0;
    if (check(file, format, error))
        return NULL;
    list = calloc(2 * (size_t)SMOL_N_SLOTS * c->n_layers, sizeof *list);
    if (!list) {
        cli_error_memory(error);
        return NULL;
    }
    for (uint32_t layer = 0; layer < c->n_layers; layer++)
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++)
            *n += add(list + *n, c, layer, slot);
    if (*n)
        return list;
    free(list);
    cli_error(error, SMOL_E_ARGUMENT, "has no low-rank factors, of which %s consists", format);
    return NULL;
}

uint64_t adapter_count(const struct adapter_factor *factor)
{
    return (uint64_t)factor->rows * factor->cols;
}

uint32_t adapter_rank(const struct adapter_factor *factors, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (factors[i].rank != factors[0].rank)
            return 0;
    return factors[0].rank;
}

void adapter_read(float *values, const struct smol_file *file, const struct adapter_factor *factor,
                  uint64_t begin, size_t n)
{
    const struct param_part part = param_of_slot(&file->config, factor->layer, factor->slot,
                                                 factor->is_b ? PARAM_FACTOR_B : PARAM_FACTOR_A);

    param_read(values, file->params.data, &part, begin, n);
}
