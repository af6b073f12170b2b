/* See texts.h. */
#include "smoltrain/data/texts.h"
#include "cli/foreign.h"
#include "smoltrain/data/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES ((size_t)1 << 30) /* the longest line of JSON */

enum smol_status train_texts_fail(struct train_texts *t, enum smol_status code, const char *format,
                                  ...)
{
    va_list arguments;

    t->at_fault = true;
    *t->error = (struct smol_error){.code = code, .offset = SMOL_NO_OFFSET};
    va_start(arguments, format);
    vsnprintf(t->error->text, sizeof t->error->text, format, arguments);
    va_end(arguments);
    return code;
}

void train_texts_free(struct train_texts *t) { free(t->line); }

/* The place is that in the file, or for JSON the line. */
static enum smol_status check_bytes(struct train_texts *t, const uint8_t *text, size_t n)
{
    for (size_t i = 0; t->has_token && i < n; i++) {
        if (t->has_token[text[i]])
            continue;
        if (t->is_json)
            return train_texts_fail(t, SMOL_E_TOKEN, "line %lu: byte %u has no token", t->n_lines,
                                    text[i]);
        train_texts_fail(t, SMOL_E_TOKEN, "byte %u has no token", text[i]);
        t->error->offset = t->text_bytes + i;
        return SMOL_E_TOKEN;
    }
    return SMOL_OK;
}

static enum smol_status add_text(struct train_texts *t, const char *text, size_t n)
{
    if (check_bytes(t, (const uint8_t *)text, n) != SMOL_OK)
        return SMOL_E_TOKEN;
    t->text_bytes += n;
    return smol_corpus_writer_text(t->writer, (const uint8_t *)text, n, t->error);
}

/* One line: the document in its field "text". Lines of white space count as no document. */
static enum smol_status add_line(struct train_texts *t, char *line, size_t n)
{
    struct smol_span rest = {(const uint8_t *)line, n}, text;
    struct smol_error why;
    enum smol_status status;

    if (t->n_lines++ == 0 && foreign_start(&rest, &why) != SMOL_OK)
        return train_texts_fail(t, why.code, "line 1: not JSON: %s", why.text);
    foreign_skip_space(&rest);
    if (rest.size_bytes == 0)
        return SMOL_OK;
    status = train_json_text(&text, line + (n - rest.size_bytes), rest.size_bytes, &why);
    if (status != SMOL_OK)
        return train_texts_fail(t, status, "line %lu: %s", t->n_lines, why.text);
    status = smol_corpus_writer_document(t->writer, t->error);
    return status == SMOL_OK ? add_text(t, (const char *)text.data, text.size_bytes) : status;
}

/* Adds to the line that has begun; it ends in a zero that is not counted. */
static enum smol_status keep(struct train_texts *t, const char *bytes, size_t n)
{
    if (n > LINE_BYTES - t->line_bytes)
        return train_texts_fail(t, SMOL_E_RANGE, "line %lu: longer than 1 GiB", t->n_lines + 1);
    if (t->line_bytes + n + 1 > t->line_capacity) {
        const size_t capacity = 2 * (t->line_bytes + n + 1);
        char *larger = realloc(t->line, capacity);

        if (!larger)
            return train_texts_fail(t, SMOL_E_MEMORY, "line %lu: no memory for it", t->n_lines + 1);
        t->line = larger;
        t->line_capacity = capacity;
    }
    memcpy(t->line + t->line_bytes, bytes, n);
    t->line_bytes += n;
    t->line[t->line_bytes] = '\0';
    return SMOL_OK;
}

static enum smol_status add_json(struct train_texts *t, const char *bytes, size_t n)
{
    enum smol_status status = SMOL_OK;

    while (status == SMOL_OK && n > 0) {
        const char *end = memchr(bytes, '\n', n);
        const size_t part = end ? (size_t)(end - bytes) : n;

        status = keep(t, bytes, part);
        if (status != SMOL_OK || !end)
            return status;
        status = add_line(t, t->line, t->line_bytes);
        t->line_bytes = 0;
        bytes += part + 1;
        n -= part + 1;
    }
    return status;
}

enum smol_status train_texts_begin(struct train_texts *t)
{
    return t->is_json ? SMOL_OK : smol_corpus_writer_document(t->writer, t->error);
}

enum smol_status train_texts_add(struct train_texts *t, const char *bytes, size_t n)
{
    return t->is_json ? add_json(t, bytes, n) : add_text(t, bytes, n);
}

enum smol_status train_texts_end(struct train_texts *t)
{
    enum smol_status status = SMOL_OK;

    if (t->line_bytes > 0)
        status = add_line(t, t->line, t->line_bytes);
    if (status == SMOL_OK && t->text_bytes == 0)
        status = train_texts_fail(t, SMOL_E_TEXT, "holds no text");
    return status;
}
