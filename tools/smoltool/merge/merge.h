/* What the parts of smoltool merge share. */
#ifndef MERGE_H
#define MERGE_H

#include <smol/io.h>

/* A file that was named on the line, or that one of these names and that was found; open. */
struct merge_source {
    char *path; /* owned */
    double factor;
    struct smol_mapping mapping;
    struct smol_file file; /* verified */
};

/* A file that the mix will name. */
struct merge_link {
    uint8_t hash[SMOL_HASH_BYTES];
    double factor;
    const char *from;             /* the path of the file of the line that stands or asks for it */
    const char *path;             /* NULL: of a file that is not open */
    const struct smol_file *file; /* the same */
};

struct merge {
    struct merge_source *sources; /* (n_sources), with room for SMOL_MAX_PARTS more */
    size_t n_sources;
    const char *bases_dir; /* where what is not open is looked for; NULL: the default */
    struct merge_link models[SMOL_MAX_MODELS], deltas[SMOL_MAX_DELTAS];
    uint32_t n_models, n_deltas;
};

/* The links that the sources come to: models, deltas with numbers of their own, and in place of a
 * mix without, the files that it names, its factors multiplied. What comes twice is taken with the
 * sum of its factors. Where there is no model, those that the first delta changes are taken as it
 * has them. What is not open yet is found by its hash and opened. 0, or CLI_FAILED after a message.
 */
int merge_links(struct merge *merge);

/* Whether models and deltas fit together (SPEC.md 16), each named by its path where it does not. 0,
 * or CLI_FAILED after a message. */
int merge_check(const struct merge *merge);

/* The bytes of the delta that names the links and has no numbers, for free(); NULL with an error.
 * What is returned has been joined with its parts. */
uint8_t *merge_file(uint64_t *size_bytes, const struct merge *merge, struct smol_error *error);

#endif
