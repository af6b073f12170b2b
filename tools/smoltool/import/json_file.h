/* A file of JSON, read whole. */
#ifndef IMPORT_JSON_FILE_H
#define IMPORT_JSON_FILE_H

#include <jansson.h>

/* 0, or an exit code after a message. */
int json_file_load(json_t **json, const char *path);

#endif
