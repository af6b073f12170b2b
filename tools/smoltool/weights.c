/* smoltool weights: the exact weights of a tensor as a NumPy file of float64, C order, rows =
 * outputs. */
#include "cli/cli.h"
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

static int write_tensor(const struct weights_options *o, const char *path,
                        const struct smol_mapping *mapping, const struct smol_file *file,
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
    if (!status)
        status =
            cli_writer_end(writer, put_rows(writer, file, t, begin, end, &error), mapping, &error);
    return status ? cli_complain(status == SMOL_E_CHANGED ? path : o->output, &error) : 0;
}

static void list(const struct smol_config *config)
{
    const uint32_t n = smol_tensor_count(config);
    struct smol_tensor t;

    for (uint32_t i = 0; i < n; i++) {
        smol_tensor_at(&t, config, i);
        printf("%-28s %u x %u\n", t.name, t.rows, t.cols);
    }
}

static int list_json(const struct smol_config *config)
{
    const uint32_t n = smol_tensor_count(config);
    json_t *all = json_array();
    struct smol_tensor t;

    for (uint32_t i = 0; i < n; i++) {
        smol_tensor_at(&t, config, i);
        json_array_append_new(all, json_pack("{s:s, s:I, s:I}", "name", t.name, "rows",
                                             (json_int_t)t.rows, "cols", (json_int_t)t.cols));
    }
    return cli_print_json(all);
}

static int weights(void *context, const char *const *arguments)
{
    const struct weights_options *o = context;
    const char *path = arguments[0], *name = arguments[1];
    struct smol_mapping mapping;
    struct smol_tensor tensor;
    struct smol_file file;
    struct smol_error error;
    int code = 0;

    if (o->json && !o->list)
        return cli_usage_error("--json", "needs --list");
    if (!o->list && (!name || !o->output))
        return cli_usage_error(name ? "--output" : "TENSOR", "is missing");
    if (cli_open(&mapping, &file, path, cli_cores(), &error))
        return cli_complain(path, &error);
    if (o->list && o->json)
        code = list_json(&file.config);
    else if (o->list)
        list(&file.config);
    else if (smol_tensor_find(&tensor, &file.config, name, &error))
        code = cli_complain(name, &error);
    else
        code = write_tensor(o, path, &mapping, &file, &tensor);
    cli_unmap(&mapping);
    return code;
}

int tool_weights(int argc, const char **argv)
{
    struct weights_options o = {0};
    const struct poptOption options[] = {
        CLI_WORD("output", 'o', &o.output, "where the array goes, - for standard output",
                 "OUT.npy"),
        CLI_WORD("rows", 0, &o.rows, "rows A to B - 1 only (all)", "A:B"),
        CLI_FLAG("list", 'l', &o.list, "list the tensors instead"),
        CLI_FLAG("json", 0, &o.json, "list them as JSON"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(
        argc, argv, options,
        &(struct cli_usage){"[OPTION...] MODEL.smol [TENSOR]", "MODEL.smol [TENSOR]"}, weights, &o);
}
