/* smoltool sign: a signature in the model, or one beside any file. SPEC.md 4. */
#include "cli/cli.h"
#include "cli/guard.h"
#include "cli/key_file.h"
#include "cli/trust.h"
#include "smoltool/smoltool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct sign_options {
    char *key, *password_file, *output, *trusted, *untrusted;
    int detached;
};

/* ---- in the model ---- */

/* The body and hash as they are, with a new signature behind them. */
static enum smol_status put_signed(struct smol_writer *writer, const struct smol_file *file,
                                   const struct smol_secret_key *key, struct smol_error *error)
{
    uint8_t block[SMOL_SIGNATURE_BLOCK_BYTES];
    struct smol_signature signature;
    enum smol_status status;

    smol_sign_hash(&signature, file->hash, key);
    smol_signature_encode(block, &signature);
    status =
        smol_writer_append(writer, file->bytes.data, file->body_bytes + SMOL_HASH_BYTES, error);
    return status ? status : smol_writer_append(writer, block, sizeof block, error);
}

static int write_signed(const struct sign_options *o, const char *path,
                        const struct smol_mapping *mapping, const struct smol_file *file,
                        const struct smol_secret_key *key)
{
    const char *output = o->output ? o->output : path;
    char number[17], hash[17];
    struct smol_writer *writer;
    struct smol_error error;
    enum smol_status status = cli_writer_open(&writer, output, &error);

    if (!status)
        status = cli_writer_end(writer, put_signed(writer, file, key, &error), mapping, &error);
    if (status)
        return cli_complain(status == SMOL_E_CHANGED ? path : output, &error);
    cli_key_number(number, key->key_number);
    cli_hex(hash, file->hash, 8);
    cli_tell(output, "signed by key %s; its hash, %s..., is what it was", number, hash);
    return 0;
}

static int sign_model(const struct sign_options *o, const char *path)
{
    struct smol_secret_key key;
    struct smol_mapping mapping;
    struct smol_file file;
    struct smol_error error;
    int code;

    if (cli_open(&mapping, &file, path, cli_cores(), &error))
        return cli_complain(path, &error);
    code = key_file_secret(&key, o->key, o->password_file);
    if (code == 0) {
        code = write_signed(o, path, &mapping, &file, &key);
        smol_secret_key_wipe(&key);
    }
    cli_unmap(&mapping);
    return code;
}

/* ---- beside the file ---- */

/* As minisign's own: when, which file, its name escaped, and that its hash was signed. For free();
 * NULL if memory is out. */
static char *default_comment(const char *path)
{
    char *name = cli_escaped(cli_base_name(path));
    char *comment =
        name ? cli_text("timestamp:%lld\tfile:%s\thashed", (long long)time(NULL), name) : NULL;

    free(name);
    return comment;
}

static int write_detached(const char *output, const struct sign_options *o,
                          const struct smol_minisig *signature)
{
    uint8_t text[SMOL_MINISIG_FILE_BYTES];
    char number[17];
    struct smol_error error;
    size_t n;
    int code;

    if (smol_minisig_format(text, &n, signature,
                            o->untrusted ? o->untrusted : "signature from smoltool's secret key",
                            &error))
        return cli_usage_error("--comment", error.text);
    if ((code = cli_write_file(output, text, n)) != 0)
        return code;
    cli_key_number(number, signature->key_number);
    cli_tell(output, "the signature, by key %s; its comment: %s", number,
             signature->trusted_comment);
    return 0;
}

static int make_detached(const struct sign_options *o, const char *path, const char *output,
                         const char *comment, const struct smol_secret_key *key)
{
    struct smol_minisig signature;
    struct smol_mapping mapping;
    struct smol_error error;
    enum smol_status status;
    int code;

    if (cli_map(&mapping, path, &error))
        return cli_complain(path, &error);
    status = smol_minisig_sign(&signature, mapping.bytes.data, mapping.bytes.size_bytes, key,
                               comment, &error);
    code = status == SMOL_E_ARGUMENT && o->trusted
               ? cli_usage_error("--trusted-comment", error.text)
           : status ? cli_complain(path, &error)
                    : cli_check_unchanged(&mapping, path);
    cli_unmap(&mapping);
    return code ? code : write_detached(output, o, &signature);
}

static int sign_detached(const struct sign_options *o, const char *path)
{
    char *output = o->output ? strdup(o->output) : trust_signature_path(path);
    char *comment = o->trusted ? strdup(o->trusted) : default_comment(path);
    struct smol_secret_key key;
    int code = output && comment ? 0 : cli_no_memory(NULL);

    if (code == 0 && (code = key_file_secret(&key, o->key, o->password_file)) == 0) {
        code = make_detached(o, path, output, comment, &key);
        smol_secret_key_wipe(&key);
    }
    free(output);
    free(comment);
    return code;
}

/* ---- the command ---- */

static int sign(void *context, const char *const *arguments)
{
    const struct sign_options *o = context;

    if (!arguments[0])
        return cli_usage_error(o->detached ? "FILE" : "MODEL.smol", "is missing");
    if (!o->key)
        return cli_usage_error("--key", "is missing");
    if (!o->detached && (o->trusted || o->untrusted))
        return cli_usage_error(o->trusted ? "--trusted-comment" : "--comment", "needs --detached");
    return o->detached ? sign_detached(o, arguments[0]) : sign_model(o, arguments[0]);
}

int tool_sign(int argc, const char **argv)
{
    struct sign_options o = {0};
    const struct poptOption options[] = {
        CLI_WORD("key", 'k', &o.key, "the minisign secret key to sign with", "FILE"),
        CLI_FLAG("detached", 0, &o.detached, "sign any file, for minisign too, in FILE.minisig"),
        CLI_WORD("trusted-comment", 't', &o.trusted, "that is signed with it (time and name)",
                 "TEXT"),
        CLI_WORD("comment", 'c', &o.untrusted, "that is not (that it is from smoltool)", "TEXT"),
        CLI_WORD("output", 'o', &o.output,
                 "where the signed model (in place) or the signature goes", "FILE"),
        CLI_WORD("password-file", 0, &o.password_file, "take the password from a file's first line",
                 "FILE"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(
        argc, argv, options,
        &(struct cli_usage){"--key FILE [OPTION...] MODEL.smol\n"
                            "                     --key FILE --detached [OPTION...] FILE",
                            "[FILE]"},
        sign, &o);
}
