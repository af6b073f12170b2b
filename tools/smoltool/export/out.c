/* A file that is being written: bytes gathered, the first failure kept. */
#include "cli/cli.h"
#include "cli/delta/parts.h"
#include "cli/guard.h"
#include "smoltool/export/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void export_out_open(struct export_out *out, const char *path, struct smol_error *error)
{
    out->writer = NULL;
    out->n_bytes = 0;
    out->n_held = 0;
    out->error = error;
    out->status = cli_writer_open(&out->writer, path, error);
}

static void flush(struct export_out *out)
{
    if (!out->status)
        out->status = smol_writer_append(out->writer, out->held, out->n_held, out->error);
    out->n_held = 0;
}

void export_put(struct export_out *out, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;

    out->n_bytes += n;
    while (n && !out->status) {
        const size_t room = sizeof out->held - out->n_held, part = n < room ? n : room;

        memcpy(out->held + out->n_held, from, part);
        out->n_held += part;
        from += part;
        n -= part;
        if (out->n_held == sizeof out->held)
            flush(out);
    }
}

void export_put_number(struct export_out *out, uint64_t value, size_t n_bytes)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < n_bytes; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    export_put(out, bytes, n_bytes);
}

void export_put_zeros(struct export_out *out, size_t n)
{
    static const uint8_t zeros[64];

    for (size_t part; n; n -= part) {
        part = n < sizeof zeros ? n : sizeof zeros;
        export_put(out, zeros, part);
    }
}

enum smol_status export_check_unchanged(const struct export_job *job, struct smol_error *error)
{
    return job->files ? parts_check(job->files, error) : smol_mapping_check(job->mapping, error);
}

enum smol_status export_job_close(struct export_out *out, const struct export_job *job)
{
    if (!out->status)
        out->status = export_check_unchanged(job, out->error);
    return export_out_close(out, job->mapping);
}

enum smol_status export_out_close(struct export_out *out, const struct smol_mapping *model)
{
    if (!out->writer)
        return out->status;
    flush(out);
    return cli_writer_end(out->writer, out->status, model, out->error);
}
