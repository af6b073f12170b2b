/* How well a model predicts a text. SPEC.md 11. */
#include "api/text.h"
#include "base/error.h"
#include "base/fpenv.h"

#include <smol/model.h>

#include <math.h>
#include <stdlib.h>

struct manner {
    uint32_t stride; /* from a window to the next; 0: the context */
    smol_score_progress *progress;
    void *context;
};

/* Window after window, each from an empty context; or piece after piece of one text if that slides.
 * Of what an earlier window has predicted a later one only sees the tokens. nats: (context). */
static enum smol_status score_windows(struct smol_score *score, const struct smol_model *model,
                                      struct smol_session *session, const uint32_t *tokens,
                                      size_t n_tokens, double *nats, const struct manner *m,
                                      struct smol_error *error)
{
    const size_t context = smol_session_context(session), stride = m->stride ? m->stride : context;
    struct smol_score s = {.n_tokens = n_tokens - 1};
    size_t n_bytes;

    for (size_t i = 0, done = 0; done + 1 < n_tokens; i += stride) {
        const size_t n = n_tokens - 1 - i < context ? n_tokens - 1 - i : context, old = done - i;
        enum smol_status status;
        if (m->progress && !m->progress(m->context, done, n_tokens - 1))
            return smol_fail(error, SMOL_E_CANCELLED, SMOL_NO_OFFSET, "stopped");
        if (!smol_session_slides(session))
            smol_session_rewind(session, 0);
        if ((status = smol_session_score(session, nats, tokens + i, tokens + i + 1, n, error)) ||
            (status =
                 smol_model_decode(&n_bytes, NULL, 0, model, tokens + done + 1, n - old, error)))
            return status;
        for (size_t j = old; j < n; j++)
            s.nats += nats[j];
        s.n_bytes += n_bytes;
        done = i + n;
    }
    s.nats_per_token = s.nats / (double)s.n_tokens;
    s.bits_per_byte = s.nats / log(2.0) / (double)s.n_bytes;
    s.perplexity = exp(s.nats_per_token);
    *score = s;
    return SMOL_OK;
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

static enum smol_status score_text(struct smol_score *score, const struct smol_model *model,
                                   const struct smol_session_options *session, const void *text,
                                   size_t size_bytes, const struct manner *m,
                                   struct smol_error *error)
{
    struct smol_text *room = NULL; /* for the session that it has */
    enum smol_status status = smol_text_create(&room, model, session, NULL, error);
    uint32_t *tokens = NULL;
    double *nats = NULL;
    size_t n;

    if (status)
        return status;
    tokens = malloc((size_bytes + 1) * sizeof *tokens);
    nats = malloc(smol_session_context(smol_text_session(room)) * sizeof *nats);
    if (!tokens || !nats)
        status = smol_fail_memory(error);
    else if (!(status = check_stride(smol_text_session(room), m->stride, error)) &&
             !(status = smol_model_encode(&n, tokens, model, text, size_bytes, error)))
        status =
            n < 2 ? smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                              "a text of one token has nothing to predict")
                  : score_windows(score, model, smol_text_session(room), tokens, n, nats, m, error);
    free(nats);
    free(tokens);
    smol_text_destroy(room);
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
