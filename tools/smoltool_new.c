/* smoltool new: an untrained model of any shape, its numbers as SPEC.md 12 has them. */
#include "cli.h"
#include "smoltool.h"
#include "table.h"
#include "tokenizer_file.h"

#include <smol/initial.h>
#include <smol/learned.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct new_options {
	int layers, width, heads, context, vocab, ff, d, rank;
	double gain;
	char *method, *dist, *norms, *type, *shape, *seed, *tokenizer, *output;
};

static const struct shape {
	const char *name;
	int layers, width, heads;
} shapes[] = {
	{"gpt2", 12, 768, 12},
	{"gpt2-medium", 24, 1024, 16},
	{"gpt2-large", 36, 1280, 20},
	{"gpt2-xl", 48, 1600, 25},
};

/* Place of a word in a list that ends with NULL; absent words are the first. -1 if it is not there. */
static int choose(const char *word, const char *const *list)
{
	for (int i = 0; list[i]; i++)
		if (!word || strcmp(word, list[i]) == 0)
			return i;
	return -1;
}

static int apply_shape(struct new_options *o)
{
	for (size_t i = 0; o->shape && i < sizeof shapes / sizeof shapes[0]; i++)
		if (strcmp(o->shape, shapes[i].name) == 0) {
			o->layers = o->layers ? o->layers : shapes[i].layers;
			o->width = o->width ? o->width : shapes[i].width;
			o->heads = o->heads ? o->heads : shapes[i].heads;
			o->context = o->context ? o->context : 1024;
			o->vocab = o->vocab ? o->vocab : 50257;
			return 0;
		}
	return o->shape ? cli_usage_error("--shape", "takes gpt2, gpt2-medium, gpt2-large or gpt2-xl") : 0;
}

static int positive(int value, const char *option)
{
	return value >= 0 ? 0 : cli_usage_error(option, "takes a whole number over 0");
}

/* The shape; what is not given is small. */
static int fill_shape(struct smol_config *c, struct new_options *o)
{
	int code = apply_shape(o);

	if (code || (code = positive(o->layers, "--layers")) || (code = positive(o->width, "--width")) ||
	    (code = positive(o->heads, "--heads")) || (code = positive(o->context, "--context")) ||
	    (code = positive(o->vocab, "--vocab")) || (code = positive(o->ff, "--ff")))
		return code;
	c->n_layers = o->layers ? (uint32_t)o->layers : 4;
	c->width = o->width ? (uint32_t)o->width : 128;
	c->n_heads = o->heads ? (uint32_t)o->heads : 4;
	c->context = o->context ? (uint32_t)o->context : 256;
	c->vocab = o->vocab ? (uint32_t)o->vocab : c->vocab;
	c->n_ff = o->ff ? (uint32_t)o->ff : 4 * c->width;
	if (c->n_layers > SMOL_MAX_LAYERS)
		return cli_usage_error("--layers", "takes at most 256");
	if (o->seed && !cli_parse_u64(&c->seed, o->seed))
		return cli_usage_error("--seed", "takes 0..2^64-1");
	return 0;
}

static int fill_schemes(struct smol_config *c, const struct new_options *o)
{
	static const char *const methods[] = {"alpha", "embed", "alpha-global", "lora", "fastfood", "fastfood-global", "fourier", "fourier-global", NULL};
	static const char *const dists[] = {"sign", "gauss", NULL};
	static const char *const norms[] = {"frozen", "alpha", "stored", NULL};
	static const char *const types[] = {"q8", "q4", "f16", "f32", NULL};
	static const uint8_t sources[] = {SMOL_MATRIX_OWN,  SMOL_MATRIX_UNIT,     SMOL_MATRIX_SHARED,
	                                  SMOL_MATRIX_UNIT, SMOL_MATRIX_FASTFOOD, SMOL_MATRIX_FASTFOOD_SHARED,
	                                  SMOL_MATRIX_FOURIER, SMOL_MATRIX_FOURIER_SHARED};
	static const uint8_t numbers[] = {SMOL_Q8, SMOL_Q4, SMOL_F16, SMOL_F32};
	const int method = choose(o->method, methods), dist = choose(o->dist, dists);
	const int norm = choose(o->norms, norms), type = choose(o->type, types);
	struct smol_scheme matrix = {.kind = SMOL_MATRIX}, norm_scheme = {.kind = SMOL_NORM};
	bool is_projection;
	int d;

	if (method < 0)
		return cli_usage_error("--method", "takes embed, alpha, alpha-global, lora, fastfood, fastfood-global, fourier or fourier-global");
	if (dist < 0 || norm < 0 || type < 0)
		return cli_usage_error(dist < 0 ? "--dist" : norm < 0 ? "--norms" : "--embedding-type", "unknown choice");
	is_projection = sources[method] >= SMOL_MATRIX_FASTFOOD;
	d = o->d != INT_MIN ? o->d : is_projection ? 1000 : 5;
	if (d < 1 || d > (int)(is_projection ? SMOL_MAX_DIMENSIONS : SMOL_MAX_BASES))
		return cli_usage_error("--d", is_projection ? "takes 1..1048576" : "takes 1..64");
	if (o->rank < 1 || o->rank > (int)SMOL_MAX_RANK)
		return cli_usage_error("--rank", "takes 1..4096");
	matrix.source = sources[method];
	matrix.dist = (uint8_t)dist;
	matrix.d = matrix.source == SMOL_MATRIX_UNIT || is_projection ? 1 : (uint8_t)d;
	matrix.dimensions = is_projection ? (uint32_t)d : 0;
	matrix.alpha_type = matrix.source == SMOL_MATRIX_UNIT ? SMOL_F32 : SMOL_F16;
	matrix.rank = strcmp(methods[method], "lora") == 0 ? (uint16_t)o->rank : 0;
	matrix.value_type = matrix.rank ? SMOL_F16 : SMOL_F32;
	norm_scheme.source = (uint8_t)norm;
	if (norm == SMOL_NORM_OWN) {
		norm_scheme.dist = (uint8_t)dist;
		norm_scheme.d = is_projection ? 1 : (uint8_t)d;
		norm_scheme.alpha_type = SMOL_F16;
	} else if (norm == SMOL_NORM_STORED) {
		norm_scheme.value_type = SMOL_F16;
	}
	c->wte_type = c->wpe_type = numbers[type];
	smol_config_fill(c, &matrix, &norm_scheme, o->gain);
	return 0;
}

/* One slot's learned numbers: alphas (1, 0, ...), projections 0, norms 1 and 0, factor A from the seed, B zero. */
static bool fill_slot(uint8_t *learned, const struct smol_config *c, uint32_t layer, enum smol_slot slot)
{
	static const float one = 1.0f;
	const struct smol_scheme *s = smol_config_scheme(c, layer, slot);
	struct smol_learned_place at;
	uint32_t rows, cols;
	float *a;

	smol_learned_at(&at, c, layer, slot);
	smol_config_shape(c, slot, &rows, &cols);
	if (s->kind == SMOL_NORM && s->source == SMOL_NORM_STORED)
		for (uint64_t i = 0; i < cols; i++)
			smol_encode_numbers(learned + at.gain + i * smol_number_bytes(s->value_type),
			                    (enum smol_number)s->value_type, &one, 1);
	if (s->kind == SMOL_MATRIX && s->source != SMOL_MATRIX_UNIT && s->dimensions == 0)
		smol_encode_numbers(learned + at.alphas, (enum smol_number)s->alpha_type, &one, 1);
	if (s->rank == 0)
		return true;
	a = malloc((size_t)s->rank * cols * sizeof *a);
	if (!a)
		return false;
	smol_initial_factor(a, c, layer, slot, s->rank);
	smol_encode_numbers(learned + at.factor_a, (enum smol_number)s->value_type, a, (size_t)s->rank * cols);
	free(a);
	return true;
}

static bool fill_learned(uint8_t *learned, const struct smol_config *c)
{
	for (uint32_t layer = 0; layer < c->n_layers; layer++)
		for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++)
			if (!fill_slot(learned, c, layer, (enum smol_slot)slot))
				return false;
	return fill_slot(learned, c, 0, SMOL_LN_F);
}

typedef void initial_rows(float *values, const struct smol_config *config, double std, uint32_t row_begin,
                          uint32_t n_rows);

/* One table, a row block of 64 at a time. */
static void fill_table(uint8_t *embeddings, const struct smol_table_layout *at, const struct smol_config *c, uint32_t n_rows,
                       uint8_t type, initial_rows *initial, float *values)
{
	for (uint32_t row = 0; row < n_rows; row += 64) {
		const uint32_t n = n_rows - row < 64 ? n_rows - row : 64;
		initial(values, c, SMOL_INITIAL_STD, row, n);
		for (uint32_t r = 0; r < n; r++)
			table_put_row(embeddings, at, type, row + r, values + (size_t)r * c->width, c->width);
	}
}

static bool fill_embeddings(uint8_t *embeddings, const struct smol_config *c)
{
	float *values = malloc((size_t)64 * c->width * sizeof *values);
	struct smol_embedding_layout at;

	if (!values)
		return false;
	smol_embedding_layout(&at, c);
	fill_table(embeddings, &at.wte, c, c->vocab, c->wte_type, smol_initial_wte, values);
	fill_table(embeddings, &at.wpe, c, c->context, c->wpe_type, smol_initial_wpe, values);
	free(values);
	return true;
}

/* The file's bytes, for free(). NULL, with an error, if there is no memory. */
static uint8_t *make_file(uint64_t *size, const struct smol_config *c, struct smol_span tokenizer, struct smol_error *error)
{
	struct smol_parts parts = {.config = *c, .tokenizer = tokenizer};
	uint8_t *learned = NULL, *embeddings = NULL, *bytes = NULL;
	uint64_t learned_bytes, embedding_bytes;

	*error = (struct smol_error){SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory"};
	smol_learned_bytes(&learned_bytes, c);
	smol_embedding_bytes(&embedding_bytes, c);
	learned = calloc(learned_bytes + 1, 1);
	embeddings = calloc(embedding_bytes, 1);
	if (!learned || !embeddings || !fill_learned(learned, c) || !fill_embeddings(embeddings, c))
		goto done;
	parts.learned = (struct smol_span){learned_bytes ? learned : NULL, learned_bytes};
	parts.embeddings = (struct smol_span){embeddings, embedding_bytes};
	bytes = table_file(size, &parts, error);
done:
	free(learned);
	free(embeddings);
	return bytes;
}

static int make_with(struct new_options *o, const struct smol_file *tokenizer)
{
	struct smol_config config = {.vocab = tokenizer->config.vocab, .tokenizer = tokenizer->config.tokenizer};
	struct smol_error error;
	uint8_t *bytes;
	uint64_t size;
	int code;

	if ((code = fill_shape(&config, o)) || (code = fill_schemes(&config, o)))
		return code;
	if (smol_config_check(&config, &error))
		return cli_usage_error("shape", error.text);
	if (config.tokenizer != SMOL_TOKENIZER_BYTES && config.vocab < smol_token_count(tokenizer))
		return cli_usage_error("--vocab", "has no room for the tokens of the tokenizer");
	bytes = make_file(&size, &config, tokenizer->tokenizer, &error);
	if (!bytes)
		return cli_complain(o->output, &error);
	code = smol_write_file(o->output, bytes, size, 0644, &error) ? cli_complain(o->output, &error) : 0;
	free(bytes);
	return code;
}

/* With the tokenizer that is named, or with that of bytes. */
static int make(struct new_options *o)
{
	struct smol_file tokenizer = {.config = {.vocab = 256, .tokenizer = SMOL_TOKENIZER_BYTES}};
	struct smol_error error;
	uint8_t *section = NULL;
	int code;

	if (!o->output)
		return cli_usage_error("--output", "is missing");
	if (o->tokenizer && tokenizer_load(&section, &tokenizer, o->tokenizer, &error))
		return cli_complain(o->tokenizer, &error);
	code = make_with(o, &tokenizer);
	free(section);
	return code;
}

static void free_options(struct new_options *o)
{
	free(o->method);
	free(o->dist);
	free(o->norms);
	free(o->type);
	free(o->shape);
	free(o->seed);
	free(o->tokenizer);
	free(o->output);
}

int tool_new(int argc, const char **argv)
{
	struct new_options o = {.d = INT_MIN, .rank = 4, .gain = 1.0};
	const struct poptOption options[] = {
		{"shape", 0, POPT_ARG_STRING, &o.shape, 0, "gpt2, gpt2-medium, gpt2-large or gpt2-xl", "NAME"},
		{"layers", 0, POPT_ARG_INT, &o.layers, 0, "layers (4)", "N"},
		{"width", 0, POPT_ARG_INT, &o.width, 0, "width of the residual stream (128)", "N"},
		{"heads", 0, POPT_ARG_INT, &o.heads, 0, "attention heads (4)", "N"},
		{"context", 0, POPT_ARG_INT, &o.context, 0, "tokens seen at once (256)", "N"},
		{"vocab", 0, POPT_ARG_INT, &o.vocab, 0, "tokens (those of the tokenizer: of bytes 256)", "N"},
		{"tokenizer", 0, POPT_ARG_STRING, &o.tokenizer, 0, "a tokenizer file, or a model that has one", "FILE"},
		{"ff", 0, POPT_ARG_INT, &o.ff, 0, "feed-forward width (4 x width)", "N"},
		{"method", 0, POPT_ARG_STRING, &o.method, 0, "embed, alpha (default), alpha-global, lora, fastfood, fastfood-global, fourier or fourier-global", "NAME"},
		{"d", 0, POPT_ARG_INT, &o.d, 0, "numbers of each vector of alphas (5) or projection (1000)", "N"},
		{"rank", 0, POPT_ARG_INT, &o.rank, 0, "rank of lora's factors (4)", "N"},
		{"dist", 0, POPT_ARG_STRING, &o.dist, 0, "sign (default) or gauss", "NAME"},
		{"norms", 0, POPT_ARG_STRING, &o.norms, 0, "frozen (default), alpha or stored", "NAME"},
		{"embedding-type", 0, POPT_ARG_STRING, &o.type, 0, "q8 (default), q4, f16 or f32", "NAME"},
		{"gain", 0, POPT_ARG_DOUBLE, &o.gain, 0, "multiplies the default scale of the frozen weights (1)", "X"},
		{"seed", 0, POPT_ARG_STRING, &o.seed, 0, "seed of the frozen weights (0)", "N"},
		{"output", 'o', POPT_ARG_STRING, &o.output, 0, "where the model goes", "FILE"},
		CLI_HELP_OPTION,
		POPT_TABLEEND,
	};
	poptContext context = poptGetContext("smoltool new", argc, argv, options, 0);
	int code;

	poptSetOtherOptionHelp(context, "[OPTION...] -o FILE");
	code = cli_parse(context);
	if (code == 0 && poptPeekArg(context))
		code = cli_usage_error(poptPeekArg(context), "one argument too many");
	if (code == 0)
		code = make(&o);
	free_options(&o);
	poptFreeContext(context);
	return code;
}
