/* The state of a training as safetensors: values, AdamW's moments and the best values as tensors,
 * the rest as metadata. Batches need no state: they follow from the seed and the step. */
#include "base/error.h"
#include "train/net/weights.h"
#include "train/options/options.h"
#include "train/output/safetensors.h"
#include "train/trainer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FORM "smol checkpoint 1"

/* The flat arrays that make up the state, by the prefix of their tensors' names. */
struct array {
    const char *prefix;
    real *data;
};

static size_t arrays_of(struct array arrays[4], const struct smol_trainer *t)
{
    size_t n = 0;

    arrays[n++] = (struct array){"value.", t->net->value};
    arrays[n++] = (struct array){"m.", t->m};
    arrays[n++] = (struct array){"v.", t->v};
    if (t->best)
        arrays[n++] = (struct array){"best.", t->best};
    return n;
}

/* The hashes of a delta's models, with a space after each. */
#define MODELS_BYTES ((2 * SMOL_HASH_BYTES + 1) * SMOL_MAX_MODELS + 1)

/* NULL if it has none. */
static const char *models_hashes(char hex[MODELS_BYTES], const struct smol_trainer *t)
{
    size_t at = 0;

    if (t->net->models.n == 0)
        return NULL;
    for (uint32_t m = 0; m < t->net->models.n; m++) {
        for (size_t i = 0; i < SMOL_HASH_BYTES; i++, at += 2)
            snprintf(hex + at, 3, "%02x", t->models[m].hash[i]);
        hex[at++] = ' ';
    }
    hex[at] = '\0';
    return hex;
}

static void text_hash(char hex[17], const struct smol_trainer *t)
{
    snprintf(hex, 17, "%016" PRIx64, t->corpus.checksum);
}

/* NULL for bytes, which older checkpoints do not name either. */
static const char *tokenizer_hash(char hex[17], const struct smol_trainer *t)
{
    if (t->tokenizer.config.tokenizer == SMOL_TOKENIZER_BYTES)
        return NULL;
    snprintf(hex, 17, "%016" PRIx64, t->corpus.tokenizer_hash);
    return hex;
}

/* Every array of every parameter, for free(); NULL if memory is out. */
static struct smol_tensor_source *list_sources(size_t *n, const struct smol_trainer *t)
{
    const size_t n_params = t->net->n_params;
    struct array arrays[4];
    struct smol_tensor_source *sources;
    size_t n_there = 0;

    *n = arrays_of(arrays, t) * n_params;
    sources = calloc(*n, sizeof *sources);
    for (size_t i = 0, n_all = *n; sources && i < n_all; i++) {
        const struct smol_param *p = t->net->params + i % n_params;
        struct smol_tensor_source *s = sources + n_there;

        if (smol_param_size(p) == 0) /* rows of a delta's tables, if none learn */
            continue;
        n_there++;
        snprintf(s->name, sizeof s->name, "%s%s", arrays[i / n_params].prefix, p->name);
        s->rows = p->rows;
        s->cols = p->cols;
        s->values = arrays[i / n_params].data + p->offset;
        s->scale = 1;
    }
    *n = n_there;
    return sources;
}

static enum smol_status save(uint8_t **out, uint64_t *size_bytes, struct smol_writer *writer,
                             const struct smol_trainer *t, struct smol_error *error)
{
    char step[16], bytes[24], train[24], hash[17], best[40], tokenizer[17], models[MODELS_BYTES];
    struct smol_tensor_sources sources = {0};
    enum smol_status status;
    char *options;

    if (t->finished)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "training is finished");
    options = smol_train_options_json(&t->options);
    sources.items = list_sources(&sources.n, t);
    snprintf(step, sizeof step, "%" PRIu32, t->step);
    snprintf(bytes, sizeof bytes, "%" PRIu64, t->corpus.text_bytes);
    snprintf(train, sizeof train, "%" PRIu64, t->n_train);
    snprintf(best, sizeof best, "%a", t->best_nats);
    text_hash(hash, t);
    const struct smol_safetensors_member metadata[] = {{"format", FORM},
                                                       {"options", options},
                                                       {"step", step},
                                                       {"text_bytes", bytes},
                                                       {"text_xxh3", hash},
                                                       {"train_tokens", train},
                                                       {"best_nats", best},
                                                       {"tokenizer", tokenizer_hash(tokenizer, t)},
                                                       {"models", models_hashes(models, t)}};
    sources.metadata = metadata;
    sources.n_metadata = sizeof metadata / sizeof *metadata;
    status = options && sources.items
                 ? smol_tensor_file_write(out, size_bytes, writer, &sources, error)
                 : smol_fail_memory(error);
    free(sources.items);
    free(options);
    return status;
}

enum smol_status smol_trainer_save(uint8_t **bytes, size_t *size_bytes,
                                   const struct smol_trainer *t, struct smol_error *error)
{
    uint64_t size;
    const enum smol_status status = save(bytes, &size, NULL, t, error);

    if (!status)
        *size_bytes = (size_t)size;
    return status;
}

enum smol_status smol_trainer_save_to(uint64_t *size_bytes, struct smol_writer *writer,
                                      const struct smol_trainer *t, struct smol_error *error)
{
    return save(NULL, size_bytes, writer, t, error);
}

static enum smol_status open_checkpoint(struct smol_safetensors **out,
                                        struct smol_train_options *options, const uint8_t *bytes,
                                        size_t size_bytes, struct smol_error *error)
{
    struct smol_safetensors *file;
    enum smol_status status = smol_tensor_file_parse(&file, bytes, size_bytes, error);
    const char *form, *text;
    json_t *json = NULL;

    if (status != SMOL_OK)
        return status;
    form = smol_safetensors_text(file, "format");
    text = smol_safetensors_text(file, "options");
    if (form && strcmp(form, FORM) == 0 && text)
        json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (!json)
        status = smol_fail(error, SMOL_E_MAGIC, SMOL_NO_OFFSET, "not a checkpoint of this trainer");
    else
        status = smol_options_from_json(options, json, error);
    json_decref(json);
    if (status != SMOL_OK)
        smol_safetensors_destroy(file);
    else
        *out = file;
    return status;
}

enum smol_status smol_checkpoint_options(struct smol_train_options *options, size_t struct_bytes,
                                         const uint8_t *bytes, size_t size_bytes,
                                         struct smol_error *error)
{
    struct smol_safetensors *file;
    struct smol_train_options o;
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    if (status == SMOL_OK)
        status = open_checkpoint(&file, &o, bytes, size_bytes, error);
    smol_fpenv_restore(&host);
    if (status != SMOL_OK)
        return status;
    smol_safetensors_destroy(file);
    o.struct_bytes = struct_bytes;
    memcpy(options, &o, struct_bytes < sizeof o ? struct_bytes : sizeof o);
    return SMOL_OK;
}

static enum smol_status check_same(const struct smol_trainer *t,
                                   const struct smol_safetensors *file,
                                   const struct smol_train_options *options,
                                   struct smol_error *error)
{
    const char *difference = smol_options_difference(options, &t->options);
    char text[17], train[24], tokenizer[17], models[MODELS_BYTES];
    const struct {
        const char *key, *expected, *what;
    } same[] = {
        {"models", models_hashes(models, t), "base"},
        {"tokenizer", tokenizer_hash(tokenizer, t), "tokenizer"},
        {"text_xxh3", text, "text"},
        {"train_tokens", train, "part of the text for validation"},
    };

    text_hash(text, t);
    snprintf(train, sizeof train, "%" PRIu64, t->n_train);
    for (size_t i = 0; i < sizeof same / sizeof *same && !difference; i++) {
        const char *stated = smol_safetensors_text(file, same[i].key);

        if (stated ? !same[i].expected || strcmp(stated, same[i].expected) != 0
                   : same[i].expected != NULL)
            difference = same[i].what;
    }
    return difference ? smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                                  "the checkpoint was made with another %s", difference)
                      : SMOL_OK;
}

static enum smol_status load_state(struct smol_trainer *t, const struct smol_safetensors *file,
                                   struct smol_error *error)
{
    const char *step = smol_safetensors_text(file, "step"),
               *best = smol_safetensors_text(file, "best_nats");
    char *step_end = NULL, *best_end = NULL;
    unsigned long long steps;

    if (!step || !best || *step < '0' || *step > '9')
        return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET,
                         "the checkpoint does not say its step");
    errno = 0;
    steps = strtoull(step, &step_end, 10);
    t->best_nats = strtod(best, &best_end);
    if (errno == ERANGE || *step_end != '\0' || *best_end != '\0' || best_end == best ||
        isnan(t->best_nats))
        return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET,
                         "the checkpoint's step or best loss is not a number");
    if (steps > t->options.n_steps)
        return smol_fail(error, SMOL_E_RANGE, SMOL_NO_OFFSET,
                         "the checkpoint is past the last step");
    t->step = (uint32_t)steps;
    return SMOL_OK;
}

static enum smol_status load_array(struct smol_trainer *t, const struct smol_safetensors *file,
                                   const struct array *array, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    for (uint32_t i = 0; i < t->net->n_params && status == SMOL_OK; i++) {
        const struct smol_param *p = t->net->params + i;
        char name[80];

        if (smol_param_size(p) == 0)
            continue;
        snprintf(name, sizeof name, "%s%s", array->prefix, p->name);
        status =
            smol_tensor_file_read(array->data + p->offset, file, name, p->rows, p->cols, error);
    }
    for (size_t i = 0; i < t->net->n_values && status == SMOL_OK; i++)
        if (!isfinite(array->data[i]))
            status = smol_fail(error, SMOL_E_NONFINITE, SMOL_NO_OFFSET,
                               "the checkpoint holds a number that is not finite");
    return status;
}

static enum smol_status load(struct smol_trainer *t, const uint8_t *bytes, size_t size_bytes,
                             struct smol_error *error)
{
    struct smol_train_options options;
    struct smol_safetensors *file;
    struct array arrays[4];
    const size_t n_arrays = arrays_of(arrays, t);
    enum smol_status status = open_checkpoint(&file, &options, bytes, size_bytes, error);

    if (status != SMOL_OK)
        return status;
    status = check_same(t, file, &options, error);
    if (status == SMOL_OK)
        status = load_state(t, file, error);
    for (size_t i = 0; i < n_arrays && status == SMOL_OK; i++)
        status = load_array(t, file, arrays + i, error);
    smol_safetensors_destroy(file);
    smol_trainer_resume_rounding(t);
    if (status == SMOL_OK)
        smol_net_materialise(t->net, true);
    return status;
}

enum smol_status smol_trainer_load(struct smol_trainer *t, const uint8_t *bytes, size_t size_bytes,
                                   struct smol_error *error)
{
    smol_trainer_enter(t);
    return smol_trainer_leave(t, load(t, bytes, size_bytes, error));
}
