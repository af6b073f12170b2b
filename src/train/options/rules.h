/* Rules as JSON, which recipes, checkpoints, logs and cards share. docs/methods.md describes it. */
#ifndef SMOL_TRAIN_RULES_H
#define SMOL_TRAIN_RULES_H

#include <jansson.h>
#include <smol/train.h>

/* The rules as a JSON array, and those of such an array after what there is. TEXT if it is
 * malformed. */
json_t *smol_rules_to_json(const struct smol_train_options *options);
enum smol_status smol_rules_from_json(struct smol_train_options *options, const json_t *json,
                                      struct smol_error *error);

#endif
