/* JSON on the standard output, as the programs print it. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <jansson.h>

/* Prints and releases an object. 0, or CLI_FAILED after a message if it is NULL: memory is out. */
int cli_print_json(json_t *object);

#endif
