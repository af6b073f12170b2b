/* Runs the fuzz target without a fuzzer: on files, and for some seconds on damaged models.
 *
 * Usage: fuzz_read_driver [--seconds N] [--seed S] [FILE...]
 * Execution i of seed S is always the same, and is named if it ends the program. */
#include "../unit/make_model.h"
#include "mutate.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CAPACITY 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed);
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
	return "abort_on_error=1";
}

const char *__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}

static const struct model_recipe recipes[] = {
	{.n_layers = 1, .width = 4, .n_ff = 4, .context = 3, .vocab = 12},
	{.n_layers = 2, .source = SMOL_MATRIX_OWN, .alpha_type = SMOL_F16, .width = 6, .context = 2, .vocab = 17, .wte_type = SMOL_Q8,
	 .wpe_type = SMOL_Q8, .card = "{\"name\": \"card\"}"},
	{.n_layers = 1, .source = SMOL_MATRIX_SHARED, .dist = SMOL_GAUSS, .d = 9, .norms = SMOL_NORM_OWN, .width = 5, .n_heads = 1,
	 .wte_type = SMOL_F16, .vocab = 11},
	{.n_layers = 1, .width = 2, .n_ff = 2, .context = 2, .vocab = 300, .wte_type = SMOL_Q8, .n_merges = 41},
	{.n_layers = 3, .rank = 2, .norms = SMOL_NORM_STORED, .value_type = SMOL_F16, .width = 4, .wpe_type = SMOL_F16, .vocab = 13},
};
#define N_RECIPES (sizeof recipes / sizeof recipes[0])

static unsigned long long execution, seed_used;

static void on_abort(int number)
{
	fprintf(stderr, "fuzz_read_driver: seed %llu, execution %llu\n", seed_used, execution);
	signal(number, SIG_DFL);
	raise(number);
}

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes = malloc(1 << 24);
	const size_t n = f ? fread(bytes, 1, 1 << 24, f) : 0;
	/* A copy of its very size, so that a sanitizer sees a step too far. */
	uint8_t *copy = malloc(n ? n : 1);

	if (!f) {
		perror(path);
		return 1;
	}
	fclose(f);
	memcpy(copy, bytes, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	free(bytes);
	return 0;
}

/* Damage on damage for up to eight rounds, each round looked at. */
static void run_chain(const uint8_t *model, size_t size, uint64_t *random)
{
	static uint8_t bytes[CAPACITY];
	const unsigned rounds = 1 + mutate_random(random) % 8;

	memcpy(bytes, model, size);
	for (unsigned i = 0; i < rounds && size > 0; i++) {
		uint8_t *copy;
		size = LLVMFuzzerCustomMutator(bytes, size, CAPACITY, mutate_random(random));
		copy = malloc(size ? size : 1);
		memcpy(copy, bytes, size);
		LLVMFuzzerTestOneInput(copy, size);
		free(copy);
		execution++;
	}
}

static void run_for(double seconds, unsigned long long seed)
{
	uint8_t *models[N_RECIPES];
	size_t sizes[N_RECIPES];
	const time_t end = time(NULL) + (time_t)seconds;

	for (size_t i = 0; i < N_RECIPES; i++)
		models[i] = model_make(&sizes[i], &recipes[i]);
	seed_used = seed;
	signal(SIGABRT, on_abort);
	for (uint64_t chain = 0; time(NULL) < end; chain++) {
		uint64_t random = seed * 0x100000001b3u + chain;
		run_chain(models[chain % N_RECIPES], sizes[chain % N_RECIPES], &random);
	}
	for (size_t i = 0; i < N_RECIPES; i++)
		free(models[i]);
}

int main(int argc, char **argv)
{
	unsigned long long seed = (unsigned long long)time(NULL);
	double seconds = 0;
	int n_files = 0, failed = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
			seconds = strtod(argv[++i], NULL);
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			seed = strtoull(argv[++i], NULL, 10);
		else {
			failed += run_file(argv[i]);
			n_files++;
		}
	}
	run_for(seconds, seed);
	printf("fuzz_read_driver: seed %llu, %d files, %llu executions\n", seed, n_files, execution);
	return failed || (n_files == 0 && execution == 0);
}
