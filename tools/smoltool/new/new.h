/* What the parts of smoltool new share. */
#ifndef NEW_H
#define NEW_H

#include "cli/cli.h"
#include "smoltool/import/tables.h"

#define NOT_GIVEN (-1) /* of the numbers whose default is found later */

struct new_options {
    int layers, width, heads, context, vocab, ff, d, rank, gains, bias, layer_gains, other, end;
    double gain, sparse;
    struct cli_feature_words features;
    char *arch, *method, *matrix_type, *bytes_of, *dist, *norms, *type, *params, *shape, *seed,
        *tokenizer, *output, *embeddings, *positions;
};

/* Tables that are not made from the seed, and the files they come from; a path is NULL for those
 * that are. */
struct imports {
    struct import_table wte, wpe;
    const char *wte_path, *wpe_path;
};

/* Fills in the schemes of a shape. 0, or CLI_USAGE after a message. */
int new_schemes(struct smol_config *config, const struct new_options *options);

/* The file's bytes, for free(). NULL, with an error and the path that it concerns, if they cannot
 * be made. */
uint8_t *new_file(uint64_t *size, const struct smol_config *config, const struct imports *from,
                  struct smol_span tokenizer, const char **path, struct smol_error *error);

#endif
