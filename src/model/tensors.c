/* Tensors by their Hugging Face names. SPEC.md 6. */
#include "base/error.h"

#include <smol/weights.h>

#include <stdio.h>
#include <string.h>

/* Parts of a slot, in their order; returns how many. A matrix has a bias only if its scheme says
 * so; the heads' factors of a layer come after its first norm. */
static uint32_t slot_parts(enum smol_part parts[4], const struct smol_config *config,
                           const struct smol_scheme *s, enum smol_slot slot)
{
    uint32_t n = 0;

    parts[n++] = SMOL_PART_WEIGHT;
    if (s->kind == SMOL_NORM || smol_scheme_has(s, SMOL_TERM_BIASES))
        parts[n++] = SMOL_PART_BIAS;
    if (slot == SMOL_LN_1 && smol_config_has(config, SMOL_FEATURE_TEMPERATURES))
        parts[n++] = SMOL_PART_TEMPERATURE;
    if (slot == SMOL_LN_1 && smol_config_has(config, SMOL_FEATURE_SLOPE_FACTORS))
        parts[n++] = SMOL_PART_SLOPE_FACTOR;
    return n;
}

/* Counts the tensors of one layer of a span, in the order of the forward pass; stores slot and part
 * of the n-th, if there is one, in *found. */
static uint32_t walk_layer(struct smol_tensor *found, const struct smol_config *config,
                           const struct smol_layer_span *span, uint32_t n)
{
    uint32_t count = 0;

    for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++) {
        enum smol_part parts[4];
        const uint32_t n_parts =
            slot_parts(parts, config, &config->schemes[span->scheme[slot]], slot);
        if (n >= count && n - count < n_parts) {
            found->slot = slot;
            found->part = parts[n - count];
        }
        count += n_parts;
    }
    return count;
}

/* Tables before the layers, and after the last norm. */
static uint32_t n_inputs(const struct smol_config *config)
{
    return smol_config_has(config, SMOL_FEATURE_DISTANCES) ? 1 : 2;
}

static uint32_t n_outputs(const struct smol_config *config)
{
    return smol_config_has(config, SMOL_FEATURE_OUTPUT_TABLE) ? 1 : 0;
}

uint32_t smol_tensor_count(const struct smol_config *config)
{
    struct smol_tensor none;
    uint32_t n = n_inputs(config) + 2 + n_outputs(config);

    for (uint32_t i = 0; i < config->n_spans; i++)
        n += config->spans[i].n_layers * walk_layer(&none, config, &config->spans[i], UINT32_MAX);
    return n;
}

static void table(struct smol_tensor *t, const struct smol_config *config, enum smol_part part)
{
    strcpy(t->name, part == SMOL_PART_WTE   ? "wte.weight"
                    : part == SMOL_PART_WPE ? "wpe.weight"
                                            : "lm_head.weight");
    t->slot = SMOL_LN_F;
    t->part = part;
    t->rows = part == SMOL_PART_WPE ? config->context : config->vocab;
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

/* Name and shape of one of the heads' factors. */
static void heads(struct smol_tensor *t, const struct smol_config *config)
{
    snprintf(t->name, sizeof t->name, "h.%u.attn.%s", t->layer,
             t->part == SMOL_PART_TEMPERATURE ? "temperature" : "slope_factor");
    t->rows = 1;
    t->cols = config->n_heads;
}

void smol_tensor_at(struct smol_tensor *tensor, const struct smol_config *config, uint32_t index)
{
    char layer[16] = "";

    *tensor = (struct smol_tensor){0};
    if (index < n_inputs(config)) {
        table(tensor, config, index == 0 ? SMOL_PART_WTE : SMOL_PART_WPE);
        return;
    }
    if (n_outputs(config) && index + 1 == smol_tensor_count(config)) {
        table(tensor, config, SMOL_PART_OUTPUT);
        return;
    }
    find_slot(tensor, config, index - n_inputs(config));
    if (tensor->part == SMOL_PART_TEMPERATURE || tensor->part == SMOL_PART_SLOPE_FACTOR) {
        heads(tensor, config);
        return;
    }
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
