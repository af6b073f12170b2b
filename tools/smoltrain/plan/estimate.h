/* How well networks will do, roughly: enough to choose among them, not to promise anything. */
#ifndef SMOLTRAIN_ESTIMATE_H
#define SMOLTRAIN_ESTIMATE_H

#include <smol/train.h>

/* A text and how much of it a training sees, in tokens. */
struct plan_text {
    double n_train; /* to train on */
    double n_seen;  /* by all steps together, the same ones again and again */
};

/* The validation loss that networks of architecture smol had on English text, in nats per byte, as
 * formulas of what was measured. Only differences mean something on another text. */
double plan_estimate(const struct smol_train_options *options, const struct plan_text *text);

/* Weights that are learned for each token of the text, but those of embeddings: over 1, a network
 * learns the text by heart if it sees it often. */
double plan_weights_per_token(const struct smol_train_options *options,
                              const struct plan_text *text);

/* Whether a text is so short beside a network that it takes dropout. */
bool plan_is_short(const struct smol_train_options *options, const struct plan_text *text);

/* Multiplications and additions of a step, without what takes no products. */
double plan_step_work(const struct smol_train_options *options, uint32_t vocab);

#endif
