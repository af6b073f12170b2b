/* smoltool quantize: a model with its embeddings in fewer bits, and what that loses. */
#include "cli/cli.h"
#include "cli/countdown.h"
#include "cli/foreign.h"
#include "cli/guard.h"
#include "cli/json.h"
#include "smoltool/embedding_rows.h"
#include "smoltool/smoltool.h"

#include <smol/model.h>
#include <smol/weights.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct quantize_options {
    int json;
    char *embeddings, *text, *output;
};

/* What the new numbers of a table are off the old ones by. */
struct table_loss {
    const char *name, *from, *to;
    double rms;       /* of all numbers */
    double relative;  /* to the old numbers' own */
    double worst_row; /* the same of the row that suffers most */
};

struct losses {
    struct table_loss wte, wpe;
    uint64_t bytes_before, bytes_after; /* of the files */
    bool has_text;
    double before, after; /* nats a token of the text */
};

static double ratio(double error, double size) { return size > 0 ? sqrt(error / size) : 0; }

static enum smol_status encode_table(uint8_t *embeddings, const struct smol_table_layout *at,
                                     enum smol_dtype type, const struct smol_file *file,
                                     uint32_t index, struct table_rows *m, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;
    struct smol_tensor t;
    float *row;

    smol_tensor_at(&t, &file->config, index);
    row = malloc(t.cols * sizeof *row);
    if (!row)
        return cli_error_memory(error);
    for (uint32_t i = 0; i < t.rows; i++) {
        if ((status = smol_tensor_read(m->a, file, &t, i, 1, m->scratch, error)) != SMOL_OK)
            break;
        for (uint32_t c = 0; c < t.cols; c++)
            row[c] = (float)m->a[c];
        table_put_row(embeddings, at, type, i, row, t.cols);
    }
    free(row);
    return status;
}

static enum smol_status compare_table(struct table_loss *loss, const struct smol_file *before,
                                      const struct smol_file *after, uint32_t index,
                                      struct table_rows *m, struct smol_error *error)
{
    double error_sum = 0, size_sum = 0;
    enum smol_status status = SMOL_OK;
    struct smol_tensor t;

    smol_tensor_at(&t, &before->config, index);
    for (uint32_t i = 0; !status && i < t.rows; i++) {
        double e = 0, s = 0;
        status = smol_tensor_read(m->a, before, &t, i, 1, m->scratch, error);
        if (!status)
            status = smol_tensor_read(m->b, after, &t, i, 1, m->scratch, error);
        for (uint32_t c = 0; !status && c < t.cols; c++) {
            const double x = (double)(float)m->a[c], off = (double)(float)m->b[c] - x;
            e += off * off;
            s += x * x;
        }
        error_sum += e;
        size_sum += s;
        loss->worst_row = fmax(loss->worst_row, ratio(e, s));
    }
    loss->rms = sqrt(error_sum / ((double)t.rows * (double)t.cols));
    loss->relative = ratio(error_sum, size_sum);
    return status;
}

/* The bytes of the new file, for free(). NULL with an error. */
static uint8_t *make_file(uint64_t *size_bytes, const struct smol_file *file, enum smol_dtype type,
                          struct table_rows *m, struct smol_error *error)
{
    struct smol_embedding_layout at;
    struct smol_parts parts;
    uint8_t *embeddings, *bytes = NULL;

    smol_parts_of(&parts, file);
    parts.config.wte_type = parts.config.wpe_type = type;
    smol_embedding_layout(&at, &parts.config);
    embeddings = calloc(at.size_bytes, 1);
    if (!embeddings) {
        cli_error_memory(error);
        return NULL;
    }
    parts.embeddings = (struct smol_span){embeddings, at.size_bytes};
    if (!encode_table(embeddings, &at.wte, type, file, 0, m, error) &&
        !encode_table(embeddings, &at.wpe, type, file, 1, m, error))
        bytes = table_file(size_bytes, &parts, error);
    free(embeddings);
    return bytes;
}

static bool show(void *countdown, uint64_t n_done, uint64_t n_tokens)
{
    countdown_show(countdown, (double)n_done, (double)n_tokens);
    return true;
}

static enum smol_status measure(double *nats_per_token, const char *what,
                                const struct smol_file *file, struct smol_span text,
                                struct smol_error *error)
{
    const struct smol_session_options options = {.struct_bytes = sizeof options,
                                                 .n_threads = cli_cores()};
    struct smol_model *model = NULL;
    struct countdown countdown;
    struct smol_score score;
    enum smol_status status = smol_model_open_file(&model, file, error);

    countdown_begin(&countdown, what);
    if (!status)
        status = smol_model_score_progress(&score, model, &options, text.data, text.size_bytes,
                                           show, &countdown, error);
    countdown_end(&countdown);
    if (!status)
        *nats_per_token = score.nats_per_token;
    smol_model_close(model);
    return status;
}

/* Fills in what the text says; 0 or an exit code after a message. */
static int measure_both(struct losses *losses, const struct smol_file *before,
                        const struct smol_file *after, const char *path)
{
    struct smol_mapping text;
    struct smol_error error;
    enum smol_status status = cli_map(&text, path, &error);

    if (status)
        return cli_complain(path, &error);
    status = foreign_check_raw(text.bytes, &error);
    if (!status)
        status = measure(&losses->before, "loss before", before, text.bytes, &error);
    if (!status)
        status = measure(&losses->after, "loss after", after, text.bytes, &error);
    cli_unmap(&text);
    losses->has_text = true;
    return status ? cli_complain(path, &error) : 0;
}

static void print_table(const struct table_loss *t)
{
    printf("%s  %s to %s: RMS error %.3g, %.3g %% of the values' own; in the worst row %.3g %%\n",
           t->name, t->from, t->to, t->rms, 100 * t->relative, 100 * t->worst_row);
}

static void print_losses(const struct losses *l)
{
    const double before = exp(l->before), after = exp(l->after);
    char from[32], to[32];

    print_table(&l->wte);
    print_table(&l->wpe);
    printf("file %s to %s\n", cli_size(from, l->bytes_before), cli_size(to, l->bytes_after));
    if (l->has_text)
        printf("text %.6f to %.6f nats per token, perplexity %.4f to %.4f (%+.4f)\n", l->before,
               l->after, before, after, after - before);
}

static json_t *table_json(const struct table_loss *t)
{
    return json_pack("{s:s, s:s, s:f, s:f, s:f}", "from", t->from, "to", t->to, "rms_error", t->rms,
                     "relative_rms_error", t->relative, "worst_row_relative_rms_error",
                     t->worst_row);
}

static int print_json(const struct losses *l)
{
    json_t *json = json_pack("{s:o?, s:o?, s:I, s:I}", "wte", table_json(&l->wte), "wpe",
                             table_json(&l->wpe), "file_bytes_before", (json_int_t)l->bytes_before,
                             "file_bytes_after", (json_int_t)l->bytes_after);

    if (json && l->has_text) {
        json_object_set_new(json, "nats_per_token_before", json_real(l->before));
        json_object_set_new(json, "nats_per_token_after", json_real(l->after));
    }
    return cli_print_json(json);
}

/* The new bytes are read back as any file, so that what is measured is what is written. */
static int write_and_tell(const struct quantize_options *o, const struct smol_file *before,
                          const uint8_t *bytes, uint64_t size_bytes, struct table_rows *m)
{
    const char *from_wte = smol_dtype_name(before->config.wte_type),
               *from_wpe = smol_dtype_name(before->config.wpe_type);
    struct losses losses = {.wte = {.name = "wte", .from = from_wte, .to = o->embeddings},
                            .wpe = {.name = "wpe", .from = from_wpe, .to = o->embeddings},
                            .bytes_before = before->bytes.size_bytes,
                            .bytes_after = size_bytes};
    struct smol_error error;
    struct smol_file after;
    int code;

    if (smol_file_parse(&after, bytes, size_bytes, &error) ||
        compare_table(&losses.wte, before, &after, 0, m, &error) ||
        compare_table(&losses.wpe, before, &after, 1, m, &error))
        return cli_complain(o->output, &error);
    if (o->text && (code = measure_both(&losses, before, &after, o->text)) != 0)
        return code;
    if ((code = cli_write_file(o->output, bytes, size_bytes)) != 0)
        return code;
    if (o->json)
        return print_json(&losses);
    print_losses(&losses);
    return 0;
}

static int quantize(const struct quantize_options *o, const char *path, enum smol_dtype type)
{
    struct table_rows memory;
    struct smol_tensor wte;
    struct smol_mapping mapping;
    struct smol_file file;
    struct smol_error error;
    uint64_t size_bytes;
    uint8_t *bytes = NULL;
    int code;

    if (cli_open(&mapping, &file, path, cli_cores(), &error))
        return cli_complain(path, &error);
    smol_tensor_at(&wte, &file.config, 0);
    if (table_rows_init(&memory, &file, &wte, &file, &wte))
        bytes = make_file(&size_bytes, &file, type, &memory, &error);
    else
        cli_error_memory(&error);
    if (bytes && smol_mapping_check(&mapping, &error)) {
        free(bytes);
        bytes = NULL;
    }
    code =
        bytes ? write_and_tell(o, &file, bytes, size_bytes, &memory) : cli_complain(path, &error);
    free(bytes);
    table_rows_free(&memory);
    cli_unmap(&mapping);
    return code;
}

static int run(void *context, const char *const *arguments)
{
    const struct quantize_options *o = context;
    enum smol_dtype type;

    if (!o->output)
        return cli_usage_error("--output", "is missing");
    if (!smol_dtype_parse(&type, o->embeddings, SMOL_OF_EMBEDDINGS) || type == SMOL_F32)
        return cli_usage_error("--embeddings", "takes q8, q4 or f16");
    return quantize(o, arguments[0], type);
}

int tool_quantize(int argc, const char **argv)
{
    struct quantize_options o = {0};
    const struct poptOption options[] = {
        CLI_WORD("embeddings", 0, &o.embeddings, "q8, q4 or f16", "TYPE"),
        CLI_WORD("text", 0, &o.text, "a text to measure the loss of, before and after", "FILE"),
        CLI_FLAG("json", 0, &o.json, "print the losses as one JSON object"),
        CLI_WORD("output", 'o', &o.output, "where the new model goes; it is not signed", "FILE"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(argc, argv, options,
                       &(struct cli_usage){"--embeddings TYPE MODEL.smol -o FILE", "MODEL.smol"},
                       run, &o);
}
