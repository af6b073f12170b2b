/* See perplexity.h. */
#include "cli/perplexity.h"
#include "cli/cli.h"

#include <smol/tokenizer.h>

#include <math.h>
#include <stdlib.h>

static enum smol_status score_windows(struct perplexity *result, const struct smol_file *file,
                                      struct smol_session *session, const uint32_t *tokens,
                                      size_t n_tokens, double *nats, struct smol_error *error)
{
    const size_t context = smol_session_context(session);
    uint8_t bytes[SMOL_MAX_TOKEN_BYTES];
    uint64_t n_bytes = 0;

    for (size_t i = 0; i + 1 < n_tokens; i += context) {
        const size_t n = n_tokens - 1 - i < context ? n_tokens - 1 - i : context;
        enum smol_status status;
        smol_session_rewind(session, 0);
        if ((status = smol_session_score(session, nats, tokens + i, tokens + i + 1, n, error)))
            return status;
        for (size_t j = 0; j < n; j++) {
            result->nats += nats[j];
            n_bytes += smol_token_bytes(bytes, file, tokens[i + 1 + j]).size_bytes;
        }
        result->n_predicted += n;
    }
    result->nats_per_token = result->nats / (double)result->n_predicted;
    result->bits_per_byte = result->nats / log(2.0) / (double)n_bytes;
    return SMOL_OK;
}

enum smol_status perplexity_measure(struct perplexity *result, const struct smol_file *file,
                                    struct smol_session *session, struct smol_span text,
                                    struct smol_error *error)
{
    uint32_t *tokens = malloc(text.size_bytes * sizeof *tokens);
    double *nats = malloc(smol_session_context(session) * sizeof *nats);
    struct smol_encoder *encoder = NULL;
    enum smol_status status;
    size_t n;

    *result = (struct perplexity){0};
    if (!tokens || !nats)
        status = cli_error_memory(error);
    else if (!(status = smol_encoder_create(&encoder, file, error)) &&
             !(status = smol_encode(&n, tokens, encoder, text.data, text.size_bytes, error)))
        status = n < 2 ? cli_error(error, SMOL_E_ARGUMENT, "a text of one token predicts nothing")
                       : score_windows(result, file, session, tokens, n, nats, error);
    smol_encoder_destroy(encoder);
    free(nats);
    free(tokens);
    return status;
}
