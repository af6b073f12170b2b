/* Options of a delta: what its models say. SPEC.md 16. */
#include "train/options/on_models.h"
#include "train/options/options.h"

#include "base/bytes.h"
#include "base/error.h"

#include <math.h>
#include <sodium.h>
#include <string.h>

/* What the default rates were found with; wider models take smaller steps. */
#define RATES_WIDTH 128.0

static float factor_of(const struct smol_file_part *model, size_t n)
{
    return isnan(model->factor) ? 1 / (float)n : model->factor;
}

uint64_t smol_train_models(const struct smol_file_part *models, size_t n)
{
    crypto_generichash_state state;
    uint8_t hash[32], factor[4];
    uint64_t number;

    if (n == 0)
        return 0;
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    for (size_t i = 0; i < n; i++) {
        smol_put32(factor, smol_f32_bits(factor_of(models + i, n)));
        crypto_generichash_update(&state, models[i].file->hash, SMOL_HASH_BYTES);
        crypto_generichash_update(&state, factor, sizeof factor);
    }
    crypto_generichash_final(&state, hash, sizeof hash);
    number = smol_le64(hash);
    return number > 0 ? number : 1;
}

/* What two models that are mixed must have in common, in words; NULL if they have it. */
static const char *difference(const struct smol_file *a, const struct smol_file *b)
{
    const struct smol_config *c = &a->config, *d = &b->config;
    const struct smol_span *s = &a->tokenizer, *t = &b->tokenizer;

    if (memcmp(a->hash, b->hash, SMOL_HASH_BYTES) == 0)
        return "is another model once more";
    if (c->n_layers != d->n_layers || c->n_heads != d->n_heads || c->width != d->width ||
        c->n_ff != d->n_ff)
        return "has other layers, heads or widths than the first one";
    if (c->context != d->context)
        return "has another context than the first one";
    if (c->features != d->features)
        return "has other features than the first one";
    if (smol_f32_bits(c->ln_epsilon) != smol_f32_bits(d->ln_epsilon))
        return "has another epsilon of LayerNorm than the first one";
    if (c->vocab != d->vocab || c->tokenizer != d->tokenizer || s->size_bytes != t->size_bytes ||
        (s->size_bytes > 0 && memcmp(s->data, t->data, s->size_bytes) != 0))
        return "has another tokenizer than the first one";
    if (smol_config_has(c, SMOL_FEATURE_HALF_SHIFT) && c->seed != d->seed)
        return "has a half-shift with another seed than the first one";
    return NULL;
}

static enum smol_status check_fit(const struct smol_file_part *models, size_t n,
                                  struct smol_error *error)
{
    if (n < 1 || n > SMOL_MAX_MODELS)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "a delta changes 1..%u models",
                         SMOL_MAX_MODELS);
    for (size_t i = 0; i < n; i++) {
        const struct smol_file *file = models[i].file;
        const char *wrong = smol_config_is_delta(&file->config) ? "is a delta itself" : NULL;

        for (size_t k = 0; k < i && !wrong; k++)
            wrong = difference(models[k].file, file);
        if (wrong)
            return smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET, "model %zu %s", i + 1, wrong);
        if (!(fabsf(factor_of(models + i, n)) <= 0x1p60f))
            return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                             "model %zu has a factor that is not finite, or beyond 2^60", i + 1);
    }
    return SMOL_OK;
}

enum smol_status smol_train_on(struct smol_train_options *o, const struct smol_file_part *models,
                               size_t n, struct smol_error *error)
{
    const enum smol_status status = check_fit(models, n, error);
    const struct smol_config *c = &models[0].file->config;

    if (status != SMOL_OK)
        return status;
    smol_train_use(o, SMOL_ARCH_DELTA);
    if (c->width > RATES_WIDTH) { /* alphas are of weights that have the width's scale already */
        o->lr *= RATES_WIDTH / c->width;
        o->matrix_lr *= RATES_WIDTH / c->width;
    }
    /* GPT-2 has none, and other programs' adapters have no place for one; but `embed` has nothing
     * else to learn there. */
    o->learn_logit_scale =
        c->architecture == SMOL_ARCH_SMOL || (o->matrices == SMOL_MATRIX_UNIT && o->rank == 0);
    o->features = c->features;
    o->n_layers = c->n_layers;
    o->n_heads = c->n_heads;
    o->width = c->width;
    o->n_ff = c->n_ff;
    o->context = c->context < 65536 ? c->context : 65536;
    o->ln_epsilon = (double)c->ln_epsilon;
    o->n_models = (uint32_t)n;
    o->model_context = c->context;
    o->model_vocab = c->vocab;
    o->models = smol_train_models(models, n);
    o->mix = n > 1 ? SMOL_MIX_MATRIX : SMOL_MIX_NONE;
    o->embedding_rows = 0;
    return SMOL_OK;
}

enum smol_status smol_train_check_models(struct smol_file_part to[SMOL_MAX_MODELS],
                                         const struct smol_train_options *o,
                                         const struct smol_file_part *models, size_t n,
                                         struct smol_error *error)
{
    const struct smol_config *c = n > 0 ? &models[0].file->config : NULL;
    enum smol_status status;

    if (n == 0 && o->architecture != SMOL_ARCH_DELTA)
        return SMOL_OK;
    if (n == 0)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "a delta needs its models");
    status = check_fit(models, n, error);
    if (status != SMOL_OK)
        return status;
    if (n != o->n_models || smol_train_models(models, n) != o->models ||
        c->n_layers != o->n_layers || c->n_heads != o->n_heads || c->width != o->width ||
        c->n_ff != o->n_ff || c->context != o->model_context || c->vocab != o->model_vocab ||
        c->features != o->features ||
        smol_f32_bits(c->ln_epsilon) != smol_f32_bits((float)o->ln_epsilon))
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "these are not the models of the options");
    for (size_t i = 0; i < n; i++)
        to[i] = (struct smol_file_part){models[i].file, factor_of(models + i, n)};
    return SMOL_OK;
}
