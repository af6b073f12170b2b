/* smoltool digest: BLAKE2b-512 of files, as b2sum prints it or as an in-toto statement. */
#include "cli/cli.h"
#include "cli/guard.h"
#include "cli/json.h"
#include "cli/text_stream.h"
#include "cli/tokenizer_file.h"
#include "smoltool/smoltool.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct digest {
    const char *path, *name; /* name: the last part of path */
    uint8_t hash[SMOL_HASH_BYTES];
    bool is_model; /* as its first bytes say */
};

struct digest_options {
    char *name, *output;
    int oms;
};

static int digest_file(struct digest *d)
{
    struct smol_mapping mapping;
    struct smol_error error;
    int code;

    d->name = cli_base_name(d->path);
    if (cli_map(&mapping, d->path, &error))
        return cli_complain(d->path, &error);
    crypto_generichash(d->hash, sizeof d->hash, mapping.bytes.data, mapping.bytes.size_bytes, NULL,
                       0);
    d->is_model = tokenizer_is_model(mapping.bytes);
    code = cli_check_unchanged(&mapping, d->path);
    cli_unmap(&mapping);
    return code;
}

/* ---- as b2sum ---- */

/* A name that would break the line is escaped, and the line begins with a backslash: b2sum -c reads
 * it so. */
static void print_line(FILE *to, const struct digest *d)
{
    char hash[2 * SMOL_HASH_BYTES + 1];

    cli_hex(hash, d->hash, sizeof d->hash);
    fprintf(to, "%s%s  ", strpbrk(d->path, "\\\n\r") ? "\\" : "", hash);
    for (const char *p = d->path; *p; p++)
        if (*p == '\n' || *p == '\r' || *p == '\\')
            fprintf(to, "\\%c", *p == '\n' ? 'n' : *p == '\r' ? 'r' : '\\');
        else
            fputc(*p, to);
    fputc('\n', to);
}

/* ---- as a statement ---- */

/* Names are compared byte by byte, which for UTF-8 is the order of code points that OMS wants. */
static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct digest *)a)->name, ((const struct digest *)b)->name);
}

/* SHA-256 of the digests in order, whatever they are made with. */
static void root_digest(char text[2 * crypto_hash_sha256_BYTES + 1], const struct digest *digests,
                        size_t n)
{
    crypto_hash_sha256_state state;
    uint8_t root[crypto_hash_sha256_BYTES];

    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < n; i++)
        crypto_hash_sha256_update(&state, digests[i].hash, sizeof digests[i].hash);
    crypto_hash_sha256_final(&state, root);
    cli_hex(text, root, sizeof root);
}

/* NULL if memory is out, or a name is not UTF-8. */
static json_t *statement(const struct digest *digests, size_t n, const char *name)
{
    char hash[2 * SMOL_HASH_BYTES + 1], root[2 * crypto_hash_sha256_BYTES + 1];
    json_t *resources = json_array();

    for (size_t i = 0; i < n; i++) {
        cli_hex(hash, digests[i].hash, sizeof digests[i].hash);
        json_array_append_new(resources, json_pack("{s:s, s:s, s:s}", "name", digests[i].name,
                                                   "algorithm", "blake2b", "digest", hash));
    }
    root_digest(root, digests, n);
    if (json_array_size(resources) != n) {
        json_decref(resources);
        return NULL;
    }
    return json_pack("{s:s, s:[{s:s, s:{s:s}}], s:s, s:{s:o, s:{s:s, s:s, s:b}}}", "_type",
                     "https://in-toto.io/Statement/v1", "subject", "name", name, "digest", "sha256",
                     root, "predicateType", "https://model_signing/signature/v1.0", "predicate",
                     "resources", resources, "serialization", "method", "files", "hash_type",
                     "blake2b", "allow_symlinks", 1);
}

/* Files are named as if they lay in one folder, so no two may have one name. */
static int check_names(const struct digest *digests, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (strcmp(digests[i - 1].name, digests[i].name) == 0)
            return cli_fail(digests[i].path,
                            "two files with that name; a statement is about one folder");
    return 0;
}

static int print_statement(FILE *to, struct digest *digests, size_t n, const char *name)
{
    const char *subject = name ? name : digests[0].name;
    json_t *object;
    int code;

    qsort(digests, n, sizeof *digests, by_name);
    if ((code = check_names(digests, n)) != 0)
        return code;
    object = statement(digests, n, subject);
    if (!object || json_dumpf(object, to, JSON_INDENT(2)) != 0)
        code = cli_fail(NULL, "a name is not UTF-8, or out of memory");
    else
        fputc('\n', to);
    json_decref(object);
    return code;
}

/* ---- the command ---- */

/* What is not what one may take it for: once, for the first model. */
static void tell_difference(const struct digest *digests, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (digests[i].is_model) {
            cli_tell(digests[i].path, "the digest is of the whole file, with its signature; the "
                                      "model's hash is what verify prints");
            return;
        }
}

/* The text in memory, so that a file of it appears whole. */
static int write_text(const struct digest_options *o, struct digest *digests, size_t n)
{
    struct text_stream s;
    int code = 0;

    if (!text_stream_open(&s))
        return cli_no_memory(NULL);
    if (o->oms)
        code = print_statement(s.to, digests, n, o->name);
    for (size_t i = 0; !o->oms && i < n; i++)
        print_line(s.to, &digests[i]);
    if (!text_stream_close(&s) && code == 0)
        code = cli_no_memory(NULL);
    if (code == 0 && o->output)
        code = cli_write_file(o->output, s.text, s.n);
    else if (code == 0)
        fwrite(s.text, 1, s.n, stdout); /* whether it could is asked at the end of the program */
    free(s.text);
    return code;
}

static int digest(void *context, const char *const *paths)
{
    const struct digest_options *o = context;
    struct digest *digests;
    size_t n = 0;
    int code = 0;

    while (paths[n])
        n++;
    if (o->name && !o->oms)
        return cli_usage_error("--name", "needs --oms");
    digests = sodium_init() < 0 ? NULL : calloc(n, sizeof *digests);
    if (!digests)
        return cli_no_memory(NULL);
    for (size_t i = 0; code == 0 && i < n; i++) {
        digests[i].path = paths[i];
        code = digest_file(&digests[i]);
    }
    code = code ? code : write_text(o, digests, n);
    if (code == 0)
        tell_difference(digests, n);
    if (code == 0 && o->output)
        cli_tell(o->output, "%s of %zu file%s", o->oms ? "a statement" : "BLAKE2b-512", n,
                 n == 1 ? "" : "s");
    free(digests);
    return code;
}

int tool_digest(int argc, const char **argv)
{
    struct digest_options o = {0};
    const struct poptOption options[] = {
        CLI_FLAG("oms", 0, &o.oms, "an in-toto statement, as in OpenSSF Model Signing"),
        CLI_WORD("name", 0, &o.name, "of the model in the statement (the first FILE's)", "NAME"),
        CLI_WORD("output", 'o', &o.output, "a file (standard output)", "FILE"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(
        argc, argv, options,
        &(struct cli_usage){"[OPTION...] FILE...\nPrints BLAKE2b-512 of whole files, "
                            "as b2sum does. A model's hash is another:\nof its "
                            "contents without the signature; verify prints it.",
                            "FILE..."},
        digest, &o);
}
