/* See foreign.h. */
#include "cli/foreign.h"

#include <string.h>

static void skip(struct smol_span *text, size_t n)
{
    text->data += n;
    text->size_bytes -= n;
}

static bool begins(const struct smol_span *text, const char *with, size_t n)
{
    return text->size_bytes >= n && memcmp(text->data, with, n) == 0;
}

static enum smol_status fail(struct smol_error *error, const char *why)
{
    *error = (struct smol_error){.code = SMOL_E_TEXT, .offset = 0};
    strcpy(error->text, why);
    return SMOL_E_TEXT;
}

enum smol_status foreign_check_raw(struct smol_span text, struct smol_error *error)
{
    return begins(&text, "\x1f\x8b\x08", 3) ? fail(error, "compressed; decompress it with gunzip")
                                            : SMOL_OK;
}

enum smol_status foreign_start(struct smol_span *text, struct smol_error *error)
{
    if (begins(text, "\xff\xfe", 2) || begins(text, "\xfe\xff", 2))
        return fail(error, "text in UTF-16; save it as UTF-8");
    if (begins(text, "\xef\xbb\xbf", 3))
        skip(text, 3);
    return SMOL_OK;
}

void foreign_skip_space(struct smol_span *text)
{
    size_t n = 0;

    while (n < text->size_bytes && text->data[n] != '\0' && strchr(" \t\r\n", text->data[n]))
        n++;
    skip(text, n);
}

bool foreign_line(struct smol_span *line, struct smol_span *text)
{
    size_t n = 0;

    if (text->size_bytes == 0)
        return false;
    while (n < text->size_bytes && text->data[n] != '\n' && text->data[n] != '\r')
        n++;
    *line = (struct smol_span){text->data, n};
    n += n + 1 < text->size_bytes && text->data[n] == '\r' && text->data[n + 1] == '\n';
    skip(text, n < text->size_bytes ? n + 1 : n);
    return true;
}
