/* The numbers of a finished model's history. */
#ifndef SMOLTRAIN_HISTORY_H
#define SMOLTRAIN_HISTORY_H

#include <smol/train.h>

/* Fits them to the end of the text that was trained on, if the model has a history of its own; a
 * delta's stay 0. CANCELLED after a signal. */
enum smol_status train_history_fit(struct smol_trainer *trainer, const struct smol_corpus *corpus,
                                   uint32_t n_threads, struct smol_error *error);

#endif
