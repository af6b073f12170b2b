/* Tensors by their Hugging Face names. SPEC.md 6. */
#include "base/error.h"
#include "model/mixture.h"

#include <smol/weights.h>

#include <stdio.h>
#include <string.h>

/* What tensors are listed of: a configuration, or those of all parts of a joined file, whose shape
 * and features are the same. */
struct listing {
    const struct smol_config *configs[MAX_PARTS];
    uint32_t n;
};

static struct listing listing_of(const struct smol_file *file)
{
    const bool is_joined = smol_config_is_delta(&file->config) && smol_file_is_whole(file);
    struct listing list = {.n = 0};

    for (uint32_t i = 0; is_joined && i < file->n_models + file->n_deltas; i++)
        list.configs[list.n++] = &file->parts[i].file->config;
    list.configs[list.n++] = &file->config;
    return list;
}

/* The layer span that a layer lies in, of each configuration. */
struct cursor {
    uint32_t span[MAX_PARTS], last[MAX_PARTS]; /* span, and the first layer behind it */
};

static void move_to(struct cursor *at, const struct listing *list, uint32_t layer)
{
    for (uint32_t i = 0; i < list->n; i++) {
        const struct smol_config *c = list->configs[i];
        if (layer == 0)
            at->span[i] = 0;
        else if (layer == at->last[i])
            at->span[i]++;
        if (layer == 0 || layer == at->last[i])
            at->last[i] = layer + c->spans[at->span[i]].n_layers;
    }
}

static bool has_bias(const struct listing *list, const struct cursor *at, enum smol_slot slot)
{
    if (!smol_slot_is_matrix(slot))
        return true;
    for (uint32_t i = 0; i < list->n; i++) {
        const struct smol_config *c = list->configs[i];
        if (smol_scheme_has(&c->schemes[c->spans[at->span[i]].scheme[slot]], SMOL_TERM_BIASES))
            return true;
    }
    return false;
}

/* Parts of a slot, in their order; returns how many. A matrix has a bias only if a scheme says so;
 * the heads' factors of a layer come after its first norm. */
static uint32_t slot_parts(enum smol_part parts[4], const struct listing *list,
                           const struct cursor *at, enum smol_slot slot)
{
    const struct smol_config *config = list->configs[0];
    uint32_t n = 0;

    parts[n++] = SMOL_PART_WEIGHT;
    if (has_bias(list, at, slot))
        parts[n++] = SMOL_PART_BIAS;
    if (slot == SMOL_LN_1 && smol_config_has(config, SMOL_FEATURE_TEMPERATURES))
        parts[n++] = SMOL_PART_TEMPERATURE;
    if (slot == SMOL_LN_1 && smol_config_has(config, SMOL_FEATURE_SLOPE_FACTORS))
        parts[n++] = SMOL_PART_SLOPE_FACTOR;
    return n;
}

/* Counts the tensors of all layers, in the order of the forward pass, or up to the n-th, whose
 * layer, slot and part are then stored in *found. */
static uint32_t walk(struct smol_tensor *found, const struct listing *list, uint32_t n)
{
    struct cursor at;
    uint32_t count = 0;

    for (uint32_t layer = 0; layer < list->configs[0]->n_layers; layer++) {
        move_to(&at, list, layer);
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++) {
            enum smol_part parts[4];
            const uint32_t n_parts = slot_parts(parts, list, &at, slot);
            if (n - count < n_parts) {
                found->layer = layer;
                found->slot = slot;
                found->part = parts[n - count];
                return n;
            }
            count += n_parts;
        }
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

static uint32_t count(const struct listing *list)
{
    const struct smol_config *config = list->configs[0];
    struct smol_tensor none;

    return n_inputs(config) + walk(&none, list, UINT32_MAX) + 2 + n_outputs(config) +
           smol_config_has(config, SMOL_FEATURE_HISTORY);
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
static void find_slot(struct smol_tensor *t, const struct listing *list, uint32_t index)
{
    const uint32_t n = walk(t, list, index);

    if (n == index && t->slot != SMOL_LN_F)
        return;
    t->slot = SMOL_LN_F;
    t->part = index == n ? SMOL_PART_WEIGHT : SMOL_PART_BIAS;
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

/* Tensor number `back` of those behind the last norm, from the end; false if that is none. */
static bool behind(struct smol_tensor *t, const struct smol_config *config, uint32_t back)
{
    if (smol_config_has(config, SMOL_FEATURE_HISTORY) && back-- == 0) {
        *t = (struct smol_tensor){.name = "history",
                                  .slot = SMOL_LN_F,
                                  .part = SMOL_PART_HISTORY,
                                  .rows = 1,
                                  .cols = SMOL_HISTORY_LENGTHS};
        return true;
    }
    if (back >= n_outputs(config))
        return false;
    table(t, config, SMOL_PART_OUTPUT);
    return true;
}

static void tensor_at(struct smol_tensor *tensor, const struct listing *list, uint32_t index)
{
    const struct smol_config *config = list->configs[0];
    char layer[16] = "";

    *tensor = (struct smol_tensor){.slot = SMOL_LN_F};
    if (index < n_inputs(config)) {
        table(tensor, config, index == 0 ? SMOL_PART_WTE : SMOL_PART_WPE);
        return;
    }
    if (behind(tensor, config, count(list) - 1 - index))
        return;
    find_slot(tensor, list, index - n_inputs(config));
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

static enum smol_status find(struct smol_tensor *tensor, const struct listing *list,
                             const char *name, struct smol_error *error)
{
    static const char prefix[] = "transformer.";
    const uint32_t n = count(list);
    struct smol_tensor t;

    if (strncmp(name, prefix, sizeof prefix - 1) == 0)
        name += sizeof prefix - 1;
    for (uint32_t i = 0; i < n; i++) {
        tensor_at(&t, list, i);
        if (strcmp(t.name, name) == 0) {
            *tensor = t;
            return SMOL_OK;
        }
    }
    return smol_fail(error, SMOL_E_TENSOR, SMOL_NO_OFFSET, "no tensor has that name");
}

uint32_t smol_file_tensor_count(const struct smol_file *file)
{
    const struct listing list = listing_of(file);

    return count(&list);
}

void smol_file_tensor_at(struct smol_tensor *tensor, const struct smol_file *file, uint32_t index)
{
    const struct listing list = listing_of(file);

    tensor_at(tensor, &list, index);
}

enum smol_status smol_file_tensor_find(struct smol_tensor *tensor, const struct smol_file *file,
                                       const char *name, struct smol_error *error)
{
    const struct listing list = listing_of(file);

    return find(tensor, &list, name, error);
}

uint32_t smol_tensor_count(const struct smol_config *config)
{
    return count(&(struct listing){{config}, 1});
}

void smol_tensor_at(struct smol_tensor *tensor, const struct smol_config *config, uint32_t index)
{
    tensor_at(tensor, &(struct listing){{config}, 1}, index);
}

enum smol_status smol_tensor_find(struct smol_tensor *tensor, const struct smol_config *config,
                                  const char *name, struct smol_error *error)
{
    return find(tensor, &(struct listing){{config}, 1}, name, error);
}
