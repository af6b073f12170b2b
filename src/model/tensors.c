/* Tensors by their Hugging Face names. SPEC.md 6. */
#include "base/error.h"

#include <smol/weights.h>

#include <stdio.h>
#include <string.h>

enum { PART_WEIGHT, PART_BIAS, PART_WTE, PART_WPE };

/* The tensors of a layer in the order of the forward pass. A matrix has a bias only if its scheme
 * says so. */
static const struct entry {
    enum smol_slot slot;
    uint8_t part;
    const char *name;
} in_layer[] = {
    {SMOL_LN_1, PART_WEIGHT, "ln_1.weight"},
    {SMOL_LN_1, PART_BIAS, "ln_1.bias"},
    {SMOL_ATTN_C_ATTN, PART_WEIGHT, "attn.c_attn.weight"},
    {SMOL_ATTN_C_ATTN, PART_BIAS, "attn.c_attn.bias"},
    {SMOL_ATTN_C_PROJ, PART_WEIGHT, "attn.c_proj.weight"},
    {SMOL_ATTN_C_PROJ, PART_BIAS, "attn.c_proj.bias"},
    {SMOL_LN_2, PART_WEIGHT, "ln_2.weight"},
    {SMOL_LN_2, PART_BIAS, "ln_2.bias"},
    {SMOL_MLP_C_FC, PART_WEIGHT, "mlp.c_fc.weight"},
    {SMOL_MLP_C_FC, PART_BIAS, "mlp.c_fc.bias"},
    {SMOL_MLP_C_PROJ, PART_WEIGHT, "mlp.c_proj.weight"},
    {SMOL_MLP_C_PROJ, PART_BIAS, "mlp.c_proj.bias"},
};
#define N_IN_LAYER (sizeof in_layer / sizeof in_layer[0])

static bool is_there(const struct smol_config *config, const struct smol_layer_span *span,
                     const struct entry *e)
{
    const struct smol_scheme *s = &config->schemes[span->scheme[e->slot]];

    return s->kind == SMOL_NORM || e->part == PART_WEIGHT || smol_scheme_has(s, SMOL_TERM_BIASES);
}

/* Tensors of one layer of a run; entry n of them, if there is one, into *found. */
static uint32_t walk_layer(const struct entry **found, const struct smol_config *config,
                           const struct smol_layer_span *span, uint32_t n)
{
    uint32_t count = 0;

    for (size_t i = 0; i < N_IN_LAYER; i++)
        if (is_there(config, span, &in_layer[i])) {
            if (count == n)
                *found = &in_layer[i];
            count++;
        }
    return count;
}

uint32_t smol_tensor_count(const struct smol_config *config)
{
    const struct entry *none;
    uint32_t n = 4;

    for (uint32_t i = 0; i < config->n_spans; i++)
        n += config->spans[i].n_layers * walk_layer(&none, config, &config->spans[i], UINT32_MAX);
    return n;
}

static void embedding(struct smol_tensor *t, const struct smol_config *config, uint8_t part)
{
    strcpy(t->name, part == PART_WTE ? "wte.weight" : "wpe.weight");
    t->slot = SMOL_LN_F;
    t->part = part;
    t->rows = part == PART_WTE ? config->vocab : config->context;
    t->cols = config->width;
}

/* A part of the norm after the last layer. */
static void last_norm(struct smol_tensor *t, uint8_t part)
{
    t->slot = SMOL_LN_F;
    t->part = part;
    strcpy(t->name, part == PART_WEIGHT ? "ln_f.weight" : "ln_f.bias");
}

void smol_tensor_at(struct smol_tensor *tensor, const struct smol_config *config, uint32_t index)
{
    const struct entry *found = NULL;
    uint32_t first = 0;

    *tensor = (struct smol_tensor){0};
    if (index < 2) {
        embedding(tensor, config, index == 0 ? PART_WTE : PART_WPE);
        return;
    }
    index -= 2;
    for (uint32_t i = 0; i < config->n_spans && !found; i++) {
        const struct smol_layer_span *span = &config->spans[i];
        const uint32_t each = walk_layer(&found, config, span, UINT32_MAX);
        if (index < span->n_layers * each) {
            walk_layer(&found, config, span, index % each);
            tensor->layer = first + index / each;
        } else {
            index -= span->n_layers * each;
            first += span->n_layers;
        }
    }
    if (found) {
        tensor->slot = found->slot;
        tensor->part = found->part;
        snprintf(tensor->name, sizeof tensor->name, "h.%u.%s", tensor->layer, found->name);
    } else {
        last_norm(tensor, (uint8_t)index);
    }
    smol_config_shape(config, tensor->slot, &tensor->rows, &tensor->cols);
    if (found && tensor->part == PART_BIAS && tensor->slot != SMOL_LN_1 &&
        tensor->slot != SMOL_LN_2) {
        tensor->cols = tensor->rows;
        tensor->rows = 1;
    }
}

enum smol_status smol_tensor_find(struct smol_tensor *tensor, const struct smol_config *config,
                                  const char *name, struct smol_error *error)
{
    static const char prefix[] = "transformer.";
    const uint32_t n = smol_tensor_count(config);
    struct smol_tensor t;

    if (strncmp(name, prefix, sizeof prefix - 1) == 0)
        name += sizeof prefix - 1;
    for (uint32_t i = 0; i < n; i++) {
        smol_tensor_at(&t, config, i);
        if (strcmp(t.name, name) == 0) {
            *tensor = t;
            return SMOL_OK;
        }
    }
    return smol_fail(error, SMOL_E_TENSOR, SMOL_NO_OFFSET, "no tensor of that name");
}
