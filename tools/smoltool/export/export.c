/* smoltool export: a model with all its weights written out, for programs that know GPT-2. */
#include "smoltool/export/export.h"
#include "cli/cli.h"
#include "cli/delta/parts.h"
#include "cli/guard.h"
#include "smoltool/smoltool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct export_options {
    int safetensors, npz, gguf, peft, gguf_lora;
    char *type, *output;
    struct parts_words parts;
};

/* The folder is there already, or is made. */
static bool make_folder(bool *is_new, const char *path, struct smol_error *error)
{
    struct stat about;

    *is_new = mkdir(path, 0777) == 0;
    if (*is_new || (errno == EEXIST && stat(path, &about) == 0 && S_ISDIR(about.st_mode)))
        return true;
    cli_error(error, SMOL_E_IO, "cannot make a folder: %s", strerror(errno));
    return false;
}

/* The small files go last: where they are, the weights are whole. */
static enum smol_status fill(const struct export_job *job, const struct export_options *o,
                             struct smol_error *error)
{
    enum smol_status status;

    if (o->peft)
        return export_peft(job, error);
    status = o->npz ? export_npz(job, error) : export_safetensors(job, error);
    return status ? status : export_small_files(job, error);
}

static enum smol_status fill_folder(const struct export_job *job, const struct export_options *o,
                                    struct smol_error *error)
{
    enum smol_status status;
    bool is_new;

    if (!make_folder(&is_new, job->output, error))
        return error->code;
    status = fill(job, o, error);
    if (status && is_new)
        rmdir(job->output);
    return status;
}

static int parse_type(enum export_type *type, const char *text)
{
    static const char *const names[] = {
        [EXPORT_F32] = "f32", [EXPORT_F16] = "f16", [EXPORT_Q8_0] = "q8_0", [EXPORT_Q4_0] = "q4_0"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!text || strcmp(text, names[i]) == 0) {
            *type = (enum export_type)i;
            return 0;
        }
    return cli_usage_error("--type", "takes f32, f16, q8_0 or q4_0");
}

/* The factors alone, which need no base. */
static int export_adapter(const struct export_options *o, enum export_type type, const char *path)
{
    struct smol_mapping mapping;
    struct smol_file file;
    struct smol_error error;
    const struct export_job job = {&file, NULL, &mapping, o->output};
    enum smol_status status;

    if (parts_are_given(&o->parts))
        return cli_usage_error("--base, --bases-dir, --delta",
                               "are not for adapters, which are of one delta alone");
    if (o->gguf_lora && type != EXPORT_F32 && type != EXPORT_F16)
        return cli_usage_error("--type", "takes f32 or f16 with --gguf-lora");
    if (cli_open(&mapping, &file, path, cli_cores(), &error))
        return cli_complain(path, &error);
    status = o->gguf_lora ? export_gguf_lora(&job, type, &error) : fill_folder(&job, o, &error);
    cli_unmap(&mapping);
    return status ? cli_complain(status == SMOL_E_CHANGED || status == SMOL_E_ARGUMENT ? path
                                                                                       : o->output,
                                 &error)
                  : 0;
}

/* All weights, of a delta those that it computes with. */
static int export_whole(const struct export_options *o, enum export_type type, const char *path)
{
    struct smol_files files;
    struct smol_error error;
    enum smol_status status;
    int code = parts_open(&files, path, &o->parts, cli_cores(), false);

    if (code)
        return code;
    const struct export_job job = {&files.file, &files, &files.open[0].mapping, o->output};
    status = o->gguf ? export_gguf(&job, type, &error) : fill_folder(&job, o, &error);
    if (status && (status != SMOL_E_CHANGED || !(code = parts_check_unchanged(&files))))
        code = cli_complain(o->output, &error);
    parts_close(&files);
    return code;
}

static int run(void *context, const char *const *arguments)
{
    const struct export_options *o = context;
    enum export_type type = EXPORT_F32;
    int code;

    if (o->safetensors + o->npz + o->gguf + o->peft + o->gguf_lora != 1)
        return cli_usage_error("--safetensors, --npz, --gguf, --peft, --gguf-lora",
                               "one of them must be given");
    if (o->type && !o->gguf && !o->gguf_lora)
        return cli_usage_error("--type", "is for GGUF; the others write f32");
    if (!o->output)
        return cli_usage_error("--output", "is missing");
    if ((code = parse_type(&type, o->type)) != 0)
        return code;
    return o->peft || o->gguf_lora ? export_adapter(o, type, arguments[0])
                                   : export_whole(o, type, arguments[0]);
}

int tool_export(int argc, const char **argv)
{
    struct export_options o = {0};
    struct poptOption parts_options[PARTS_OPTIONS];
    const struct poptOption options[] = {
        CLI_FLAG("safetensors", 0, &o.safetensors, "a folder that transformers loads"),
        CLI_FLAG("npz", 0, &o.npz, "a folder with a file for NumPy"),
        CLI_FLAG("gguf", 0, &o.gguf, "a file that llama.cpp loads"),
        CLI_FLAG("peft", 0, &o.peft, "of a low-rank delta: a folder that PEFT loads"),
        CLI_FLAG("gguf-lora", 0, &o.gguf_lora, "the same for llama.cpp's --lora: a file"),
        CLI_WORD("type", 0, &o.type, "of GGUF's matrices: f32 (default), f16, q8_0 or q4_0",
                 "TYPE"),
        CLI_WORD("output", 'o', &o.output, "the folder, or GGUF's file", "OUT"),
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, parts_options, 0, "Of a delta:", NULL},
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    parts_table(parts_options, &o.parts);
    return cli_command(
        argc, argv, options,
        &(struct cli_usage){"--safetensors|--npz|... [OPTION...] MODEL.smol -o OUT", "MODEL.smol"},
        run, &o);
}
