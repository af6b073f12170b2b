/* The files that run together: one, or a delta and its parts, which are given or found by their
 * hashes. SPEC.md 16. */
#include "base/error.h"
#include "format/format.h"

#include <smol/model.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Files on their way to being open. */
struct opening {
    struct smol_files files;
    float factors[1 + 3 * SMOL_MAX_PARTS]; /* of each file, NaN for what is stated */
    uint32_t n_given;                      /* the model and the bases; then deltas that are added */
    uint32_t main;                         /* the file that the others are joined to */
    const struct smol_open_options *options;
    const struct smol_opener *opener;
    char **blamed;
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

/* An error has been set that is about that path. */
static enum smol_status blame(const struct opening *o, const char *path, enum smol_status status)
{
    *o->blamed = strdup(path);
    return status;
}

static const struct smol_file *main_file(const struct opening *o)
{
    return &o->files.open[o->main].file;
}

static bool is_delta(const struct smol_open_file *f)
{
    return smol_config_is_delta(&f->file.config);
}

static enum smol_status open_one(struct opening *o, const char *path, float factor,
                                 struct smol_error *error)
{
    struct smol_open_file *f = &o->files.open[o->files.n_open];
    const uint32_t n_threads = o->options->n_threads ? o->options->n_threads : 1;
    enum smol_status status = o->opener->open_file(&f->mapping, &f->file, path, n_threads, error);

    if (status)
        return blame(o, path, status);
    f->path = strdup(path);
    o->factors[o->files.n_open++] = factor;
    return f->path ? SMOL_OK : smol_fail_memory(error);
}

static enum smol_status open_given(struct opening *o, const char *path, struct smol_error *error)
{
    const struct smol_open_options *options = o->options;
    enum smol_status status = open_one(o, path, NAN, error);

    for (uint32_t i = 0; i < options->n_bases && !status; i++)
        status = open_one(o, options->bases[i], NAN, error);
    o->n_given = o->files.n_open;
    for (uint32_t i = 0; i < options->n_deltas && !status; i++) {
        status =
            open_one(o, options->deltas[i], options->factors ? options->factors[i] : NAN, error);
        if (!status && !is_delta(&o->files.open[o->files.n_open - 1]))
            status = blame(o, options->deltas[i],
                           smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET, "is no delta"));
    }
    return status;
}

/* The file that the others are joined to: the first if it is a delta, else, of those that are
 * added, the last that adds others itself, or the last of all. */
static void choose_main(struct opening *o)
{
    if (is_delta(&o->files.open[0]) || o->files.n_open == o->n_given)
        return;
    o->main = o->files.n_open - 1;
    for (uint32_t i = o->n_given; i < o->files.n_open; i++)
        if (o->files.open[i].file.config.n_deltas)
            o->main = i;
}

static bool is_named(const struct opening *o, const uint8_t *hash)
{
    const struct smol_file *f = main_file(o);

    for (uint32_t i = 0; i < f->n_models + f->n_deltas; i++)
        if (smol_same_hash(f->parts[i].hash, hash))
            return true;
    return false;
}

static bool is_open(const struct opening *o, const uint8_t *hash)
{
    for (uint32_t i = 0; i < o->files.n_open; i++)
        if (i != o->main && smol_same_hash(o->files.open[i].file.hash, hash))
            return true;
    return false;
}

/* Whether the main file names the model and the bases that are given. */
static enum smol_status check_given(const struct opening *o, struct smol_error *error)
{
    const struct smol_file *f = main_file(o);
    char given[SHORT_HASH_SIZE], wanted[SHORT_HASH_SIZE];
    uint32_t missing = 0;

    while (missing + 1 < f->n_models && is_open(o, f->parts[missing].hash))
        missing++;
    for (uint32_t i = 0; i < o->n_given; i++) {
        const struct smol_open_file *other = &o->files.open[i];
        if (i != o->main && !is_named(o, other->file.hash))
            return blame(o, other->path,
                         smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET,
                                   "is %s %s, but %s changes model %s",
                                   is_delta(other) ? "delta" : "model",
                                   smol_short_hash(given, other->file.hash),
                                   base_name(o->files.open[o->main].path),
                                   smol_short_hash(wanted, f->parts[missing].hash)));
    }
    return SMOL_OK;
}

/* Opens the part with a hash from where it is found. */
static enum smol_status find_part(struct opening *o, const uint8_t *hash, bool is_model,
                                  struct smol_error *error)
{
    const char *delta = o->files.open[o->main].path;
    char *path = smol_part_find(hash, o->options->bases_dir, delta), name[SHORT_HASH_SIZE];
    enum smol_status status;

    if (path) {
        status = open_one(o, path, NAN, error);
    } else {
        char *bases = o->options->bases_dir ? strdup(o->options->bases_dir) : smol_bases_folder();
        status =
            blame(o, delta,
                  smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET,
                            "changes %s %s, which was not given and is not in %s%sits own folder",
                            is_model ? "model" : "delta", smol_short_hash(name, hash),
                            bases ? bases : "", bases ? " or " : ""));
        free(bases);
    }
    free(path);
    return status;
}

static enum smol_status find_parts(struct opening *o, struct smol_error *error)
{
    const struct smol_file *f = main_file(o);
    enum smol_status status = SMOL_OK;

    for (uint32_t i = 0; i < f->n_models + f->n_deltas && !status; i++)
        if (!is_open(o, f->parts[i].hash))
            status = find_part(o, f->parts[i].hash, i < f->n_models, error);
    return status;
}

static enum smol_status join(struct opening *o, struct smol_error *error)
{
    struct smol_file_part parts[1 + 3 * SMOL_MAX_PARTS];
    enum smol_status status;
    size_t n = 0;

    for (uint32_t i = 0; i < o->files.n_open; i++)
        if (i != o->main)
            parts[n++] = (struct smol_file_part){&o->files.open[i].file, o->factors[i]};
    status = smol_file_join(&o->files.file, main_file(o), parts, n, o->factors[o->main], error);
    return status ? blame(o, o->files.open[o->main].path, status) : SMOL_OK;
}

static enum smol_status open_all(struct opening *o, const char *path, struct smol_error *error)
{
    enum smol_status status = open_given(o, path, error);

    if (status)
        return status;
    choose_main(o);
    if (smol_config_is_delta(&main_file(o)->config)) {
        if ((status = check_given(o, error)) || (status = find_parts(o, error)))
            return status;
        return join(o, error);
    }
    if (o->files.n_open > 1)
        return blame(
            o, path,
            smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "is no delta, and so has no base"));
    o->files.file = o->files.open[0].file;
    return SMOL_OK;
}

enum smol_status smol_files_open(struct smol_files *files, char **blamed, const char *path,
                                 const struct smol_open_options *options,
                                 const struct smol_opener *opener, struct smol_error *error)
{
    static const struct smol_open_options none = {.struct_bytes = sizeof none};
    static const struct smol_opener plain = {smol_file_open, smol_mapping_close};
    struct opening o = {
        .options = options ? options : &none, .opener = opener ? opener : &plain, .blamed = blamed};
    enum smol_status status =
        smol_check_struct(o.options->struct_bytes, sizeof none, "smol_open_options", error);

    *blamed = NULL;
    if (status)
        return status;
    if (o.options->n_bases > SMOL_MAX_PARTS || o.options->n_deltas > SMOL_MAX_DELTAS + 1)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "%u bases and %u deltas, allowed are %u and %u", o.options->n_bases,
                         o.options->n_deltas, SMOL_MAX_PARTS, SMOL_MAX_DELTAS + 1);
    o.files.close_file = o.opener->close_file;
    o.files.open = calloc(sizeof o.factors / sizeof *o.factors, sizeof *o.files.open);
    if (!o.files.open)
        return smol_fail_memory(error);
    status = open_all(&o, path, error);
    if (status)
        smol_files_close(&o.files);
    else
        *files = o.files;
    return status;
}

enum smol_status smol_files_check(const struct smol_files *files, char **blamed,
                                  struct smol_error *error)
{
    for (uint32_t i = 0; i < files->n_open; i++) {
        const enum smol_status status = smol_mapping_check(&files->open[i].mapping, error);
        if (status) {
            *blamed = strdup(files->open[i].path);
            return status;
        }
    }
    return SMOL_OK;
}

void smol_files_close(struct smol_files *files)
{
    for (uint32_t i = 0; i < files->n_open; i++) {
        files->close_file(&files->open[i].mapping);
        free(files->open[i].path);
    }
    free(files->open);
    *files = (struct smol_files){0};
}
