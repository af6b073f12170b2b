/* See module.h. The model's handle, with which the library's texts, scores and packed texts
 * (src/api) are built as they are, is here one file in memory, without the encoder for merged
 * tokens, which needs PCRE2. */
#include "module.h"
#include "facts.h"

#include <smol/model.h>
#include <smol/pack.h>
#include <smol/tokenizer.h>

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64u
#define CACHE_BYTES (64u << 20) /* of a text, at most, for what is faster kept than made anew */

struct smol_model {
    struct smol_file file;
};
static struct smol_model model;

static struct web_result result;
static uint8_t *owned; /* what result.data points to, if it is a caller's to free */

struct web_text {
    struct smol_text *text;
    uint32_t *prompt; /* (n_prompt), of which n_fed have been fed */
    size_t n_prompt, n_fed;
    uint32_t end;   /* the token that ends it, or SMOL_NO_TOKEN */
    int32_t n_left; /* tokens that may follow; -1: until the context is full */
    uint8_t bytes[SMOL_MAX_TOKEN_BYTES];
};
#define PROMPT_SLICE 64u /* tokens of a prompt in one call, of a text that slides */

/* ---- what src/api asks of a model ---- */

const struct smol_file *smol_model_file(const struct smol_model *m) { return &m->file; }

const struct smol_config *smol_model_config(const struct smol_model *m) { return &m->file.config; }

enum smol_status smol_model_encode(size_t *n_tokens, uint32_t *tokens, const struct smol_model *m,
                                   const void *text, size_t size_bytes, struct smol_error *error)
{
    static const struct smol_error merged = {
        SMOL_E_TOKEN, SMOL_NO_OFFSET,
        "its tokens are merged pieces of text (BPE), which this build does not find in a prompt"};

    if (m->file.config.tokenizer != SMOL_TOKENIZER_BPE)
        return smol_encode_bytes(n_tokens, tokens, &m->file, text, size_bytes, error);
    *error = merged;
    return SMOL_E_TOKEN;
}

enum smol_status smol_model_decode(size_t *size_bytes, void *text, size_t capacity_bytes,
                                   const struct smol_model *m, const uint32_t *tokens, size_t n,
                                   struct smol_error *error)
{
    uint8_t room[SMOL_MAX_TOKEN_BYTES], *to = text;
    size_t size = 0;

    (void)error;
    for (size_t i = 0; i < n; i++) {
        const struct smol_span span = smol_token_bytes(room, &m->file, tokens[i]);
        if (to && span.size_bytes <= capacity_bytes - size)
            memcpy(to + size, span.data, span.size_bytes);
        size += span.size_bytes;
    }
    *size_bytes = size;
    return SMOL_OK;
}

/* ---- results ---- */

const struct web_result *web_result(void) { return &result; }

void *web_alloc(size_t size_bytes)
{
    return aligned_alloc(ALIGNMENT, (size_bytes / ALIGNMENT + 1) * ALIGNMENT);
}

void web_free(void *memory) { free(memory); }

static void give(const void *data, size_t size_bytes)
{
    result.data = (uint32_t)(uintptr_t)data;
    result.size_bytes = (uint32_t)size_bytes;
}

static void start(void)
{
    free(owned);
    owned = NULL;
    memset(&result, 0, sizeof result);
    result.offset = SMOL_NO_OFFSET;
}

static enum smol_status finish(enum smol_status status, const struct smol_error *error)
{
    if (status) {
        result.offset = error->offset;
        memcpy(result.text, error->text, sizeof result.text);
    }
    return status;
}

static enum smol_status fail(enum smol_status status, const char *text)
{
    memcpy(result.text, text, strlen(text) + 1); /* those here are short */
    return status;
}

static enum smol_status no_memory(void) { return fail(SMOL_E_MEMORY, "out of memory"); }

/* ---- the model ---- */

enum smol_status web_open(const uint8_t *bytes, size_t size_bytes)
{
    struct smol_error error;
    enum smol_status status;

    start();
    if ((status = smol_file_parse(&model.file, bytes, size_bytes, &error)) ||
        (status = smol_file_check_hash(&model.file, &error)) ||
        (model.file.is_signed && (status = smol_file_check_signature(&model.file, &error))))
        return finish(status, &error);
    return SMOL_OK;
}

enum smol_status web_facts(void)
{
    static char text[FACTS_BYTES];

    start();
    give(text, facts_write(text, &model.file));
    return SMOL_OK;
}

enum smol_status web_card(void)
{
    start();
    give(model.file.card.data, model.file.card.size_bytes);
    return SMOL_OK;
}

static bool is_whole(void)
{
    if (smol_file_is_whole(&model.file))
        return true;
    fail(SMOL_E_BASE,
         "a delta, which runs only with the model that it changes: see smolrun --base");
    return false;
}

/* ---- texts ---- */

static struct smol_session_options session_of(const struct web_options *o)
{
    return (struct smol_session_options){.struct_bytes = sizeof(struct smol_session_options),
                                         .context = o->context,
                                         .kv_type = (enum smol_dtype)o->kv_type,
                                         .is_fast = o->is_fast != 0};
}

static struct smol_sampler_options sampler_of(const struct web_options *o)
{
    return (struct smol_sampler_options){.struct_bytes = sizeof(struct smol_sampler_options),
                                         .seed = o->seed,
                                         .temperature = (float)o->temperature,
                                         .top_k = o->top_k,
                                         .top_p = o->top_p,
                                         .min_p = (float)o->min_p,
                                         .repeat_penalty = (float)o->repeat_penalty,
                                         .repeat_last_n = o->repeat_last_n};
}

/* How many tokens may follow. */
static int32_t most_tokens(const struct web_options *o)
{
    const struct smol_config *c = &model.file.config;

    if (o->n_predict >= 0 || !smol_config_has(c, SMOL_FEATURE_DISTANCES))
        return o->n_predict;
    return (int32_t)(o->context ? o->context : c->context);
}

static enum smol_status open_text(struct web_text *t, const struct web_options *o,
                                  const uint8_t *prompt, size_t size_bytes,
                                  struct smol_error *error)
{
    struct smol_session_options session = session_of(o);
    const struct smol_sampler_options sampler = sampler_of(o);
    enum smol_status status;
    size_t size;

    if ((status = smol_session_size(&size, &model.file, &session, error)))
        return status;
    session.memory_bytes = size + CACHE_BYTES;
    if ((status = smol_text_create(&t->text, &model, &session, &sampler, error)))
        return status;
    if (size_bytes > 0)
        return smol_model_encode(&t->n_prompt, t->prompt, &model, prompt, size_bytes, error);
    t->prompt[t->n_prompt++] = smol_start_token(&model.file);
    return SMOL_OK;
}

enum smol_status web_text_open(const struct web_options *options, const uint8_t *prompt,
                               size_t size_bytes)
{
    struct smol_error error;
    enum smol_status status;
    struct web_text *t;

    start();
    if (!is_whole())
        return SMOL_E_BASE;
    if (!(t = calloc(1, sizeof *t)) || !(t->prompt = calloc(size_bytes + 1, sizeof *t->prompt))) {
        free(t);
        return no_memory();
    }
    t->end = SMOL_NO_TOKEN;
    t->n_left = most_tokens(options);
    if (!options->ignores_end)
        smol_end_token(&t->end, &model.file);
    status = open_text(t, options, prompt, size_bytes, &error);
    if (status) {
        web_text_close(t);
        return finish(status, &error);
    }
    result.n_tokens = (uint32_t)t->n_prompt;
    give(t, 0);
    return SMOL_OK;
}

void web_text_close(struct web_text *text)
{
    if (!text)
        return;
    smol_text_destroy(text->text);
    free(text->prompt);
    free(text);
}

/* Whether a text ends before its next token, which is not even computed then. */
static enum web_finish ended(const struct web_text *t)
{
    if (t->n_left == 0)
        return WEB_LENGTH;
    return t->n_left < 0 && smol_text_is_full(t->text) ? WEB_CONTEXT : WEB_MORE;
}

/* The next slice of the prompt: all of it, if it has to fit into the context. */
static enum smol_status feed(struct web_text *t, struct smol_error *error)
{
    const bool slides = smol_config_has(&model.file.config, SMOL_FEATURE_DISTANCES);
    const size_t rest = t->n_prompt - t->n_fed,
                 n = slides && rest > PROMPT_SLICE ? PROMPT_SLICE : rest;
    enum smol_status status = smol_text_append(t->text, t->prompt + t->n_fed, n, error);

    status = status ? status : smol_text_feed(t->text, error);
    t->n_fed += n;
    return status;
}

/* The next token, of a text whose prompt has been fed. */
static enum smol_status pick(struct web_text *t, struct smol_error *error)
{
    enum smol_status status;
    struct smol_span bytes;
    uint32_t token;

    if ((result.finish = ended(t)))
        return SMOL_OK;
    if ((status = smol_text_next(&token, t->text, error)))
        return status;
    result.n_tokens = 1;
    if (t->n_left > 0)
        t->n_left--;
    if (token == t->end) {
        result.finish = WEB_END;
        return SMOL_OK;
    }
    bytes = smol_token_bytes(t->bytes, &model.file, token);
    give(bytes.data, bytes.size_bytes);
    return SMOL_OK;
}

enum smol_status web_text_next(struct web_text *t)
{
    struct smol_error error;

    start();
    return finish(t->n_fed < t->n_prompt ? feed(t, &error) : pick(t, &error), &error);
}

/* ---- packed texts ---- */

static struct smol_pack_options packing(uint32_t has_check)
{
    return (struct smol_pack_options){.struct_bytes = sizeof(struct smol_pack_options),
                                      .has_check = has_check != 0};
}

enum smol_status web_pack(const uint8_t *text, size_t size_bytes, uint32_t has_check)
{
    const struct smol_pack_options options = packing(has_check);
    struct smol_error error;
    enum smol_status status;
    size_t n = 0;

    start();
    if (!is_whole())
        return SMOL_E_BASE;
    if (!(owned = malloc(SMOL_PACKED_BOUND(size_bytes))))
        return no_memory();
    status = smol_pack(&n, owned, &model, &options, text, size_bytes, &error);
    give(owned, n);
    return finish(status, &error);
}

enum smol_status web_unpack(const uint8_t *packed, size_t size_bytes, size_t most_bytes,
                            uint32_t has_check)
{
    const struct smol_pack_options options = packing(has_check);
    struct smol_error error;
    enum smol_status status;
    size_t n = 0;

    start();
    if (!is_whole())
        return SMOL_E_BASE;
    if (!(owned = malloc(most_bytes + 1)))
        return no_memory();
    status = smol_unpack(&n, owned, most_bytes, &model, &options, packed, size_bytes, &error);
    give(owned, n);
    return finish(status, &error);
}

/* ---- scores ---- */

enum smol_status web_score(const uint8_t *text, size_t size_bytes, uint32_t context)
{
    const struct smol_session_options session = {.struct_bytes = sizeof session,
                                                 .context = context};
    struct smol_error error;
    struct smol_score score;
    enum smol_status status;

    start();
    if (!is_whole())
        return SMOL_E_BASE;
    status = smol_model_score(&score, &model, &session, text, size_bytes, &error);
    if (!status) {
        result.nats = score.nats;
        result.n_tokens = (uint32_t)score.n_tokens;
        result.n_bytes = (uint32_t)score.n_bytes;
    }
    return finish(status, &error);
}
