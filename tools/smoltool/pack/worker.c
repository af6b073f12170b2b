/* Packing and unpacking one text after the other. */
#include "smoltool/pack/pack.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64u

enum smol_status pack_bytes_reserve(struct pack_bytes *bytes, size_t n, struct smol_error *error)
{
    if (n > bytes->capacity || !bytes->data) {
        const size_t capacity = n / 2 < bytes->capacity ? 2 * bytes->capacity : n;
        uint8_t *larger = malloc(capacity ? capacity : 1);
        if (!larger)
            return cli_error_memory(error);
        free(bytes->data);
        bytes->data = larger;
        bytes->capacity = capacity;
    }
    return SMOL_OK;
}

void pack_worker_start(struct pack_worker *worker, const struct pack_models *models,
                       const struct smol_pack_options *options)
{
    *worker = (struct pack_worker){.models = models, .options = options};
}

void pack_worker_finish(struct pack_worker *worker)
{
    for (size_t i = 0; i < worker->models->n; i++) {
        smol_packer_finish(worker->packers[i]);
        free(worker->memory[i]);
    }
    free(worker->trial.data);
    free(worker->tokens);
}

/* Makes the packer of a model, unless it is there. */
static enum smol_status need_packer(struct pack_worker *w, size_t i, struct smol_error *error)
{
    const struct smol_file *file = &w->models->items[i].files.file;
    size_t size;
    enum smol_status status;

    if (w->packers[i])
        return SMOL_OK;
    if ((status = smol_packer_size(&size, file, w->options, error)))
        return status;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!w->memory[i] && !(w->memory[i] = aligned_alloc(ALIGNMENT, size)))
        return cli_error_memory(error);
    return smol_packer_init(&w->packers[i], file, w->options, w->memory[i], size, error);
}

/* *tokens: the text's, or NULL if they are its bytes. */
static enum smol_status encode(const uint32_t **tokens, size_t *n_tokens, struct pack_worker *w,
                               const struct pack_model *m, struct smol_span text,
                               struct smol_error *error)
{
    *tokens = NULL;
    *n_tokens = 0;
    if (m->files.file.config.tokenizer != SMOL_TOKENIZER_BPE)
        return SMOL_OK;
    if (!w->tokens || w->token_capacity < text.size_bytes) {
        const size_t capacity = text.size_bytes + text.size_bytes / 2 + 64;
        free(w->tokens);
        w->tokens =
            capacity > SIZE_MAX / sizeof *w->tokens ? NULL : malloc(capacity * sizeof *w->tokens);
        if (!w->tokens)
            return cli_error_memory(error);
        w->token_capacity = capacity;
    }
    *tokens = w->tokens;
    return smol_pack_encode(n_tokens, w->tokens, m->model, text.data, text.size_bytes, error);
}

static enum smol_status pack_with(struct pack_bytes *packed, struct pack_worker *w, size_t i,
                                  struct smol_span text, struct smol_error *error)
{
    const uint32_t *tokens;
    size_t n_tokens;
    enum smol_status status;

    if ((status = need_packer(w, i, error)) ||
        (status = pack_bytes_reserve(packed, SMOL_PACKED_BOUND(text.size_bytes), error)) ||
        (status = encode(&tokens, &n_tokens, w, &w->models->items[i], text, error)))
        return status;
    return smol_packer_pack(&packed->n, packed->data, w->packers[i], text.data, text.size_bytes,
                            tokens, n_tokens, error);
}

enum smol_status pack_best(struct pack_bytes *packed, size_t *model, struct pack_worker *worker,
                           struct smol_span text, struct smol_error *error)
{
    enum smol_status status = pack_with(packed, worker, 0, text, error);
    size_t best = 0;

    for (size_t i = 1; !status && i < worker->models->n; i++) {
        const struct pack_bytes before = *packed;
        status = pack_with(&worker->trial, worker, i, text, error);
        if (status || worker->trial.n >= packed->n)
            continue;
        best = i;
        *packed = worker->trial;
        worker->trial = before;
    }
    if (!status)
        *model = packed->n == 0 || packed->data[0] >> 4 == 0 ? PACK_AS_IT_IS : best;
    return status;
}

/* The tags of all models, as far as they fit, for a message. */
static void list_tags(char *text, size_t capacity, const struct pack_models *models)
{
    size_t n = 0;

    for (size_t i = 0; i < models->n && n < capacity; i++)
        n += (size_t)snprintf(text + n, capacity - n, "%s%u", i ? ", " : "", models->items[i].tag);
}

/* Texts as they are need no model; any packer reads them. */
static enum smol_status choose(size_t *model, const struct pack_models *models,
                               struct smol_span packed, struct smol_error *error)
{
    const unsigned tag = packed.size_bytes ? packed.data[0] >> 4 : 0;
    char tags[64];

    *model = 0;
    if (tag == 0)
        return SMOL_OK;
    while (*model < models->n && models->items[*model].tag != tag)
        ++*model;
    if (*model < models->n)
        return SMOL_OK;
    list_tags(tags, sizeof tags, models);
    return cli_error(error, SMOL_E_PACKED, "a packed text of another model: tag %u, and %s %s", tag,
                     models->n == 1 ? "this model's is" : "these models' are", tags);
}

/* Those of one model. */
static enum smol_status undo_same(struct smol_packed_text *texts, size_t n, struct pack_worker *w,
                                  size_t model)
{
    struct smol_error error;
    enum smol_status status = need_packer(w, model, &error);

    return status ? status : smol_packer_unpack_texts(w->packers[model], texts, n, &error);
}

void pack_undo_texts(struct smol_packed_text *texts, size_t n, struct pack_worker *worker)
{
    struct smol_packed_text *same = malloc((n + 1) * sizeof *same);
    size_t *of = malloc((n + 1) * sizeof *of), model;
    struct smol_error error;

    for (size_t i = 0; i < n; i++)
        texts[i].status = SMOL_E_MEMORY; /* until it is unpacked */
    for (size_t m = 0; same && of && m < worker->models->n; m++) {
        size_t n_same = 0;
        for (size_t i = 0; i < n; i++)
            if (choose(&model, worker->models,
                       (struct smol_span){texts[i].packed, texts[i].packed_bytes},
                       &error) == SMOL_OK &&
                model == m) {
                of[n_same] = i;
                same[n_same++] = texts[i];
            }
        if (n_same == 0 || undo_same(same, n_same, worker, m))
            continue;
        for (size_t k = 0; k < n_same; k++)
            texts[of[k]] = same[k];
    }
    free(same);
    free(of);
}

#define MOST_TEXTS 32u                 /* more are no faster */
#define TEXTS_BYTES ((size_t)64 << 20) /* that a thread may take for them */

uint64_t pack_side_by_side(const struct pack_models *models,
                           const struct smol_pack_options *options)
{
    uint64_t n_texts = MOST_TEXTS;

    for (size_t i = 0; i < models->n; i++) {
        struct smol_pack_options o = *options;
        struct smol_error error;
        size_t one, two;
        o.n_texts = 1;
        if (smol_packer_size(&one, &models->items[i].files.file, &o, &error))
            return 1; /* for the message, later */
        o.n_texts = 2;
        if (smol_packer_size(&two, &models->items[i].files.file, &o, &error) || two <= one)
            return 1;
        if (TEXTS_BYTES / (two - one) < n_texts)
            n_texts = TEXTS_BYTES / (two - one);
    }
    return n_texts ? n_texts : 1;
}

enum smol_status pack_undo(size_t *size_bytes, void *text, size_t most_bytes,
                           struct pack_worker *worker, struct smol_span packed,
                           struct smol_error *error)
{
    size_t i;
    enum smol_status status;

    if ((status = choose(&i, worker->models, packed, error)) ||
        (status = need_packer(worker, i, error)))
        return status;
    status = smol_packer_unpack(size_bytes, text, most_bytes, worker->packers[i], packed.data,
                                packed.size_bytes, error);
    return status == SMOL_E_ARGUMENT
               ? cli_error(error, status, "the text is longer than %zu bytes; --max allows more",
                           most_bytes)
               : status;
}
