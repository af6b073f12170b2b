/* See parts.h. */
#include "cli/delta/parts.h"
#include "cli/guard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void parts_table(struct poptOption options[PARTS_OPTIONS], struct parts_words *w)
{
    const struct poptOption table[PARTS_OPTIONS] = {
        {"base", 0, POPT_ARG_ARGV, &w->bases, 0, "a file that a delta names; may be repeated",
         "FILE"},
        CLI_WORD("bases-dir", 0, &w->bases_dir, "where they are (~/.local/share/smol/bases)",
                 "FOLDER"),
        {"delta", 0, POPT_ARG_ARGV, &w->deltas, 0, "add a delta, times a factor; may be repeated",
         "FILE[=X]"},
        POPT_TABLEEND,
    };

    memcpy(options, table, sizeof table);
}

bool parts_are_given(const struct parts_words *w) { return w->bases || w->bases_dir || w->deltas; }

uint32_t parts_count(char *const *words)
{
    uint32_t n = 0;

    while (words && words[n])
        n++;
    return n;
}

int parts_split(char **path, float *factor, const char *word)
{
    const char *equals = strrchr(word, '=');
    char *end;

    *factor = NAN;
    *path = strdup(word);
    if (!*path)
        return cli_no_memory(NULL);
    if (!equals || access(word, F_OK) == 0)
        return 0;
    *factor = strtof(equals + 1, &end);
    if (end == equals + 1 || *end) {
        *factor = NAN;
        return 0;
    }
    (*path)[equals - word] = '\0';
    if (fabsf(*factor) <= 0x1p60f)
        return 0;
    free(*path);
    *path = NULL;
    return cli_usage_error(word, "takes a factor of at most 2^60");
}

static enum smol_status open_fast(struct smol_mapping *mapping, struct smol_file *file,
                                  const char *path, uint32_t n_threads, struct smol_error *error)
{
    (void)n_threads;
    return cli_open(mapping, file, path, 0, error);
}

/* Opens with deltas that are split; paths: (n_deltas). */
static int open_split(struct smol_files *files, const char *path,
                      const struct smol_open_options *options, bool is_fast)
{
    const struct smol_opener opener = {is_fast ? open_fast : cli_open, cli_unmap};
    struct smol_error error;
    char *blamed = NULL;
    int code = 0;

    if (smol_files_open(files, &blamed, path, options, &opener, &error))
        code = cli_complain(blamed ? blamed : path, &error);
    free(blamed);
    return code;
}

int parts_open(struct smol_files *files, const char *path, const struct parts_words *w,
               uint32_t n_threads, bool is_fast)
{
    const uint32_t n = parts_count(w->deltas);
    char **paths = calloc(n + 1, sizeof *paths);
    float *factors = calloc(n + 1, sizeof *factors);
    int code = paths && factors ? 0 : cli_no_memory(NULL);

    for (uint32_t i = 0; i < n && code == 0; i++)
        code = parts_split(&paths[i], &factors[i], w->deltas[i]);
    if (code == 0) {
        const struct smol_open_options options = {.struct_bytes = sizeof options,
                                                  .n_threads = n_threads,
                                                  .n_bases = parts_count(w->bases),
                                                  .n_deltas = n,
                                                  .bases = (const char *const *)w->bases,
                                                  .deltas = (const char *const *)paths,
                                                  .factors = factors,
                                                  .bases_dir = w->bases_dir};
        code = open_split(files, path, &options, is_fast);
    }
    for (uint32_t i = 0; paths && i < n; i++)
        free(paths[i]);
    free(paths);
    free(factors);
    return code;
}

void parts_close(struct smol_files *files) { smol_files_close(files); }

char *parts_path(const struct smol_files *files, const uint8_t hash[SMOL_HASH_BYTES])
{
    for (uint32_t i = 0; i < files->n_open; i++)
        if (memcmp(files->open[i].file.hash, hash, SMOL_HASH_BYTES) == 0)
            return files->open[i].path;
    return NULL;
}

int parts_check_unchanged(const struct smol_files *files)
{
    struct smol_error error;
    char *blamed = NULL;
    int code = 0;

    if (smol_files_check(files, &blamed, &error))
        code = cli_complain(blamed ? blamed : files->open[0].path, &error);
    free(blamed);
    return code;
}

enum smol_status parts_check(const struct smol_files *files, struct smol_error *error)
{
    char *blamed = NULL;
    const enum smol_status status = smol_files_check(files, &blamed, error);

    free(blamed);
    return status;
}
