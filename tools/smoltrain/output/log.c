/* See log.h. */
#include "smoltrain/output/log.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void train_log_hashes(char tokens[TRAIN_LOG_HASH_BYTES], char tokenizer[TRAIN_LOG_HASH_BYTES],
                      const struct smol_corpus *corpus)
{
    snprintf(tokens, TRAIN_LOG_HASH_BYTES, "%016" PRIx64, corpus->checksum);
    snprintf(tokenizer, TRAIN_LOG_HASH_BYTES, "%016" PRIx64, corpus->tokenizer_hash);
}

static enum smol_status io_error(struct smol_error *error)
{
    return cli_error(error, SMOL_E_IO, "cannot read: %s", strerror(errno));
}

/* Whether a line, without its end, may stay. What is no record of ours does. Those of a model that
 * was written, and its validation, do not: it is about to be replaced, or was not even whole when
 * the training was killed. */
static bool stays(const char *line, size_t n, uint32_t step)
{
    json_t *record = json_loadb(line, n, 0, NULL), *value = json_object_get(record, "step");
    const char *event = json_string_value(json_object_get(record, "event"));
    const bool good = (!json_is_integer(value) || json_integer_value(value) <= (json_int_t)step) &&
                      !json_is_true(json_object_get(record, "stored")) &&
                      (!event || (strcmp(event, "model") != 0 && strcmp(event, "rivals") != 0));

    json_decref(record);
    return good;
}

/* Moves the lines that stay to the front; returns their size. */
static size_t cut(char *text, size_t size, uint32_t step)
{
    size_t kept = 0;

    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t n;

        if (!end)
            break;
        n = (size_t)(end - (text + at));
        if (stays(text + at, n, step)) {
            memmove(text + kept, text + at, n + 1);
            kept += n + 1;
        }
        at += n + 1;
    }
    return kept;
}

enum smol_status train_log_cut(const char *path, uint32_t step, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint8_t *text = NULL;
    size_t size, kept;
    struct stat s;

    if (fd < 0)
        return errno == ENOENT ? SMOL_OK : io_error(error);
    if (fstat(fd, &s) != 0) {
        status = io_error(error);
    } else if (S_ISREG(s.st_mode)) {
        if (!cli_read_all(&text, &size, fd)) {
            status = io_error(error);
        } else {
            kept = cut((char *)text, size, step);
            if (kept < size)
                status = smol_write_file(path, text, kept, 0666, error);
        }
    }
    free(text);
    close(fd);
    return status;
}
