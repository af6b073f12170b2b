/* See cli_json.h. */
#include "cli_json.h"
#include "cli.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_whole = true;

/* For the time after memory is out: Jansson's reader (2.14) goes on past a buffer that could not grow, and crashes. What is taken of
 * this is not given back. */
static _Alignas(max_align_t) char reserve[262144];
static size_t n_reserved;

static void *get_memory(size_t size)
{
	void *memory = malloc(size);

	if (memory)
		return memory;
	is_whole = false;
	if (size > sizeof reserve - n_reserved)
		return NULL;
	memory = reserve + n_reserved;
	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	n_reserved = size > sizeof reserve - n_reserved ? sizeof reserve : n_reserved + size;
	return memory;
}

static void put_memory(void *memory)
{
	const uintptr_t at = (uintptr_t)memory, begin = (uintptr_t)reserve;

	if (at < begin || at >= begin + sizeof reserve)
		free(memory);
}

void cli_json_start(void)
{
	json_set_alloc_funcs(get_memory, put_memory);
	is_whole = true;
}

bool cli_json_is_whole(void)
{
	return is_whole;
}

char *cli_json_text(const json_t *object, size_t flags)
{
	char *text = object && is_whole ? json_dumps(object, flags) : NULL;

	if (is_whole)
		return text;
	put_memory(text);
	return NULL;
}

int cli_print_json(json_t *object)
{
	const struct smol_error error = {SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory"};
	char *text = cli_json_text(object, JSON_INDENT(2));

	json_decref(object);
	if (!text)
		return cli_complain(NULL, &error);
	puts(text);
	free(text);
	return 0;
}
