/* The card that smoltrain puts into a model: where it came from and how good it is. */
#ifndef SMOLTRAIN_CARD_H
#define SMOLTRAIN_CARD_H

#include "smoltrain/output/output.h"

/* JSON text for free(), or NULL if there is no memory. text: the data that args->data names. It
 * says no date, so that the same run gives the same file, unless SOURCE_DATE_EPOCH does. */
char *train_card(const struct train_args *args, const struct smol_trainer *trainer,
                 const struct smol_corpus *corpus, const struct train_result *result);

/* The same in a tenth of the bytes, for small files. */
char *train_card_short(const struct train_args *args, const struct smol_trainer *trainer,
                       const struct smol_corpus *corpus, const struct train_result *result);

#endif
