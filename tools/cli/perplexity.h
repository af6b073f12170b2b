/* How well a model predicts a text. SPEC.md 11. */
#ifndef PERPLEXITY_H
#define PERPLEXITY_H

#include <smol/session.h>

struct perplexity {
    size_t n_predicted;
    double nats, nats_per_token, bits_per_byte;
};

/* The mean loss of a text, in windows of the session's context. Errors: those of encoding and of
 * the session; ARGUMENT if the text is too short; MEMORY. */
enum smol_status perplexity_measure(struct perplexity *result, const struct smol_file *file,
                                    struct smol_session *session, struct smol_span text,
                                    struct smol_error *error);

#endif
