/* A session, and feeding it tokens. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/fft.h"
#include "base/fpenv.h"
#include "model/apart/apart.h"
#include "model/products/runs.h"

#include <inttypes.h>

static void free_transforms(struct smol_fft *const *ffts)
{
    for (uint32_t i = 0; i < SMOL_N_BLOCK_SIZES; i++)
        smol_fft_free(ffts[i]);
}

/* One transform for each size that a projection has that is not there yet; SPEC.md 5.8. On failure
 * they are all gone. */
static enum smol_status plan_transforms(struct smol_fft **ffts, const struct smol_config *c,
                                        struct smol_error *error)
{
    for (uint32_t i = 0; i < c->n_schemes; i++) {
        const struct smol_scheme *s = &c->schemes[i];
        const uint32_t size = smol_projection_size(s->dimensions), at = smol_block_size_index(size);
        enum smol_status status;

        if (!smol_scheme_is_fourier(s) || ffts[at])
            continue;
        if ((status = smol_fft_plan(&ffts[at], size, error)) != SMOL_OK) {
            free_transforms(ffts);
            return status;
        }
    }
    return SMOL_OK;
}

/* The options without zeros, and the size of such a session. */
static enum smol_status plan(struct smol_session_options *out, size_t *size_bytes,
                             const struct smol_file *file,
                             const struct smol_session_options *options, struct smol_error *error)
{
    struct smol_session_options o;
    struct smol_session counting;
    struct smol_fft *none[SMOL_N_BLOCK_SIZES] = {NULL};
    struct smol_arena arena = {NULL, 0};
    const enum smol_status status = smol_session_resolve(&o, file, options, error);

    if (status)
        return status;
    smol_session_lay_out(&counting, file, &o, none, &arena);
    if (arena.used > SIZE_MAX / 2)
        return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET,
                         "a session of this model does not fit this machine");
    if (o.memory_bytes && arena.used > o.memory_bytes)
        return smol_fail(
            error, SMOL_E_MEMORY, SMOL_NO_OFFSET,
            "a session with a context of %" PRIu32 " takes %llu bytes, allowed are %llu%s",
            o.context, (unsigned long long)arena.used, (unsigned long long)o.memory_bytes,
            counting.history_capacity ? "; a shorter history takes fewer" : "");
    *out = o;
    *size_bytes = (size_t)arena.used;
    return SMOL_OK;
}

enum smol_status smol_session_size(size_t *size_bytes, const struct smol_file *file,
                                   const struct smol_session_options *options,
                                   struct smol_error *error)
{
    struct smol_session_options resolved;

    return plan(&resolved, size_bytes, file, options, error);
}

static enum smol_status init(struct smol_session **session, const struct smol_file *file,
                             const struct smol_session_options *options, void *memory,
                             size_t size_bytes, struct smol_error *error)
{
    struct smol_arena arena = {memory, 0};
    struct smol_session *s = memory;
    struct smol_fft *ffts[SMOL_N_BLOCK_SIZES] = {NULL};
    struct smol_session_options o;
    struct mixture mixture;
    size_t needed;
    enum smol_status status = plan(&o, &needed, file, options, error);

    if (status)
        return status;
    if (size_bytes < needed || (uintptr_t)memory % 64 != 0)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "a session needs %zu bytes, aligned to 64; %zu were given", needed,
                         size_bytes);
    smol_mixture_of(&mixture, file);
    for (uint32_t i = 0; i < mixture.n_parts; i++)
        if ((status = plan_transforms(ffts, &mixture.files[i]->config, error)))
            return status;
    smol_session_lay_out(s, file, &o, ffts, &arena);
    memset(s->texts, 0, s->n_texts * sizeof *s->texts);
    smol_history_begin(s);
    if (!smol_pool_start(s->pool, o.n_threads)) {
        free_transforms(ffts);
        return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET, "cannot start %" PRIu32 " threads",
                         o.n_threads);
    }
    smol_weight_cache_fill(s);
    smol_runs_fill(s);
    *session = s;
    return SMOL_OK;
}

enum smol_status smol_session_init(struct smol_session **session, const struct smol_file *file,
                                   const struct smol_session_options *options, void *memory,
                                   size_t size_bytes, struct smol_error *error)
{
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    return smol_fpenv_end(&host, status ? status
                                        : init(session, file, options, memory, size_bytes, error));
}

void smol_session_finish(struct smol_session *session)
{
    if (!session)
        return;
    smol_pool_stop(session->pool);
    free_transforms(session->ffts);
}

/* Tokens of a call, and what is done with their logits. */
struct feeding {
    const uint32_t *texts; /* (n), or NULL: all of text 0 */
    const uint32_t *tokens;
    size_t n;
    size_t first; /* token whose logits visit gets, as of all behind it */
    smol_session_visit *visit;
    void *arg;
};

static uint32_t text_at(const struct feeding *f, size_t i) { return f->texts ? f->texts[i] : 0; }

/* Whether token i is the last one of its text. */
static bool is_last(const struct feeding *f, size_t i)
{
    return i + 1 == f->n || text_at(f, i + 1) != text_at(f, i);
}

/* Counts the tokens of each text, which stand together. */
static enum smol_status count_new(struct smol_session *s, const struct feeding *f,
                                  struct smol_error *error)
{
    for (size_t i = 0; i < f->n; i++) {
        if (text_at(f, i) >= s->n_texts)
            return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                             "text %" PRIu32 " of a session that has %" PRIu32, text_at(f, i),
                             s->n_texts);
        s->texts[text_at(f, i)].n_new = 0;
    }
    for (size_t i = 0, first = 0; i < f->n; i++) {
        struct sequence *text = &s->texts[text_at(f, i)];
        if (!is_last(f, i))
            continue;
        if (text->n_new)
            return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                             "tokens for text %" PRIu32 " that do not stand together",
                             text_at(f, i));
        text->n_new = i + 1 - first;
        text->start = text->position;
        first = i + 1;
    }
    return SMOL_OK;
}

static enum smol_status check_tokens(struct smol_session *s, const struct feeding *f,
                                     struct smol_error *error)
{
    const uint32_t *tokens = f->tokens;
    const size_t n = f->n;
    const enum smol_status status = count_new(s, f, error);

    if (status)
        return status;
    for (size_t i = 0; i < n && !s->slides; i++) {
        const struct sequence *text = &s->texts[text_at(f, i)];
        if (text->n_new > s->context - text->position)
            return smol_fail(error, SMOL_E_CONTEXT, SMOL_NO_OFFSET,
                             "%zu tokens after %" PRIu32 " do not fit the context of %" PRIu32,
                             text->n_new, text->position, s->context);
    }
    for (size_t i = 0; i < n; i++)
        if ((tokens[i] & ~SMOL_WRITTEN) >= s->config->vocab)
            return smol_fail(error, SMOL_E_TOKEN, SMOL_NO_OFFSET,
                             "token %" PRIu32 " is beyond the vocabulary of %" PRIu32, tokens[i],
                             s->config->vocab);
    return SMOL_OK;
}

/* A token of a position of the batch to the history of its text. */
static void push(struct smol_session *s, uint32_t position, uint32_t token)
{
    if (s->history_capacity)
        smol_history_push(&s->texts[s->rows[position].text].history, token);
}

/* Logits of positions first..end - 1 of the batch, which are of text 0 and whose tokens these are,
 * visited as many at once as there is room for; the last ones are then the text's. True if a value
 * overflowed or had before. */
static bool visit_logits(struct smol_session *s, const struct feeding *f, const uint32_t *tokens,
                         uint32_t first, uint32_t end, bool overflows)
{
    const uint32_t room = s->n_visited < SMOL_HISTORY_ROOM ? s->n_visited : SMOL_HISTORY_ROOM;
    struct history before, *now = &s->texts[0].history;
    struct heads heads = {s->heads, 0, room ? s->wide : s->logits, &before};

    for (uint32_t p = first; p < end; p += heads.n) {
        heads.n = end - p < room ? end - p : room ? room : 1;
        smol_history_reserve(now, heads.n);
        smol_history_sort(now, s->workers[0].followers.shortest);
        before = *now;
        for (uint32_t k = 0; k < heads.n; k++) {
            push(s, p + k, tokens[p + k]);
            s->heads[k] = p + k;
        }
        smol_logits(s, &heads);
        overflows = smol_overflowed(s) || overflows;
        if (!overflows)
            f->visit(f->arg, heads.logits, heads.n);
    }
    if (room && first < end)
        memcpy(s->logits, head_logits(s, &heads, heads.n - 1),
               s->config->vocab * sizeof *s->logits);
    return overflows;
}

/* Logits of the positions of a batch of n, which begins with token i, that are asked for; true if a
 * value overflowed. */
static bool make_logits(struct smol_session *s, const struct feeding *f, size_t i, uint32_t n)
{
    const size_t not_visited = !f->visit ? n : f->first > i ? f->first - i : 0;
    const uint32_t first = not_visited < n ? (uint32_t)not_visited : n;
    struct heads heads = {.positions = s->heads};
    bool overflows = smol_overflowed(s);

    for (uint32_t p = 0; p < first; p++) {
        push(s, p, f->tokens[i + p]);
        if (!is_last(f, i + p))
            continue;
        smol_history_sort(&s->texts[s->rows[p].text].history, s->workers[0].followers.shortest);
        s->heads[heads.n++] = p;
    }
    if (heads.n)
        smol_logits(s, &heads);
    overflows = smol_overflowed(s) || overflows;
    return visit_logits(s, f, f->tokens + i, first, n, overflows);
}

/* A batch of n positions is in the cache. */
static void count(struct smol_session *s, uint32_t n)
{
    for (uint32_t p = 0; p < n; p += s->rows[p].n) {
        struct sequence *text = &s->texts[s->rows[p].text];
        const uint32_t more = s->rows[p].n;
        text->held += more;
        text->has_logits = true;
        text->position = more < UINT32_MAX - text->position ? text->position + more : UINT32_MAX;
    }
}

/* All texts back to where they were before the call, as far as that can be. */
static void undo(struct smol_session *s, const struct feeding *f)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct sequence *text = &s->texts[text_at(f, i)];
        if (is_last(f, i))
            smol_session_rewind_text(s, text_at(f, i),
                                     text->position == UINT32_MAX ? 0 : text->start);
    }
}

/* A batch of n that begins with token i; true if a value overflowed. */
static bool feed_batch(struct smol_session *s, const void *feeding, size_t i, uint32_t n)
{
    const struct feeding *f = feeding;

    smol_forward(s, f->texts ? f->texts + i : NULL, f->tokens + i, n);
    const bool overflows = make_logits(s, f, i, n);

    count(s, n);
    return overflows;
}

/* Appends tokens, a batch at a time. */
static enum smol_status run(struct smol_session *s, const struct feeding *f,
                            struct smol_error *error)
{
    uint32_t n;

    smol_cache_reserve(s, f->texts, f->n);
    for (size_t i = 0; i < f->n; i += n) {
        bool overflows;
        n = f->n - i < s->batch ? (uint32_t)(f->n - i) : s->batch;
        smol_pool_begin(s->pool, n);
        if (!smol_feed_apart(&overflows, s, feed_batch, f, f->texts, i, n))
            overflows = feed_batch(s, f, i, n);
        smol_pool_end(s->pool, n);
        if (overflows) {
            undo(s, f);
            return smol_fail(error, SMOL_E_NUMERIC, SMOL_NO_OFFSET, "the model's values overflow");
        }
    }
    return SMOL_OK;
}

static enum smol_status feed(struct smol_session *session, const struct feeding *f,
                             struct smol_error *error)
{
    struct smol_fpenv host;
    enum smol_status status = check_tokens(session, f, error);

    if (status)
        return status;
    status = smol_fpenv_set(&host, error);
    return smol_fpenv_end(&host, status ? status : run(session, f, error));
}

enum smol_status smol_session_feed_each(struct smol_session *session, const uint32_t *tokens,
                                        size_t n, size_t first, smol_session_visit *visit,
                                        void *arg, struct smol_error *error)
{
    const struct feeding f = {NULL, tokens, n, first, visit, arg};

    return feed(session, &f, error);
}

enum smol_status smol_session_feed(struct smol_session *session, const uint32_t *tokens, size_t n,
                                   struct smol_error *error)
{
    return smol_session_feed_each(session, tokens, n, 0, NULL, NULL, error);
}

enum smol_status smol_session_feed_texts(struct smol_session *session, const uint32_t *texts,
                                         const uint32_t *tokens, size_t n, struct smol_error *error)
{
    const struct feeding f = {texts, tokens, n, 0, NULL, NULL};

    return feed(session, &f, error);
}

/* Losses to be had of the tokens that are appended. */
struct scoring {
    const struct smol_session *session;
    double *nats;            /* of the next */
    const uint32_t *targets; /* from the next on */
};

static void score(void *arg, const float *logits, uint32_t n)
{
    struct scoring *scoring = arg;

    smol_losses(scoring->session, scoring->nats, logits, scoring->targets, n);
    scoring->nats += n;
    scoring->targets += n;
}

enum smol_status smol_session_score(struct smol_session *session, double *nats,
                                    const uint32_t *tokens, const uint32_t *targets, size_t n,
                                    struct smol_error *error)
{
    struct scoring scoring = {session, nats, targets};
    const struct feeding f = {NULL, tokens, n, 0, score, &scoring};
    const enum smol_status status = check_tokens(session, &f, error);

    if (status)
        return status;
    for (size_t i = 0; i < n; i++)
        if (targets[i] >= session->config->vocab)
            return smol_fail(error, SMOL_E_TOKEN, SMOL_NO_OFFSET,
                             "target %" PRIu32 " is beyond the vocabulary of %" PRIu32, targets[i],
                             session->config->vocab);
    return feed(session, &f, error);
}

const float *smol_session_logits_of(const struct smol_session *session, uint32_t text)
{
    return session->texts[text].has_logits ? logits_of(session, text) : NULL;
}

const float *smol_session_logits(const struct smol_session *session)
{
    return smol_session_logits_of(session, 0);
}

uint32_t smol_session_position_of(const struct smol_session *session, uint32_t text)
{
    return session->texts[text].position;
}

uint32_t smol_session_position(const struct smol_session *session)
{
    return smol_session_position_of(session, 0);
}

uint32_t smol_session_context(const struct smol_session *session) { return session->context; }

bool smol_session_slides(const struct smol_session *session) { return session->slides; }

/* Whether what a position needs is still there: the rows that it sees, with a half-shift the inputs
 * of the one before and, with a history, its tokens. */
static bool can_rewind(const struct smol_session *s, const struct sequence *text, uint32_t position)
{
    const uint32_t dropped = text->position - position;

    if (position == text->position || text->position == UINT32_MAX)
        return position == text->position;
    if (s->history_capacity && text->history.held < text->position)
        return false;
    return !smol_config_has(s->config, SMOL_FEATURE_HALF_SHIFT) && dropped <= text->held &&
           (text->held == text->position || text->held - dropped >= s->context - 1);
}

uint32_t smol_session_rewind_text(struct smol_session *session, uint32_t text, uint32_t position)
{
    struct sequence *at = &session->texts[text];
    const bool is_there = can_rewind(session, at, position);

    if (session->history_capacity)
        smol_history_drop(&at->history, is_there ? at->position - position : at->history.held);
    at->held = is_there ? at->held - (at->position - position) : 0;
    at->position = is_there ? position : 0;
    at->has_logits = false;
    return at->position;
}

uint32_t smol_session_rewind(struct smol_session *session, uint32_t position)
{
    return smol_session_rewind_text(session, 0, position);
}

static void copy_sequence(struct sequence *to, const struct sequence *from)
{
    struct history history = to->history;

    smol_history_copy(&history, &from->history);
    *to = *from;
    to->history = history;
}

void smol_session_copy_text(struct smol_session *s, uint32_t to, uint32_t from)
{
    const size_t C = s->config->width;

    if (to == from)
        return;
    copy_sequence(&s->texts[to], &s->texts[from]);
    smol_cache_copy(s, to, from);
    memcpy(logits_of(s, to), logits_of(s, from), s->config->vocab * sizeof *s->logits);
    for (uint32_t l = 0; l < s->config->n_layers; l++)
        for (unsigned i = 0; i < 2; i++) {
            float *before = s->layers[l].shifts[i].before;
            if (before)
                memcpy(before + to * C, before + from * C, C * sizeof *before);
        }
}
