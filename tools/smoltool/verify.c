/* smoltool verify: the three checks, each by its name. SPEC.md 4. */
#include "cli/cli.h"
#include "cli/delta/parts.h"
#include "cli/guard.h"
#include "cli/json.h"
#include "cli/trust.h"
#include "smoltool/inspect/inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verify_options {
    char *pubkey, *signature;
    int trusted, json;
    struct parts_words parts;
};

/* What was found out. */
struct verdict {
    struct smol_file file;
    bool is_model;    /* else file says nothing */
    bool is_demanded; /* then proof says by whom it is signed */
    struct trust_proof proof;
    char *unchecked; /* a detached signature that nobody asked for, owned */
    bool has_files;  /* a delta's parts were asked for, and are those: */
    struct smol_files files;
};

/* ---- the checks, over one mapping ---- */

/* Any file may be signed beside itself, and then need be no model. */
static enum smol_status check_bytes(struct verdict *v, char **blamed,
                                    const struct verify_options *o, const char *path,
                                    const struct trust *trust, struct smol_span bytes,
                                    struct smol_error *error)
{
    char *beside = trust_signature_path(path);
    const bool is_signed_beside = o->signature || (beside && trust_is_there(beside));
    enum smol_status status = cli_check_model(&v->file, bytes, cli_cores(), error);
    struct trust_subject subject = {.path = path, .bytes = bytes, .signature_path = o->signature};

    v->is_model = status == SMOL_OK;
    v->is_demanded = trust->n_keys > 0;
    subject.model = v->is_model ? &v->file : NULL;
    if ((status == SMOL_E_MAGIC || bytes.size_bytes == 0) && v->is_demanded && is_signed_beside)
        status = SMOL_OK;
    if (status)
        *blamed = strdup(path);
    else if (v->is_demanded)
        status = trust_check(&v->proof, blamed, trust, &subject, error);
    else if (is_signed_beside && !status) {
        v->unchecked = beside;
        beside = NULL;
    }
    free(beside);
    return status;
}

/* ---- a delta's parts ---- */

/* That those that are named are there, whole, and fit. */
static enum smol_status check_parts(struct verdict *v, char **blamed,
                                    const struct verify_options *o, const char *path,
                                    struct smol_error *error)
{
    const struct smol_opener opener = {cli_open, cli_unmap};
    const struct smol_open_options options = {.struct_bytes = sizeof options,
                                              .n_threads = cli_cores(),
                                              .n_bases = parts_count(o->parts.bases),
                                              .bases = (const char *const *)o->parts.bases,
                                              .bases_dir = o->parts.bases_dir};
    const enum smol_status status =
        smol_files_open(&v->files, blamed, path, &options, &opener, error);

    v->has_files = status == SMOL_OK;
    return status;
}

/* Where a part is, of those that were asked for; else NULL. */
static char *part_path(const struct verdict *v, uint32_t i)
{
    return v->has_files ? parts_path(&v->files, v->file.parts[i].hash) : NULL;
}

static void print_parts(const struct verdict *v)
{
    for (uint32_t i = 0; i < v->file.n_models + v->file.n_deltas; i++) {
        fputs(i              ? "           "
              : v->has_files ? "base       ok: "
                             : "base       not checked: ",
              stdout);
        inspect_put_part(&v->file, i);
        if (v->has_files) {
            fputs(", ", stdout);
            cli_put_escaped(stdout, part_path(v, i));
        }
        puts(i || v->has_files ? "" : " (that needs --base or --bases-dir)");
    }
}

static json_t *parts_json(const struct verdict *v)
{
    char *paths[SMOL_MAX_PARTS] = {NULL};

    if (!v->is_model || v->file.n_models == 0)
        return NULL;
    for (uint32_t i = 0; i < v->file.n_models + v->file.n_deltas; i++)
        paths[i] = part_path(v, i);
    return inspect_base_json(&v->file, paths);
}

/* ---- what is told ---- */

static void print_signature(const struct verdict *v, bool by_folder)
{
    const uint8_t *signer = v->is_demanded ? v->proof.key_number : v->file.signature.key_number;
    char number[17];

    cli_key_number(number, signer);
    if (v->is_demanded)
        printf("signature  ok: by key %s, %s\n", number,
               by_folder ? "which is trusted" : "the key that was asked for");
    else if (v->file.is_signed)
        printf("signature  ok: by key %s (only --pubkey or --trusted proves whose it is)\n",
               number);
    else if (!v->unchecked)
        puts("signature  none");
    if (v->proof.signature_path) {
        fputs("           in ", stdout);
        cli_put_escaped(stdout, v->proof.signature_path);
        printf("\n           comment: %s\n", v->proof.trusted_comment);
    }
    if (v->unchecked) {
        fputs("signature  not checked: ", stdout);
        cli_put_escaped(stdout, v->unchecked);
        puts(" (that needs --pubkey or --trusted)");
    }
}

static void print_model(const struct verdict *v)
{
    char hash[2 * SMOL_HASH_BYTES + 1];

    cli_hex(hash, v->file.hash, SMOL_HASH_BYTES);
    printf("checksum   ok: not damaged\nhash       ok: %s\n", hash);
}

static int report(const struct verdict *v, bool by_folder)
{
    if (v->is_model) {
        print_model(v);
        print_parts(v);
    } else
        puts("checksum   none: not a .smol file");
    print_signature(v, by_folder);
    return 0;
}

static int report_json(const struct verdict *v)
{
    const bool in_file = v->is_model && v->file.is_signed;
    const char *beside = v->proof.signature_path;
    const bool is_signed = in_file || beside;
    char hash[2 * SMOL_HASH_BYTES + 1], number[17];

    cli_hex(hash, v->file.hash, v->is_model ? SMOL_HASH_BYTES : 0);
    cli_key_number(number, v->is_demanded ? v->proof.key_number : v->file.signature.key_number);
    return cli_print_json(
        json_pack("{s:b, s:s?, s:b, s:s?, s:b, s:o?, s:s?, s:o*}", "verified", 1, "hash",
                  v->is_model ? hash : NULL, "signed", is_signed, "signer",
                  is_signed ? number : NULL, "demanded", v->is_demanded, "detached",
                  beside ? cli_json_string(beside, strlen(beside)) : NULL, "trusted_comment",
                  v->proof.trusted_comment, "base", parts_json(v)));
}

/* As far as it went well, and what did not. */
static int report_failure(const struct verdict *v, const char *blamed, bool json,
                          const struct smol_error *error)
{
    if (v->is_model && !json)
        print_model(v);
    else if (json)
        cli_print_json(json_pack(
            "{s:b, s:s, s:o, s:s}", "verified", 0, "status", smol_status_name(error->code),
            "offset",
            error->offset == SMOL_NO_OFFSET ? json_null() : json_integer((json_int_t)error->offset),
            "error", error->text));
    fflush(stdout);
    return cli_complain(blamed, error);
}

/* ---- the command ---- */

static int verify_with(const struct verify_options *o, const char *path, const struct trust *trust)
{
    struct verdict v = {.is_model = false};
    struct smol_mapping mapping;
    struct smol_error error;
    enum smol_status status;
    char *blamed = NULL;
    int code;

    if (cli_map(&mapping, path, &error))
        return report_failure(&v, path, o->json, &error);
    status = check_bytes(&v, &blamed, o, path, trust, mapping.bytes, &error);
    if (!status && (status = smol_mapping_check(&mapping, &error))) {
        v.is_model = false;
        blamed = strdup(path);
    }
    if (!status && (o->parts.bases || o->parts.bases_dir)) {
        free(blamed);
        blamed = NULL;
        status = check_parts(&v, &blamed, o, path, &error);
    }
    code = status    ? report_failure(&v, blamed, o->json, &error)
           : o->json ? report_json(&v)
                     : report(&v, o->trusted != 0);
    if (v.has_files)
        smol_files_close(&v.files);
    free(v.unchecked);
    free(blamed);
    trust_proof_free(&v.proof);
    cli_unmap(&mapping);
    return code;
}

static int verify(void *context, const char *const *arguments)
{
    const struct verify_options *o = context;
    struct trust trust = {NULL, 0};
    int code = 0;

    if (o->pubkey && o->trusted)
        return cli_usage_error("--pubkey, --trusted", "exclude each other");
    if (o->signature && !o->pubkey && !o->trusted)
        return cli_usage_error("--signature", "needs --pubkey or --trusted");
    if (o->pubkey)
        code = trust_key(&trust, o->pubkey);
    else if (o->trusted)
        code = trust_folder(&trust);
    code = code ? code : verify_with(o, arguments[0], &trust);
    trust_free(&trust);
    return code;
}

int tool_verify(int argc, const char **argv)
{
    struct verify_options o = {0};
    const struct poptOption options[] = {
        CLI_WORD("pubkey", 0, &o.pubkey,
                 "demand a signature by this minisign key, a file or its base64", "KEY"),
        CLI_FLAG("trusted", 0, &o.trusted, "demand one by a key in ~/.config/smol/trusted"),
        CLI_WORD("signature", 0, &o.signature,
                 "the detached signature (FILE.minisig, if it is there)", "FILE"),
        {"base", 0, POPT_ARG_ARGV, &o.parts.bases, 0,
         "demand that a delta names this file; may be repeated", "FILE"},
        CLI_WORD("bases-dir", 0, &o.parts.bases_dir,
                 "demand that all files are there that it names", "FOLDER"),
        CLI_FLAG("json", 0, &o.json, "print one JSON object"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(argc, argv, options,
                       &(struct cli_usage){"[OPTION...] MODEL.smol", "MODEL.smol"}, verify, &o);
}
