/* See cli_json.h. */
#include "cli_json.h"
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_whole = true;

static void *get_memory(size_t size)
{
	void *memory = malloc(size);

	if (!memory)
		is_whole = false;
	return memory;
}

void cli_json_start(void)
{
	json_set_alloc_funcs(get_memory, free);
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
	free(text);
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
