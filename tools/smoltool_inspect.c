/* smoltool inspect: what a model is made of, for a person. */
#include "cli.h"
#include "inspect.h"

#include <smol/learned.h>
#include <smol/weights.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ALPHAS_SHOWN 8u

static void print_count(const char *label, uint64_t value, const char *unit)
{
	printf("%-26s%12llu%s%s\n", label, (unsigned long long)value, unit[0] ? " " : "", unit);
}

static void print_shape(const struct smol_config *c)
{
	printf("\nshape        GPT-2, %u layers x %u, %u heads, feed-forward %u, context %u, vocabulary %u\n", c->n_layers,
	       c->width, c->n_heads, c->n_ff, c->context, c->vocab);
	printf("method       %s\n", smol_config_method(c));
	printf("seed         %llu (0x%016llx)\n", (unsigned long long)c->seed, (unsigned long long)c->seed);
	printf("embeddings   wte %s, wpe %s\n", inspect_number_name(c->wte_type), inspect_number_name(c->wpe_type));
	printf("tokens       bytes\n");
}

static void print_scheme(const struct smol_scheme *s, unsigned index)
{
	static const char *const matrix_sources[] = {"one frozen basis", "own alphas", "shared alphas"};
	static const char *const norm_sources[] = {"gain 1, bias 0", "own alphas", "stored vectors"};

	printf("  %2u  %-7s %s", index, s->kind == SMOL_MATRIX ? "matrix" : "norm",
	       s->kind == SMOL_MATRIX ? matrix_sources[s->source] : norm_sources[s->source]);
	if (s->d)
		printf(", %s", s->dist == SMOL_SIGN ? "sign" : "gauss");
	if (s->source && s->d)
		printf(", d = %u (%s)", s->d, inspect_number_name(s->alpha_type));
	if (s->rank)
		printf(", rank %u (%s)", s->rank, inspect_number_name(s->value_type));
	if (s->sigma > 0)
		printf(", sigma %.6g", (double)s->sigma);
	putchar('\n');
}

static void print_alphas(const struct smol_file *file)
{
	const struct smol_config *c = &file->config;
	const uint32_t n = smol_tensor_count(c);
	bool shared_shown = false;
	float alpha[SMOL_MAX_BASES];
	struct smol_tensor t;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t d;
		bool shared;
		smol_tensor_at(&t, c, i);
		if (!inspect_alphas(alpha, &d, &shared, file, &t) || (shared && shared_shown))
			continue;
		shared_shown = shared_shown || shared;
		printf("  %-26s", shared ? "shared by all matrices" : t.name);
		for (uint32_t k = 0; k < d && k < MAX_ALPHAS_SHOWN; k++)
			printf(" %9.5f", (double)alpha[k]);
		puts(d > MAX_ALPHAS_SHOWN ? " ..." : "");
	}
}

static void print_sizes(const struct smol_size_report *r, uint64_t numbers)
{
	print_count("non-embedding bytes", r->non_embedding, "");
	print_count("non-embedding numbers", numbers, "");
	print_count("file", r->file, "bytes");
	puts("");
	print_count("  header and directory", r->header + r->directory, "");
	print_count("  configuration", r->config, "");
	print_count("  learned numbers", r->learned, "");
	print_count("  hash", r->hash, "");
	print_count("  signature", r->signature, "");
	print_count("  gaps", r->padding, "");
	print_count("  embeddings", r->embeddings, "");
	print_count("  tokenizer", r->tokenizer, "");
	print_count("  card", r->card, "");
}

/* The numbers that the same model would store if nothing were regenerated. */
static uint64_t dense_numbers(const struct smol_config *c)
{
	const uint32_t n = smol_tensor_count(c);
	uint64_t sum = 0;
	struct smol_tensor t;

	for (uint32_t i = 0; i < n; i++) {
		smol_tensor_at(&t, c, i);
		sum += (uint64_t)t.rows * t.cols;
	}
	return sum;
}

static void print_card(const struct smol_file *file)
{
	json_t *card = json_loadb((const char *)file->card.data, file->card.size_bytes, JSON_REJECT_DUPLICATES, NULL);
	const char *key;
	json_t *value;

	if (!card) {
		puts("card         not readable as JSON");
		return;
	}
	puts("\ncard");
	json_object_foreach(card, key, value) {
		char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_COMPACT | JSON_REAL_PRECISION(9));
		printf("  %-24s %s\n", key, text ? text : "");
		free(text);
	}
	json_decref(card);
}

static void print_page(const struct smol_file *file)
{
	const struct smol_config *c = &file->config;
	char hash[2 * SMOL_HASH_BYTES + 1], number[17], size[32];
	struct smol_size_report sizes;

	smol_file_sizes(&sizes, file);
	print_sizes(&sizes, smol_config_learned_numbers(c));
	print_shape(c);
	printf("as stored    f32 weights of this shape would take %s\n", cli_size(size, 4 * dense_numbers(c)));
	puts("\nschemes");
	for (unsigned i = 0; i < c->n_schemes; i++)
		print_scheme(&c->schemes[i], i);
	if (strcmp(smol_config_method(c), "embed") != 0 && strcmp(smol_config_method(c), "lora") != 0) {
		puts("\nalphas");
		print_alphas(file);
	}
	cli_hex(hash, file->hash, SMOL_HASH_BYTES);
	printf("\nhash         %.64s\n             %s\n", hash, hash + 64);
	cli_key_number(number, file->signature.key_number);
	printf("signer       %s%s\n", file->is_signed ? "key " : "not signed", file->is_signed ? number : "");
	if (file->card.size_bytes)
		print_card(file);
}

static int inspect(const char *path, int json)
{
	struct smol_mapping mapping;
	struct smol_file file;
	struct smol_error error;
	int code = 0;

	if (smol_open(&mapping, &file, path, cli_cores(), &error))
		return cli_complain(path, &error);
	if (json)
		code = inspect_json(&file);
	else
		print_page(&file);
	smol_unmap(&mapping);
	return code;
}

int tool_inspect(int argc, const char **argv)
{
	int json = 0, code;
	const struct poptOption options[] = {
		{"json", 0, POPT_ARG_NONE, &json, 0, "print one JSON object", NULL},
		POPT_AUTOHELP POPT_TABLEEND,
	};
	poptContext context = poptGetContext("smoltool inspect", argc, argv, options, 0);
	const char *path;

	poptSetOtherOptionHelp(context, "[OPTION...] MODEL.smol");
	code = cli_parse(context);
	if (code == 0) {
		path = cli_one_argument(context, "MODEL.smol");
		code = path ? inspect(path, json) : CLI_USAGE;
	}
	poptFreeContext(context);
	return code;
}
