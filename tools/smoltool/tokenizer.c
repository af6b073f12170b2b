/* smoltool tokenizer: makes tokenizers, from other programs' or text, and shows what they do. */
#include "cli/cli.h"
#include "cli/foreign.h"
#include "cli/guard.h"
#include "cli/progress.h"
#include "cli/tokenizer_file.h"
#include "smoltool/import/tokens.h"
#include "smoltool/smoltool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORTION_BYTES ((size_t)4 << 20)

struct tokenizer_options {
    int vocab;
    char *output;
    const char *const *files;
    size_t n_files;
};

static int save(const struct tokenizer_options *o, const uint8_t *bytes, size_t size_bytes)
{
    struct smol_error error;
    struct smol_file made;
    char size[32];

    if (smol_tokenizer_parse(&made, bytes, size_bytes, &error) ||
        smol_write_file(o->output, bytes, size_bytes, 0666, &error))
        return cli_complain(o->output, &error);
    fprintf(stderr, "%s: %u tokens, %u merges, %s\n", o->output, (unsigned)made.config.vocab,
            (unsigned)smol_tokenizer_merge_count(&made), cli_size(size, size_bytes));
    return 0;
}

/* ---- import ---- */

/* A model's own. */
static int extract(uint8_t **bytes, size_t *size_bytes, const struct import_source *source)
{
    const char *path = source->path;
    struct smol_file file;
    struct smol_error error;
    enum smol_status status = cli_check_model(&file, source->bytes, cli_cores(), &error);

    if (!status)
        status = smol_tokenizer_extract(bytes, size_bytes, &file, &error);
    return status ? cli_complain(path, &error) : 0;
}

static int import(const struct tokenizer_options *o)
{
    struct smol_mapping mappings[2];
    struct import_source sources[2] = {{NULL, {NULL, 0}}, {NULL, {NULL, 0}}};
    struct smol_error error;
    uint8_t *bytes = NULL;
    size_t size, n = 0;
    int code = 0;

    for (; n < o->n_files && code == 0; n += code == 0) {
        if (cli_map(&mappings[n], o->files[n], &error))
            code = cli_complain(o->files[n], &error);
        else
            sources[n] = (struct import_source){o->files[n], mappings[n].bytes};
    }
    for (size_t i = 0; i < n && code == 0; i++)
        if (sources[i].bytes.size_bytes == 0)
            code = cli_fail(sources[i].path, "is empty");
    if (code == 0)
        code = n == 1 && tokenizer_is_model(sources[0].bytes)
                   ? extract(&bytes, &size, &sources[0])
                   : import_tokenizer(&bytes, &size, &sources[0], n == 2 ? &sources[1] : NULL);
    while (n > 0)
        cli_unmap(&mappings[--n]);
    if (code == 0)
        code = save(o, bytes, size);
    free(bytes);
    return code;
}

/* ---- train ---- */

struct progress {
    bool terminal;
    double shown;
};

/* Lines that cannot be covered come every ten seconds. */
static bool is_due(const struct progress *p)
{
    return cli_seconds() - p->shown > (p->terminal ? 0.1 : 10);
}

static bool show_progress(void *context, uint32_t n_tokens, uint32_t vocab)
{
    struct progress *p = context;

    if (is_due(p) || (p->terminal && n_tokens == vocab)) {
        struct cli_part part;
        cli_part(&part, 0, "%u of %u tokens", n_tokens, vocab);
        cli_progress(&part, 1, p->terminal);
        p->shown = cli_seconds();
    }
    return true;
}

/* How much of a text to count before progress is shown again. Where white space follows a word a
 * piece always ends, so that the cut changes nothing. */
static size_t portion(const uint8_t *text, size_t size)
{
    for (size_t i = PORTION_BYTES; i < size && i < 2 * PORTION_BYTES; i++)
        if (text[i] == '\n' && text[i - 1] > ' ' && text[i - 1] < 0x7f)
            return i;
    return size;
}

static int add_text(struct smol_bpe_trainer *trainer, const char *path, struct progress *p)
{
    char done[32], all[32];
    struct cli_part part;
    struct smol_mapping text;
    struct smol_error error;
    enum smol_status status;

    if (cli_map(&text, path, &error))
        return cli_complain(path, &error);
    status = foreign_check_raw(text.bytes, &error);
    for (size_t at = 0, n; at < text.bytes.size_bytes && !status; at += n) {
        n = portion(text.bytes.data + at, text.bytes.size_bytes - at);
        if (p->terminal || is_due(p)) {
            cli_part(&part, 0, "reading: %s of %s", cli_size(done, at),
                     cli_size(all, text.bytes.size_bytes));
            cli_progress(&part, 1, p->terminal);
            p->shown = cli_seconds();
        }
        status = smol_bpe_add(trainer, text.bytes.data + at, n, &error);
    }
    if (!status && text.bytes.size_bytes == 0)
        status = cli_error(&error, SMOL_E_TEXT, "holds no text");
    if (!status)
        status = smol_mapping_check(&text, &error);
    cli_unmap(&text);
    return status ? cli_complain(path, &error) : 0;
}

static int finish(const struct tokenizer_options *o, struct smol_bpe_trainer *trainer,
                  struct progress *p)
{
    struct smol_file made;
    struct smol_error error;
    uint8_t *bytes;
    size_t size;
    int code;
    const enum smol_status status =
        smol_bpe_finish(&bytes, &size, trainer, (uint32_t)o->vocab, show_progress, p, &error);

    if (p->terminal)
        cli_progress_clear();
    if (status)
        return status == SMOL_E_ARGUMENT ? cli_usage_error("--vocab", "takes 257..1048833")
                                         : cli_complain(NULL, &error);
    code = save(o, bytes, size);
    if (code == 0 && !smol_tokenizer_parse(&made, bytes, size, NULL) &&
        made.config.vocab < (uint32_t)o->vocab)
        fprintf(stderr, "%s: fewer than %d tokens: no pair is left that occurs twice\n",
                cli_program, o->vocab);
    free(bytes);
    return code;
}

static int train(const struct tokenizer_options *o)
{
    struct progress p = {.terminal = cli_progress_covers(), .shown = cli_seconds()};
    struct smol_bpe_trainer *trainer;
    struct smol_error error;
    int code = 0;

    if (smol_bpe_create(&trainer, &error))
        return cli_complain(NULL, &error);
    for (size_t i = 0; i < o->n_files && code == 0; i++)
        code = add_text(trainer, o->files[i], &p);
    if (code == 0)
        code = finish(o, trainer, &p);
    smol_bpe_destroy(trainer);
    return code;
}

/* ---- encode and decode ---- */

/* Token numbers, one a line. */
static int encode(const struct smol_file *file, struct smol_span text)
{
    uint32_t *tokens = malloc((text.size_bytes + 1) * sizeof *tokens);
    struct smol_encoder *encoder = NULL;
    struct smol_error error;
    enum smol_status status;
    size_t n;

    if (!tokens)
        return cli_no_memory(NULL);
    if (!(status = smol_encoder_create(&encoder, file, &error)) &&
        !(status = smol_encode(&n, tokens, encoder, text.data, text.size_bytes, &error)))
        for (size_t i = 0; i < n; i++)
            printf("%u\n", (unsigned)tokens[i]);
    smol_encoder_destroy(encoder);
    free(tokens);
    return status ? cli_complain(NULL, &error) : 0;
}

/* Numbers with white space between them. */
static int decode(const struct smol_file *file, struct smol_span text)
{
    static const char white[] = " \t\r\n";
    uint8_t bytes[SMOL_MAX_TOKEN_BYTES];
    struct smol_span rest = text;
    struct smol_error error;
    const char *p; /* a zero follows the text */

    if (foreign_start(&rest, &error))
        return cli_complain(NULL, &error);
    p = (const char *)rest.data;
    while (p += strspn(p, white), p < (const char *)text.data + text.size_bytes) {
        char word[12] = "";
        const size_t n = strcspn(p, white); /* 0 at a zero in the text */
        uint64_t token;
        struct smol_span b;
        if (n < sizeof word)
            memcpy(word, p, n);
        if (!cli_parse_u64(&token, word) || token >= file->config.vocab)
            return cli_complain(NULL, &(struct smol_error){SMOL_E_TOKEN,
                                                           (uint64_t)(p - (const char *)text.data),
                                                           "not a token of the vocabulary"});
        b = smol_token_bytes(bytes, file, (uint32_t)token);
        fwrite(b.data, 1, b.size_bytes, stdout);
        p += n;
    }
    return 0;
}

/* The second file, or the standard input; for free(). NULL after a message. */
static uint8_t *read_input(size_t *size, const char *path)
{
    const int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    uint8_t *text = NULL;

    if (fd < 0 || !cli_read_all(&text, size, fd))
        cli_fail_errno(path ? path : "standard input");
    if (path && fd >= 0)
        close(fd);
    return text;
}

static int convert(const struct tokenizer_options *o,
                   int (*conversion)(const struct smol_file *, struct smol_span))
{
    struct smol_mapping mapping;
    struct smol_file file;
    struct smol_error error;
    uint8_t *text;
    size_t size;
    int code;

    if (tokenizer_open(&mapping, &file, o->files[0], &error))
        return cli_complain(o->files[0], &error);
    text = read_input(&size, o->n_files == 2 ? o->files[1] : NULL);
    code = text ? conversion(&file, (struct smol_span){text, size}) : CLI_FAILED;
    free(text);
    cli_unmap(&mapping);
    return code;
}

static int encode_file(const struct tokenizer_options *o) { return convert(o, encode); }

static int decode_file(const struct tokenizer_options *o) { return convert(o, decode); }

/* ---- the command line ---- */

static const struct action {
    const char *name, *files;
    size_t most; /* files, of which one must be */
    int (*run)(const struct tokenizer_options *o);
    bool makes;
} actions[] = {
    {"import", "FILE...", 2, import, true},
    {"train", "TEXT...", SIZE_MAX, train, true},
    {"encode", "FILE", 2, encode_file, false},
    {"decode", "FILE", 2, decode_file, false},
};

static int run(void *context, const char *const *arguments)
{
    struct tokenizer_options *o = context;
    const struct action *a = actions, *const end = actions + sizeof actions / sizeof actions[0];

    while (a < end && strcmp(a->name, arguments[0]) != 0)
        a++;
    if (a == end)
        return cli_usage_error(arguments[0], "no such action");
    o->files = arguments + 1;
    while (o->files[o->n_files])
        o->n_files++;
    if (o->n_files == 0)
        return cli_usage_error(a->files, "is missing");
    if (o->n_files > a->most)
        return cli_usage_error(o->files[a->most], "one argument too many");
    if (a->makes != (o->output != NULL))
        return cli_usage_error("--output", a->makes ? "is missing" : "is for import and train");
    if ((o->vocab != 0) != (a->run == train))
        return cli_usage_error("--vocab", o->vocab ? "is for train" : "is missing");
    return a->run(o);
}

int tool_tokenizer(int argc, const char **argv)
{
    struct tokenizer_options o = {0};
    const struct poptOption options[] = {
        CLI_COUNT("vocab", 0, &o.vocab, "tokens that train makes: 257..1048833", "N"),
        CLI_WORD("output", 'o', &o.output, "where the tokenizer goes", "NAME.smoltok"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(
        argc, argv, options,
        &(struct cli_usage){"ACTION [OPTION...] FILE...\n  import vocab.json merges.txt | "
                            "vocab.bpe | tokenizer.json | MODEL.smol\n  train --vocab N TEXT...\n  "
                            "encode NAME.smoltok|MODEL.smol [TEXT]     text to token ids\n  decode "
                            "NAME.smoltok|MODEL.smol [NUMBERS]  and back",
                            "ACTION [FILE...]"},
        run, &o);
}
