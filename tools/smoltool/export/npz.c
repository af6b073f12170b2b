/* A model as NumPy's .npz: a zip file, stored, with an .npy for each tensor. libzip asks for the
 * contents as it writes, and its output goes to a writer, so that nothing is kept and the file
 * appears whole. */
#include "cli/cli.h"
#include "cli/guard.h"
#include "smoltool/export/export.h"

#include <smol/initial.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

/* What all entries share. */
struct run {
    struct export_reader *reader;
    struct smol_error *error; /* filled when a callback fails */
    enum smol_status status;
};

/* One tensor, as libzip reads it. */
struct entry {
    struct run *run;
    const struct export_tensor *tensor;
    zip_error_t error;
    const uint8_t *held; /* bytes not handed out yet */
    size_t n_held;
    const float *values; /* floats not turned into bytes yet */
    size_t n_values;
    uint8_t header[SMOL_NPY_HEADER_BYTES];
    size_t n_header;
    uint8_t bytes[32768];
};

/* The output, as libzip writes it. */
struct target {
    struct run *run;
    struct smol_writer *writer;
    zip_error_t error;
    zip_uint64_t at, size;
};

static zip_int64_t open_entry(struct entry *e)
{
    export_reader_begin(e->run->reader, e->tensor);
    e->held = e->header;
    e->n_held = e->n_header;
    e->n_values = 0;
    return 0;
}

/* More bytes to hand out; none at the end. */
static bool refill(struct entry *e)
{
    struct run *run = e->run;
    size_t n;

    if (e->n_values == 0)
        run->status = export_reader_next(&e->values, &e->n_values, run->reader, run->error);
    if (run->status) {
        zip_error_set(&e->error, ZIP_ER_READ, 0);
        return false;
    }
    n = e->n_values < sizeof e->bytes / 4 ? e->n_values : sizeof e->bytes / 4;
    smol_encode_numbers(e->bytes, SMOL_F32, e->values, n);
    e->values += n;
    e->n_values -= n;
    e->held = e->bytes;
    e->n_held = 4 * n;
    return true;
}

static zip_int64_t read_entry(struct entry *e, uint8_t *dest, zip_uint64_t n)
{
    zip_uint64_t done = 0;

    while (done < n) {
        size_t part;
        if (e->n_held == 0 && !refill(e))
            return -1;
        if (e->n_held == 0)
            break;
        part = n - done < e->n_held ? (size_t)(n - done) : e->n_held;
        memcpy(dest + done, e->held, part);
        e->held += part;
        e->n_held -= part;
        done += part;
    }
    return (zip_int64_t)done;
}

static zip_int64_t entry_callback(void *state, void *data, zip_uint64_t n, zip_source_cmd_t command)
{
    struct entry *e = state;
    zip_stat_t *about = data;

    switch (command) {
    case ZIP_SOURCE_OPEN: return open_entry(e);
    case ZIP_SOURCE_READ: return read_entry(e, data, n);
    case ZIP_SOURCE_STAT:
        zip_stat_init(about);
        about->size = e->n_header + 4 * export_count(e->tensor);
        about->valid = ZIP_STAT_SIZE;
        return sizeof *about;
    case ZIP_SOURCE_ERROR: return zip_error_to_data(&e->error, data, n);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE: return 0;
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE,
                                              ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE,
                                              -1);
    default: zip_error_set(&e->error, ZIP_ER_OPNOTSUPP, 0); return -1;
    }
}

/* Bytes at the place reached: over those that are there already, then behind them. */
static zip_int64_t write_target(struct target *t, const uint8_t *bytes, zip_uint64_t n)
{
    const zip_uint64_t behind = t->size - t->at, over = n < behind ? n : behind;
    struct run *run = t->run;

    if (over)
        run->status = smol_writer_rewrite(t->writer, t->at, bytes, (size_t)over, run->error);
    if (!run->status && n > over)
        run->status = smol_writer_append(t->writer, bytes + over, (size_t)(n - over), run->error);
    if (run->status) {
        zip_error_set(&t->error, ZIP_ER_WRITE, 0);
        return -1;
    }
    t->at += n;
    t->size = t->at > t->size ? t->at : t->size;
    return (zip_int64_t)n;
}

static zip_int64_t seek_target(struct target *t, void *data, zip_uint64_t n)
{
    const zip_int64_t to = zip_source_seek_compute_offset(t->at, t->size, data, n, &t->error);

    if (to < 0)
        return -1;
    t->at = (zip_uint64_t)to;
    return 0;
}

static zip_int64_t target_callback(void *state, void *data, zip_uint64_t n,
                                   zip_source_cmd_t command)
{
    struct target *t = state;

    switch (command) {
    case ZIP_SOURCE_WRITE: return write_target(t, data, n);
    case ZIP_SOURCE_SEEK_WRITE: return seek_target(t, data, n);
    case ZIP_SOURCE_TELL_WRITE: return (zip_int64_t)t->at;
    case ZIP_SOURCE_STAT: /* it is not there yet */
        zip_error_set(&t->error, ZIP_ER_READ, ENOENT);
        return -1;
    case ZIP_SOURCE_ERROR: return zip_error_to_data(&t->error, data, n);
    case ZIP_SOURCE_BEGIN_WRITE:
    case ZIP_SOURCE_COMMIT_WRITE:
    case ZIP_SOURCE_ROLLBACK_WRITE:
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE: return 0;
    case ZIP_SOURCE_SUPPORTS: return ZIP_SOURCE_SUPPORTS_WRITABLE;
    default: /* there is nothing to read */
        zip_error_set(&t->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

/* As NumPy writes them: stored, from the first day that zip knows. */
static bool add_entry(zip_t *zip, struct entry *e, const struct export_tensor *t, struct run *run)
{
    char name[SMOL_MAX_TENSOR_NAME + sizeof ".npy"];
    zip_source_t *source = zip_source_function(zip, entry_callback, e);
    const struct smol_array array = export_array(t);
    zip_int64_t index;

    e->run = run;
    e->tensor = t;
    e->n_header = smol_npy_header(e->header, &array);
    zip_error_init(&e->error);
    snprintf(name, sizeof name, "%s.npy", t->name);
    if (!source)
        return false;
    index = zip_file_add(zip, name, source, 0);
    if (index < 0) {
        zip_source_free(source);
        return false;
    }
    return zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0) == 0 &&
           zip_file_set_dostime(zip, (zip_uint64_t)index, 0, 1 << 5 | 1, 0) == 0;
}

/* Writes the whole of it; what a callback reported goes before what libzip makes of that. */
static enum smol_status write_zip(struct target *target, struct entry *entries,
                                  const struct export_tensor *tensors, size_t n, struct run *run)
{
    zip_error_t error;
    zip_source_t *source;
    zip_t *zip = NULL;
    size_t n_added = 0;

    zip_error_init(&error);
    source = zip_source_function_create(target_callback, target, &error);
    if (source)
        zip = zip_open_from_source(source, ZIP_CREATE, &error);
    while (zip && n_added < n && add_entry(zip, &entries[n_added], &tensors[n_added], run))
        n_added++;
    if (zip && n_added == n && zip_close(zip) == 0)
        return SMOL_OK;
    if (!run->status)
        run->status = cli_error(run->error, SMOL_E_IO, "%s",
                                zip ? zip_strerror(zip) : zip_error_strerror(&error));
    if (zip)
        zip_discard(zip);
    else
        zip_source_free(source);
    zip_error_fini(&error);
    return run->status;
}

/* The file itself, once all memory is there. */
static enum smol_status write_file(const struct export_job *job, const char *path,
                                   struct entry *entries, const struct export_tensor *tensors,
                                   size_t n, struct run *run)
{
    struct target target = {.run = run};
    enum smol_status status = smol_writer_check(path, true, run->error);

    if (!status)
        status = cli_writer_open(&target.writer, path, run->error);
    if (status)
        return status;
    zip_error_init(&target.error);
    status = write_zip(&target, entries, tensors, n, run);
    if (!status)
        status = export_check_unchanged(job, run->error);
    return cli_writer_end(target.writer, status, job->mapping, run->error);
}

enum smol_status export_npz(const struct export_job *job, struct smol_error *error)
{
    struct run run = {.error = error};
    size_t n;
    struct export_tensor *tensors = export_list(&n, job->file, true, error);
    struct entry *entries = tensors ? calloc(n + 1, sizeof *entries) : NULL;
    char *path = cli_text("%s/model.npz", job->output);
    enum smol_status status;

    if (!tensors)
        status = error->code;
    else if (!entries || !path)
        status = cli_error_memory(error);
    else
        status = export_reader_create(&run.reader, job->file, tensors, n, error);
    if (!status)
        status = write_file(job, path, entries, tensors, n, &run);
    export_reader_destroy(run.reader);
    free(path);
    free(entries);
    free(tensors);
    return status;
}
