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

struct history_options {
    int json, keeps_card;
    char *type, *output;
    enum smol_dtype number_type;
};

struct found {
    float numbers[SMOL_HISTORY_LENGTHS];
    double before, after; /* nats a token of the text */
    size_t n;             /* its tokens */
};

struct history_job {
    const struct history_options *options;
    const struct smol_file *file;
    const char *model_path, *text_path;
    const char *trouble; /* which of them an error is about */
};

static enum smol_status encode(uint32_t **tokens, size_t *n, const struct smol_model *model,
                               struct smol_span text, struct smol_error *error)
{
    uint32_t *all = malloc((text.size_bytes + 1) * sizeof *all);
    enum smol_status status =
        all ? smol_model_encode(n, all, model, text.data, text.size_bytes, error)
            : cli_error_memory(error);

    if (!status && *n < 2)
        status = cli_error(error, SMOL_E_ARGUMENT,
                           "a text of less than two tokens has nothing to predict");
    if (status) {
        free(all);
        return status;
    }
    if (*n > HISTORY_TEXT_TOKENS) {
        memmove(all, all + *n - HISTORY_TEXT_TOKENS, HISTORY_TEXT_TOKENS * sizeof *all);
        *n = HISTORY_TEXT_TOKENS;
    }
    *tokens = all;
    return SMOL_OK;
}

/* A card that says what was found, for free(). NULL if there is none, or none that is an object: it
 * stays as it is. Memory that is out is told by cli_json_is_whole(). */
static char *make_card(struct smol_span old, const char *text_path, const struct found *f)
{
    json_t *card = json_loadb((const char *)old.data, old.size_bytes, JSON_REJECT_DUPLICATES, NULL);
    const bool is_compact = old.size_bytes == 0 || !memchr(old.data, '\n', old.size_bytes);
    char *text = NULL;

    if (json_is_object(card)) {
        json_object_set_new(card, "history",
                            json_pack("{s:o, s:I, s:f, s:f}", "text",
                                      cli_json_name(cli_base_name(text_path)), "tokens",
                                      (json_int_t)f->n, "nats_per_token", f->after,
                                      "nats_per_token_without", f->before));
        text = cli_json_text(card, JSON_ENSURE_ASCII |
                                       (is_compact ? JSON_COMPACT | JSON_REAL_PRECISION(5)
                                                   : JSON_INDENT(1) | JSON_REAL_PRECISION(9)));
    }
    json_decref(card);
    return text;
}

/* The numbers behind those of the file, rounded to their type; for free(). */
static uint8_t *make_params(struct smol_parts *parts, const struct found *found)
{
    const uint64_t at = smol_params_history_at(&parts->config),
                   n_bytes = smol_params_bytes(&parts->config);
    uint8_t *params = malloc(n_bytes);

    if (!params)
        return NULL;
    if (at > 0)
        memcpy(params, parts->params.data, at);
    smol_encode_numbers(params + at, parts->config.head_type, found->numbers, SMOL_HISTORY_LENGTHS);
    parts->params = (struct smol_span){params, n_bytes};
    return params;
}

/* The new file's bytes. NULL with an error. */
static uint8_t *make(uint64_t *size_bytes, const struct history_job *job, const struct found *found,
                     struct smol_error *error)
{
    struct smol_parts parts;
    uint8_t *params, *bytes = NULL;
    char *card;

    smol_parts_of(&parts, job->file);
    if (!smol_config_has_head_type(&parts.config))
        parts.config.head_type = job->options->number_type;
    parts.config.features |= SMOL_FEATURE_HISTORY;
    params = make_params(&parts, found);
    card = job->options->keeps_card ? NULL : make_card(parts.card, job->text_path, found);
    if (card)
        parts.card = (struct smol_span){(const uint8_t *)card, strlen(card)};
    if (params && cli_json_is_whole())
        bytes = small_file_make(size_bytes, &parts, error);
    else
        cli_error_memory(error);
    free(card);
    free(params);
    return bytes;
}

static int print(const struct history_options *o, const struct found *f, uint64_t size_bytes)
{
    char size[32];

    if (!o->json) {
        cli_put_escaped(stdout, o->output);
        printf(": %s; %zu tokens of the text take %.5f nats each, without a history %.5f\n",
               cli_size(size, size_bytes), f->n, f->after, f->before);
        return 0;
    }
    return cli_print_json(json_pack("{s:I, s:I, s:f, s:f}", "file_bytes", (json_int_t)size_bytes,
                                    "tokens", (json_int_t)f->n, "nats_per_token_without", f->before,
                                    "nats_per_token", f->after));
}

/* NULL with an error. */
static uint8_t *fit(uint64_t *size_bytes, struct found *found, struct history_job *job,
                    struct smol_span bytes, struct smol_error *error)
{
    struct smol_model *model = NULL;
    struct history_text text = {.n_threads = cli_cores()};
    uint32_t *tokens = NULL;
    uint8_t *made = NULL;
    enum smol_status status = smol_model_open_file(&model, job->file, error);

    if (!status && (status = encode(&tokens, &found->n, model, bytes, error)))
        job->trouble = job->text_path;
    text.tokens = tokens;
    text.n = found->n;
    if (!status)
        status =
            history_fit(found->numbers, &found->before, &found->after, job->file, &text, error);
    if (!status)
        made = make(size_bytes, job, found, error);
    free(tokens);
    smol_model_close(model);
    return made;
}

static int fit_to_text(struct history_job *job, const struct smol_mapping *model)
{
    const char *path = job->text_path, *output = job->options->output;
    struct found found = {.n = 0};
    struct smol_mapping text;
    struct smol_error error;
    uint64_t size_bytes;
    uint8_t *bytes = NULL;
    int code;

    if (cli_map(&text, path, &error))
        return cli_complain(path, &error);
    if (foreign_check_raw(text.bytes, &error))
        job->trouble = path;
    else
        bytes = fit(&size_bytes, &found, job, text.bytes, &error);
    cli_unmap(&text);
    if (!bytes)
        return cli_complain(job->trouble, &error);
    code = cli_check_unchanged(model, job->model_path);
    code = code ? code : cli_write_file(output, bytes, size_bytes);
    free(bytes);
    return code ? code : print(job->options, &found, size_bytes);
}

/* Whether a model can have a history; 0 or an exit code after a message. */
static int check_model(const struct smol_config *c, const struct history_options *o,
                       const char *path)
{
    if (smol_config_is_delta(c))
        return cli_fail(path, "is a delta, whose models have the history");
    if (!smol_config_has(c, SMOL_FEATURE_DISTANCES))
        return cli_fail(path, "has no distances, which a history needs");
    if (c->vocab > SMOL_HISTORY_TOKENS)
        return cli_fail(path, "has %u tokens; with a history there may be 65536", c->vocab);
    if (o->type && smol_config_has_head_type(c) && c->head_type != o->number_type)
        return cli_fail(path, "has numbers in %s, which those of a history are in too, not in %s",
                        smol_dtype_name(c->head_type), o->type);
    return 0;
}

static int run(void *context, const char *const *arguments)
{
    struct history_options *o = context;
    struct smol_mapping mapping;
    struct smol_file file;
    struct history_job job = {o, &file, arguments[0], arguments[1], arguments[0]};
    struct smol_error error;
    int code;

    if (!o->output)
        return cli_usage_error("--output", "is missing");
    if (o->type && !smol_dtype_parse(&o->number_type, o->type, SMOL_OF_PARAMETERS))
        return cli_usage_error("--type", "takes q8, f16 or f32");
    if (cli_open(&mapping, &file, arguments[0], cli_cores(), &error))
        return cli_complain(arguments[0], &error);
    code = check_model(&file.config, o, arguments[0]);
    if (code == 0)
        code = fit_to_text(&job, &mapping);
    cli_unmap(&mapping);
    return code;
}

int tool_history(int argc, const char **argv)
{
    struct history_options o = {.number_type = SMOL_F16};
    const struct poptOption options[] = {
        CLI_WORD("type", 0, &o.type,
                 "the five numbers: q8, f16 (default) or f32, or as the factors of the heads are",
                 "TYPE"),
        CLI_FLAG("keep-card", 0, &o.keeps_card, "leave the card as it is, which takes less"),
        CLI_FLAG("json", 0, &o.json, "print one JSON object"),
        CLI_WORD("output", 'o', &o.output, "where the new model goes; it is not signed", "FILE"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(
        argc, argv, options,
        &(struct cli_usage){"[OPTION...] MODEL.smol TEXT -o FILE\n"
                            "Writes the model with a history: it then also expects what followed "
                            "the same\ntokens before in the text that it reads. Five numbers say "
                            "how much that counts\nfor, fitted to TEXT, which should be like the "
                            "texts to come.",
                            "MODEL.smol TEXT"},
        run, &o);
}
