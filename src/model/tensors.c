/* Tensors by their Hugging Face names. SPEC.md 6. */
#include "base/error.h"

#include <smol/weights.h>

#include <stdio.h>
#include <string.h>

enum { PART_WEIGHT, PART_BIAS, PART_WTE, PART_WPE };

/* The tensors of a layer in the order of the forward pass. */
static const struct {
	enum smol_slot slot;
	uint8_t part;
	const char *name;
} in_layer[] = {
	{SMOL_LN_1, PART_WEIGHT, "ln_1.weight"},
	{SMOL_LN_1, PART_BIAS, "ln_1.bias"},
	{SMOL_ATTN_C_ATTN, PART_WEIGHT, "attn.c_attn.weight"},
	{SMOL_ATTN_C_PROJ, PART_WEIGHT, "attn.c_proj.weight"},
	{SMOL_LN_2, PART_WEIGHT, "ln_2.weight"},
	{SMOL_LN_2, PART_BIAS, "ln_2.bias"},
	{SMOL_MLP_C_FC, PART_WEIGHT, "mlp.c_fc.weight"},
	{SMOL_MLP_C_PROJ, PART_WEIGHT, "mlp.c_proj.weight"},
};
#define N_IN_LAYER ((uint32_t)(sizeof in_layer / sizeof in_layer[0]))

uint32_t smol_tensor_count(const struct smol_config *config)
{
	return 4 + N_IN_LAYER * config->n_layers;
}

static void embedding(struct smol_tensor *t, const struct smol_config *config, uint8_t part)
{
	strcpy(t->name, part == PART_WTE ? "wte.weight" : "wpe.weight");
	t->slot = SMOL_LN_F;
	t->part = part;
	t->rows = part == PART_WTE ? config->vocab : config->context;
	t->cols = config->width;
}

void smol_tensor_at(struct smol_tensor *tensor, const struct smol_config *config, uint32_t index)
{
	const uint32_t in_layers = N_IN_LAYER * config->n_layers;

	*tensor = (struct smol_tensor){0};
	if (index < 2) {
		embedding(tensor, config, index == 0 ? PART_WTE : PART_WPE);
		return;
	}
	index -= 2;
	if (index >= in_layers) {
		tensor->slot = SMOL_LN_F;
		tensor->part = (uint8_t)(index - in_layers);
		strcpy(tensor->name, tensor->part == PART_WEIGHT ? "ln_f.weight" : "ln_f.bias");
	} else {
		tensor->layer = index / N_IN_LAYER;
		tensor->slot = in_layer[index % N_IN_LAYER].slot;
		tensor->part = in_layer[index % N_IN_LAYER].part;
		snprintf(tensor->name, sizeof tensor->name, "h.%u.%s", tensor->layer, in_layer[index % N_IN_LAYER].name);
	}
	smol_config_shape(config, tensor->slot, &tensor->rows, &tensor->cols);
}

enum smol_status smol_tensor_find(struct smol_tensor *tensor, const struct smol_config *config, const char *name,
                                  struct smol_error *error)
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
