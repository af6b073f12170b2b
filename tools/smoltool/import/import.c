/* smoltool import: a checkpoint of GPT-2 becomes a model whose matrices are stored. */
#include "cli/cli.h"
#include "cli/guard.h"
#include "cli/json.h"
#include "cli/key_file.h"
#include "smoltool/import/adapter.h"
#include "smoltool/import/checkpoint_tokens.h"
#include "smoltool/import/config.h"
#include "smoltool/import/weights.h"
#include "smoltool/smoltool.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOT_GIVEN (-1)

struct import_options {
    int heads, no_card;
    char *type, *embeddings, *tokenizer, *note, *key, *password_file, *output, *base;
};

/* What a file is made of, and where it goes. */
struct import_job {
    const struct checkpoint *checkpoint;
    struct smol_parts parts;
    struct smol_writer *writer; /* NULL: only the head is wanted */
    const struct smol_secret_key *key;
    const char *path; /* of the checkpoint, at fault; NULL: the output */
};

/* ---- the file ---- */

static enum smol_status put(void *context, const void *bytes, size_t n, struct smol_error *error)
{
    const struct import_job *job = context;

    return job->writer ? smol_writer_append(job->writer, bytes, n, error) : SMOL_OK;
}

static enum smol_status put_signature(struct import_job *job, const uint8_t hash[SMOL_HASH_BYTES],
                                      struct smol_error *error)
{
    uint8_t block[SMOL_SIGNATURE_BLOCK_BYTES];
    struct smol_signature signature;

    if (!job->key)
        return SMOL_OK;
    smol_sign_hash(&signature, hash, job->key);
    smol_signature_encode(block, &signature);
    return put(job, block, sizeof block, error);
}

/* All of it once; rewrites: the head is put in its place at the end, or returned in head. */
static enum smol_status assemble(struct import_job *job, struct smol_span known_head,
                                 uint8_t head[SMOL_HEAD_MAX_BYTES], size_t *head_bytes,
                                 struct smol_error *error)
{
    struct smol_assembly *a;
    uint8_t hash[SMOL_HASH_BYTES];
    enum smol_status status = smol_assembly_create(&a, &job->parts, known_head, put, job, error);

    if (status)
        return status;
    status = import_weights(a, &job->parts.config, job->checkpoint, &job->path, error);
    if (!status)
        status = smol_assembly_finish(a, hash, error);
    if (!status)
        status = put_signature(job, hash, error);
    if (!status) {
        const struct smol_span made = smol_assembly_head(a);
        memcpy(head, made.data, made.size_bytes);
        *head_bytes = made.size_bytes;
    }
    smol_assembly_destroy(a);
    return status;
}

/* A pipe cannot be rewritten: what it begins with has to be known before. */
static enum smol_status put_all(struct import_job *job, struct smol_writer *writer, bool is_file,
                                struct smol_error *error)
{
    uint8_t head[SMOL_HEAD_MAX_BYTES];
    size_t n = 0;
    enum smol_status status = SMOL_OK;

    if (!is_file)
        status = assemble(job, (struct smol_span){NULL, 0}, head, &n, error);
    job->writer = writer;
    if (!status)
        status = assemble(job, (struct smol_span){head, n}, head, &n, error);
    if (!status && is_file)
        status = smol_writer_rewrite(writer, 0, head, n, error);
    return status;
}

/* Nobody has written into a file since it was mapped. */
static enum smol_status check_unchanged(struct import_job *job, struct smol_error *error)
{
    const struct checkpoint *c = job->checkpoint;

    for (size_t i = 0; i < c->n_files; i++)
        if (smol_mapping_check(&c->files[i].mapping, error)) {
            job->path = c->files[i].path;
            return error->code;
        }
    return SMOL_OK;
}

static int write_file(struct import_job *job, const char *output)
{
    struct smol_writer *writer;
    struct smol_error error;
    const bool is_file = smol_writer_check(output, true, NULL) == SMOL_OK;
    enum smol_status status;

    smol_remove_leftovers(output);
    if (cli_writer_open(&writer, output, &error))
        return cli_complain(output, &error);
    import_catch_interrupts();
    status = put_all(job, writer, is_file, &error);
    if (!status)
        status = check_unchanged(job, &error);
    status = cli_writer_end(writer, status, &job->checkpoint->files[0].mapping, &error);
    if (status)
        cli_complain(job->path ? job->path : output, &error);
    if (import_interrupted()) { /* which ends this program as it would have */
        signal(import_interrupted(), SIG_DFL);
        raise(import_interrupted());
    }
    return status ? CLI_FAILED : 0;
}

/* ---- what is asked for ---- */

static int read_types(struct import_types *t, const struct import_options *o)
{
    t->matrices = SMOL_Q8;
    if (o->type &&
        (!smol_dtype_parse(&t->matrices, o->type, SMOL_OF_MATRICES) || t->matrices == SMOL_TERNARY))
        return cli_usage_error("--type", "takes f32, f16, q8 or q4");
    t->wte = t->matrices == SMOL_Q4 ? SMOL_Q8 : t->matrices;
    if (o->embeddings && (!smol_dtype_parse(&t->wte, o->embeddings, SMOL_OF_EMBEDDINGS) ||
                          t->wte == SMOL_TERNARY || t->wte == SMOL_Q4_ROW))
        return cli_usage_error("--embedding-type", "takes f32, f16, q8 or q4");
    t->wpe = t->wte == SMOL_F32 ? SMOL_F32 : SMOL_F16;
    return 0;
}

/* For free(); NULL if memory is out. */
static char *card_text(const struct import_options *o, const char *path,
                       const struct import_types *types)
{
    json_t *json = json_pack(
        "{s:s, s:o*, s:s, s:s, s:o*}", "made_by", "smoltool import", "source",
        cli_json_name(cli_base_name(path)), "matrices", smol_dtype_name(types->matrices),
        "embeddings", smol_dtype_name(types->wte), "note", o->note ? cli_json_name(o->note) : NULL);
    char *text = cli_json_text(json, JSON_INDENT(1) | JSON_ENSURE_ASCII);

    json_decref(json);
    return text;
}

/* Everything is known but the numbers. */
static int make(struct import_job *job, const struct import_options *o, const char *path,
                const struct import_types *types)
{
    char *card = o->no_card ? NULL : card_text(o, path, types);
    struct smol_secret_key key;
    int code = o->no_card || card ? 0 : cli_no_memory(NULL);

    if (card)
        job->parts.card = (struct smol_span){(const uint8_t *)card, strlen(card)};
    if (!code && o->key && (code = key_file_secret(&key, o->key, o->password_file)) == 0)
        job->key = &key;
    if (!code)
        code = write_file(job, o->output);
    if (job->key)
        smol_secret_key_wipe(&key);
    free(card);
    return code;
}

static int import_checkpoint(const struct import_options *o, const char *path,
                             const struct checkpoint *c, const struct import_types *types)
{
    struct import_job job = {.checkpoint = c};
    struct import_stated stated;
    char *stated_path;
    uint8_t *section = NULL;
    bool has_tokens = false;
    int code = import_stated(&stated, &stated_path, c);

    if (!code)
        code = import_config(&job.parts.config, c, &stated, types,
                             (uint32_t)(o->heads == NOT_GIVEN ? 0 : o->heads));
    if (!code)
        code = import_tokens(&section, &has_tokens, &job.parts, c, o->tokenizer);
    if (!code)
        code = make(&job, o, path, types);
    if (!code && !has_tokens && job.parts.config.vocab != 256)
        cli_tell(path, "has no tokenizer, so tokens are bytes; --tokenizer names one");
    free(section);
    free(stated_path);
    return code;
}

/* An adapter, which becomes a delta of a base. */
static int make_delta(const struct import_options *o, const char *folder)
{
    struct adapter_import import = {.folder = folder,
                                    .base = o->base,
                                    .output = o->output,
                                    .note = o->note,
                                    .key = o->key,
                                    .password_file = o->password_file,
                                    .type = SMOL_F16,
                                    .no_card = o->no_card != 0};

    if (o->type && !smol_dtype_parse(&import.type, o->type, SMOL_OF_PARAMETERS))
        return cli_usage_error("--type", "takes f32, f16 or q8 for an adapter");
    if (o->embeddings || o->tokenizer || o->heads != NOT_GIVEN)
        return cli_usage_error("--embedding-type, --tokenizer, --heads",
                               "are not for an adapter, which has its base's");
    return import_adapter(&import);
}

static int run(void *context, const char *const *arguments)
{
    const struct import_options *o = context;
    struct import_types types;
    struct checkpoint c;
    int code = o->base ? 0 : read_types(&types, o);

    if (code)
        return code;
    if (!o->output)
        return cli_usage_error("--output", "is missing");
    if (o->heads != NOT_GIVEN && (o->heads < 1 || o->heads > (int)SMOL_MAX_HEADS))
        return cli_usage_error("--heads", "takes 1..1024");
    if (o->no_card && o->note)
        return cli_usage_error("--note", "is for the card, which --no-card leaves out");
    if (o->password_file && !o->key)
        return cli_usage_error("--password-file", "needs --sign");
    if (o->base)
        return make_delta(o, arguments[0]);
    if (adapter_is_there(arguments[0]))
        return cli_usage_error("--base", "is missing, the model that the adapter is of");
    code = checkpoint_open(&c, arguments[0]);
    if (!code)
        code = import_checkpoint(o, arguments[0], &c, &types);
    checkpoint_close(&c);
    return code;
}

int tool_import(int argc, const char **argv)
{
    struct import_options o = {.heads = NOT_GIVEN};
    const struct poptOption options[] = {
        CLI_WORD("type", 't', &o.type, "of the matrices: q8 (default), q4, f16 or f32", "TYPE"),
        CLI_WORD("embedding-type", 0, &o.embeddings,
                 "of the embeddings (as the matrices; q8 with q4)", "TYPE"),
        CLI_COUNT("heads", 0, &o.heads, "attention heads, where no file says (width / 64)", "N"),
        CLI_WORD("tokenizer", 0, &o.tokenizer,
                 "a tokenizer file or a model (that beside the checkpoint)", "FILE"),
        CLI_WORD("base", 0, &o.base, "of an adapter of PEFT: the model that it is of", "FILE"),
        CLI_FLAG("no-card", 0, &o.no_card, "leave out the card, which says what was imported"),
        CLI_WORD("note", 0, &o.note, "for the card, such as its licence", "TEXT"),
        CLI_WORD("sign", 0, &o.key, "minisign secret key to sign the model with", "KEY"),
        CLI_WORD("password-file", 0, &o.password_file, "its first line is that key's password",
                 "FILE"),
        CLI_WORD("output", 'o', &o.output, "where the model goes", "FILE"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(
        argc, argv, options,
        &(struct cli_usage){
            "[OPTION...] FOLDER -o MODEL.smol\n"
            "                       [OPTION...] FILE.safetensors|FILE.gguf -o MODEL.smol",
            "CHECKPOINT"},
        run, &o);
}
