/* A model as safetensors: the length of a header, the header as JSON, the tensors' floats. */
#include "cli/cli.h"
#include "cli/json.h"
#include "smoltool/export/export.h"

#include <smol/initial.h>

#include <stdlib.h>
#include <string.h>

static json_t *describe(const struct export_tensor *t, uint64_t begin)
{
    const json_int_t from = (json_int_t)begin, to = (json_int_t)(begin + 4 * export_count(t));
    json_t *shape = t->is_vector ? json_pack("[I]", (json_int_t)t->cols)
                                 : json_pack("[I, I]", (json_int_t)t->rows, (json_int_t)t->cols);

    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets", from,
                     to);
}

/* The header's text for free(), or NULL. */
static char *header_text(const struct export_tensor *tensors, size_t n)
{
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    char *text = NULL;
    uint64_t at = 0;
    int bad = !header;

    for (size_t i = 0; i < n && !bad; i++) {
        bad = json_object_set_new(header, tensors[i].name, describe(&tensors[i], at));
        at += 4 * export_count(&tensors[i]);
    }
    if (!bad)
        text = cli_json_text(header, JSON_COMPACT);
    json_decref(header);
    return text;
}

static void put_header(struct export_out *out, const char *text)
{
    const size_t n = strlen(text), n_padded = (n + 7) / 8 * 8;

    export_put_number(out, n_padded, 8);
    export_put(out, text, n);
    export_put(out, "       ", n_padded - n);
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
    struct export_tensor *tensors = export_list(&n, &job->file->config, true);
    char *header = tensors ? header_text(tensors, n) : NULL,
         *path = export_path(job->output, "model.safetensors");
    struct export_out *out = malloc(sizeof *out);
    struct export_reader *reader = NULL;
    enum smol_status status;

    if (!header || !out)
        status = cli_error_memory(error);
    else
        status = export_reader_create(&reader, job->file, tensors, n, error);
    if (!status) {
        export_out_open(out, path, error);
        put_header(out, header);
        for (size_t i = 0; i < n; i++)
            put_tensor(out, reader, &tensors[i]);
        status = export_out_close(out, job->mapping);
    }
    export_reader_destroy(reader);
    free(out);
    free(path);
    free(header);
    free(tensors);
    return status;
}
