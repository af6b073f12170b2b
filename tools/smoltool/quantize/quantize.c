/* smoltool quantize: a model with its numbers in fewer bits, and what that loses. */
#include "smoltool/quantize/quantize.h"
#include "cli/cli.h"
#include "cli/countdown.h"
#include "cli/delta/parts.h"
#include "cli/foreign.h"
#include "cli/guard.h"
#include "cli/json.h"
#include "smoltool/smoltool.h"

#include <smol/model.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct quantize_options {
    int json;
    char *embeddings, *matrices, *params, *text, *output;
    struct quantize_types types;
    struct parts_words parts;
};

struct losses {
    struct quantize_loss of[QUANTIZE_N];
    uint64_t bytes_before, bytes_after; /* of the files */
    bool has_text;
    double before, after; /* nats a token of the text */
};

/* In what is printed, and as keys. */
static const char *const names[QUANTIZE_N] = {"wte", "wpe", "output_table", "matrices",
                                              "parameters"};

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

/* Another file of a delta, joined with the same parts. */
static enum smol_status join(struct smol_file *file, const struct smol_file *as,
                             struct smol_error *error)
{
    struct smol_file_part parts[SMOL_MAX_PARTS];
    uint32_t n = 0;

    for (; n < as->n_models + as->n_deltas; n++)
        parts[n] = (struct smol_file_part){as->parts[n].file, as->parts[n].factor};
    return smol_file_join(file, file, parts, n, as->factor, error);
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

static void print_losses(const struct losses *l)
{
    const double before = exp(l->before), after = exp(l->after);
    char from[32], to[32];

    for (int i = 0; i < QUANTIZE_N; i++) {
        const struct quantize_loss *t = l->of + i;

        if (t->is_there)
            printf("%s  %s to %s: RMS error %.3g, %.3g %% of the values' own; in the worst row "
                   "%.3g %%\n",
                   names[i], smol_dtype_name(t->from), smol_dtype_name(t->to), t->rms,
                   100 * t->relative, 100 * t->worst_row);
    }
    printf("file %s to %s\n", cli_size(from, l->bytes_before), cli_size(to, l->bytes_after));
    if (l->has_text)
        printf("text %.6f to %.6f nats per token, perplexity %.4f to %.4f (%+.4f)\n", l->before,
               l->after, before, after, after - before);
}

static json_t *loss_json(const struct quantize_loss *t)
{
    return json_pack("{s:s, s:s, s:f, s:f, s:f}", "from", smol_dtype_name(t->from), "to",
                     smol_dtype_name(t->to), "rms_error", t->rms, "relative_rms_error", t->relative,
                     "worst_row_relative_rms_error", t->worst_row);
}

static int print_json(const struct losses *l)
{
    json_t *json = json_object();

    for (int i = 0; i < QUANTIZE_N; i++)
        if (l->of[i].is_there)
            json_object_set_new(json, names[i], loss_json(l->of + i));
    json_object_set_new(json, "file_bytes_before", json_integer((json_int_t)l->bytes_before));
    json_object_set_new(json, "file_bytes_after", json_integer((json_int_t)l->bytes_after));
    if (l->has_text) {
        json_object_set_new(json, "nats_per_token_before", json_real(l->before));
        json_object_set_new(json, "nats_per_token_after", json_real(l->after));
    }
    return cli_print_json(json);
}

/* The same of a delta, which needs its base for that. */
static int measure_delta(struct losses *losses, struct smol_file *after,
                         const struct quantize_options *o, const char *path)
{
    struct smol_files files;
    struct smol_error error;
    int code = parts_open(&files, path, &o->parts, cli_cores(), false);

    if (code)
        return code;
    code = join(after, &files.file, &error) ? cli_complain(path, &error)
                                            : measure_both(losses, &files.file, after, o->text);
    code = code ? code : parts_check_unchanged(&files);
    parts_close(&files);
    return code;
}

/* The new bytes are read back as any file, so that what is measured is what is written. */
static int write_and_tell(const struct quantize_options *o, const char *path,
                          const struct smol_file *before, const uint8_t *bytes, uint64_t size_bytes)
{
    struct losses losses = {.bytes_before = before->bytes.size_bytes, .bytes_after = size_bytes};
    struct smol_error error;
    struct smol_file after;
    int code = 0;

    if (smol_file_parse(&after, bytes, size_bytes, &error) ||
        quantize_compare(losses.of, before, &after, &o->types, &error))
        return cli_complain(o->output, &error);
    if (o->text)
        code = smol_config_is_delta(&before->config)
                   ? measure_delta(&losses, &after, o, path)
                   : measure_both(&losses, before, &after, o->text);
    if (code || (code = cli_write_file(o->output, bytes, size_bytes)) != 0)
        return code;
    if (o->json)
        return print_json(&losses);
    print_losses(&losses);
    return 0;
}

static bool has_matrices(const struct smol_config *c)
{
    for (uint32_t i = 0; i < c->n_schemes; i++)
        if (c->schemes[i].kind == SMOL_MATRIX && c->schemes[i].source == SMOL_MATRIX_STORED)
            return true;
    return false;
}

static int quantize(const struct quantize_options *o, const char *path)
{
    struct smol_mapping mapping;
    struct smol_file file;
    struct smol_error error;
    uint64_t size_bytes;
    uint8_t *bytes = NULL;
    int code;

    if (cli_open(&mapping, &file, path, cli_cores(), &error))
        return cli_complain(path, &error);
    if (o->types.has_matrices && !has_matrices(&file.config))
        cli_error(&error, SMOL_E_ARGUMENT, "has no stored matrices");
    else if (o->types.has_embeddings && smol_config_is_delta(&file.config) &&
             file.embeddings.size_bytes == 0)
        cli_error(&error, SMOL_E_ARGUMENT, "is a delta without rows of embeddings");
    else
        bytes = quantize_file(&size_bytes, &file, &o->types, &error);
    if (bytes && smol_mapping_check(&mapping, &error)) {
        free(bytes);
        bytes = NULL;
    }
    code = bytes ? write_and_tell(o, path, &file, bytes, size_bytes) : cli_complain(path, &error);
    free(bytes);
    cli_unmap(&mapping);
    return code;
}

static int read_types(struct quantize_types *t, const struct quantize_options *o)
{
    t->has_embeddings = o->embeddings;
    t->has_matrices = o->matrices;
    t->has_params = o->params;
    if (!o->embeddings && !o->matrices && !o->params)
        return cli_usage_error("--embeddings", "is missing, or --matrices, or --params");
    if (o->embeddings && (!smol_dtype_parse(&t->embeddings, o->embeddings, SMOL_OF_EMBEDDINGS) ||
                          t->embeddings == SMOL_F32))
        return cli_usage_error("--embeddings", "takes q8, q4, ternary, q4-row or f16");
    if (o->matrices &&
        (!smol_dtype_parse(&t->matrices, o->matrices, SMOL_OF_MATRICES) || t->matrices == SMOL_F32))
        return cli_usage_error("--matrices", "takes q8, q4, ternary or f16");
    if (o->params &&
        (!smol_dtype_parse(&t->params, o->params, SMOL_OF_PARAMETERS) || t->params == SMOL_F32))
        return cli_usage_error("--params", "takes q8 or f16");
    return 0;
}

static int run(void *context, const char *const *arguments)
{
    struct quantize_options *o = context;
    int code;

    if (!o->output)
        return cli_usage_error("--output", "is missing");
    code = read_types(&o->types, o);
    if (code == 0 && !o->text && parts_are_given(&o->parts))
        code = cli_usage_error("--base, --bases-dir, --delta", "are for --text");
    return code ? code : quantize(o, arguments[0]);
}

int tool_quantize(int argc, const char **argv)
{
    struct quantize_options o = {0};
    struct poptOption parts[PARTS_OPTIONS];
    const struct poptOption options[] = {
        CLI_WORD("embeddings", 0, &o.embeddings, "embeddings: q8, q4, ternary, q4-row or f16",
                 "TYPE"),
        CLI_WORD("matrices", 0, &o.matrices, "stored matrices: q8, q4, ternary or f16", "TYPE"),
        CLI_WORD("params", 0, &o.params, "all other parameters: q8 or f16", "TYPE"),
        CLI_WORD("text", 0, &o.text, "a text to measure the loss of, before and after", "FILE"),
        CLI_FLAG("json", 0, &o.json, "print the losses as one JSON object"),
        CLI_WORD("output", 'o', &o.output, "where the new model goes; it is not signed", "FILE"),
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, parts, 0, "Of a delta, for --text:", NULL},
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    parts_table(parts, &o.parts);
    return cli_command(argc, argv, options,
                       &(struct cli_usage){"[OPTION...] MODEL.smol -o FILE", "MODEL.smol"}, run,
                       &o);
}
