/* A model behind one handle, and the memory of its texts. */
#include "api/text.h"
#include "base/bytes.h"
#include "base/error.h"
#include "format/sodium.h"

#include <smol/io.h>
#include <smol/model.h>

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64u

struct smol_model {
    struct smol_mapping mapping; /* fd -1: the bytes are the caller's */
    struct smol_file file;
};

const char *smol_version(void) { return SMOL_VERSION; }

enum smol_status smol_model_open(struct smol_model **model, const char *path, uint32_t n_threads,
                                 struct smol_error *error)
{
    struct smol_model *m = malloc(sizeof *m);
    enum smol_status status =
        m ? smol_file_open(&m->mapping, &m->file, path, n_threads, error) : smol_fail_memory(error);

    if (status)
        free(m);
    else
        *model = m;
    return status;
}

/* libsodium hashes faster once it is started. */
static enum smol_status check(const struct smol_file *file, uint32_t n_threads,
                              struct smol_error *error)
{
    enum smol_status status = smol_sodium_start(error);

    if (status == SMOL_OK)
        status = smol_file_check_tokens(file, error);
    if (status == SMOL_OK)
        status = smol_file_check_hash_threads(file, n_threads, error);
    return status || !file->is_signed ? status : smol_file_check_signature(file, error);
}

enum smol_status smol_model_open_memory(struct smol_model **model, const void *bytes,
                                        size_t size_bytes, uint32_t n_threads,
                                        struct smol_error *error)
{
    struct smol_model *m = malloc(sizeof *m);
    enum smol_status status =
        m ? smol_file_parse(&m->file, bytes, size_bytes, error) : smol_fail_memory(error);

    if (status == SMOL_OK)
        status = check(&m->file, n_threads, error);
    if (status) {
        free(m);
        return status;
    }
    m->mapping = (struct smol_mapping){.fd = -1};
    *model = m;
    return SMOL_OK;
}

void smol_model_close(struct smol_model *model)
{
    if (model && model->mapping.fd >= 0)
        smol_mapping_close(&model->mapping);
    free(model);
}

const struct smol_file *smol_model_file(const struct smol_model *model) { return &model->file; }

const struct smol_config *smol_model_config(const struct smol_model *model)
{
    return &model->file.config;
}

void smol_model_describe(struct smol_model_facts *facts, const struct smol_model *model)
{
    const struct smol_file *file = &model->file;
    const struct smol_config *c = &file->config;
    struct smol_size_report sizes;

    smol_file_sizes(&sizes, file);
    *facts = (struct smol_model_facts){.n_layers = c->n_layers,
                                       .n_heads = c->n_heads,
                                       .width = c->width,
                                       .n_ff = c->n_ff,
                                       .context = c->context,
                                       .vocab = c->vocab,
                                       .seed = c->seed,
                                       .learned_numbers = smol_config_parameters(c),
                                       .file_bytes = sizes.file,
                                       .non_embedding_bytes = sizes.non_embedding,
                                       .is_signed = file->is_signed};
    memcpy(facts->hash, file->hash, sizeof facts->hash);
    if (file->is_signed)
        memcpy(facts->public_key, file->signature.public_key, sizeof facts->public_key);
}

enum smol_status smol_model_check(const struct smol_model *model, struct smol_error *error)
{
    return model->mapping.fd >= 0 ? smol_mapping_check(&model->mapping, error) : SMOL_OK;
}

/* Builds session and sampler in memory, and a text over them. */
static enum smol_status begin(struct smol_text **text, const struct smol_file *file,
                              const struct smol_session_options *session,
                              const struct smol_sampler_options *sampler, uint8_t *memory,
                              size_t session_bytes, size_t sampler_bytes, struct smol_error *error)
{
    struct smol_session *s = NULL;
    struct smol_sampler *picker;
    enum smol_status status = smol_session_init(&s, file, session, memory, session_bytes, error);

    if (status == SMOL_OK)
        status = smol_sampler_init(&picker, file->config.vocab, sampler, memory + session_bytes,
                                   sampler_bytes, error);
    if (status == SMOL_OK)
        status = smol_text_create(text, s, picker, error);
    if (status)
        smol_session_finish(s);
    return status;
}

enum smol_status smol_model_text(struct smol_text **text, const struct smol_model *model,
                                 const struct smol_session_options *session,
                                 const struct smol_sampler_options *sampler,
                                 struct smol_error *error)
{
    struct smol_sampler_options defaults;
    size_t session_bytes, sampler_bytes, size_bytes;
    enum smol_status status = smol_session_size(&session_bytes, &model->file, session, error);
    uint8_t *memory;

    smol_sampler_defaults(&defaults);
    sampler = sampler ? sampler : &defaults;
    if (status ||
        (status = smol_sampler_size(&sampler_bytes, model->file.config.vocab, sampler, error)))
        return status;
    if (session_bytes > SIZE_MAX - 2 * ALIGNMENT - sampler_bytes)
        return smol_fail_memory(error);
    session_bytes = smol_round_up(session_bytes, ALIGNMENT);
    size_bytes = smol_round_up(session_bytes + sampler_bytes, ALIGNMENT);
    memory = aligned_alloc(ALIGNMENT, size_bytes);
    if (!memory)
        return smol_fail_memory(error);
    if ((status = begin(text, &model->file, session, sampler, memory, session_bytes, sampler_bytes,
                        error)))
        free(memory);
    else
        smol_text_own(*text, memory);
    return status;
}
