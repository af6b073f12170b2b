/* smoltool pack: short texts in few bytes. */
#include "smoltool/pack/pack.h"
#include "smoltool/smoltool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- one text ---- */

static void tell(const struct pack_command *o, struct smol_span text, size_t packed, size_t model)
{
    const double n = (double)text.size_bytes, characters = (double)pack_characters(text);

    if (model == PACK_AS_IT_IS)
        cli_tell(o->output, "%zu bytes, which no model makes shorter: as they are, in %zu",
                 text.size_bytes, packed);
    else
        cli_tell(o->output, "%zu bytes in %zu: %.2f bits a character, %.1f %% saved by %s",
                 text.size_bytes, packed, 8 * (double)packed / characters,
                 100 * (1 - (double)packed / n), cli_base_name(o->models.items[model].path));
}

static int pack_text(struct pack_command *o, const struct pack_input *input)
{
    const struct smol_span text = {input->bytes, input->n};
    struct pack_bytes packed = {NULL, 0, 0};
    struct pack_worker worker;
    struct pack_output out;
    struct smol_error error;
    size_t model;
    int code;

    pack_worker_start(&worker, &o->models, &o->pack);
    code = pack_best(&packed, &model, &worker, text, &error) ? cli_complain(input->name, &error)
                                                             : pack_models_check(&o->models);
    if (code == 0 && (code = pack_output_open(&out, o->output)) == 0) {
        pack_put(&out, packed.data, packed.n, o->as_text);
        code = pack_output_close(&out, 0);
    }
    if (code == 0 && pack_output_is_file(o->output))
        tell(o, text, packed.n, model);
    pack_worker_finish(&worker);
    free(packed.data);
    return code;
}

/* ---- each line by itself ---- */

static enum smol_status pack_line(struct pack_line *lines, size_t n, size_t *failed,
                                  struct pack_worker *worker, const void *context,
                                  struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    (void)context;
    for (size_t i = 0; i < n && !status; i++) {
        struct pack_bytes packed = {NULL, 0, 0};
        status = pack_best(&packed, &lines[i].model, worker, lines[i].from, error);
        lines[i].to = packed.data;
        lines[i].n = packed.n;
        *failed = i;
    }
    return status;
}

static int put_lines(const struct pack_command *o, const struct pack_lines *lines)
{
    struct pack_output out;
    int code;

    if (!o->as_text)
        return 0;
    if ((code = pack_output_open(&out, o->output)) != 0)
        return code;
    for (size_t i = 0; i < lines->n; i++)
        pack_put(&out, lines->items[i].to, lines->items[i].n, true);
    return pack_output_close(&out, 0);
}

/* The figures are what was asked for, unless the lines themselves go to the standard output. */
static int report(const struct pack_command *o, const struct pack_lines *lines, double seconds)
{
    const struct pack_report r = {.lines = lines,
                                  .models = &o->models,
                                  .seconds = seconds,
                                  .n_threads = pack_lines_threads(lines, (uint32_t)o->n_threads),
                                  .is_text = o->as_text != 0};
    FILE *to = o->as_text && !pack_output_is_file(o->output) ? stderr : stdout;

    if (o->json)
        return pack_report_json(to, &r);
    pack_report_print(to, &r);
    return 0;
}

static int pack_lines(struct pack_command *o, const struct pack_input *input)
{
    const struct pack_sharing sharing = {.models = &o->models,
                                         .options = &o->pack,
                                         .n_threads = (uint32_t)o->n_threads,
                                         .work = pack_line,
                                         .name = input->name};
    struct pack_lines lines;
    double start;
    int code = pack_lines_split(&lines, input, true);

    start = cli_seconds();
    code = code ? code : pack_lines_run(&lines, &sharing);
    start = cli_seconds() - start;
    code = code ? code : pack_models_check(&o->models);
    code = code ? code : put_lines(o, &lines);
    code = code ? code : report(o, &lines, start);
    pack_lines_free(&lines);
    return code;
}

/* ---- the command ---- */

static int check_options(struct pack_command *o)
{
    if (o->lines && o->output && !o->as_text)
        return cli_usage_error("--output", "needs --text with --lines: bytes have no line ends");
    if (!o->lines && !o->as_text && !pack_output_is_file(o->output) && isatty(STDOUT_FILENO) == 1)
        return cli_usage_error("--text", "is missing: bytes are not for a terminal; or -o FILE");
    return pack_command_check(o);
}

static int pack_input(void *context, const struct pack_input *input)
{
    struct pack_command *o = context;

    return (o->lines ? pack_lines : pack_text)(o, input);
}

static int run(void *context, const char *const *arguments)
{
    const int code = check_options(context);

    return code ? code : pack_command_run(context, arguments[0], true, pack_input, context);
}

int tool_pack(int argc, const char **argv)
{
    struct pack_command o = {0};
    struct poptOption parts[PARTS_OPTIONS];
    const struct poptOption options[] = {
        PACK_MODEL_OPTION(&o.paths, "the model; of several the best for a text"),
        CLI_WORD("output", 'o', &o.output, "a file (standard output)", "FILE"),
        CLI_FLAG("text", 0, &o.as_text, "as printable text, 1.23 characters a byte"),
        CLI_FLAG("check", 0, &o.has_check, "one byte more, by which damage is found"),
        CLI_FLAG("lines", 0, &o.lines, "each line by itself, or its JSON's text; print figures"),
        CLI_FLAG("json", 0, &o.json, "print the figures of --lines as JSON"),
        CLI_COUNT("threads", 't', &o.n_threads, "threads, 0 (default): 1; with --lines: all cores",
                  "N"),
        CLI_WORD("isa", 0, &o.isa_word, "best (default), scalar, avx2, avx512, neon; same bytes",
                 "NAME"),
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, parts, 0, "Of a delta:", NULL},
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    parts_table(parts, &o.parts);
    return cli_command(
        argc, argv, options,
        &(struct cli_usage){"[OPTION...] -m MODEL.smol [TEXT|FILE]\n"
                            "Packs a text: a file's, or if there is no such file the "
                            "argument itself;\nwithout one, standard input. Only "
                            "the same model unpacks it.",
                            "[TEXT]"},
        run, &o);
}
