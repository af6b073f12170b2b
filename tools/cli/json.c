/* See json.h. */
#include "cli/json.h"
#include "cli/cli.h"

#include <smol/tokenizer.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_whole = true;

/* A reserve for when memory is out: Jansson's reader (2.14) writes past a buffer that could not
 * grow, and crashes. What is used of it is not returned. */
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

bool cli_json_is_whole(void) { return is_whole; }

char *cli_json_text(const json_t *object, size_t flags)
{
    char *text = object && is_whole ? json_dumps(object, flags) : NULL;

    if (is_whole)
        return text;
    put_memory(text);
    return NULL;
}

json_t *cli_json_string(const void *text, size_t size_bytes)
{
    const uint8_t *bytes = text;
    char *clean = malloc(3 * size_bytes + 1);
    size_t n = 0, length;
    json_t *json;

    is_whole = is_whole && clean;
    if (!clean)
        return NULL;
    for (size_t i = 0; i < size_bytes; i += length ? length : 1) {
        length = smol_utf8_character(bytes + i, size_bytes - i);
        memcpy(clean + n, length ? (const char *)bytes + i : "\xef\xbf\xbd", length ? length : 3);
        n += length ? length : 3;
    }
    json = json_stringn(clean, n);
    free(clean);
    return json;
}

json_t *cli_json_name(const char *name)
{
    json_t *json = json_string(name);
    char *escaped = json ? NULL : cli_escaped(name);

    if (escaped)
        json = json_string(escaped);
    is_whole = is_whole && json;
    free(escaped);
    return json;
}

void cli_json_print_key(const char *key)
{
    json_t *string = json_string(key);
    char *text = cli_json_text(string, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    const int n = text ? (int)strlen(text) - 2 : 0; /* without the quotes */

    printf("%.*s%*s", n, text ? text + 1 : "", n < 24 ? 24 - n : 1, "");
    json_decref(string);
    free(text);
}

int cli_put_json(FILE *to, json_t *object, size_t flags)
{
    char *text = cli_json_text(object, flags);

    json_decref(object);
    if (!text)
        return cli_no_memory(NULL);
    fprintf(to, "%s\n", text);
    free(text);
    return 0;
}

int cli_print_json(json_t *object) { return cli_put_json(stdout, object, JSON_INDENT(2)); }
