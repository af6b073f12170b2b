/* smoltool unpack: what smoltool pack has packed. */
#include "cli/json.h"
#include "smoltool/pack/pack.h"
#include "smoltool/smoltool.h"

#include <smol/tokenizer.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_MOST_BYTES ((uint64_t)16 << 20)

struct unpacking {
    struct pack_command command;
    char *most_word;
    uint64_t most_bytes;
};

/* The text in worker->trial. */
static enum smol_status unpack(struct pack_worker *worker, const struct unpacking *o,
                               struct smol_span packed, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    if (o->most_bytes > SIZE_MAX)
        return cli_error_memory(error);
    if (!(status = pack_bytes_reserve(&worker->trial, (size_t)o->most_bytes, error)))
        status = pack_undo(&worker->trial.n, worker->trial.data, (size_t)o->most_bytes, worker,
                           packed, error);
    return status;
}

/* ---- one text ---- */

/* A terminal is not to obey a text: of its control characters only line feed and tab pass. */
static void show(FILE *to, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0, control; i < n; i += control ? control : 1) {
        control = bytes[i] == '\n' || bytes[i] == '\t' ? 0 : cli_control_bytes(bytes + i, n - i);
        fputc(control ? '?' : bytes[i], to);
    }
    if (n && bytes[n - 1] != '\n')
        fputc('\n', to);
}

static int write_text(const struct unpacking *o, const struct pack_bytes *text)
{
    struct pack_output out;
    int code = pack_output_open(&out, o->command.output);

    if (code)
        return code;
    if (!pack_output_is_file(o->command.output) && isatty(STDOUT_FILENO) == 1)
        show(out.stream.to, text->data, text->n);
    else
        fwrite(text->data, 1, text->n, out.stream.to);
    return pack_output_close(&out, 0);
}

static int unpack_text(struct unpacking *o, const struct pack_input *input)
{
    struct smol_span packed = {input->bytes, input->n};
    uint8_t *bytes = NULL;
    struct pack_worker worker;
    struct smol_error error;
    enum smol_status status = SMOL_OK;
    int code;

    pack_worker_start(&worker, &o->command.models, &o->command.pack);
    if (o->command.as_text && !(status = pack_read_digits(&packed, packed, &error)))
        bytes = (uint8_t *)packed.data;
    status = status ? status : unpack(&worker, o, packed, &error);
    code = status ? cli_complain(input->name, &error) : pack_models_check(&o->command.models);
    code = code ? code : write_text(o, &worker.trial);
    free(bytes);
    pack_worker_finish(&worker);
    return code;
}

/* ---- each line by itself ---- */

static int put_lines(const struct unpacking *o, const struct pack_lines *lines)
{
    struct pack_output out;
    int code = pack_output_open(&out, o->command.output);

    if (code)
        return code;
    for (size_t i = 0; code == 0 && i < lines->n; i++) {
        const struct pack_line *line = &lines->items[i];
        if (o->command.json) {
            json_t *object = json_pack("{s:o}", "text", cli_json_string(line->to, line->n));
            code = cli_put_json(out.stream.to, object, 0);
            continue;
        }
        fwrite(line->to, 1, line->n, out.stream.to);
        fputc('\n', out.stream.to);
    }
    return pack_output_close(&out, code);
}

static int unpack_lines(struct unpacking *o, const struct pack_input *input)
{
    const struct pack_unpacking unpacking = {
        .most_bytes = o->most_bytes < SIZE_MAX ? (size_t)o->most_bytes : SIZE_MAX,
        .as_json = o->command.json != 0};
    struct smol_pack_options options = o->command.pack;
    struct pack_sharing sharing = {.models = &o->command.models,
                                   .options = &options,
                                   .n_threads = (uint32_t)o->command.n_threads,
                                   .work = pack_unpack_lines,
                                   .context = &unpacking,
                                   .name = input->name};
    struct pack_lines lines;
    int code = pack_lines_split(&lines, input, false);

    options.n_texts = pack_side_by_side(&o->command.models, &options);
    sharing.at_once = 8 * (size_t)options.n_texts; /* the shortest ones make room for others */

    code = code ? code : pack_lines_run(&lines, &sharing);
    code = code ? code : pack_models_check(&o->command.models);
    code = code ? code : put_lines(o, &lines);
    pack_lines_free(&lines);
    return code;
}

/* ---- the command ---- */

static int check_options(struct unpacking *o)
{
    const struct pack_command *c = &o->command;

    if (c->lines && !c->as_text)
        return cli_usage_error("--lines", "needs --text: bytes have no line ends");
    o->most_bytes = DEFAULT_MOST_BYTES;
    if (o->most_word && !cli_parse_size(&o->most_bytes, o->most_word))
        return cli_usage_error("--max", "takes a size such as 500, 64K or 2G");
    return pack_command_check(&o->command);
}

static int unpack_input(void *context, const struct pack_input *input)
{
    struct unpacking *o = context;

    return (o->command.lines ? unpack_lines : unpack_text)(o, input);
}

static int run(void *context, const char *const *arguments)
{
    struct unpacking *o = context;
    const int code = check_options(o);

    return code ? code
                : pack_command_run(&o->command, arguments[0], o->command.as_text != 0, unpack_input,
                                   o);
}

int tool_unpack(int argc, const char **argv)
{
    struct unpacking o = {.most_bytes = 0};
    struct poptOption parts[PARTS_OPTIONS];
    const struct poptOption options[] = {
        PACK_MODEL_OPTION(&o.command.paths, "the model; of several the one that packed it"),
        CLI_WORD("output", 'o', &o.command.output, "a file (standard output)", "FILE"),
        CLI_FLAG("text", 0, &o.command.as_text, "from printable text, as pack --text writes it"),
        CLI_FLAG("check", 0, &o.command.has_check, "demand the byte of pack --check"),
        CLI_FLAG("lines", 0, &o.command.lines,
                 "each line by itself, as pack --lines --text writes them"),
        CLI_FLAG("json", 0, &o.command.json, "write JSON lines with --lines"),
        CLI_WORD("max", 0, &o.most_word, "most bytes of a text (16M)", "SIZE"),
        CLI_COUNT("threads", 't', &o.command.n_threads,
                  "threads, 0 (default): 1; with --lines: all cores", "N"),
        CLI_WORD("isa", 0, &o.command.isa_word,
                 "best (default), scalar, avx2, avx512, neon; same text", "NAME"),
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, parts, 0, "Of a delta:", NULL},
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    parts_table(parts, &o.command.parts);
    return cli_command(argc, argv, options,
                       &(struct cli_usage){
                           "[OPTION...] -m MODEL.smol [FILE|TEXT]\nUnpacks what pack has packed: a "
                           "file; with --text the argument itself, if it\nis no file's name; "
                           "without one, standard input.",
                           "[FILE]"},
                       run, &o);
}
