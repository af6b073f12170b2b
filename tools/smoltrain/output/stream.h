/* How well a finished model predicts the validation text read as one stream. */
#ifndef SMOLTRAIN_STREAM_H
#define SMOLTRAIN_STREAM_H

#include "smoltrain/bases.h"

#include <smol/corpus.h>

struct train_stream {
    const struct smol_corpus *corpus;
    size_t first, n; /* its tokens for validation; n >= 2 */
    uint32_t n_threads;
    bool without_history; /* by the network alone */
};

/* The mean loss in nats per token of the model with those bytes, each token after all those before
 * it (SPEC.md 11): what a runtime computes, of a delta with its bases. The model has distances.
 * CANCELLED after a signal. */
enum smol_status train_stream_score(double *nats, const uint8_t *model, size_t size_bytes,
                                    const struct train_stream *stream,
                                    const struct train_bases *bases, struct smol_error *error);

#endif
