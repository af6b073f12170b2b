/* Texts that a model continues, one or several in a session: which tokens have been fed, and what
 * happens when the context is full. */
#include "api/text.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/fpenv.h"
#include "base/grow.h"
#include "model/pass.h"

#include <inttypes.h>
#include <smol/model.h>
#include <smol/text.h>
#include <smol/tokenizer.h>

#include <string.h>

#define ALIGNMENT 64u

/* What the texts of a session have in common. */
struct shared {
    struct smol_session *session;
    void *memory;   /* of the session and the samplers */
    size_t n_texts; /* that are left */
    /* What one call feeds: */
    uint32_t *texts, *tokens; /* (texts_capacity), (tokens_capacity) */
    size_t n, texts_capacity, tokens_capacity;
};

struct smol_text {
    const struct smol_model *model;
    struct shared *shared;
    uint32_t index; /* in the session */
    /* Of the present call: */
    bool is_taken;
    enum smol_status status;
    struct smol_sampler *sampler;
    /* (capacity), of which n_tokens are used, n_fed computed, n_accepted known to the sampler;
     * after a failure the n_sure that had been computed or chosen are left. */
    uint32_t *tokens;
    uint8_t *is_written; /* (written_capacity) of each token, whether it was chosen */
    size_t written_capacity;
    size_t n_tokens, n_fed, n_accepted, n_sure, capacity;
    bool slides; /* then only the last tokens are held */
};

/* Session and samplers in one block of memory. */
static enum smol_status begin(struct shared *shared, struct smol_text **texts, size_t n,
                              const struct smol_session_options *session,
                              const struct smol_sampler_options *sampler, struct smol_error *error)
{
    const struct smol_file *file = smol_model_file(texts[0]->model);
    const uint32_t vocab = file->config.vocab;
    struct smol_sampler_options o = *sampler;
    size_t session_bytes, sampler_bytes;
    enum smol_status status;

    if ((status = smol_session_size(&session_bytes, file, session, error)) ||
        (status = smol_sampler_size(&sampler_bytes, vocab, sampler, error)))
        return status;
    /* Both are at most SIZE_MAX / 2. */
    session_bytes = (size_t)smol_round_up(session_bytes, ALIGNMENT);
    sampler_bytes = (size_t)smol_round_up(sampler_bytes, ALIGNMENT);
    if (sampler_bytes > (SIZE_MAX - session_bytes) / n ||
        !(shared->memory = aligned_alloc(ALIGNMENT, session_bytes + n * sampler_bytes)))
        return smol_fail_memory(error);
    for (size_t i = 0; i < n; i++, o.seed++)
        if ((status =
                 smol_sampler_init(&texts[i]->sampler, vocab, &o,
                                   (uint8_t *)shared->memory + session_bytes + i * sampler_bytes,
                                   sampler_bytes, error)))
            return status;
    return smol_session_init(&shared->session, file, session, shared->memory, session_bytes, error);
}

/* The options of a session with n texts. One alone may be asked for by a program that was compiled
 * when the options were smaller, and said nothing of texts. */
static enum smol_status session_options(struct smol_session_options *o,
                                        const struct smol_session_options **options, size_t n,
                                        struct smol_error *error)
{
    if (n == 0 || n > SMOL_MAX_TEXTS)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "%zu texts side by side, allowed are 1..%u", n, SMOL_MAX_TEXTS);
    if (n == 1 && (!*options || (*options)->struct_bytes != sizeof **options))
        return SMOL_OK;
    if (*options && smol_check_struct((*options)->struct_bytes, sizeof **options,
                                      "smol_session_options", error))
        return SMOL_E_ARGUMENT;
    *o = *options ? **options : (struct smol_session_options){.struct_bytes = sizeof *o};
    o->n_texts = n;
    *options = o;
    return SMOL_OK;
}

/* Texts without a session: an array for free(), or NULL. */
static struct smol_text **make_texts(size_t n, const struct smol_model *model,
                                     struct shared *shared)
{
    struct smol_text **texts = calloc(n, sizeof(struct smol_text *));

    for (size_t i = 0; texts && i < n; i++) {
        if (!(texts[i] = calloc(1, sizeof *texts[i]))) {
            while (i > 0)
                free(texts[--i]);
            free(texts);
            return NULL;
        }
        *texts[i] = (struct smol_text){.model = model, .shared = shared, .index = (uint32_t)i};
    }
    return texts;
}

enum smol_status smol_texts_create(struct smol_text **texts, size_t n,
                                   const struct smol_model *model,
                                   const struct smol_session_options *session,
                                   const struct smol_sampler_options *sampler,
                                   struct smol_error *error)
{
    struct smol_sampler_options defaults;
    struct smol_session_options o;
    struct smol_text **made;
    struct shared *shared;
    enum smol_status status = session_options(&o, &session, n, error);

    if (status)
        return status;
    shared = calloc(1, sizeof *shared);
    made = shared ? make_texts(n, model, shared) : NULL;
    if (!made) {
        free(shared);
        return smol_fail_memory(error);
    }
    shared->n_texts = n;
    smol_sampler_defaults(&defaults, sizeof defaults);
    status = begin(shared, made, n, session, sampler ? sampler : &defaults, error);
    for (size_t i = 0; i < n; i++)
        if (status)
            smol_text_destroy(made[i]);
        else
            (texts[i] = made[i])->slides = smol_session_slides(shared->session);
    free(made);
    return status;
}

enum smol_status smol_text_create(struct smol_text **text, const struct smol_model *model,
                                  const struct smol_session_options *session,
                                  const struct smol_sampler_options *sampler,
                                  struct smol_error *error)
{
    struct smol_text *t;
    const enum smol_status status = smol_texts_create(&t, 1, model, session, sampler, error);

    if (!status)
        *text = t;
    return status;
}

static void leave(struct shared *shared)
{
    if (--shared->n_texts > 0)
        return;
    smol_session_finish(shared->session);
    free(shared->memory);
    free(shared->texts);
    free(shared->tokens);
    free(shared);
}

void smol_text_destroy(struct smol_text *text)
{
    if (!text)
        return;
    leave(text->shared);
    free(text->tokens);
    free(text->is_written);
    free(text);
}

struct smol_session *smol_text_session(const struct smol_text *text)
{
    return text->shared->session;
}

/* Tokens that nothing needs any more, once there are twice as many as the context has. */
static void drop_old(struct smol_text *t)
{
    const size_t context = smol_session_context(t->shared->session),
                 n_done = t->n_fed < t->n_accepted ? t->n_fed : t->n_accepted,
                 n = t->slides && n_done >= 2 * context ? n_done - context : 0;

    if (n == 0)
        return;
    memmove(t->tokens, t->tokens + n, (t->n_tokens - n) * sizeof *t->tokens);
    memmove(t->is_written, t->is_written + n, t->n_tokens - n);
    t->n_tokens -= n;
    t->n_fed -= n;
    t->n_accepted -= n;
    t->n_sure -= n;
}

/* For n tokens in all. */
static bool hold(struct smol_text *t, size_t n)
{
    uint32_t *tokens = smol_grown(t->tokens, &t->capacity, n, sizeof *tokens);
    uint8_t *is_written = smol_grown(t->is_written, &t->written_capacity, n, 1);

    t->tokens = tokens ? tokens : t->tokens;
    t->is_written = is_written ? is_written : t->is_written;
    return tokens && is_written;
}

/* For n more, which nobody has chosen yet. */
static bool make_room(struct smol_text *t, size_t n)
{
    drop_old(t);
    if (!hold(t, t->n_tokens + n))
        return false;
    memset(t->is_written + t->n_tokens, 0, n);
    return true;
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

/* Logits that an earlier failure has taken: the last token is to be fed again. */
static void ask_for_logits(struct smol_text *t)
{
    struct smol_session *session = t->shared->session;
    const uint32_t position = smol_session_position_of(session, t->index);

    if (t->n_fed == 0 || t->n_fed < t->n_tokens || smol_text_logits(t))
        return;
    smol_session_rewind_text(session, t->index, position ? position - 1 : 0);
    t->n_fed--;
}

/* How many of the last tokens to feed. When the context has no room for the new ones, its last half
 * goes in again; of a text that slides, after a failure, all that is held. */
static size_t tokens_to_feed(struct smol_text *t)
{
    struct smol_session *session = t->shared->session;
    const size_t context = smol_session_context(session),
                 position = smol_session_position_of(session, t->index);
    const size_t n = t->n_tokens - t->n_fed,
                 half = context / 2 < t->n_tokens ? context / 2 : t->n_tokens;
    const bool is_lost = position == 0 && t->n_fed > 0; /* by an earlier failure */

    if (n && t->slides && is_lost)
        return t->n_tokens;
    if (n == 0 || t->slides || n > context || (position + n <= context && !is_lost))
        return n;
    smol_session_rewind_text(session, t->index, 0);
    return n > half ? n : half;
}

/* Whether one of the last n tokens is past any vocabulary, as if it were marked as written. */
static bool has_marked(const struct smol_text *t, size_t n)
{
    for (size_t i = t->n_tokens - n; i < t->n_tokens; i++)
        if (t->tokens[i] & SMOL_WRITTEN)
            return true;
    return false;
}

/* Puts what a text is to be fed behind what is there of others. */
static enum smol_status gather(struct smol_text *t, struct smol_error *error)
{
    struct shared *s = t->shared;
    uint32_t *texts, *tokens;
    size_t n;

    ask_for_logits(t);
    n = tokens_to_feed(t);
    if (has_marked(t, n))
        return smol_fail(error, SMOL_E_TOKEN, SMOL_NO_OFFSET,
                         "a token is beyond the vocabulary of %" PRIu32,
                         smol_model_config(t->model)->vocab);
    texts = smol_grown(s->texts, &s->texts_capacity, s->n + n, sizeof *texts);
    s->texts = texts ? texts : s->texts;
    tokens = smol_grown(s->tokens, &s->tokens_capacity, s->n + n, sizeof *tokens);
    s->tokens = tokens ? tokens : s->tokens;
    if (!texts || !tokens)
        return smol_fail_memory(error);
    for (size_t i = t->n_tokens - n; i < t->n_tokens; i++) {
        s->texts[s->n] = t->index;
        s->tokens[s->n++] = t->tokens[i] | (t->is_written[i] ? SMOL_WRITTEN : 0);
    }
    return SMOL_OK;
}

/* Whether the texts of a call are of one session, and each there once. */
static enum smol_status check_texts(struct smol_text *const *texts, size_t n,
                                    struct smol_error *error)
{
    size_t i = 0;

    while (i < n && texts[i]->shared == texts[0]->shared && !texts[i]->is_taken)
        texts[i++]->is_taken = true;
    for (size_t k = 0; k < i; k++)
        texts[k]->is_taken = false;
    return i == n ? SMOL_OK
                  : smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                              "text %zu of the call is there twice, or of another session", i);
}

static enum smol_status feed(struct smol_text *const *texts, size_t n, struct smol_error *error)
{
    struct shared *s = texts[0]->shared;
    enum smol_status status = SMOL_OK;

    s->n = 0;
    for (size_t i = 0; i < n && !status; i++)
        status = gather(texts[i], error);
    if (s->n && !status)
        status = smol_session_feed_texts(s->session, s->texts, s->tokens, s->n, error);
    for (size_t i = 0; i < n; i++) {
        struct smol_text *t = texts[i];
        if (status)
            t->n_tokens = t->n_sure;
        else
            t->n_fed = t->n_sure = t->n_tokens;
        for (; !status && t->n_accepted < t->n_tokens; t->n_accepted++)
            smol_sampler_accept(t->sampler, t->tokens[t->n_accepted]);
    }
    return status;
}

enum smol_status smol_texts_feed(struct smol_text *const *texts, size_t n, struct smol_error *error)
{
    const enum smol_status status = check_texts(texts, n, error);

    return status || n == 0 ? status : feed(texts, n, error);
}

enum smol_status smol_text_feed(struct smol_text *text, struct smol_error *error)
{
    return feed(&text, 1, error);
}

/* Tokens being chosen, by all threads of the session. */
struct picking {
    struct smol_text *const *texts;
    uint32_t *tokens;
    size_t n;
};
#define PICKING 256u /* a token of the vocabulary, in multiplications */

static void pick(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct picking *g = arg;
    const size_t end = smol_share(g->n, worker + 1, n_workers);

    SMOL_IN_FPENV(
        for (size_t i = smol_share(g->n, worker, n_workers); i < end; i++) g->texts[i]->status =
            smol_sampler_choose(&g->tokens[i], g->texts[i]->sampler, smol_text_logits(g->texts[i]),
                                NULL));
}

enum smol_status smol_texts_next(uint32_t *tokens, struct smol_text *const *texts, size_t n,
                                 struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    for (size_t i = 0; i < n; i++) {
        if (texts[i]->n_tokens == 0)
            return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                             "an empty text cannot be continued");
        if (!make_room(texts[i], 1))
            return smol_fail_memory(error);
    }
    if ((status = smol_texts_feed(texts, n, error)) || n == 0)
        return status;
    smol_pass_run(texts[0]->shared->session, pick, &(struct picking){texts, tokens, n}, n,
                  (uint64_t)PICKING * smol_model_config(texts[0]->model)->vocab);
    for (size_t i = 0; i < n; i++) {
        struct smol_text *t = texts[i];
        if (t->status) /* it fails again, and says why */
            return smol_sampler_choose(&tokens[i], t->sampler, smol_text_logits(t), error);
        t->is_written[t->n_tokens] = 1;
        t->tokens[t->n_tokens++] = tokens[i];
        t->n_accepted = t->n_sure = t->n_tokens; /* the sampler accepts what it picks */
    }
    return SMOL_OK;
}

enum smol_status smol_text_next(uint32_t *token, struct smol_text *text, struct smol_error *error)
{
    return smol_texts_next(token, &text, 1, error);
}

enum smol_status smol_text_copy(struct smol_text *to, const struct smol_text *from, uint64_t seed,
                                struct smol_error *error)
{
    if (to == from || to->shared != from->shared)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         to == from ? "a text cannot be copied to itself"
                                    : "texts of two sessions cannot be copied to each other");
    if (!hold(to, from->n_tokens))
        return smol_fail_memory(error);
    if (from->n_tokens) {
        memcpy(to->tokens, from->tokens, from->n_tokens * sizeof *to->tokens);
        memcpy(to->is_written, from->is_written, from->n_tokens);
    }
    to->n_tokens = from->n_tokens;
    to->n_fed = from->n_fed;
    to->n_accepted = from->n_accepted;
    to->n_sure = from->n_sure;
    smol_session_copy_text(to->shared->session, to->index, from->index);
    smol_sampler_copy(to->sampler, from->sampler, seed);
    return SMOL_OK;
}

const float *smol_text_logits(const struct smol_text *text)
{
    return smol_session_logits_of(text->shared->session, text->index);
}

const uint32_t *smol_text_tokens(const struct smol_text *text) { return text->tokens; }

size_t smol_text_count(const struct smol_text *text) { return text->n_tokens; }

bool smol_text_is_full(const struct smol_text *text)
{
    const struct smol_session *session = text->shared->session;

    return !text->slides && text->n_fed < text->n_tokens &&
           smol_session_position_of(session, text->index) == smol_session_context(session);
}
