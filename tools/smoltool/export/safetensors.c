/* A model as safetensors. */
#include "cli/cli.h"
#include "smoltool/export/export.h"

#include <smol/initial.h>

#include <stdlib.h>

/* What the file begins with, for free(). */
static enum smol_status header_of(uint8_t **header, size_t *size_bytes,
                                  const struct export_tensor *tensors, size_t n,
                                  struct smol_error *error)
{
    struct smol_array *arrays = calloc(n, sizeof *arrays);
    enum smol_status status;

    if (!arrays)
        return cli_error_memory(error);
    for (size_t i = 0; i < n; i++)
        arrays[i] = export_array(&tensors[i]);
    status = smol_safetensors_header(header, size_bytes, arrays, n,
                                     &(struct smol_safetensors_member){"format", "pt"}, 1, error);
    free(arrays);
    return status;
}

static void put_tensor(struct export_out *out, struct export_reader *reader,
                       const struct export_tensor *t)
{
    const float *values;
    uint8_t bytes[4096];
    size_t n;

    export_reader_begin(reader, t);
    do {
        if (!out->status)
            out->status = export_reader_next(&values, &n, reader, out->error);
        for (size_t at = 0, part; !out->status && at < n; at += part) {
            part = n - at < sizeof bytes / 4 ? n - at : sizeof bytes / 4;
            smol_encode_numbers(bytes, SMOL_F32, values + at, part);
            export_put(out, bytes, 4 * part);
        }
    } while (!out->status && n);
}

enum smol_status export_safetensors(const struct export_job *job, struct smol_error *error)
{
    size_t n;
    struct export_tensor *tensors = export_list(&n, job->file, true, error);
    char *path = cli_text("%s/model.safetensors", job->output);
    struct export_out out;
    struct export_reader *reader = NULL;
    uint8_t *header = NULL;
    size_t header_bytes = 0;
    enum smol_status status;

    if (!tensors)
        status = error->code;
    else if (!path)
        status = cli_error_memory(error);
    else if (!(status = header_of(&header, &header_bytes, tensors, n, error)))
        status = export_reader_create(&reader, job->file, tensors, n, error);
    if (!status) {
        export_out_open(&out, path, error);
        export_put(&out, header, header_bytes);
        for (size_t i = 0; i < n; i++)
            put_tensor(&out, reader, &tensors[i]);
        status = export_job_close(&out, job);
    }
    export_reader_destroy(reader);
    free(path);
    free(header);
    free(tensors);
    return status;
}
