/* A text that a model continues: which tokens have been fed, and what happens when the context is
 * full. */
#include "api/text.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/grow.h"

#include <smol/model.h>
#include <smol/tokenizer.h>

#include <string.h>

#define ALIGNMENT 64u

struct smol_text {
    const struct smol_model *model;
    struct smol_session *session;
    struct smol_sampler *sampler;
    /* (capacity), of which n_tokens are used, n_fed computed, n_accepted known to the sampler;
     * after a failure the n_sure that had been computed or chosen are left. */
    uint32_t *tokens;
    size_t n_tokens, n_fed, n_accepted, n_sure, capacity;
    bool slides;  /* then only the last tokens are held */
    void *memory; /* of session and sampler */
};

/* Session and sampler in one block of memory, which is freed with the text. */
static enum smol_status begin(struct smol_text *t, const struct smol_session_options *session,
                              const struct smol_sampler_options *sampler, struct smol_error *error)
{
    const struct smol_file *file = smol_model_file(t->model);
    const uint32_t vocab = file->config.vocab;
    size_t session_bytes, sampler_bytes;
    enum smol_status status;

    if ((status = smol_session_size(&session_bytes, file, session, error)) ||
        (status = smol_sampler_size(&sampler_bytes, vocab, sampler, error)))
        return status;
    /* Both are at most SIZE_MAX / 2. */
    session_bytes = (size_t)smol_round_up(session_bytes, ALIGNMENT);
    sampler_bytes = (size_t)smol_round_up(sampler_bytes, ALIGNMENT);
    if (sampler_bytes > SIZE_MAX - session_bytes ||
        !(t->memory = aligned_alloc(ALIGNMENT, session_bytes + sampler_bytes)))
        return smol_fail_memory(error);
    if ((status = smol_session_init(&t->session, file, session, t->memory, session_bytes, error)))
        return status;
    return smol_sampler_init(&t->sampler, vocab, sampler, (uint8_t *)t->memory + session_bytes,
                             sampler_bytes, error);
}

enum smol_status smol_text_create(struct smol_text **text, const struct smol_model *model,
                                  const struct smol_session_options *session,
                                  const struct smol_sampler_options *sampler,
                                  struct smol_error *error)
{
    struct smol_text *t = calloc(1, sizeof *t);
    struct smol_sampler_options defaults;
    enum smol_status status;

    if (!t)
        return smol_fail_memory(error);
    t->model = model;
    smol_sampler_defaults(&defaults, sizeof defaults);
    status = begin(t, session, sampler ? sampler : &defaults, error);
    if (status) {
        smol_text_destroy(t);
        return status;
    }
    t->slides = smol_session_slides(t->session);
    *text = t;
    return SMOL_OK;
}

void smol_text_destroy(struct smol_text *text)
{
    if (!text)
        return;
    smol_session_finish(text->session);
    free(text->memory);
    free(text->tokens);
    free(text);
}

struct smol_session *smol_text_session(const struct smol_text *text) { return text->session; }

/* Tokens that nothing needs any more, once there are twice as many as the context has. */
static void drop_old(struct smol_text *t)
{
    const size_t context = smol_session_context(t->session),
                 n_done = t->n_fed < t->n_accepted ? t->n_fed : t->n_accepted,
                 n = t->slides && n_done >= 2 * context ? n_done - context : 0;

    if (n == 0)
        return;
    memmove(t->tokens, t->tokens + n, (t->n_tokens - n) * sizeof *t->tokens);
    t->n_tokens -= n;
    t->n_fed -= n;
    t->n_accepted -= n;
    t->n_sure -= n;
}

static bool make_room(struct smol_text *t, size_t n)
{
    uint32_t *tokens;

    drop_old(t);
    tokens = smol_grown(t->tokens, &t->capacity, t->n_tokens + n, sizeof *tokens);

    t->tokens = tokens ? tokens : t->tokens;
    return tokens;
}

enum smol_status smol_text_append(struct smol_text *text, const uint32_t *tokens, size_t n,
                                  struct smol_error *error)
{
    if (!make_room(text, n))
        return smol_fail_memory(error);
    if (n)
        memcpy(text->tokens + text->n_tokens, tokens, n * sizeof *tokens);
    text->n_tokens += n;
    return SMOL_OK;
}

enum smol_status smol_text_append_bytes(struct smol_text *text, const void *bytes,
                                        size_t size_bytes, struct smol_error *error)
{
    const uint32_t start = smol_start_token(smol_model_file(text->model));
    enum smol_status status;
    size_t n;

    if (size_bytes == 0)
        return smol_text_append(text, &start, text->n_tokens == 0, error);
    if (!make_room(text, size_bytes)) /* a token stands for one byte at least */
        return smol_fail_memory(error);
    status =
        smol_model_encode(&n, text->tokens + text->n_tokens, text->model, bytes, size_bytes, error);
    if (status == SMOL_OK)
        text->n_tokens += n;
    return status;
}

/* How many of the last tokens to feed. When the context has no room for the new ones, its last half
 * goes in again; of a text that slides, after a failure, all that is held. */
static size_t tokens_to_feed(struct smol_text *t)
{
    const size_t context = smol_session_context(t->session),
                 position = smol_session_position(t->session);
    const size_t n = t->n_tokens - t->n_fed,
                 half = context / 2 < t->n_tokens ? context / 2 : t->n_tokens;
    const bool is_lost = position == 0 && t->n_fed > 0; /* by an earlier failure */

    if (n && t->slides && is_lost)
        return t->n_tokens;
    if (n == 0 || t->slides || n > context || (position + n <= context && !is_lost))
        return n;
    smol_session_rewind(t->session, 0);
    return n > half ? n : half;
}

enum smol_status smol_text_feed(struct smol_text *text, struct smol_error *error)
{
    const size_t n = tokens_to_feed(text);
    enum smol_status status =
        n ? smol_session_feed(text->session, text->tokens + text->n_tokens - n, n, error) : SMOL_OK;

    if (status) {
        text->n_tokens = text->n_sure;
        return status;
    }
    text->n_fed = text->n_sure = text->n_tokens;
    for (; text->n_accepted < text->n_tokens; text->n_accepted++)
        smol_sampler_accept(text->sampler, text->tokens[text->n_accepted]);
    return SMOL_OK;
}

enum smol_status smol_text_next(uint32_t *token, struct smol_text *text, struct smol_error *error)
{
    enum smol_status status;
    uint32_t picked;

    if (text->n_tokens == 0)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "an empty text cannot be continued");
    if (!make_room(text, 1))
        return smol_fail_memory(error);
    if ((status = smol_text_feed(text, error)) ||
        (status =
             smol_sampler_pick(&picked, text->sampler, smol_session_logits(text->session), error)))
        return status;
    text->tokens[text->n_tokens++] = picked;
    text->n_accepted = text->n_sure = text->n_tokens; /* the sampler accepts what it picks */
    *token = picked;
    return SMOL_OK;
}

const float *smol_text_logits(const struct smol_text *text)
{
    return smol_session_logits(text->session);
}

const uint32_t *smol_text_tokens(const struct smol_text *text) { return text->tokens; }

size_t smol_text_count(const struct smol_text *text) { return text->n_tokens; }

bool smol_text_is_full(const struct smol_text *text)
{
    return !text->slides && text->n_fed < text->n_tokens &&
           smol_session_position(text->session) == smol_session_context(text->session);
}
