/* smoltool history: a model with a history, whose numbers are fitted to a text. */
#include "cli/history/history.h"
#include "cli/cli.h"
#include "cli/foreign.h"
#include "cli/guard.h"
#include "cli/json.h"
#include "smoltool/small_file.h"
#include "smoltool/smoltool.h"

#include <smol/model.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_TOKENS 400000u /* of the text's end, which is enough for five numbers */

struct history_options {
    int json;
    char *type, *output;
    enum smol_dtype number_type;
};

struct found {
    float numbers[SMOL_HISTORY_LENGTHS];
    double before, after; /* nats a token of the text */
    size_t n;             /* its tokens */
};

static enum smol_status encode(uint32_t **tokens, size_t *n, const struct smol_model *model,
                               struct smol_span text, struct smol_error *error)
{
    uint32_t *all = malloc((text.size_bytes + 1) * sizeof *all);
    enum smol_status status =
        all ? smol_model_encode(n, all, model, text.data, text.size_bytes, error)
            : cli_error_memory(error);

    if (!status && *n < 2)
        status = cli_error(error, SMOL_E_ARGUMENT, "a text of one token has nothing to predict");
    if (status) {
        free(all);
        return status;
    }
    if (*n > MOST_TOKENS) {
        memmove(all, all + *n - MOST_TOKENS, MOST_TOKENS * sizeof *all);
        *n = MOST_TOKENS;
    }
    *tokens = all;
    return SMOL_OK;
}

/* The new file's bytes, with its numbers rounded to their type. NULL with an error. */
static uint8_t *make(uint64_t *size_bytes, const struct smol_file *file, const struct found *found,
                     const struct history_options *o, struct smol_error *error)
{
    struct smol_parts parts;
    uint64_t at, n_bytes;
    uint8_t *params, *bytes = NULL;

    smol_parts_of(&parts, file);
    if (!smol_config_has_head_type(&parts.config))
        parts.config.head_type = o->number_type;
    parts.config.features |= SMOL_FEATURE_HISTORY;
    at = smol_params_history_at(&parts.config);
    n_bytes = smol_params_bytes(&parts.config);
    params = malloc(n_bytes);
    if (!params) {
        cli_error_memory(error);
        return NULL;
    }
    if (at > 0)
        memcpy(params, file->params.data, at);
    smol_encode_numbers(params + at, parts.config.head_type, found->numbers, SMOL_HISTORY_LENGTHS);
    parts.params = (struct smol_span){params, n_bytes};
    bytes = small_file_make(size_bytes, &parts, error);
    free(params);
    return bytes;
}

static int print(const struct history_options *o, const struct found *f, uint64_t size_bytes)
{
    char size[32];

    if (!o->json) {
        cli_put_escaped(stdout, o->output);
        printf(": %s; the text with its history %.5f nats per token, without it %.5f\n",
               cli_size(size, size_bytes), f->after, f->before);
        return 0;
    }
    return cli_print_json(json_pack("{s:I, s:I, s:f, s:f}", "file_bytes", (json_int_t)size_bytes,
                                    "tokens", (json_int_t)f->n, "nats_per_token_without", f->before,
                                    "nats_per_token", f->after));
}

/* NULL with an error. */
static uint8_t *fit(uint64_t *size_bytes, struct found *found, const struct smol_file *file,
                    struct smol_span bytes, const struct history_options *o,
                    struct smol_error *error)
{
    struct smol_model *model = NULL;
    struct history_text text = {.n_threads = cli_cores()};
    uint32_t *tokens = NULL;
    uint8_t *made = NULL;
    enum smol_status status = smol_model_open_file(&model, file, error);

    if (!status)
        status = encode(&tokens, &found->n, model, bytes, error);
    text.tokens = tokens;
    text.n = found->n;
    if (!status)
        status = history_fit(found->numbers, &found->before, &found->after, file, &text, error);
    if (!status)
        made = make(size_bytes, file, found, o, error);
    free(tokens);
    smol_model_close(model);
    return made;
}

static int fit_to_text(const struct history_options *o, const struct smol_file *file,
                       const struct smol_mapping *model, const char *path)
{
    struct found found = {.n = 0};
    struct smol_mapping text;
    struct smol_error error;
    uint64_t size_bytes;
    uint8_t *bytes = NULL;
    int code;

    if (cli_map(&text, path, &error))
        return cli_complain(path, &error);
    if (!foreign_check_raw(text.bytes, &error))
        bytes = fit(&size_bytes, &found, file, text.bytes, o, &error);
    cli_unmap(&text);
    if (!bytes)
        return cli_complain(path, &error);
    code = smol_mapping_check(model, &error) ? cli_complain(o->output, &error)
                                             : cli_write_file(o->output, bytes, size_bytes);
    free(bytes);
    return code ? code : print(o, &found, size_bytes);
}

static int run(void *context, const char *const *arguments)
{
    struct history_options *o = context;
    struct smol_mapping mapping;
    struct smol_file file;
    struct smol_error error;
    int code;

    if (!o->output)
        return cli_usage_error("--output", "is missing");
    if (o->type && !smol_dtype_parse(&o->number_type, o->type, SMOL_OF_PARAMETERS))
        return cli_usage_error("--type", "takes q8, f16 or f32");
    if (cli_open(&mapping, &file, arguments[0], cli_cores(), &error))
        return cli_complain(arguments[0], &error);
    if (smol_config_is_delta(&file.config))
        code = cli_fail(arguments[0], "is a delta, whose models have the history");
    else if (!smol_config_has(&file.config, SMOL_FEATURE_DISTANCES))
        code = cli_fail(arguments[0], "has no distances, which a history needs");
    else
        code = fit_to_text(o, &file, &mapping, arguments[1]);
    cli_unmap(&mapping);
    return code;
}

int tool_history(int argc, const char **argv)
{
    struct history_options o = {.number_type = SMOL_F16};
    const struct poptOption options[] = {
        CLI_WORD("type", 0, &o.type,
                 "the five numbers, if the model has no heads' factors, whose type they else have: "
                 "q8, f16 (default) or f32",
                 "TYPE"),
        CLI_FLAG("json", 0, &o.json, "print one JSON object"),
        CLI_WORD("output", 'o', &o.output, "where the new model goes; it is not signed", "FILE"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(
        argc, argv, options,
        &(struct cli_usage){"[OPTION...] MODEL.smol TEXT -o FILE", "MODEL.smol TEXT"}, run, &o);
}
