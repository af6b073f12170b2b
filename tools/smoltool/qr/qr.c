/* smoltool qr: a model as a QR code, for a sticker. */
#include "smoltool/qr/qr.h"
#include "cli/cli.h"
#include "cli/guard.h"
#include "smoltool/smoltool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct qr_options {
    char *output, *ecc_word;
    int scale;
    enum qr_ecc ecc;
};

static bool is_stdout(const struct qr_options *o) { return strcmp(o->output, "-") == 0; }

/* ---- a model that is too large ---- */

/* What would make it fit; the easiest first. */
static const char *remedy(const struct smol_file *file, size_t limit)
{
    const size_t signature = file->is_signed ? SMOL_SIGNATURE_BLOCK_BYTES : 0;
    struct smol_parts parts;
    struct smol_error error;
    uint64_t bare; /* without card and signature */

    if (file->bytes.size_bytes <= QR_MAX_BYTES)
        return "one of level L holds 2953";
    if (file->bytes.size_bytes - signature <= limit)
        return "unsigned it would fit, and smoltool sign --detached signs beside it";
    smol_parts_of(&parts, file);
    parts.card = (struct smol_span){NULL, 0};
    if (!smol_file_size(&bare, &parts, &error) && bare <= limit)
        return bare + signature <= limit
                   ? "without its card (smoltrain --no-card) it would fit"
                   : "unsigned and without its card (smoltrain --no-card) it would fit";
    return "it takes fewer tokens (smoltrain --vocab used+other), a smaller --width, or fewer bits "
           "(--embedding-type)";
}

static int refuse(const char *path, const struct smol_file *file, const struct qr_options *o)
{
    const struct qr_size largest = {40, o->ecc};
    const size_t limit = qr_capacity(&largest);

    return cli_fail(path, "%zu bytes, and the largest QR code of level %c holds %zu: %s",
                    file->bytes.size_bytes, qr_ecc_letters[largest.ecc], limit,
                    remedy(file, limit));
}

/* ---- the picture ---- */

static int write_picture(const struct qr_options *o, const struct qr_picture *picture)
{
    if (!is_stdout(o))
        return cli_write_file(o->output, picture->bytes, picture->n_bytes);
    fwrite(picture->bytes, 1, picture->n_bytes, stdout); /* cli_close_output tells of failures */
    return 0;
}

static int draw(const struct qr_options *o, const char *path, const struct smol_mapping *mapping,
                const struct qr_size *size)
{
    const size_t n = mapping->bytes.size_bytes, room = qr_capacity(size);
    struct qr_symbol symbol = {0};
    struct qr_picture picture = {0};
    struct smol_error error;
    enum smol_status status = qr_encode(&symbol, size, mapping->bytes.data, n, &error);
    int code;

    if (!status)
        status = (cli_ends_with(o->output, ".svg") ? qr_svg : qr_png)(&picture, &symbol,
                                                                      (unsigned)o->scale, &error);
    free(symbol.dark);
    if (status)
        return cli_complain(o->output, &error);
    code = cli_check_unchanged(mapping, path);
    code = code ? code : write_picture(o, &picture);
    free(picture.bytes);
    if (code == 0)
        cli_tell(is_stdout(o) ? path : o->output,
                 "QR code of version %u, level %c: %u x %u modules, %zu bytes of at most %zu, "
                 "%zu left",
                 size->version, qr_ecc_letters[size->ecc], symbol.modules, symbol.modules, n, room,
                 room - n);
    return code;
}

/* ---- the command ---- */

static int make(const struct qr_options *o, const char *path)
{
    struct smol_mapping mapping;
    struct smol_file file;
    struct smol_error error;
    struct qr_size size;
    int code;

    if (cli_open(&mapping, &file, path, cli_cores(), &error))
        return cli_complain(path, &error);
    code = qr_choose(&size, mapping.bytes.size_bytes, o->ecc) ? draw(o, path, &mapping, &size)
                                                              : refuse(path, &file, o);
    cli_unmap(&mapping);
    return code;
}

static int run(void *context, const char *const *arguments)
{
    struct qr_options *o = context;
    const char *letter = o->ecc_word ? strchr(qr_ecc_letters, o->ecc_word[0]) : NULL;

    if (!o->output)
        return cli_usage_error("--output", "is missing");
    if (!is_stdout(o) && !cli_ends_with(o->output, ".png") && !cli_ends_with(o->output, ".svg"))
        return cli_usage_error(o->output, "should end in .png or .svg");
    if (is_stdout(o) && isatty(STDOUT_FILENO) == 1)
        return cli_usage_error("-", "a picture is not for a terminal");
    if (o->ecc_word && (!letter || !*letter || o->ecc_word[1]))
        return cli_usage_error("--ecc", "takes L, M, Q or H");
    if (o->scale < 1 || o->scale > (int)QR_MAX_SCALE)
        return cli_usage_error("--scale", "takes 1..64");
    if (!qr_is_built)
        return cli_fail(NULL, "this smoltool was built without libqrencode and libpng");
    o->ecc = letter ? (enum qr_ecc)(letter - qr_ecc_letters) : QR_ECC_L;
    return make(o, arguments[0]);
}

int tool_qr(int argc, const char **argv)
{
    struct qr_options o = {.scale = 8};
    const struct poptOption options[] = {
        CLI_WORD("output", 'o', &o.output, "where the picture goes, .png or .svg; - for a pipe",
                 "FILE"),
        CLI_WORD("ecc", 0, &o.ecc_word,
                 "error correction, for damaged codes (L, which makes the smallest code)",
                 "L|M|Q|H"),
        CLI_COUNT("scale", 0, &o.scale, "pixels of a module (8)", "N"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(
        argc, argv, options,
        &(struct cli_usage){"[OPTION...] MODEL.smol -o FILE.png|FILE.svg", "MODEL.smol"}, run, &o);
}
