/* JSON on the standard output, as the programs print it. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* To be called first in main: from here on it is known whether JSON lacked memory; another call
 * forgets what happened before. Jansson leaves out what it could not make, and the rest looks
 * complete. */
void cli_json_start(void);
/* Whether all JSON of the program so far is all that it should be. */
bool cli_json_is_whole(void);
/* json_dumps of such JSON, for free(); NULL if the object is NULL or JSON has lacked memory. */
char *cli_json_text(const json_t *object, size_t flags);

/* Text as JSON, what is not UTF-8 replaced by U+FFFD; NULL if memory is out. */
json_t *cli_json_string(const void *text, size_t size_bytes);
/* A file's name as JSON, escaped as a message would if it is not UTF-8; NULL if memory is out. */
json_t *cli_json_name(const char *name);
/* A key, which may hold anything, as JSON escapes it, and spaces up to a column of values. */
void cli_json_print_key(const char *key);

/* Prints and releases an object. 0, or CLI_FAILED after a message if it is NULL: memory is out. */
int cli_print_json(json_t *object);
/* The same to any stream, with flags of json_dumps. */
int cli_put_json(FILE *to, json_t *object, size_t flags);

#endif
