/* Tensors by their Hugging Face names. SPEC.md 6. */
#include "base/error.h"

#include <smol/weights.h>

#include <stdio.h>
#include <string.h>

/* Counts the tensors of one layer of a span, in the order of the forward pass; stores slot and part
 * of the n-th, if there is one, in *found. A matrix has a bias only if its scheme says so. */
static uint32_t walk_layer(struct smol_tensor *found, const struct smol_config *config,
                           const struct smol_layer_span *span, uint32_t n)
{
    uint32_t count = 0;

    for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++) {
        const struct smol_scheme *s = &config->schemes[span->scheme[slot]];
        const uint32_t parts = s->kind == SMOL_NORM || smol_scheme_has(s, SMOL_TERM_BIASES) ? 2 : 1;
        if (n >= count && n - count < parts) {
            found->slot = slot;
            found->part = n == count ? SMOL_PART_WEIGHT : SMOL_PART_BIAS;
        }
        count += parts;
    }
    return count;
}

uint32_t smol_tensor_count(const struct smol_config *config)
{
    struct smol_tensor none;
    uint32_t n = 4;

    for (uint32_t i = 0; i < config->n_spans; i++)
        n += config->spans[i].n_layers * walk_layer(&none, config, &config->spans[i], UINT32_MAX);
    return n;
}

static void embedding(struct smol_tensor *t, const struct smol_config *config, bool is_wte)
{
    strcpy(t->name, is_wte ? "wte.weight" : "wpe.weight");
    t->slot = SMOL_LN_F;
    t->part = is_wte ? SMOL_PART_WTE : SMOL_PART_WPE;
    t->rows = is_wte ? config->vocab : config->context;
    t->cols = config->width;
}

/* Slot, part and layer of the tensor `index` of the layers and the norm after them. */
static void find_slot(struct smol_tensor *t, const struct smol_config *config, uint32_t index)
{
    for (uint32_t i = 0; i < config->n_spans; i++) {
        const struct smol_layer_span *span = &config->spans[i];
        const uint32_t each = walk_layer(t, config, span, UINT32_MAX);
        if (index < span->n_layers * each) {
            walk_layer(t, config, span, index % each);
            t->layer += index / each;
            return;
        }
        index -= span->n_layers * each;
        t->layer += span->n_layers;
    }
    t->slot = SMOL_LN_F;
    t->part = index == 0 ? SMOL_PART_WEIGHT : SMOL_PART_BIAS;
    t->layer = 0;
}

void smol_tensor_at(struct smol_tensor *tensor, const struct smol_config *config, uint32_t index)
{
    char layer[16] = "";

    *tensor = (struct smol_tensor){0};
    if (index < 2) {
        embedding(tensor, config, index == 0);
        return;
    }
    find_slot(tensor, config, index - 2);
    if (tensor->slot != SMOL_LN_F)
        snprintf(layer, sizeof layer, "h.%u.", tensor->layer);
    snprintf(tensor->name, sizeof tensor->name, "%s%s.%s", layer, smol_slot_name(tensor->slot),
             tensor->part == SMOL_PART_WEIGHT ? "weight" : "bias");
    smol_config_shape(&tensor->rows, &tensor->cols, config, tensor->slot);
    if (tensor->part == SMOL_PART_BIAS && smol_slot_is_matrix(tensor->slot)) {
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
    return smol_fail(error, SMOL_E_TENSOR, SMOL_NO_OFFSET, "no tensor has that name");
}
