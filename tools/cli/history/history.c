/* See history.h. */
#include "cli/history/history.h"
#include "cli/cli.h"
#include "cli/countdown.h"

#include <smol/history.h>
#include <smol/session.h>

#include <stdlib.h>

#define CHUNK 512 /* tokens between looks at signals and the clock */

/* nats[i]: of token i. */
static enum smol_status score(double *nats, struct smol_session *session,
                              const struct history_text *t, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;
    struct countdown countdown;
    size_t n;

    countdown_begin(&countdown, "history");
    for (size_t at = 0; at + 1 < t->n && status == SMOL_OK; at += n) {
        n = t->n - 1 - at < CHUNK ? t->n - 1 - at : CHUNK;
        status = smol_session_score(session, nats + at + 1, t->tokens + at, t->tokens + at + 1, n,
                                    error);
        countdown_show(&countdown, (double)at, (double)t->n);
        if (status == SMOL_OK && t->stop && t->stop())
            status = cli_error(error, SMOL_E_CANCELLED, "stopped");
    }
    countdown_end(&countdown);
    return status;
}

static enum smol_status fit(float numbers[SMOL_HISTORY_LENGTHS], double *before, double *after,
                            double *nats, struct smol_session *session,
                            const struct smol_file *file, const struct history_text *t,
                            struct smol_error *error)
{
    const enum smol_status status = score(nats, session, t, error);
    double sum = 0;

    for (size_t i = 1; i < t->n && status == SMOL_OK; i++)
        sum += nats[i];
    *before = sum / (double)(t->n - 1);
    return status
               ? status
               : smol_history_fit(numbers, after, t->tokens, nats, t->n, file->config.vocab, error);
}

enum smol_status history_fit(float numbers[SMOL_HISTORY_LENGTHS], double *before, double *after,
                             const struct smol_file *file, const struct history_text *text,
                             struct smol_error *error)
{
    const struct smol_session_options options = {
        .struct_bytes = sizeof options, .n_threads = text->n_threads, .history = 1};
    struct smol_session *session = NULL;
    double *each = malloc(text->n * sizeof *each);
    void *memory = NULL;
    size_t size = 0;
    enum smol_status status = each ? SMOL_OK : cli_error_memory(error);

    if (!status)
        status = smol_session_size(&size, file, &options, error);
    if (!status && !(memory = cli_memory(size)))
        status = cli_error_memory(error);
    if (!status)
        status = smol_session_init(&session, file, &options, memory, size, error);
    if (!status)
        status = fit(numbers, before, after, each, session, file, text, error);
    smol_session_finish(session);
    cli_memory_free(memory, size);
    free(each);
    return status;
}
