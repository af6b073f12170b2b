/* Unpacking lines, several side by side. */
#include "smoltool/pack/pack.h"

#include <smol/tokenizer.h>

#include <stdlib.h>
#include <string.h>

#define MOST_EXPECTED 16u /* bytes of text for a packed one; there are few of more */

enum smol_status pack_read_digits(struct smol_span *packed, struct smol_span digits,
                                  struct smol_error *error)
{
    uint8_t *bytes = malloc(digits.size_bytes + 1);
    enum smol_status status;
    size_t n;

    if (!bytes)
        return cli_error_memory(error);
    if ((status = base91_read(&n, bytes, digits, error)))
        free(bytes);
    else
        *packed = (struct smol_span){bytes, n};
    return status;
}

static enum smol_status check_line(const struct pack_unpacking *o, struct smol_span text,
                                   struct smol_error *error)
{
    for (size_t i = 0, length; o->as_json && i < text.size_bytes; i += length)
        if ((length = smol_utf8_character(text.data + i, text.size_bytes - i)) == 0)
            return cli_error(error, SMOL_E_TEXT, "its text is not UTF-8, which JSON would need");
    for (size_t i = 0; !o->as_json && i < text.size_bytes; i++)
        if (text.data[i] == '\n' || text.data[i] == '\r')
            return cli_error(error, SMOL_E_TEXT,
                             "its text has line ends itself; --json keeps them");
    return SMOL_OK;
}

/* A text by itself, with all the room that it may have. */
static enum smol_status unpack_alone(struct smol_packed_text *t, const struct pack_unpacking *o,
                                     struct pack_worker *worker, struct smol_error *error)
{
    struct pack_bytes *text = &worker->trial;
    enum smol_status status;

    if ((status = pack_bytes_reserve(text, o->most_bytes, error)) ||
        (status = pack_undo(&text->n, text->data, o->most_bytes, worker,
                            (struct smol_span){t->packed, t->packed_bytes}, error)))
        return status;
    free(t->text);
    if (!(t->text = malloc(text->n + 1)))
        return cli_error_memory(error);
    memcpy(t->text, text->data, t->size_bytes = text->n);
    return SMOL_OK;
}

/* A line's bytes, and memory for its text. */
static enum smol_status prepare(struct smol_packed_text *t, const struct pack_line *line,
                                const struct pack_unpacking *o, struct smol_error *error)
{
    struct smol_span packed = {NULL, 0};
    const enum smol_status status = pack_read_digits(&packed, line->from, error);

    if (status)
        return status;
    t->packed = packed.data;
    t->packed_bytes = packed.size_bytes;
    t->capacity_bytes = MOST_EXPECTED * (packed.size_bytes + MOST_EXPECTED);
    if (t->capacity_bytes > o->most_bytes)
        t->capacity_bytes = o->most_bytes;
    t->text = malloc(t->capacity_bytes + 1);
    return t->text ? SMOL_OK : cli_error_memory(error);
}

/* Hands a line its text. */
static enum smol_status finish(struct pack_line *line, struct smol_packed_text *t,
                               const struct pack_unpacking *o, struct pack_worker *worker,
                               struct smol_error *error)
{
    enum smol_status status = t->status;
    void *less;

    if (status)
        status = unpack_alone(t, o, worker, error);
    if (!status)
        status = check_line(o, (struct smol_span){t->text, t->size_bytes}, error);
    if (status)
        return status;
    less = realloc(t->text, t->size_bytes + 1);
    line->to = less ? less : t->text;
    line->n = t->size_bytes;
    t->text = NULL;
    return SMOL_OK;
}

enum smol_status pack_unpack_lines(struct pack_line *lines, size_t n, size_t *failed,
                                   struct pack_worker *worker, const void *context,
                                   struct smol_error *error)
{
    struct smol_packed_text *texts = calloc(n, sizeof *texts);
    enum smol_status status = texts ? SMOL_OK : cli_error_memory(error), of_line = SMOL_OK;
    size_t n_prepared = 0;

    while (!status && !of_line && n_prepared < n)
        if (!(of_line = prepare(&texts[n_prepared], &lines[n_prepared], context, error)))
            n_prepared++;
    if (!status)
        pack_undo_texts(texts, n_prepared, worker);
    *failed = n_prepared;
    for (size_t i = 0; !status && i < n_prepared; i++)
        if ((status = finish(&lines[i], &texts[i], context, worker, error)))
            *failed = i;
    for (size_t i = 0; texts && i < n; i++) {
        free((void *)(uintptr_t)texts[i].packed);
        free(texts[i].text);
    }
    free(texts);
    return status ? status : of_line;
}
