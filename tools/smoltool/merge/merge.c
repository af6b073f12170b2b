/* smoltool merge: a file of a few hundred bytes that mixes models, and adds deltas to them. SPEC.md
 * 16. */
#include "smoltool/merge/merge.h"
#include "cli/cli.h"
#include "cli/delta/parts.h"
#include "cli/guard.h"
#include "cli/text_stream.h"
#include "smoltool/small_file.h"
#include "smoltool/smoltool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct merge_options {
    char *output, *key, *password_file, *bases_dir;
};

static int open_source(struct merge_source *s, const char *word)
{
    struct smol_error error;
    float factor = NAN;
    int code = parts_split(&s->path, &factor, word);

    if (code)
        return code;
    s->factor = isnan(factor) ? 1.0 : (double)factor;
    return cli_open(&s->mapping, &s->file, s->path, cli_cores(), &error)
               ? cli_complain(s->path, &error)
               : 0;
}

static void close_sources(struct merge *m)
{
    for (size_t i = 0; i < m->n_sources; i++) {
        cli_unmap(&m->sources[i].mapping);
        free(m->sources[i].path);
    }
    free(m->sources);
}

static int open_sources(struct merge *m, const char *const *words)
{
    size_t n = 0;
    int code = 0;

    while (words[n])
        n++;
    m->sources = calloc(n + SMOL_MAX_PARTS, sizeof *m->sources);
    if (!m->sources)
        return cli_no_memory(NULL);
    for (size_t i = 0; i < n; i++)
        m->sources[i].mapping.fd = -1;
    while (code == 0 && m->n_sources < n) {
        code = open_source(&m->sources[m->n_sources], words[m->n_sources]);
        m->n_sources++;
    }
    return code;
}

/* ---- the output ---- */

static int check_unchanged(const struct merge *m)
{
    int code = 0;

    for (size_t i = 0; code == 0 && i < m->n_sources; i++)
        code = cli_check_unchanged(&m->sources[i].mapping, m->sources[i].path);
    return code;
}

/* A mix in the place of one of its parts would name a file that is gone. */
static int check_output(const struct merge *m, const char *output)
{
    struct stat a, b;

    for (size_t i = 0; i < m->n_sources && stat(output, &a) == 0; i++)
        if (S_ISREG(a.st_mode) && stat(m->sources[i].path, &b) == 0 && a.st_dev == b.st_dev &&
            a.st_ino == b.st_ino)
            return cli_fail(output, "is one of the files that the mix would name");
    return 0;
}

/* "0.6 a.smol + 0.4 b.smol", behind what there is. */
static void put_sum(FILE *to, const struct merge_link *links, uint32_t n, const char **between)
{
    for (uint32_t i = 0; i < n; i++) {
        fprintf(to, "%s%.6g ", *between, (double)(float)links[i].factor);
        fputs(cli_base_name(links[i].path), to); /* escaped when it is told */
        *between = " + ";
    }
}

static void tell(const struct merge *m, const char *output, uint64_t size_bytes)
{
    const char *between = "";
    struct text_stream text;
    double sum = 0.0;

    if (text_stream_open(&text)) {
        put_sum(text.to, m->models, m->n_models, &between);
        put_sum(text.to, m->deltas, m->n_deltas, &between);
        if (text_stream_close(&text))
            cli_tell(output, "%.*s, %llu bytes", (int)text.n, text.text,
                     (unsigned long long)size_bytes);
        free(text.text);
    }
    for (uint32_t i = 0; i < m->n_models; i++)
        sum += (double)(float)m->models[i].factor;
    if (fabs(sum - 1.0) > 1e-6)
        cli_tell(output, "the factors of its models add up to %.6g, not 1", sum);
}

static int write_mix(const struct merge *m, const struct merge_options *o)
{
    struct smol_error error;
    uint64_t size_bytes;
    uint8_t *bytes = merge_file(&size_bytes, m, &error);
    int code;

    if (!bytes)
        return cli_complain(o->output, &error);
    code = check_unchanged(m);
    code = code ? code : small_file_write(o->output, bytes, &size_bytes, o->key, o->password_file);
    if (code == 0)
        tell(m, o->output, size_bytes);
    free(bytes);
    return code;
}

static int merge(void *context, const char *const *words)
{
    const struct merge_options *o = context;
    struct merge m = {.bases_dir = o->bases_dir};
    int code;

    if (!o->output)
        return cli_usage_error("--output", "is missing");
    if (o->password_file && !o->key)
        return cli_usage_error("--password-file", "needs --sign");
    code = open_sources(&m, words);
    code = code ? code : merge_links(&m);
    code = code ? code : merge_check(&m);
    code = code ? code : check_output(&m, o->output);
    code = code ? code : write_mix(&m, o);
    close_sources(&m);
    return code;
}

int tool_merge(int argc, const char **argv)
{
    struct merge_options o = {0};
    const struct poptOption options[] = {
        CLI_WORD("output", 'o', &o.output, "where the mix goes", "FILE"),
        CLI_WORD("bases-dir", 0, &o.bases_dir,
                 "where parts of mixes are (~/.local/share/smol/bases)", "FOLDER"),
        CLI_WORD("sign", 0, &o.key, "minisign secret key to sign it with", "KEY"),
        CLI_WORD("password-file", 0, &o.password_file, "its first line is that key's password",
                 "FILE"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(
        argc, argv, options,
        &(struct cli_usage){"[OPTION...] FILE.smol[=FACTOR]... -o MIX.smol\n"
                            "Writes a small file that names models and deltas, each with a "
                            "factor, and is\nrun with them: models are mixed, deltas added.",
                            "FILE.smol..."},
        merge, &o);
}
