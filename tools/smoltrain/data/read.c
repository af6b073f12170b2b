/* See read.h. */
#include "smoltrain/data/read.h"
#include "smoltrain/data/texts.h"
#include "smoltrain/signals.h"

#include <smol/tokenizer.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCK_BYTES ((size_t)1 << 16)

/* A file being read: its bytes, decompressed. zlib takes one that is no gzip file as it is. */
struct stream {
    int fd;
    gzFile gz;    /* owns fd if it is not NULL */
    bool is_gzip; /* by its name */
    struct train_texts texts;
};

static bool ends_with(const char *path, const char *end, size_t *cut)
{
    const size_t n = strlen(path) - *cut, m = strlen(end);

    if (n <= m || strncasecmp(path + n - m, end, m) != 0)
        return false;
    *cut += m;
    return true;
}

bool train_source_is_json(const char *path)
{
    size_t cut = 0;

    ends_with(path, ".gz", &cut);
    return ends_with(path, ".json", &cut) || ends_with(path, ".jsonl", &cut) ||
           ends_with(path, ".ndjson", &cut);
}

/* The next bytes; *n = 0 at the end. */
static enum smol_status read_block(size_t *n, struct stream *s, char block[BLOCK_BYTES])
{
    const char *why, *name;
    int got, code = Z_OK;

    if (train_stop_asked())
        return train_texts_fail(&s->texts, SMOL_E_CANCELLED, "stopped while it was being read");
    got = gzread(s->gz, block, BLOCK_BYTES);
    why = gzerror(s->gz, &code);
    name = strstr(why, ">: ");                 /* "<fd:3>: why" */
    if (got < 0 || (got == 0 && code != Z_OK)) /* for a file cut short it says so at the end only */
        return train_texts_fail(&s->texts, SMOL_E_IO, "cannot %s: %s",
                                s->is_gzip || code != Z_ERRNO ? "decompress" : "read",
                                code == Z_ERRNO ? strerror(errno)
                                : name          ? name + 3
                                                : why);
    if (s->is_gzip && gzdirect(s->gz) != 0)
        return train_texts_fail(&s->texts, SMOL_E_IO, "not in gzip format");
    *n = (size_t)got;
    return SMOL_OK;
}

static enum smol_status read_stream(struct stream *s)
{
    enum smol_status status = train_texts_begin(&s->texts);
    char block[BLOCK_BYTES];
    size_t n = 0;

    while (status == SMOL_OK) {
        status = read_block(&n, s, block);
        if (status != SMOL_OK || n == 0)
            break;
        status = train_texts_add(&s->texts, block, n);
    }
    return status == SMOL_OK ? train_texts_end(&s->texts) : status;
}

static enum smol_status open_stream(struct stream *s, const char *path)
{
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0)
        return train_texts_fail(&s->texts, SMOL_E_IO, "cannot read: %s", strerror(errno));
    s->gz = gzdopen(s->fd, "rb");
    if (!s->gz)
        return train_texts_fail(&s->texts, SMOL_E_MEMORY, "no memory to read it");
    gzbuffer(s->gz, BLOCK_BYTES);
    return SMOL_OK;
}

static void close_stream(struct stream *s)
{
    if (s->gz)
        gzclose_r(s->gz);
    else if (s->fd >= 0)
        close(s->fd);
    train_texts_free(&s->texts);
}

static void note(struct smol_corpus_source *source, const struct stat *s)
{
    source->size_bytes = (uint64_t)s->st_size;
    source->seconds = (uint64_t)s->st_mtim.tv_sec;
    source->nanoseconds = (uint64_t)s->st_mtim.tv_nsec;
}

enum smol_status train_source_examine(struct smol_corpus_source *source, const char *path,
                                      struct smol_error *error)
{
    struct stream s = {.texts.error = error};
    struct stat found;

    if (stat(path, &found) != 0)
        return train_texts_fail(&s.texts, SMOL_E_IO, "cannot read: %s", strerror(errno));
    note(source, &found);
    return SMOL_OK;
}

/* Text that was written to meanwhile is a mixture of two, and no cache could tell. */
static enum smol_status check_unchanged(struct stream *s, const struct stat *before)
{
    struct stat after;

    if (fstat(s->fd, &after) != 0)
        return train_texts_fail(&s->texts, SMOL_E_IO, "cannot examine: %s", strerror(errno));
    if (S_ISREG(after.st_mode) &&
        (after.st_size != before->st_size || after.st_mtim.tv_sec != before->st_mtim.tv_sec ||
         after.st_mtim.tv_nsec != before->st_mtim.tv_nsec))
        return train_texts_fail(&s->texts, SMOL_E_CHANGED, "changed while it was being read");
    return SMOL_OK;
}

/* Whether bytes have tokens by themselves; false if all have, or merges see to it. */
static bool find_tokens(bool has_token[256], const struct smol_file *tokenizer)
{
    bool lacks = false;

    for (unsigned i = 0; i < 256 && tokenizer->config.tokenizer != SMOL_TOKENIZER_BPE; i++) {
        const uint8_t byte = (uint8_t)i;
        uint32_t token;
        size_t n;

        has_token[i] = smol_encode_bytes(&n, &token, tokenizer, &byte, 1, NULL) == SMOL_OK;
        lacks = lacks || !has_token[i];
    }
    return lacks;
}

enum smol_status train_source_read(bool *at_fault, struct smol_corpus_writer *writer,
                                   const char *path, enum train_format format,
                                   const struct smol_file *tokenizer, struct smol_error *error)
{
    bool has_token[256];
    struct stream s = {.fd = -1,
                       .texts = {.writer = writer,
                                 .has_token = find_tokens(has_token, tokenizer) ? has_token : NULL,
                                 .error = error}};
    struct stat before;
    enum smol_status status;
    size_t cut = 0;

    s.is_gzip = ends_with(path, ".gz", &cut);
    s.texts.is_json =
        format == TRAIN_FORMAT_JSONL || (format == TRAIN_FORMAT_AUTO && train_source_is_json(path));
    status = open_stream(&s, path);
    if (status == SMOL_OK && fstat(s.fd, &before) != 0)
        status = train_texts_fail(&s.texts, SMOL_E_IO, "cannot examine: %s", strerror(errno));
    if (status == SMOL_OK)
        status = read_stream(&s);
    if (status == SMOL_OK)
        status = check_unchanged(&s, &before);
    close_stream(&s);
    *at_fault = s.texts.at_fault;
    return status;
}
