/* See stream.h. */
#include "smoltrain/output/stream.h"
#include "cli/cli.h"
#include "cli/countdown.h"
#include "smoltrain/data/data.h"
#include "smoltrain/signals.h"

#include <smol/session.h>

#define CHUNK 512 /* tokens between looks at signals and the clock */

static enum smol_status score(double *nats, struct smol_session *session,
                              const struct train_stream *s, struct smol_error *error)
{
    uint32_t tokens[CHUNK + 1];
    double losses[CHUNK], sum = 0;
    enum smol_status status = SMOL_OK;
    struct countdown countdown;
    size_t n;

    countdown_begin(&countdown, s->without_history ? "the same without its history"
                                                   : "validation as one stream");
    for (size_t at = 0; at + 1 < s->n && status == SMOL_OK; at += n) {
        n = s->n - 1 - at < CHUNK ? s->n - 1 - at : CHUNK;
        for (size_t i = 0; i <= n; i++)
            tokens[i] = train_token_at(s->corpus, s->first + at + i);
        status = smol_session_score(session, losses, tokens, tokens + 1, n, error);
        for (size_t i = 0; i < n && status == SMOL_OK; i++)
            sum += losses[i];
        countdown_show(&countdown, (double)at, (double)s->n);
        if (status == SMOL_OK && train_stop_asked())
            status = cli_error(error, SMOL_E_CANCELLED, "stopped");
    }
    countdown_end(&countdown);
    if (status == SMOL_OK)
        *nats = sum / (double)(s->n - 1);
    return status;
}

enum smol_status train_stream_score(double *nats, const uint8_t *model, size_t size_bytes,
                                    const struct train_stream *s, const struct train_bases *bases,
                                    struct smol_error *error)
{
    const struct smol_session_options options = {.struct_bytes = sizeof options,
                                                 .n_threads = s->n_threads,
                                                 .history = s->without_history ? 1 : 0};
    struct smol_session *session = NULL;
    struct smol_file file;
    void *memory = NULL;
    size_t size;
    enum smol_status status = smol_file_parse(&file, model, size_bytes, error);

    if (status == SMOL_OK && bases->n > 0)
        status = smol_file_join(&file, &file, bases->parts, bases->n, 1, error);
    if (status == SMOL_OK)
        status = smol_session_size(&size, &file, &options, error);
    if (status != SMOL_OK)
        return status;
    memory = cli_memory(size);
    if (!memory)
        return cli_error_memory(error);
    status = smol_session_init(&session, &file, &options, memory, size, error);
    if (status == SMOL_OK)
        status = score(nats, session, s, error);
    smol_session_finish(session);
    cli_memory_free(memory, size);
    return status;
}
