/* See data.h. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "smoltrain/data/data.h"
#include "cli/cli.h"
#include "cli/guard.h"
#include "cli/tokenizer_file.h"
#include "smoltrain/data/paths.h"
#include "smoltrain/data/read.h"
#include "smoltrain/data/recode.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the line's names stand for. */
struct train_files {
    struct train_paths data, valid;
};

/* All that goes into one corpus. */
struct job {
    const struct train_args *args;
    const struct train_files *files;
    const struct smol_file *tokenizer;
    const struct smol_corpus *bytes;    /* what was read before; NULL: the files are to be read */
    struct smol_corpus_source *sources; /* (n), with own names; validation last */
    size_t n;
    char *path; /* of the cache, NULL: none */
};

/* What a cache remembers of a file goes by its full name, so that it serves from any folder. */
static int add_sources(struct job *job, char *const *paths, bool validation)
{
    for (; paths && *paths; paths++) {
        struct smol_corpus_source *s = job->sources + job->n;
        struct smol_error error;

        if (train_source_examine(s, *paths, &error) != SMOL_OK)
            return cli_complain(*paths, &error);
        s->validation = validation;
        s->name = realpath(*paths, NULL);
        if (!s->name && errno == ENOENT) /* it was there a moment ago: a pipe of the shell's */
            return cli_fail(*paths, "has no name by which --cache could find it again");
        if (!s->name)
            return cli_fail_errno(*paths);
        job->n++;
    }
    return 0;
}

/* DIR/HASH.corpus: the hash is of the tokenizer, the format if one is given, and the names, so that
 * a changed file makes its old corpus over. */
static int name_cache(struct job *job, const char *folder)
{
    static const uint8_t as_text[2] = "x", as_lines[2] = "j";
    crypto_generichash_state state;
    uint8_t hash[crypto_generichash_BYTES_MIN];
    char hex[2 * sizeof hash + 1], tokenizer[24];

    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return cli_fail_errno(folder);
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    cli_decimal(tokenizer, smol_tokenizer_hash(job->tokenizer));
    crypto_generichash_update(&state, (const uint8_t *)tokenizer, strlen(tokenizer) + 1);
    if (job->args->format != TRAIN_FORMAT_AUTO)
        crypto_generichash_update(
            &state, job->args->format == TRAIN_FORMAT_TEXT ? as_text : as_lines, sizeof as_text);
    for (size_t i = 0; i < job->n; i++) {
        const struct smol_corpus_source *s = job->sources + i;

        crypto_generichash_update(&state, (const uint8_t *)(s->validation ? "v" : "t"), 1);
        crypto_generichash_update(&state, (const uint8_t *)s->name, strlen(s->name) + 1);
    }
    crypto_generichash_final(&state, hash, sizeof hash);
    cli_hex(hex, hash, sizeof hash);
    job->path = cli_text("%s/%s.corpus", folder, hex);
    return job->path ? 0 : cli_no_memory(folder);
}

static void finish_job(struct job *job)
{
    for (size_t i = 0; i < job->n; i++)
        free((char *)(uintptr_t)job->sources[i].name);
    free(job->sources);
    free(job->path);
}

/* Without a cache nobody asks what the sources were. */
static int start_job(struct job *job, const struct train_args *args,
                     const struct train_files *files, const struct smol_file *tokenizer,
                     const struct smol_corpus *bytes)
{
    int code;

    *job = (struct job){.args = args, .files = files, .tokenizer = tokenizer, .bytes = bytes};
    if (!args->cache)
        return 0;
    job->sources = calloc(files->data.n_files + files->valid.n_files, sizeof *job->sources);
    if (!job->sources)
        return cli_no_memory(args->cache);
    if ((code = add_sources(job, files->data.files, false)) != 0 ||
        (code = add_sources(job, files->valid.files, true)) != 0)
        return code;
    return name_cache(job, args->cache);
}

static int read_sources(const struct job *job, struct smol_corpus_writer *w, char *const *paths)
{
    for (; paths && *paths; paths++) {
        struct smol_error error;
        bool at_fault;
        const enum smol_status status =
            train_source_read(&at_fault, w, *paths, job->args->format, job->tokenizer, &error);

        if (status == SMOL_E_MEMORY && !at_fault && !job->path)
            return cli_fail(*paths, "no memory for so much text; --cache keeps it in a file");
        if (status != SMOL_OK)
            return cli_complain(at_fault || !job->path ? *paths : job->path, &error);
    }
    return 0;
}

static int recode(const struct job *job, struct smol_corpus_writer *w)
{
    struct smol_error error;
    const enum smol_status status = train_recode(w, job->bytes, &error);

    if (status == SMOL_E_MEMORY && !job->path)
        return cli_fail(job->args->data[0],
                        "no memory for so much text; --cache keeps it in a file");
    return status != SMOL_OK ? cli_complain(job->path, &error) : 0;
}

static int read_all(const struct job *job, struct smol_corpus_writer *w)
{
    struct smol_error error;
    const int code = job->bytes ? recode(job, w) : read_sources(job, w, job->files->data.files);

    if (job->bytes)
        return code;
    if (code != 0 || !job->args->valid)
        return code;
    if (smol_corpus_writer_validation(w, &error) != SMOL_OK)
        return cli_complain(job->path, &error);
    return read_sources(job, w, job->files->valid.files);
}

/* Encodes everything: into the cache, or else into *bytes. */
static int encode(uint8_t **bytes, size_t *size, const struct job *job)
{
    struct smol_corpus_writer *w;
    struct smol_error error;
    enum smol_status status = smol_corpus_writer_open(&w, job->tokenizer, job->path, &error);

    if (status == SMOL_OK && read_all(job, w) != 0) {
        smol_corpus_writer_abort(w);
        return CLI_FAILED;
    }
    if (status == SMOL_OK)
        status = smol_corpus_writer_finish(bytes, size, w, job->sources, job->n, &error);
    return status != SMOL_OK ? cli_complain(job->path, &error) : 0;
}

/* Whether an opened cache is of these files and this tokenizer; if not, *error says why. */
static enum smol_status check_fits(const struct smol_corpus *corpus, const struct job *job,
                                   struct smol_error *error)
{
    const size_t stale = smol_corpus_stale_source(corpus, job->sources, job->n);

    if (corpus->tokenizer_hash != smol_tokenizer_hash(job->tokenizer))
        return cli_error(error, SMOL_E_CHANGED, "was made with another tokenizer");
    if (stale < job->n)
        return cli_error(error, SMOL_E_CHANGED, "%.150s has changed", job->sources[stale].name);
    return SMOL_OK;
}

static enum smol_status map_cache(struct train_data *data, const struct job *job,
                                  struct smol_error *error)
{
    enum smol_status status = cli_map(&data->mapping, job->path, error);

    if (status != SMOL_OK)
        return status;
    status = smol_corpus_open(&data->corpus, data->mapping.bytes.data,
                              data->mapping.bytes.size_bytes, error);
    if (status == SMOL_OK)
        status = check_fits(&data->corpus, job, error);
    if (status != SMOL_OK)
        cli_unmap(&data->mapping);
    return status;
}

/* The cache that is there if it fits; else a new one. */
static int open_cache(struct train_data *data, const struct job *job)
{
    struct smol_error error;
    uint8_t *none;
    size_t size;
    int code;

    smol_remove_leftovers(job->path);
    if (access(job->path, F_OK) == 0) {
        if (map_cache(data, job, &error) == SMOL_OK)
            return 0;
        cli_complain(job->path, &error);
        fprintf(stderr, "%s: so the text is encoded again\n", cli_program);
    }
    if ((code = encode(&none, &size, job)) != 0)
        return code;
    if (map_cache(data, job, &error) != SMOL_OK)
        return cli_complain(job->path, &error);
    fprintf(stderr, "encoded %" PRIu64 " documents, %" PRIu64 " tokens, into %s\n",
            data->corpus.n_documents, data->corpus.n_tokens, job->path);
    return 0;
}

static int open_memory(struct train_data *data, const struct job *job)
{
    struct smol_error error;
    size_t size;
    const int code = encode(&data->memory, &size, job);

    if (code != 0)
        return code;
    return smol_corpus_open(&data->corpus, data->memory, size, &error) ? cli_complain(NULL, &error)
                                                                       : 0;
}

static int open_tokenizer(struct train_data *data, const char *path)
{
    struct smol_error error;

    data->tokenizer.config.vocab = 256;
    if (!path)
        return 0;
    return tokenizer_load(&data->tokenizer_section, &data->tokenizer, path, &error)
               ? cli_complain(path, &error)
               : 0;
}

static int open_corpus(struct train_data *data, const struct train_args *args,
                       const struct train_files *files, const struct smol_corpus *bytes)
{
    struct job job;
    int code = start_job(&job, args, files, &data->tokenizer, bytes);

    if (code == 0)
        code = job.path ? open_cache(data, &job) : open_memory(data, &job);
    finish_job(&job);
    return code;
}

/* Whether there is more than one document to train on. */
static bool has_documents(const struct smol_corpus *c)
{
    uint64_t second = 0;

    for (unsigned i = 0; i < 8 && c->n_documents > 1; i++)
        second |= (uint64_t)c->starts.data[8 + i] << 8 * i;
    return c->n_documents > 1 && second < c->n_train;
}

/* The same text in the bytes that it uses. */
static int narrow(struct train_data *data, const struct train_args *args,
                  const struct train_files *files)
{
    const struct train_vocab *v = &args->vocab;
    struct train_data bytes = *data;
    struct tokenizer_of of = v->of;
    struct smol_span text = bytes.corpus.tokens;
    struct smol_error error;
    int code;

    of.with_end = of.with_end || (v->may_end && has_documents(&bytes.corpus));
    if (of.least > 0)
        text.size_bytes = (size_t)bytes.corpus.n_train;
    *data = (struct train_data){.mapping.fd = -1};
    if (tokenizer_of_bytes(&data->tokenizer_section, &data->tokenizer, text, &of, &error) !=
        SMOL_OK) {
        train_data_close(&bytes);
        return cli_complain(of.least > 1 ? "--vocab-min" : args->data[0], &error);
    }
    if (data->tokenizer.config.tokenizer == SMOL_TOKENIZER_BYTES) { /* it uses all of them */
        *data = bytes;
        return 0;
    }
    code = open_corpus(data, args, files, &bytes.corpus);
    train_data_close(&bytes);
    return code;
}

static int open_files(struct train_data *out, const struct train_args *args,
                      const struct train_files *files)
{
    struct train_data data = {.mapping.fd = -1};
    int code = open_tokenizer(&data, args->tokenizer);

    if (code == 0)
        code = open_corpus(&data, args, files, NULL);
    if (code == 0 && args->vocab.is_used)
        code = narrow(&data, args, files);
    data.n_files = files->data.n_files;
    if (code == 0)
        *out = data;
    else
        train_data_close(&data);
    return code;
}

int train_data_open(struct train_data *data, const struct train_args *args)
{
    struct train_files files = {.data.n_files = 0};
    int code;

    if ((code = train_paths_add(&files.data, args->data)) == 0 &&
        (code = train_paths_add(&files.valid, args->valid)) == 0)
        code = open_files(data, args, &files);
    train_paths_free(&files.data);
    train_paths_free(&files.valid);
    return code;
}

void train_data_close(struct train_data *data)
{
    cli_unmap(&data->mapping);
    free(data->tokenizer_section);
    free(data->memory);
}
