/* The models that a delta changes, open while it trains. */
#ifndef SMOLTRAIN_BASES_H
#define SMOLTRAIN_BASES_H

#include "smoltrain/data/data.h"
#include "smoltrain/options/args.h"

#include <smol/io.h>

struct train_bases {
    char *const *paths;
    struct smol_mapping mappings[SMOL_MAX_MODELS];
    struct smol_file files[SMOL_MAX_MODELS];
    struct smol_file_part parts[SMOL_MAX_MODELS]; /* (n) with their factors */
    size_t n;
};

/* Opens and checks the models that args name, perhaps none. 0, or an exit code after a message. */
int train_bases_open(struct train_bases *bases, const struct train_args *args);
void train_bases_close(struct train_bases *bases);

/* The same once more, for options that were made with them: they must be what they were. */
int train_bases_open_again(struct train_bases *bases, const struct train_args *args);
/* Whether nobody has written into them. 0, or CLI_FAILED after a message. */
int train_bases_check(const struct train_bases *bases);

/* A trainer of options over data, of a delta if there are bases. */
enum smol_status train_bases_trainer(struct smol_trainer **trainer,
                                     const struct smol_train_options *options,
                                     const struct train_data *data, const struct train_bases *bases,
                                     struct smol_error *error);

/* How well each model by itself predicts the text for validation, nats per token: (n), in windows
 * as options have them. */
enum smol_status train_bases_score(double nats[SMOL_MAX_MODELS],
                                   const struct smol_train_options *options,
                                   const struct train_data *data, const struct train_bases *bases,
                                   struct smol_error *error);

#endif
