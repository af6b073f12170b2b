/* A text that is written as a file is and grows in memory. Unlike open_memstream's, it knows at the
 * end whether memory was out on the way. */
#ifndef TEXT_STREAM_H
#define TEXT_STREAM_H

#include <stdbool.h>
#include <stdio.h>

struct text_stream {
    FILE *to;
    char *text; /* for free(), after closing */
    size_t n, capacity;
};

/* false if there is no memory; then there is nothing to close. The stream must stay where it is. */
bool text_stream_open(struct text_stream *stream);
/* false if a part of the text is missing. */
bool text_stream_close(struct text_stream *stream);

#endif
