/* Inside options: the models that a delta changes. */
#ifndef SMOL_TRAIN_ON_MODELS_H
#define SMOL_TRAIN_ON_MODELS_H

#include <smol/train.h>

/* Whether the models are those of the options, none for what is no delta; to (n) gets them with
 * the factors that they begin with. BASE, ARGUMENT. */
enum smol_status smol_train_check_models(struct smol_file_part to[SMOL_MAX_MODELS],
                                         const struct smol_train_options *options,
                                         const struct smol_file_part *models, size_t n,
                                         struct smol_error *error);

#endif
