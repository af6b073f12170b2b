/* Inside options: what they stand for, and their JSON. */
#ifndef SMOL_TRAIN_OPTIONS_H
#define SMOL_TRAIN_OPTIONS_H

#include <jansson.h>
#include <smol/train.h>

/* Puts the numbers in that "default" stands for. */
void smol_train_resolve(struct smol_train_options *options);

/* The configuration that resolved options describe, canonical and checked. */
enum smol_status smol_train_config(struct smol_config *config,
                                   const struct smol_train_options *options,
                                   struct smol_error *error);

/* Options to and from a JSON object; NULL if there is no memory. TEXT if something is missing or
 * malformed. */
json_t *smol_options_to_json(const struct smol_train_options *options);
enum smol_status smol_options_from_json(struct smol_train_options *options, const json_t *json,
                                        struct smol_error *error);
/* The name of an option, n_threads apart, in which two sets differ; NULL if there is none. */
const char *smol_options_difference(const struct smol_train_options *a,
                                    const struct smol_train_options *b);

#endif
