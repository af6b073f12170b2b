/* Where packed and unpacked texts go: in memory until they are whole. */
#include "smoltool/pack/pack.h"

#include <stdlib.h>
#include <string.h>

bool pack_output_is_file(const char *path) { return path && strcmp(path, "-") != 0; }

int pack_output_open(struct pack_output *out, const char *path)
{
    out->path = path;
    return text_stream_open(&out->stream) ? 0 : cli_no_memory(NULL);
}

void pack_put(struct pack_output *out, const uint8_t *bytes, size_t n, bool as_text)
{
    const size_t block = BASE91_BLOCK_BYTES;
    char digits[BASE91_BLOCK_DIGITS];

    if (!as_text) {
        fwrite(bytes, 1, n, out->stream.to);
        return;
    }
    for (size_t part; n > 0; n -= part, bytes += part) {
        part = n < block ? n : block;
        base91_write(digits, bytes, part);
        fwrite(digits, 1, base91_digits(part), out->stream.to);
    }
    fputc('\n', out->stream.to);
}

int pack_output_close(struct pack_output *out, int code)
{
    struct text_stream *s = &out->stream;

    if (!text_stream_close(s) && code == 0)
        code = cli_no_memory(NULL);
    if (code == 0 && pack_output_is_file(out->path))
        code = cli_write_file(out->path, s->text, s->n);
    else if (code == 0)
        fwrite(s->text, 1, s->n, stdout); /* cli_close_output tells of failures */
    free(s->text);
    return code;
}
