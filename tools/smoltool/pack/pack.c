/* smoltool pack: short texts in few bytes. */
#include "smoltool/pack/pack.h"
#include "smoltool/smoltool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct packing {
    char **paths; /* of models: NULL at the end; or NULL */
    char *output, *isa_word;
    int has_check, as_text, lines, json, n_threads;
    struct smol_pack_options pack;
    struct pack_models models;
};

/* ---- one text ---- */

static void tell(const struct packing *o, struct smol_span text, size_t packed, size_t model)
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

static int pack_text(struct packing *o, const struct pack_input *input)
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

static enum smol_status pack_line(struct pack_line *line, struct pack_worker *worker,
                                  const void *context, struct smol_error *error)
{
    struct pack_bytes packed = {NULL, 0, 0};
    const enum smol_status status = pack_best(&packed, &line->model, worker, line->from, error);

    (void)context;
    line->to = packed.data;
    line->n = packed.n;
    return status;
}

static int put_lines(const struct packing *o, const struct pack_lines *lines)
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
static int report(const struct packing *o, const struct pack_lines *lines, double seconds)
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

static int pack_lines(struct packing *o, const struct pack_input *input)
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

static int check_options(struct packing *o)
{
    if (o->json && !o->lines)
        return cli_usage_error("--json", "needs --lines");
    if (o->lines && o->output && !o->as_text)
        return cli_usage_error("--output", "needs --text with --lines: bytes have no line ends");
    if (!o->lines && !o->as_text && !pack_output_is_file(o->output) && isatty(STDOUT_FILENO) == 1)
        return cli_usage_error("--text", "is missing: bytes are not for a terminal; or -o FILE");
    if (o->n_threads > (int)PACK_MAX_THREADS)
        return cli_usage_error("--threads", "takes 0..256");
    o->pack.struct_bytes = sizeof o->pack;
    o->pack.has_check = o->has_check != 0;
    if (o->n_threads == 0)
        o->n_threads = o->lines ? (int)pack_cores() : 1;
    o->pack.n_threads = o->lines ? 1 : (uint32_t)o->n_threads;
    return cli_parse_isa(&o->pack.isa, o->isa_word);
}

static int run(void *context, const char *const *arguments)
{
    struct packing *o = context;
    struct pack_input input = {NULL, NULL, 0};
    int code = check_options(o);

    if (code)
        return code;
    code = pack_models_open(&o->models, o->paths);
    code = code ? code : pack_input_read(&input, arguments[0], true);
    code = code ? code : (o->lines ? pack_lines : pack_text)(o, &input);
    free(input.bytes);
    pack_models_close(&o->models);
    return code;
}

int tool_pack(int argc, const char **argv)
{
    struct packing o = {0};
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
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(
        argc, argv, options,
        &(struct cli_usage){"[OPTION...] -m MODEL.smol [TEXT|FILE]\n"
                            "Packs a text: a file's, or if there is no such file the "
                            "argument itself;\nwithout one, standard input. Only "
                            "the same model unpacks it.",
                            "[TEXT]"},
        run, &o);
}
