/* The layout of LRND: what each tensor stores, and where. SPEC.md 3.2. */
#include <smol/file.h>
#include <smol/learned.h>

/* The scheme that names the shared alphas, or NULL. */
static const struct smol_scheme *shared_scheme(const struct smol_config *config)
{
	for (uint32_t i = 0; i < config->n_schemes; i++)
		if (config->schemes[i].kind == SMOL_MATRIX && config->schemes[i].source == SMOL_MATRIX_SHARED)
			return &config->schemes[i];
	return NULL;
}

static uint64_t shared_bytes(const struct smol_config *config)
{
	const struct smol_scheme *s = shared_scheme(config);

	return s ? (uint64_t)s->d * smol_number_bytes(s->alpha_type) : 0;
}

/* Places a norm at offset at; returns where it ends. */
static uint64_t place_norm(struct smol_learned_place *place, const struct smol_scheme *s, uint64_t width, uint64_t at)
{
	const uint64_t n = s->source == SMOL_NORM_OWN ? s->d : s->source == SMOL_NORM_STORED ? width : 0;
	const uint64_t half = n * smol_number_bytes(s->source == SMOL_NORM_OWN ? s->alpha_type : s->value_type);

	place->alphas = place->gain = at;
	place->bias_alphas = place->bias = at + half;
	return at + 2 * half;
}

static uint64_t place_matrix(struct smol_learned_place *place, const struct smol_scheme *s, uint64_t rows,
                             uint64_t cols, uint64_t at)
{
	const uint64_t own = s->source == SMOL_MATRIX_OWN ? (uint64_t)s->d * smol_number_bytes(s->alpha_type) : 0;
	const uint64_t number = smol_number_bytes(s->value_type);

	place->alphas = s->source == SMOL_MATRIX_SHARED ? 0 : at;
	place->factor_a = at + own;
	place->factor_b = place->factor_a + s->rank * cols * number;
	return s->rank ? place->factor_b + rows * s->rank * number : place->factor_a;
}

/* Places one slot; returns where it ends. The limits keep every sum far below 2^64. */
static uint64_t place_slot(struct smol_learned_place *place, const struct smol_config *config, uint32_t layer,
                           enum smol_slot slot, uint64_t at)
{
	const struct smol_scheme *s = smol_config_scheme(config, layer, slot);
	uint32_t rows, cols;

	smol_config_shape(config, slot, &rows, &cols);
	*place = (struct smol_learned_place){0};
	return s->kind == SMOL_NORM ? place_norm(place, s, cols, at) : place_matrix(place, s, rows, cols, at);
}

/* Walks the section up to a slot of a layer, which is left in *place; returns where that slot ends. */
static uint64_t walk(struct smol_learned_place *place, const struct smol_config *config, uint32_t layer,
                     enum smol_slot slot)
{
	uint64_t at = shared_bytes(config);

	for (uint32_t l = 0; l < config->n_layers; l++)
		for (unsigned s = 0; s < SMOL_N_SLOTS; s++) {
			at = place_slot(place, config, l, (enum smol_slot)s, at);
			if (slot != SMOL_LN_F && l == layer && s == (unsigned)slot)
				return at;
		}
	return place_slot(place, config, 0, SMOL_LN_F, at);
}

void smol_learned_at(struct smol_learned_place *place, const struct smol_config *config, uint32_t layer,
                     enum smol_slot slot)
{
	walk(place, config, layer, slot);
}

enum smol_status smol_learned_bytes(uint64_t *size_bytes, const struct smol_config *config)
{
	struct smol_learned_place last;

	*size_bytes = walk(&last, config, 0, SMOL_LN_F);
	return SMOL_OK;
}
