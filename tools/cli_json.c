/* See cli_json.h. */
#include "cli_json.h"
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

int cli_print_json(json_t *object)
{
	const struct smol_error error = {SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory"};
	char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;

	json_decref(object);
	if (!text)
		return cli_complain(NULL, &error);
	puts(text);
	free(text);
	return 0;
}
