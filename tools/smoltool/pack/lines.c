/* Texts that are lines, each by itself. */
#include "cli/foreign.h"
#include "cli/json.h"
#include "smoltool/pack/pack.h"

#include <stdlib.h>
#include <string.h>

static int fail_at(const char *name, size_t line, const char *why)
{
    return cli_fail(name, "line %zu: %s", line, why);
}

static bool is_blank(struct smol_span line)
{
    foreign_skip_space(&line);
    return line.size_bytes == 0;
}

/* The "text" of a JSON line, put where the line is; it is never longer. NULL, or why not. */
static const char *take_json(struct smol_span *line, bool writes)
{
    json_t *object =
        json_loadb((const char *)line->data, line->size_bytes, JSON_ALLOW_NUL, &(json_error_t){0});
    const json_t *text = object ? json_object_get(object, "text") : NULL;
    const char *why = !object ? "no JSON" : !json_is_string(text) ? "no \"text\"" : NULL;

    if (!why && writes) {
        const size_t n = json_string_length(text);
        /* into the input, which was read into memory of its own */
        memcpy((uint8_t *)line->data, json_string_value(text), n);
        line->size_bytes = n;
    }
    json_decref(object);
    return cli_json_is_whole() ? why : "out of memory";
}

static bool begins_json(const char *name, struct smol_span text)
{
    struct smol_span line;

    if (name && (cli_ends_with(name, ".jsonl") || cli_ends_with(name, ".ndjson") ||
                 cli_ends_with(name, ".json")))
        return true;
    while (foreign_line(&line, &text))
        if (!is_blank(line))
            return !take_json(&line, false);
    return false;
}

static bool append(struct pack_lines *lines, size_t *capacity, struct smol_span line)
{
    if (lines->n == *capacity) {
        const size_t larger = 2 * *capacity + 64;
        struct pack_line *items = larger > SIZE_MAX / sizeof *items
                                      ? NULL
                                      : realloc(lines->items, larger * sizeof *items);
        if (!items)
            return false;
        lines->items = items;
        *capacity = larger;
    }
    lines->items[lines->n++] = (struct pack_line){.from = line};
    return true;
}

int pack_lines_split(struct pack_lines *lines, const struct pack_input *input, bool may_be_json)
{
    struct smol_span text = {input->bytes, input->n}, line;
    struct smol_error error;
    size_t capacity = 0, number = 0;

    *lines = (struct pack_lines){NULL, 0, false};
    if (foreign_start(&text, &error))
        return cli_complain(input->name, &error);
    lines->is_json = may_be_json && begins_json(input->name, text);
    while (foreign_line(&line, &text)) {
        const char *why = NULL;
        number++;
        if (lines->is_json && is_blank(line))
            continue;
        if (lines->is_json && (why = take_json(&line, true)))
            return fail_at(input->name, number, why);
        if (!append(lines, &capacity, line))
            return cli_no_memory(input->name);
        lines->items[lines->n - 1].number = number;
    }
    return 0;
}

void pack_lines_free(struct pack_lines *lines)
{
    for (size_t i = 0; i < lines->n; i++)
        free(lines->items[i].to);
    free(lines->items);
}
