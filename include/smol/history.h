/* The numbers of a history, chosen for a text. SPEC.md 8. Thread-safe.
 *
 * Advanced: may change between minor versions until 1.0. */
#ifndef SMOL_HISTORY_H
#define SMOL_HISTORY_H

#include <smol/config.h>

SMOL_BEGIN_DECLS

/* The numbers with which a history makes a text likeliest, and the mean loss with them. tokens:
 * (n), the text, each below vocab; nats: (n), the loss of each after those before it without a
 * history, of which the first does not count. Errors: ARGUMENT (a vocabulary over 65536, no token
 * or one beyond it, a loss that is no number of 0 or more); MEMORY. */
enum smol_status smol_history_fit(float numbers[SMOL_HISTORY_LENGTHS], double *mean,
                                  const uint32_t *tokens, const double *nats, size_t n,
                                  uint32_t vocab, struct smol_error *error);

SMOL_END_DECLS
#endif
