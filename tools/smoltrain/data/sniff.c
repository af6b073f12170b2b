/* See sniff.h. */
#include "smoltrain/data/sniff.h"
#include "cli/cli.h"
#include "smoltrain/data/json_text.h"
#include "smoltrain/data/read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCK_BYTES 65536u

/* The C0 codes that texts have: tab, line feed, vertical tab, form feed, carriage return, escape.
 */
static bool is_text(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)bytes[i];

        if ((c < 32 && !(c >= 9 && c <= 13) && c != 27) || c == 127)
            return false;
    }
    return n > 0;
}

/* A first line that goes on beyond the block is taken for good. */
static bool begins_json(char *bytes, size_t n)
{
    char *end = memchr(bytes, '\n', n);
    struct smol_error error;
    struct smol_span text;

    if (!end && n == BLOCK_BYTES)
        return bytes[0] == '{';
    if (end)
        n = (size_t)(end - bytes);
    bytes[n] = '\0';
    return train_json_text(&text, bytes, n, &error) == SMOL_OK;
}

enum smol_status train_sniff(enum train_kind *kind, const char *path, struct smol_error *error)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    gzFile file = fd >= 0 ? gzdopen(fd, "rb") : NULL;
    char block[BLOCK_BYTES + 1];
    int n;

    if (!file) {
        const int why = errno;

        if (fd >= 0)
            close(fd);
        return cli_error(error, SMOL_E_IO, "cannot read: %s", strerror(why));
    }
    n = gzread(file, block, BLOCK_BYTES);
    gzclose_r(file);
    *kind = n > 0 && is_text(block, (size_t)n) &&
                    (!train_source_is_json(path) || begins_json(block, (size_t)n))
                ? TRAIN_TEXT
                : TRAIN_NO_TEXT;
    return SMOL_OK;
}
