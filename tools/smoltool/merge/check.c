/* Whether models and deltas fit together. SPEC.md 16. */
#include "cli/cli.h"
#include "smoltool/merge/merge.h"

#include <stddef.h>
#include <string.h>

/* What all must agree in. */
static const struct {
    const char *name;
    size_t offset;
} sizes[] = {
    {"layers", offsetof(struct smol_config, n_layers)},
    {"heads", offsetof(struct smol_config, n_heads)},
    {"width", offsetof(struct smol_config, width)},
    {"feed-forward width", offsetof(struct smol_config, n_ff)},
    {"context", offsetof(struct smol_config, context)},
    {"vocabulary", offsetof(struct smol_config, vocab)},
};

static uint32_t size_at(const struct smol_config *c, size_t offset)
{
    uint32_t value;

    memcpy(&value, (const char *)c + offset, sizeof value);
    return value;
}

static int check_sizes(const struct merge_link *l, const struct merge_link *first)
{
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const uint32_t a = size_at(&first->file->config, sizes[i].offset),
                       b = size_at(&l->file->config, sizes[i].offset);

        if (a != b)
            return cli_fail(l->path, "does not fit %s: %s %u, not %u", first->path, sizes[i].name,
                            b, a);
    }
    return 0;
}

/* "relu2" that one has and the other has not. */
static int check_features(const struct merge_link *l, const struct merge_link *first)
{
    const unsigned differ = l->file->config.features ^ first->file->config.features;

    for (unsigned bit = 1; bit <= SMOL_ALL_FEATURES; bit *= 2)
        if (differ & bit)
            return cli_fail(l->path, "does not fit %s: it %s the feature %s", first->path,
                            l->file->config.features & bit ? "has" : "lacks",
                            smol_feature_name((enum smol_feature)bit));
    return 0;
}

static int check_tokenizer(const struct merge_link *l, const struct merge_link *first)
{
    static const char *const names[] = {"bytes", "BPE", "a set of bytes"};
    const struct smol_file *a = first->file, *b = l->file;

    if (a->config.tokenizer != b->config.tokenizer)
        return cli_fail(l->path, "does not fit %s: tokens are %s, not %s", first->path,
                        names[b->config.tokenizer], names[a->config.tokenizer]);
    if (smol_config_is_delta(&b->config) || a->tokenizer.size_bytes == 0)
        return 0;
    if (a->tokenizer.size_bytes != b->tokenizer.size_bytes ||
        memcmp(a->tokenizer.data, b->tokenizer.data, a->tokenizer.size_bytes) != 0)
        return cli_fail(l->path, "does not fit %s: other tokens", first->path);
    return 0;
}

/* With a half-shift, the channels come from the models' seeds. */
static int check_seed(const struct merge_link *l, const struct merge_link *first)
{
    const uint64_t a = first->file->config.seed, b = l->file->config.seed;

    if (a != b && !smol_config_is_delta(&l->file->config) &&
        smol_config_has(&l->file->config, SMOL_FEATURE_HALF_SHIFT))
        return cli_fail(l->path,
                        "does not fit %s: seed %llu, not %llu, which with a half-shift matters",
                        first->path, (unsigned long long)b, (unsigned long long)a);
    return 0;
}

static int check_fit(const struct merge_link *l, const struct merge_link *first)
{
    const float a = first->file->config.ln_epsilon, b = l->file->config.ln_epsilon;
    int code = check_sizes(l, first);

    if (code == 0 && (a < b || a > b))
        code = cli_fail(l->path, "does not fit %s: epsilon of LayerNorm %g, not %g", first->path,
                        (double)b, (double)a);
    if (code == 0)
        code = check_features(l, first);
    if (code == 0)
        code = check_tokenizer(l, first);
    return code ? code : check_seed(l, first);
}

static bool is_model_of(const struct merge *m, const uint8_t *hash)
{
    for (uint32_t i = 0; i < m->n_models; i++)
        if (memcmp(m->models[i].hash, hash, SMOL_HASH_BYTES) == 0)
            return true;
    return false;
}

/* The models that a delta changes are all there. */
static int check_bases(const struct merge_link *l, const struct merge *m)
{
    char hash[17];

    for (uint32_t i = 0; i < l->file->n_models; i++)
        if (!is_model_of(m, l->file->parts[i].hash)) {
            cli_hex(hash, l->file->parts[i].hash, 8);
            return cli_fail(l->path, "changes the model %s..., which is not among those to merge",
                            hash);
        }
    return 0;
}

int merge_check(const struct merge *m)
{
    int code = 0;

    for (uint32_t i = 1; code == 0 && i < m->n_models; i++)
        code = check_fit(&m->models[i], &m->models[0]);
    for (uint32_t i = 0; code == 0 && i < m->n_deltas; i++)
        if ((code = check_bases(&m->deltas[i], m)) == 0)
            code = check_fit(&m->deltas[i], &m->models[0]);
    return code;
}
