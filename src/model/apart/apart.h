/* Texts that threads take through all layers by themselves, some each, rather than to share out
 * every stage of all of them. SPEC.md 8. */
#ifndef SMOL_MODEL_APART_H
#define SMOL_MODEL_APART_H

#include "model/model.h"

/* Whether a session of such a model does so: the rows of its layers are made so fast that each
 * worker may make all of them, which takes less time than to wait for the others at each stage. */
bool smol_goes_apart(const struct mixture *mixture);

/* Feeds n tokens of what `feeding` is, from `first` on, as one batch; true if a value overflowed.
 */
typedef bool smol_feed(struct smol_session *session, const void *feeding, size_t first, uint32_t n);

/* Has each worker feed some of n tokens, each for another of these texts. False, and nothing is
 * done, where they are better fed together. */
bool smol_feed_apart(bool *overflows, struct smol_session *session, smol_feed *feed,
                     const void *feeding, const uint32_t *texts, size_t first, uint32_t n);

#endif
