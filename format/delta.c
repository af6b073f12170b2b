/* Deltas: the section BASE, and a delta joined with the files that it names. SPEC.md 16. */
#include "base/bytes.h"
#include "base/error.h"
#include "format/format.h"

#include <inttypes.h>
#include <math.h>

#define FACTOR_MAX 0x1p60f

uint64_t smol_base_bytes(const struct smol_config *config)
{
    return SMOL_BASE_ENTRY_BYTES * ((uint64_t)config->n_models + config->n_deltas);
}

void smol_base_entry_encode(uint8_t *dest, const uint8_t hash[SMOL_HASH_BYTES], float factor)
{
    memcpy(dest, hash, SMOL_HASH_BYTES);
    smol_put32(dest + SMOL_HASH_BYTES, smol_f32_bits(factor));
}

static bool is_factor(float f) { return f >= -FACTOR_MAX && f <= FACTOR_MAX; }

enum smol_status smol_base_decode(struct smol_file *file, const uint8_t *bytes,
                                  struct smol_error *error)
{
    const uint32_t n = file->config.n_models + file->config.n_deltas;

    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *entry = bytes + SMOL_BASE_ENTRY_BYTES * i;
        struct smol_part_link *part = &file->parts[i];
        memcpy(part->hash, entry, SMOL_HASH_BYTES);
        part->factor = smol_load_f32(entry + SMOL_HASH_BYTES);
        part->file = NULL;
        if (!is_factor(part->factor))
            return smol_fail(error, SMOL_E_RANGE,
                             SMOL_BASE_ENTRY_BYTES * (uint64_t)i + SMOL_HASH_BYTES,
                             "the factor of part %" PRIu32 " is not finite, or beyond 2^60", i);
        for (uint32_t j = 0; j < i; j++)
            if (smol_same_hash(file->parts[j].hash, part->hash))
                return smol_fail(error, SMOL_E_CANONICAL, SMOL_BASE_ENTRY_BYTES * (uint64_t)i,
                                 "parts %" PRIu32 " and %" PRIu32 " are the same file", j, i);
    }
    file->n_models = file->config.n_models;
    file->n_deltas = file->config.n_deltas;
    file->factor = 1;
    return SMOL_OK;
}

bool smol_file_is_whole(const struct smol_file *file)
{
    return !smol_config_is_delta(&file->config) || file->parts[0].file;
}

/* What a delta and its models must have in common, all of it numbers. */
static enum smol_status check_shape(const struct smol_config *a, const struct smol_config *b,
                                    const char *what, struct smol_error *error)
{
    const struct {
        const char *name;
        uint32_t a, b;
    } fields[] = {
        {"layers", a->n_layers, b->n_layers},    {"heads", a->n_heads, b->n_heads},
        {"the width", a->width, b->width},       {"the feed-forward width", a->n_ff, b->n_ff},
        {"the context", a->context, b->context}, {"the vocabulary", a->vocab, b->vocab},
        {"features", a->features, b->features},  {"the tokenizer", a->tokenizer, b->tokenizer},
    };

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].a != fields[i].b)
            return smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET,
                             "does not fit its %s: %s %" PRIu32 " here, %" PRIu32 " there", what,
                             fields[i].name, fields[i].a, fields[i].b);
    if (smol_f32_bits(a->ln_epsilon) != smol_f32_bits(b->ln_epsilon))
        return smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET,
                         "does not fit its %s: another epsilon of LayerNorm", what);
    return SMOL_OK;
}

/* What models that are mixed must have in common besides. */
static enum smol_status check_models(const struct smol_file *a, const struct smol_file *b,
                                     struct smol_error *error)
{
    const struct smol_span *s = &a->tokenizer, *t = &b->tokenizer;

    if (s->size_bytes != t->size_bytes ||
        (s->size_bytes && memcmp(s->data, t->data, s->size_bytes) != 0))
        return smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET,
                         "its models have different tokenizers");
    if (smol_config_has(&a->config, SMOL_FEATURE_HALF_SHIFT) && a->config.seed != b->config.seed)
        return smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET,
                         "its models have a half-shift with different seeds");
    return SMOL_OK;
}

/* Whether every model of a delta that is a part is one of the joined file's. */
static enum smol_status check_delta(const struct smol_file *joined, const struct smol_file *delta,
                                    struct smol_error *error)
{
    char name[SHORT_HASH_SIZE], other[SHORT_HASH_SIZE];

    if (delta->config.n_deltas > 0)
        return smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET,
                         "delta %s is itself a sum of deltas, which cannot be added",
                         smol_short_hash(name, delta->hash));
    for (uint32_t i = 0; i < delta->config.n_models; i++) {
        uint32_t j = 0;
        while (j < joined->n_models && !smol_same_hash(joined->parts[j].hash, delta->parts[i].hash))
            j++;
        if (j == joined->n_models)
            return smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET,
                             "delta %s changes model %s, which is none of the models here",
                             smol_short_hash(name, delta->hash),
                             smol_short_hash(other, delta->parts[i].hash));
    }
    return check_shape(&joined->config, &delta->config, "other delta", error);
}

static enum smol_status check_parts(const struct smol_file *joined, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    for (uint32_t i = 0; i < joined->n_models && status == SMOL_OK; i++) {
        const struct smol_file *model = joined->parts[i].file;
        status = check_shape(&joined->config, &model->config, "model", error);
        if (status == SMOL_OK && i > 0)
            status = check_models(joined->parts[0].file, model, error);
    }
    for (uint32_t i = 0; i < joined->n_deltas && status == SMOL_OK; i++)
        status = check_delta(joined, joined->parts[joined->n_models + i].file, error);
    return status;
}

/* A part that is not there: what was found in its place is the first model that is not named. */
static enum smol_status missing(const struct smol_file *joined, uint32_t index,
                                const struct smol_file_part *parts, size_t n,
                                struct smol_error *error)
{
    const bool is_delta = index >= joined->n_models;
    char name[SHORT_HASH_SIZE], other[SHORT_HASH_SIZE];

    smol_short_hash(name, joined->parts[index].hash);
    for (size_t i = 0; i < n && !is_delta; i++) {
        uint32_t j = 0;
        while (j < joined->n_models && !smol_same_hash(joined->parts[j].hash, parts[i].file->hash))
            j++;
        if (j == joined->n_models && !smol_config_is_delta(&parts[i].file->config))
            return smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET,
                             "changes model %s, but was given model %s", name,
                             smol_short_hash(other, parts[i].file->hash));
    }
    return smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET, "changes %s %s, which is not there",
                     is_delta ? "delta" : "model", name);
}

/* Its named parts, each found by its hash. */
static enum smol_status find_parts(struct smol_file *joined, const struct smol_file_part *parts,
                                   size_t n, struct smol_error *error)
{
    for (uint32_t i = 0; i < joined->n_models + joined->n_deltas; i++) {
        struct smol_part_link *link = &joined->parts[i];
        size_t k = 0;
        while (k < n && (!smol_same_hash(link->hash, parts[k].file->hash) ||
                         smol_config_is_delta(&parts[k].file->config) != (i >= joined->n_models)))
            k++;
        if (k == n)
            return missing(joined, i, parts, n, error);
        link->file = parts[k].file;
        link->factor = isnan(parts[k].factor) ? link->factor : parts[k].factor;
    }
    return SMOL_OK;
}

/* The deltas among the parts that it does not name, after those that it does. */
static enum smol_status add_deltas(struct smol_file *joined, const struct smol_file_part *parts,
                                   size_t n, struct smol_error *error)
{
    const uint32_t n_named = joined->n_models + joined->n_deltas;

    for (size_t k = 0; k < n; k++) {
        uint32_t i = 0;
        while (i < n_named && !smol_same_hash(joined->parts[i].hash, parts[k].file->hash))
            i++;
        if (i < n_named || !smol_config_is_delta(&parts[k].file->config))
            continue;
        if (joined->n_deltas == SMOL_MAX_DELTAS)
            return smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET, "more than %u deltas",
                             SMOL_MAX_DELTAS);
        struct smol_part_link *link = &joined->parts[joined->n_models + joined->n_deltas++];
        memcpy(link->hash, parts[k].file->hash, SMOL_HASH_BYTES);
        link->factor = isnan(parts[k].factor) ? 1 : parts[k].factor;
        link->file = parts[k].file;
    }
    return SMOL_OK;
}

enum smol_status smol_file_join(struct smol_file *joined, const struct smol_file *delta,
                                const struct smol_file_part *parts, size_t n, float factor,
                                struct smol_error *error)
{
    struct smol_file j = *delta;
    enum smol_status status;

    if (!smol_config_is_delta(&delta->config))
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "is no delta, and so has no base");
    for (size_t i = 0; i < n; i++)
        if (!isnan(parts[i].factor) && !is_factor(parts[i].factor))
            return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                             "a factor that is not finite, or beyond 2^60");
    if (!isnan(factor) && !is_factor(factor))
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "a factor that is not finite, or beyond 2^60");
    if ((status = smol_base_decode(&j, j.base.data, error)) ||
        (status = find_parts(&j, parts, n, error)) || (status = add_deltas(&j, parts, n, error)) ||
        (status = check_parts(&j, error)))
        return status;
    const struct smol_file *model = j.parts[0].file;
    j.factor = isnan(factor) ? 1 : factor;
    j.wte = model->wte;
    j.wpe = model->wpe;
    j.output = model->output;
    j.tokenizer = model->tokenizer;
    j.tokenizer_at = model->tokenizer_at;
    *joined = j;
    return SMOL_OK;
}
