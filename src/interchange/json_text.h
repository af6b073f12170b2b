/* JSON as text whose memory is the C library's. */
#ifndef SMOL_JSON_TEXT_H
#define SMOL_JSON_TEXT_H

#include <jansson.h>

/* json_dumps, for free() whatever Jansson's memory is; NULL if the object is or memory is out. */
char *smol_json_text(const json_t *object, size_t flags);

#endif
