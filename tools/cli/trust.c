/* See trust.h. */
#include "cli/trust.h"
#include "cli/cli.h"
#include "cli/guard.h"
#include "cli/key_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define KEY_SUFFIX ".pub"

char *trust_signature_path(const char *path) { return cli_text("%s.minisig", path); }

bool trust_is_there(const char *signature_path)
{
    struct stat s;

    return stat(signature_path, &s) == 0 && S_ISREG(s.st_mode);
}

/* ---- the keys ---- */

int trust_key(struct trust *trust, const char *path_or_base64)
{
    struct smol_public_key *keys = realloc(trust->keys, (trust->n_keys + 1) * sizeof *keys);
    int code;

    if (!keys)
        return cli_no_memory(NULL);
    trust->keys = keys;
    code = key_file_public(&keys[trust->n_keys], path_or_base64);
    trust->n_keys += code == 0;
    return code;
}

void trust_free(struct trust *trust)
{
    free(trust->keys);
    *trust = (struct trust){NULL, 0};
}

/* NULL if it is not known where it would be, or memory is out. */
static char *folder_path(void)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    if (config && config[0] == '/') /* the XDG specification has others ignored */
        return cli_text("%s/smol/trusted", config);
    return home && home[0] == '/' ? cli_text("%s/.config/smol/trusted", home) : NULL;
}

/* A key that cannot be read is an error: whom one trusts is not guessed from what is left. */
static int read_keys(struct trust *trust, const char *folder, DIR *directory)
{
    const struct dirent *entry;
    int code = 0;

    while (code == 0 && (errno = 0, entry = readdir(directory))) {
        char *path;

        if (entry->d_name[0] == '.' || !cli_ends_with(entry->d_name, KEY_SUFFIX))
            continue;
        path = cli_text("%s/%s", folder, entry->d_name);
        code = path ? trust_key(trust, path) : cli_no_memory(NULL);
        free(path);
    }
    if (code == 0 && errno != 0)
        return cli_fail_errno(folder);
    if (code == 0 && trust->n_keys == 0)
        return cli_fail(folder,
                        "holds no key; the public keys that you trust go there (*" KEY_SUFFIX ")");
    return code;
}

int trust_folder(struct trust *trust)
{
    char *folder = folder_path();
    DIR *directory;
    int code;

    if (!folder)
        return cli_fail(NULL, "neither XDG_CONFIG_HOME nor HOME says where the trusted keys are");
    directory = opendir(folder);
    if (directory)
        code = read_keys(trust, folder, directory);
    else if (errno == ENOENT)
        code = cli_fail(folder, "there is no such folder; the public keys that you trust go there "
                                "(*" KEY_SUFFIX ")");
    else
        code = cli_fail_errno(folder);
    if (directory)
        closedir(directory);
    free(folder);
    return code;
}

/* ---- the signature ---- */

/* With one key demanded, the library has said which it was not. */
static enum smol_status not_trusted(const uint8_t number[SMOL_KEY_NUMBER_BYTES],
                                    const struct trust *trust, struct smol_error *error)
{
    char name[17];

    if (trust->n_keys == 1)
        return error->code;
    cli_key_number(name, number);
    return cli_error(error, SMOL_E_UNTRUSTED, "signed by key %s, which is not trusted", name);
}

/* By the model's own signature. */
static enum smol_status check_inside(struct trust_proof *proof, const struct trust *trust,
                                     const struct smol_file *model, struct smol_error *error)
{
    const uint8_t *number = model->signature.key_number;
    enum smol_status status = SMOL_E_UNTRUSTED;

    for (size_t i = 0; status && i < trust->n_keys; i++)
        status = smol_file_check_signer(model, &trust->keys[i], error);
    if (status)
        return status == SMOL_E_UNTRUSTED && model->is_signed ? not_trusted(number, trust, error)
                                                              : status;
    memcpy(proof->key_number, number, SMOL_KEY_NUMBER_BYTES);
    return SMOL_OK;
}

/* By what a .minisig says. A key's number is no proof, so every key of that number is tried; what
 * is told if none holds is what was wrong under the last of them. */
static enum smol_status check_detached(struct trust_proof *proof, const struct trust *trust,
                                       struct smol_span bytes, struct smol_span text,
                                       struct smol_error *error)
{
    struct smol_minisig signature;
    struct smol_error other;
    enum smol_status status = smol_minisig_parse(&signature, text.data, text.size_bytes, error);
    enum smol_status found = SMOL_E_UNTRUSTED;

    if (status)
        return status;
    for (size_t i = 0; found && i < trust->n_keys; i++) {
        status =
            smol_minisig_check(&signature, &trust->keys[i], bytes.data, bytes.size_bytes, &other);
        if (status != SMOL_E_UNTRUSTED || found == SMOL_E_UNTRUSTED) {
            found = status;
            *error = other;
        }
    }
    if (found)
        return found == SMOL_E_UNTRUSTED ? not_trusted(signature.key_number, trust, error) : found;
    memcpy(proof->key_number, signature.key_number, SMOL_KEY_NUMBER_BYTES);
    proof->trusted_comment = strdup(signature.trusted_comment);
    return proof->trusted_comment ? SMOL_OK : cli_error_memory(error);
}

static enum smol_status check_beside(struct trust_proof *proof, const struct trust *trust,
                                     const char *path, struct smol_span bytes,
                                     struct smol_error *error)
{
    struct smol_mapping text;
    enum smol_status status = cli_map(&text, path, error);

    if (status)
        return status;
    status = check_detached(proof, trust, bytes, text.bytes, error);
    cli_unmap(&text);
    return status;
}

enum smol_status trust_check(struct trust_proof *proof, char **blamed, const struct trust *trust,
                             const struct trust_subject *subject, struct smol_error *error)
{
    struct trust_proof found = {.signature_path = NULL};
    enum smol_status status;
    char *path;

    if (!subject->signature_path && subject->model) {
        status = check_inside(&found, trust, subject->model, error);
        if (!status) {
            *proof = found;
            return SMOL_OK;
        }
    } else {
        status = cli_error(error, SMOL_E_UNTRUSTED, "the file is not signed");
    }
    path = subject->signature_path ? strdup(subject->signature_path)
                                   : trust_signature_path(subject->path);
    if (path && !subject->signature_path && !trust_is_there(path)) {
        free(path);
        *blamed = strdup(subject->path);
        return status;
    }
    status =
        path ? check_beside(&found, trust, path, subject->bytes, error) : cli_error_memory(error);
    if (status) {
        *blamed = path;
        return status;
    }
    found.signature_path = path;
    *proof = found;
    return SMOL_OK;
}

void trust_proof_free(struct trust_proof *proof)
{
    free(proof->signature_path);
    free(proof->trusted_comment);
    *proof = (struct trust_proof){.signature_path = NULL};
}
