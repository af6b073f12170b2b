/* How well a model predicts a text. SPEC.md 11. */
#include "api/text.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/fpenv.h"
#include "base/threads/pool.h"

#include <smol/model.h>
#include <smol/tokenizer.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64u
#define AT_ONCE 8u                        /* windows of a thread, if there are several */
#define SESSIONS_BYTES ((size_t)64 << 20) /* that the sessions of several threads may take */

struct manner {
    uint32_t stride; /* from a window to the next; 0: the context */
    smol_score_progress *progress;
    void *context;
};

/* A text in windows, each from an empty context; or in pieces, if it slides. */
struct windows {
    const uint32_t *tokens; /* (n_tokens) */
    size_t n_tokens, context, stride;
    size_t n;
};

static struct windows windows_of(const struct smol_session *session, uint32_t stride,
                                 const uint32_t *tokens, size_t n_tokens)
{
    struct windows w = {tokens, n_tokens, smol_session_context(session), stride, 1};

    w.stride = stride ? stride : w.context;
    if (n_tokens > w.context + 1)
        w.n += (n_tokens - 1 - w.context + w.stride - 1) / w.stride;
    return w;
}

/* The token that a window begins with, and how many it predicts. The first n_old of these, which
 * the window before it has predicted, only are there to be seen. */
struct window {
    size_t first, n, n_old;
};

static struct window window_at(const struct windows *w, size_t i)
{
    const size_t first = i * w->stride, left = w->n_tokens - 1 - first;

    return (struct window){.first = first,
                           .n = left < w->context ? left : w->context,
                           .n_old = i > 0 ? w->context - w->stride : 0};
}

/* ---- sessions ---- */

/* A session, and how the windows went that it scored. */
struct scorer {
    struct smol_text *text; /* which has the session */
    enum smol_status status;
    struct smol_error error;
    size_t failed; /* window that it stopped at, if status is one */
};

/* One scorer, or one for each thread. */
struct scorers {
    struct scorer *items; /* (n) */
    uint32_t n;
    struct smol_pool *pool; /* NULL of one */
};

static void destroy_scorers(struct scorers *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        smol_text_destroy(s->items[i].text);
    free(s->items);
    if (s->pool)
        smol_pool_stop(s->pool);
    free(s->pool);
}

static enum smol_status start_threads(struct scorers *s, struct smol_error *error)
{
    struct smol_pool *pool =
        aligned_alloc(ALIGNMENT, (size_t)smol_round_up(smol_pool_bytes(s->n), ALIGNMENT));

    if (!pool || !smol_pool_start(pool, s->n)) {
        free(pool);
        return smol_fail_memory(error);
    }
    s->pool = pool;
    return SMOL_OK;
}

/* On failure there are none. */
static enum smol_status create_scorers(struct scorers *s, uint32_t n,
                                       const struct smol_model *model,
                                       const struct smol_session_options *session,
                                       struct smol_error *error)
{
    enum smol_status status;

    *s = (struct scorers){.items = calloc(n, sizeof *s->items)};
    status = s->items ? SMOL_OK : smol_fail_memory(error);
    for (; !status && s->n < n; s->n += !status)
        status = smol_text_create(&s->items[s->n].text, model, session, NULL, error);
    if (!status && n > 1)
        status = start_threads(s, error);
    if (status) {
        destroy_scorers(s);
        *s = (struct scorers){.n = 0};
    }
    return status;
}

static struct smol_session *session_of(const struct scorers *s, uint32_t i)
{
    return smol_text_session(s->items[i].text);
}

/* Threads with windows of their own are faster than threads that share each window: replaces a
 * session of several threads by several of one, unless they take much memory. session: its options.
 */
static enum smol_status share_out(struct scorers *s, const struct windows *w,
                                  const struct smol_model *model,
                                  const struct smol_session_options *session,
                                  struct smol_error *error)
{
    const uint32_t n_threads = session ? session->n_threads : 1;
    struct smol_session_options one = {.struct_bytes = sizeof one};
    enum smol_status status;
    size_t size;

    if (n_threads <= 1 || n_threads > w->n || smol_session_slides(session_of(s, 0)))
        return SMOL_OK;
    memcpy(&one, session, session->struct_bytes);
    one.n_threads = 1;
    if ((status = smol_session_size(&size, smol_model_file(model), &one, error)) ||
        one.memory_bytes || size > SESSIONS_BYTES / n_threads)
        return status;
    destroy_scorers(s);
    return create_scorers(s, n_threads, model, &one, error);
}

/* ---- windows ---- */

/* Some windows, scored at once. */
struct round {
    const struct windows *windows;
    const struct scorers *scorers;
    size_t first, n;
    double *nats; /* (n, context) */
};

static void score_share(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct round *r = arg;
    struct scorer *s = &r->scorers->items[worker];
    struct smol_session *session = smol_text_session(s->text);

    for (size_t i = worker; i < r->n && !s->status; i += n_workers) {
        const struct window at = window_at(r->windows, r->first + i);
        const uint32_t *tokens = r->windows->tokens + at.first;
        if (!smol_session_slides(session))
            smol_session_rewind(session, 0);
        s->status = smol_session_score(session, r->nats + i * r->windows->context, tokens,
                                       tokens + 1, at.n, &s->error);
        s->failed = i;
    }
}

/* Of the first window that failed. Each scorer has done all of its windows before the one that it
 * stopped at. */
static enum smol_status first_error(const struct scorers *s, struct smol_error *error)
{
    const struct scorer *first = NULL;

    for (uint32_t i = 0; i < s->n; i++)
        if (s->items[i].status && (!first || s->items[i].failed < first->failed))
            first = &s->items[i];
    if (first && error)
        *error = first->error;
    return first ? first->status : SMOL_OK;
}

static enum smol_status score_round(double *nats, struct round *r, struct smol_error *error)
{
    enum smol_status status;

    if (r->scorers->pool)
        smol_pool_run(r->scorers->pool, score_share, r);
    else
        score_share(r, 0, 1);
    if ((status = first_error(r->scorers, error)))
        return status;
    for (size_t i = 0; i < r->n; i++) {
        const struct window at = window_at(r->windows, r->first + i);
        for (size_t j = at.n_old; j < at.n; j++)
            *nats += r->nats[i * r->windows->context + j];
    }
    return SMOL_OK;
}

/* Adds the nats of all windows to a sum. */
static enum smol_status score_windows(double *nats, const struct windows *w,
                                      const struct scorers *scorers, const struct manner *m,
                                      struct smol_error *error)
{
    const size_t most = scorers->n > 1 ? (size_t)AT_ONCE * scorers->n : 1;
    struct round r = {.windows = w, .scorers = scorers};
    enum smol_status status = SMOL_OK;

    if (!(r.nats = malloc(most * w->context * sizeof *r.nats)))
        return smol_fail_memory(error);
    for (; !status && r.first < w->n; r.first += r.n) {
        const struct window next = window_at(w, r.first);
        r.n = w->n - r.first < most ? w->n - r.first : most;
        status = m->progress && !m->progress(m->context, next.first + next.n_old, w->n_tokens - 1)
                     ? smol_fail(error, SMOL_E_CANCELLED, SMOL_NO_OFFSET, "stopped")
                     : score_round(nats, &r, error);
    }
    free(r.nats);
    return status;
}

static enum smol_status check_stride(const struct smol_session *session, uint32_t stride,
                                     struct smol_error *error)
{
    if (stride && smol_session_slides(session))
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "a context that slides has no windows that could overlap");
    if (stride > smol_session_context(session))
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "windows of %u tokens cannot be %u apart", smol_session_context(session),
                         stride);
    return SMOL_OK;
}

/* scorers: one, which may become several. */
static enum smol_status score_tokens(double *nats, struct scorers *scorers,
                                     const struct smol_model *model,
                                     const struct smol_session_options *session,
                                     const uint32_t *tokens, size_t n_tokens,
                                     const struct manner *m, struct smol_error *error)
{
    const struct windows w = windows_of(session_of(scorers, 0), m->stride, tokens, n_tokens);
    enum smol_status status;

    if (n_tokens < 2)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "a text of less than two tokens has nothing to predict");
    status = share_out(scorers, &w, model, session, error);
    return status ? status : score_windows(nats, &w, scorers, m, error);
}

/* first: the one token that is not predicted. */
static struct smol_score score_of(double nats, size_t n_tokens, const struct smol_model *model,
                                  size_t size_bytes, uint32_t first)
{
    uint8_t bytes[SMOL_MAX_TOKEN_BYTES];
    struct smol_score s = {.nats = nats, .n_tokens = n_tokens - 1};

    s.n_bytes = size_bytes - smol_token_bytes(bytes, smol_model_file(model), first).size_bytes;
    s.nats_per_token = nats / (double)s.n_tokens;
    s.bits_per_byte = nats / log(2.0) / (double)s.n_bytes;
    s.perplexity = exp(s.nats_per_token);
    return s;
}

static enum smol_status score_text(struct smol_score *score, const struct smol_model *model,
                                   const struct smol_session_options *session, const void *text,
                                   size_t size_bytes, const struct manner *m,
                                   struct smol_error *error)
{
    struct scorers scorers;
    enum smol_status status = create_scorers(&scorers, 1, model, session, error);
    uint32_t *tokens;
    double nats = 0;
    size_t n;

    if (status)
        return status;
    if (!(tokens = malloc((size_bytes + 1) * sizeof *tokens)))
        status = smol_fail_memory(error);
    else if (!(status = check_stride(session_of(&scorers, 0), m->stride, error)) &&
             !(status = smol_model_encode(&n, tokens, model, text, size_bytes, error)) &&
             !(status = score_tokens(&nats, &scorers, model, session, tokens, n, m, error)))
        *score = score_of(nats, n, model, size_bytes, tokens[0]);
    free(tokens);
    destroy_scorers(&scorers);
    return status;
}

enum smol_status smol_model_score(struct smol_score *score, const struct smol_model *model,
                                  const struct smol_session_options *session, const void *text,
                                  size_t size_bytes, struct smol_error *error)
{
    return smol_model_score_progress(score, model, session, text, size_bytes, NULL, NULL, error);
}

enum smol_status smol_model_score_progress(struct smol_score *score, const struct smol_model *model,
                                           const struct smol_session_options *session,
                                           const void *text, size_t size_bytes,
                                           smol_score_progress *progress, void *context,
                                           struct smol_error *error)
{
    return smol_model_score_stride(score, model, session, 0, text, size_bytes, progress, context,
                                   error);
}

enum smol_status smol_model_score_stride(struct smol_score *score, const struct smol_model *model,
                                         const struct smol_session_options *session,
                                         uint32_t stride, const void *text, size_t size_bytes,
                                         smol_score_progress *progress, void *context,
                                         struct smol_error *error)
{
    const struct manner manner = {stride, progress, context};
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    if (!status)
        status = score_text(score, model, session, text, size_bytes, &manner, error);
    return smol_fpenv_end(&host, status);
}
