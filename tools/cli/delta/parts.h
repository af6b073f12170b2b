/* The options that say what a delta is run with, and the files that are then open together, mapped
 * under guard. SPEC.md 16. */
#ifndef PARTS_H
#define PARTS_H

#include "cli/cli.h"

#include <smol/model.h>

struct parts_words {
    char **bases, **deltas; /* NULL if not given */
    char *bases_dir;
};

/* Entries for popt's table, that read into w: --base, --bases-dir and --delta. options has room for
 * PARTS_OPTIONS. */
#define PARTS_OPTIONS 4
void parts_table(struct poptOption options[PARTS_OPTIONS], struct parts_words *w);
/* Whether any of them was given. */
bool parts_are_given(const struct parts_words *words);
/* How many of bases or deltas there are. */
uint32_t parts_count(char *const *words);

/* "FILE[=FACTOR]": what follows the last = is a factor if it is a number, unless a file has the
 * whole name. *path for free(), *factor NaN if there is none. 0, or an exit code after a message.
 */
int parts_split(char **path, float *factor, const char *word);

/* As smol_files_open, which finds what is not given by its hash. is_fast: neither hashes nor
 * signatures are checked. 0, or an exit code after a message. */
int parts_open(struct smol_files *files, const char *path, const struct parts_words *words,
               uint32_t n_threads, bool is_fast);
void parts_close(struct smol_files *files);

/* The path of the file with a hash, theirs; NULL if it is none of them. */
char *parts_path(const struct smol_files *files, const uint8_t hash[SMOL_HASH_BYTES]);

/* Checks that nobody has written into one of them since it was mapped. 0, or CLI_FAILED after a
 * message. */
int parts_check_unchanged(const struct smol_files *files);
/* The same without a message, which the other can still give. */
enum smol_status parts_check(const struct smol_files *files, struct smol_error *error);

#endif
