/* See text_stream.h. */
#define _GNU_SOURCE /* fopencookie */
#include "cli/text_stream.h"

#include <stdlib.h>
#include <string.h>

/* 0: nothing could be written, which sets the error of the stream for good. */
static ssize_t append(void *cookie, const char *bytes, size_t n)
{
    struct text_stream *s = cookie;

    if (n > s->capacity - s->n) {
        const size_t capacity = 2 * s->capacity + n;
        char *larger = realloc(s->text, capacity);
        if (!larger)
            return 0;
        s->text = larger;
        s->capacity = capacity;
    }
    memcpy(s->text + s->n, bytes, n);
    s->n += n;
    return (ssize_t)n;
}

bool text_stream_open(struct text_stream *s)
{
    const cookie_io_functions_t functions = {.write = append};

    *s = (struct text_stream){NULL, NULL, 0, 0};
    s->to = fopencookie(s, "w", functions);
    return s->to != NULL;
}

bool text_stream_close(struct text_stream *s)
{
    const bool failed = ferror(s->to) != 0;

    return fclose(s->to) == 0 && !failed;
}
