/* smoltool weights: the exact weights of a tensor as a NumPy file of float64, C order, rows =
 * outputs. */
#include "cli/cli.h"
#include "cli/delta/parts.h"
#include "cli/guard.h"
#include "cli/json.h"
#include "smoltool/smoltool.h"

#include <smol/arrays.h>
#include <smol/weights.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_ROWS 64u

struct weights_options {
    char *rows, *output;
    int list, json;
    struct parts_words parts;
};

/* "A:B", either side of which may be left out. */
static bool parse_rows(uint32_t *begin, uint32_t *end, const char *text, uint32_t rows)
{
    const char *colon = strchr(text, ':');
    char first[24] = "";
    uint64_t a = 0, b = rows;

    if (!colon || (size_t)(colon - text) >= sizeof first)
        return false;
    memcpy(first, text, (size_t)(colon - text));
    if ((first[0] && !cli_parse_u64(&a, first)) || (colon[1] && !cli_parse_u64(&b, colon + 1)))
        return false;
    if (a > b || b > rows)
        return false;
    *begin = (uint32_t)a;
    *end = (uint32_t)b;
    return true;
}

/* Where the array goes: a file that appears whole, or standard output. */
static enum smol_status put(struct smol_writer *writer, const void *bytes, size_t n,
                            struct smol_error *error)
{
    if (writer)
        return smol_writer_append(writer, bytes, n, error);
    if (fwrite(bytes, 1, n, stdout) == n)
        return SMOL_OK;
    *error = (struct smol_error){SMOL_E_IO, SMOL_NO_OFFSET, "standard output cannot be written"};
    return SMOL_E_IO;
}

static enum smol_status put_rows(struct smol_writer *writer, const struct smol_file *file,
                                 const struct smol_tensor *t, uint32_t begin, uint32_t end,
                                 struct smol_error *error)
{
    const size_t scratch_bytes = smol_tensor_scratch_bytes(file, t);
    double *values = malloc((size_t)CHUNK_ROWS * t->cols * sizeof *values);
    void *scratch = cli_memory(scratch_bytes);
    enum smol_status status = SMOL_OK;
    const struct smol_array array = {
        .type = SMOL_ARRAY_F64, .n_dims = 2, .shape = {end - begin, t->cols}};
    uint8_t header[SMOL_NPY_HEADER_BYTES];

    if (!values || !scratch)
        status = cli_error_memory(error);
    if (!status)
        status = put(writer, header, smol_npy_header(header, &array), error);
    for (uint32_t row = begin, n; !status && row < end; row += n) {
        n = end - row < CHUNK_ROWS ? end - row : CHUNK_ROWS;
        status = smol_tensor_read(values, file, t, row, n, scratch, error);
        if (!status)
            status = put(writer, values, (size_t)n * t->cols * sizeof *values, error);
    }
    free(values);
    cli_memory_free(scratch, scratch_bytes);
    return status;
}

static int write_tensor(const struct weights_options *o, const struct smol_files *files,
                        const struct smol_tensor *t)
{
    struct smol_writer *writer = NULL;
    struct smol_error error;
    uint32_t begin = 0, end = t->rows;
    enum smol_status status = SMOL_OK;

    if (o->rows && !parse_rows(&begin, &end, o->rows, t->rows))
        return cli_usage_error("--rows", "takes A:B, rows A to B - 1 of the tensor");
    if (strcmp(o->output, "-") != 0)
        status = cli_writer_open(&writer, o->output, &error);
    if (status)
        return cli_complain(o->output, &error);
    status = put_rows(writer, &files->file, t, begin, end, &error);
    if (!status)
        status = parts_check(files, &error);
    status = cli_writer_end(writer, status, &files->open[0].mapping, &error);
    if (status == SMOL_E_CHANGED && parts_check_unchanged(files))
        return CLI_FAILED;
    return status ? cli_complain(o->output, &error) : 0;
}

static void list(const struct smol_file *file)
{
    const uint32_t n = smol_file_tensor_count(file);
    struct smol_tensor t;

    for (uint32_t i = 0; i < n; i++) {
        smol_file_tensor_at(&t, file, i);
        printf("%-28s %u x %u\n", t.name, t.rows, t.cols);
    }
}

static int list_json(const struct smol_file *file)
{
    const uint32_t n = smol_file_tensor_count(file);
    json_t *all = json_array();
    struct smol_tensor t;

    for (uint32_t i = 0; i < n; i++) {
        smol_file_tensor_at(&t, file, i);
        json_array_append_new(all, json_pack("{s:s, s:I, s:I}", "name", t.name, "rows",
                                             (json_int_t)t.rows, "cols", (json_int_t)t.cols));
    }
    return cli_print_json(all);
}

static int weights(void *context, const char *const *arguments)
{
    const struct weights_options *o = context;
    const char *path = arguments[0], *name = arguments[1];
    struct smol_files files;
    struct smol_tensor tensor;
    struct smol_error error;
    int code;

    if (o->json && !o->list)
        return cli_usage_error("--json", "needs --list");
    if (!o->list && (!name || !o->output))
        return cli_usage_error(name ? "--output" : "TENSOR", "is missing");
    if ((code = parts_open(&files, path, &o->parts, cli_cores(), false)) != 0)
        return code;
    if (o->list && o->json)
        code = list_json(&files.file);
    else if (o->list)
        list(&files.file);
    else if (smol_file_tensor_find(&tensor, &files.file, name, &error))
        code = cli_complain(name, &error);
    else
        code = write_tensor(o, &files, &tensor);
    parts_close(&files);
    return code;
}

int tool_weights(int argc, const char **argv)
{
    struct weights_options o = {0};
    struct poptOption parts[PARTS_OPTIONS];
    const struct poptOption options[] = {
        CLI_WORD("output", 'o', &o.output, "where the array goes, - for standard output",
                 "OUT.npy"),
        CLI_WORD("rows", 0, &o.rows, "rows A to B - 1 only (all)", "A:B"),
        CLI_FLAG("list", 'l', &o.list, "list the tensors instead"),
        CLI_FLAG("json", 0, &o.json, "list them as JSON"),
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, parts, 0, "Of a delta:", NULL},
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    parts_table(parts, &o.parts);
    return cli_command(
        argc, argv, options,
        &(struct cli_usage){"[OPTION...] MODEL.smol [TENSOR]", "MODEL.smol [TENSOR]"}, weights, &o);
}
