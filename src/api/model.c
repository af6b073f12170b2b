/* A model behind one handle: a file, or a delta and its parts, their bytes, and the encoder that
 * its threads share. */
#include "api/open.h"
#include "base/error.h"

#include <smol/io.h>
#include <smol/model.h>
#include <smol/tokenizer.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Made when first needed; it serves one thread at a time. */
struct shared_encoder {
    pthread_mutex_t lock;
    struct smol_encoder *encoder;
};

struct smol_model {
    struct smol_files files;                 /* n_open 0: the bytes are the caller's */
    struct shared_encoder encoding, *shared; /* shared is &encoding, of a constant model too */
};

const char *smol_version(void) { return SMOL_VERSION; }

/* status: how opening m, which is NULL if out of memory, has ended. */
static enum smol_status finish(struct smol_model **model, struct smol_model *m,
                               enum smol_status status)
{
    if (status) {
        free(m);
        return status;
    }
    m->shared = &m->encoding;
    pthread_mutex_init(&m->encoding.lock, NULL); /* Linux has no way for it to fail */
    m->encoding.encoder = NULL;
    *model = m;
    return SMOL_OK;
}

/* An error about a part says which one: what opens a model has told its caller the first path. */
static void name_part(struct smol_error *error, const char *blamed, const char *path)
{
    struct smol_error e;

    if (!error || !blamed || strcmp(blamed, path) == 0)
        return;
    e = *error;
    if (e.offset == SMOL_NO_OFFSET)
        smol_fail(error, e.code, SMOL_NO_OFFSET, "%s: %s", blamed, e.text);
    else
        smol_fail(error, e.code, SMOL_NO_OFFSET, "%s: byte %llu: %s", blamed,
                  (unsigned long long)e.offset, e.text);
}

enum smol_status smol_model_open_with(struct smol_model **model, const char *path,
                                      const struct smol_open_options *options,
                                      struct smol_error *error)
{
    struct smol_model *m = malloc(sizeof *m);
    enum smol_status status;
    char *blamed = NULL;

    status = m ? smol_files_open(&m->files, &blamed, path, options, NULL, error)
               : smol_fail_memory(error);
    if (status)
        name_part(error, blamed, path);
    free(blamed);
    return finish(model, m, status);
}

enum smol_status smol_model_open(struct smol_model **model, const char *path, uint32_t n_threads,
                                 struct smol_error *error)
{
    const struct smol_open_options options = {.struct_bytes = sizeof options,
                                              .n_threads = n_threads};

    return smol_model_open_with(model, path, &options, error);
}

static struct smol_model *without_mapping(void)
{
    struct smol_model *m = malloc(sizeof *m);

    if (m)
        m->files.n_open = 0;
    return m;
}

enum smol_status smol_model_open_memory(struct smol_model **model, const void *bytes,
                                        size_t size_bytes, uint32_t n_threads,
                                        struct smol_error *error)
{
    struct smol_model *m = without_mapping();

    return finish(model, m,
                  m ? smol_file_parse_checked(&m->files.file, bytes, size_bytes,
                                              n_threads ? n_threads : 1, error)
                    : smol_fail_memory(error));
}

enum smol_status smol_model_open_file(struct smol_model **model, const struct smol_file *file,
                                      struct smol_error *error)
{
    struct smol_model *m = without_mapping();

    if (m)
        m->files.file = *file;
    return finish(model, m, m ? SMOL_OK : smol_fail_memory(error));
}

void smol_model_close(struct smol_model *model)
{
    if (!model)
        return;
    smol_encoder_destroy(model->encoding.encoder);
    pthread_mutex_destroy(&model->encoding.lock);
    if (model->files.n_open)
        smol_files_close(&model->files);
    free(model);
}

const struct smol_file *smol_model_file(const struct smol_model *model)
{
    return &model->files.file;
}

const struct smol_config *smol_model_config(const struct smol_model *model)
{
    return &model->files.file.config;
}

void smol_model_describe(struct smol_model_facts *facts, size_t struct_bytes,
                         const struct smol_model *model)
{
    const struct smol_file *file = &model->files.file;
    const struct smol_config *c = &file->config;
    struct smol_model_facts f = {.n_layers = c->n_layers,
                                 .n_heads = c->n_heads,
                                 .width = c->width,
                                 .n_ff = c->n_ff,
                                 .context = c->context,
                                 .vocab = c->vocab,
                                 .start_token = smol_start_token(file),
                                 .end_token = SMOL_NO_TOKEN,
                                 .seed = c->seed,
                                 .parameters = smol_config_parameters(c),
                                 .is_signed = file->is_signed,
                                 .architecture = c->architecture,
                                 .features = c->features};
    struct smol_size_report sizes;

    smol_file_sizes(&sizes, file);
    f.file_bytes = sizes.file;
    f.non_embedding_bytes = sizes.non_embedding;
    smol_end_token(&f.end_token, file);
    memcpy(f.hash, file->hash, sizeof f.hash);
    if (file->is_signed)
        memcpy(f.public_key, file->signature.public_key, sizeof f.public_key);
    memset(facts, 0, struct_bytes);
    memcpy(facts, &f, struct_bytes < sizeof f ? struct_bytes : sizeof f);
}

enum smol_status smol_model_check(const struct smol_model *model, struct smol_error *error)
{
    enum smol_status status;
    char *blamed = NULL;

    if (!model->files.n_open)
        return SMOL_OK;
    status = smol_files_check(&model->files, &blamed, error);
    if (status)
        name_part(error, blamed, model->files.open[0].path);
    free(blamed);
    return status;
}

enum smol_status smol_model_encode(size_t *n_tokens, uint32_t *tokens,
                                   const struct smol_model *model, const void *text,
                                   size_t size_bytes, struct smol_error *error)
{
    struct shared_encoder *shared = model->shared;
    enum smol_status status = SMOL_OK;

    pthread_mutex_lock(&shared->lock);
    if (!shared->encoder)
        status = smol_encoder_create(&shared->encoder, &model->files.file, error);
    if (status == SMOL_OK)
        status = smol_encode(n_tokens, tokens, shared->encoder, text, size_bytes, error);
    pthread_mutex_unlock(&shared->lock);
    return status;
}

enum smol_status smol_model_decode(size_t *size_bytes, void *text, size_t capacity_bytes,
                                   const struct smol_model *model, const uint32_t *tokens, size_t n,
                                   struct smol_error *error)
{
    uint8_t bytes[SMOL_MAX_TOKEN_BYTES], *to = text;
    size_t size = 0;

    for (size_t i = 0; i < n; i++) {
        struct smol_span span;
        if (tokens[i] >= model->files.file.config.vocab)
            return smol_fail(error, SMOL_E_TOKEN, SMOL_NO_OFFSET,
                             "token %u is beyond the vocabulary of %u", tokens[i],
                             model->files.file.config.vocab);
        span = smol_token_bytes(bytes, &model->files.file, tokens[i]);
        if (to && span.size_bytes > capacity_bytes - size)
            return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                             "%zu tokens stand for more than %zu bytes", n, capacity_bytes);
        if (to && span.size_bytes)
            memcpy(to + size, span.data, span.size_bytes);
        size += span.size_bytes;
    }
    *size_bytes = size;
    return SMOL_OK;
}
