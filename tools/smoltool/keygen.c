/* smoltool keygen: a pair of minisign's keys. */
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/key_file.h"
#include "smoltool/smoltool.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct key_options {
    const char *public_path, *secret_path, *password_file;
    int no_password, force, json;
};

static int new_password(char password[KEY_FILE_MAX_PASSWORD], const struct key_options *o)
{
    char again[KEY_FILE_MAX_PASSWORD];
    int code = key_file_password(password, "Password for the new key", o->password_file);

    if (code != 0 || o->password_file || isatty(STDIN_FILENO) != 1)
        return code;
    code = key_file_password(again, "Repeat the password", NULL);
    if (code == 0 && strcmp(password, again) != 0)
        code = cli_fail(NULL, "the two passwords differ");
    sodium_memzero(again, sizeof again);
    return code;
}

/* text: the public key's file, whose second line is the key itself. */
static int tell_keys(const struct key_options *o, const struct smol_public_key *key,
                     const char *text, size_t n)
{
    const char *feed = memchr(text, '\n', n), *line = feed ? feed + 1 : text;
    char number[17];

    cli_key_number(number, key->key_number);
    if (o->json)
        return cli_print_json(json_pack("{s:s, s:s%, s:b}", "key", number, "public_key", line,
                                        strcspn(line, "\n"), "encrypted", !o->no_password));
    fputs("secret key: ", stdout);
    cli_put_escaped(stdout, o->secret_path);
    fputs(" (keep it to yourself)\npublic key: ", stdout);
    cli_put_escaped(stdout, o->public_path);
    printf("\n%s", line);
    return 0;
}

static int write_keys(const struct key_options *o, const struct smol_secret_key *secret,
                      const char *password)
{
    uint8_t text[SMOL_KEY_FILE_BYTES], public_text[SMOL_KEY_FILE_BYTES];
    struct smol_public_key public_key;
    struct smol_error error;
    size_t n, public_n;
    int code = 0;

    if (smol_secret_key_format(text, &n, secret, password, &error))
        return cli_complain(NULL, &error);
    smol_key_public(&public_key, secret);
    smol_public_key_format(public_text, &public_n, &public_key);
    if (smol_write_file(o->secret_path, text, n, 0600, &error))
        code = cli_complain(o->secret_path, &error);
    else
        code = cli_write_file(o->public_path, public_text, public_n);
    if (code == 0)
        code = tell_keys(o, &public_key, (const char *)public_text, public_n);
    sodium_memzero(text, sizeof text);
    return code;
}

/* Both before anything is written: one key is of no use without the other. */
static int check_places(const struct key_options *o)
{
    const char *paths[2] = {o->secret_path, o->public_path};
    struct smol_error error;

    if (strcmp(o->secret_path, o->public_path) == 0)
        return cli_usage_error("--public, --secret", "must be two files");
    for (int i = 0; i < 2; i++) {
        if (!o->force && access(paths[i], F_OK) == 0)
            return cli_fail(paths[i], "exists; --force replaces it");
        if (smol_writer_check(paths[i], false, &error))
            return cli_complain(paths[i], &error);
    }
    return 0;
}

static int keygen(const struct key_options *o)
{
    char password[KEY_FILE_MAX_PASSWORD];
    struct smol_secret_key secret;
    struct smol_error error;
    int code = check_places(o);

    if (code == 0 && !o->no_password)
        code = new_password(password, o);
    if (code != 0)
        return code;
    if (smol_key_generate(&secret, &error))
        code = cli_complain(NULL, &error);
    else
        code = write_keys(o, &secret, o->no_password ? NULL : password);
    smol_secret_key_wipe(&secret);
    sodium_memzero(password, sizeof password);
    return code;
}

static int run(void *context, const char *const *arguments)
{
    struct key_options o = *(const struct key_options *)context;

    (void)arguments;
    if (o.no_password && o.password_file)
        return cli_usage_error("--no-password, --password-file", "exclude each other");
    o.public_path = o.public_path ? o.public_path : "smol.pub";
    o.secret_path = o.secret_path ? o.secret_path : "smol.key";
    return keygen(&o);
}

int tool_keygen(int argc, const char **argv)
{
    struct key_options o = {0};
    const struct poptOption options[] = {
        CLI_WORD("public", 'p', &o.public_path, "where the public key goes (smol.pub)", "FILE"),
        CLI_WORD("secret", 's', &o.secret_path, "where the secret key goes (smol.key)", "FILE"),
        CLI_FLAG("no-password", 'W', &o.no_password, "do not encrypt the secret key"),
        CLI_WORD("password-file", 0, &o.password_file, "take the password from a file's first line",
                 "FILE"),
        CLI_FLAG("force", 'f', &o.force, "replace existing keys"),
        CLI_FLAG("json", 0, &o.json, "print one JSON object"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(argc, argv, options, &(struct cli_usage){NULL, ""}, run, &o);
}
