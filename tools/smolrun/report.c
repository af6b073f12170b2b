/* What smolrun tells of a run: statistics on stderr, or JSON on stdout. */
#include "cli/cli.h"
#include "cli/json.h"
#include "smolrun/smolrun.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double rate(size_t n, double seconds) { return seconds > 0 ? (double)n / seconds : 0; }

/* In the file, or beside it if that was demanded. */
static bool is_signed(const struct run *run)
{
    return run->file->is_signed || run->proof.signature_path;
}

/* Whoever has made a file has signed it with some key: only a demand proves whose it is. */
static const char *signer_words(const struct run *run)
{
    if (!is_signed(run))
        return "";
    return run->args->trust     ? ", the key that was asked for"
           : run->args->trusted ? ", which is trusted"
                                : " (only --trust or --trusted proves whose it is)";
}

static void print_file_line(const struct run *run)
{
    const bool beside = run->proof.signature_path != NULL;
    char size[32], hash[17], signer[17];

    cli_hex(hash, run->file->hash, 8);
    cli_key_number(signer, beside ? run->proof.key_number : run->file->signature.key_number);
    if (run->args->check_fast)
        fprintf(stderr, "smolrun: file %s, hash and signature not checked, opened in %.3f s\n",
                cli_size(size, run->file->bytes.size_bytes), run->open_seconds);
    else
        fprintf(stderr, "smolrun: file %s, hash %s... checked, %s%s%s, opened in %.3f s\n",
                cli_size(size, run->file->bytes.size_bytes), hash,
                is_signed(run) ? "signed by key " : "not signed", is_signed(run) ? signer : "",
                signer_words(run), run->open_seconds);
}

/* What a delta is run with. */
static void print_parts(const struct run *run)
{
    const struct smol_file *f = run->file;
    char size[32], hash[17];

    for (uint32_t i = 0; i < f->n_models + f->n_deltas; i++) {
        const struct smol_part_link *part = &f->parts[i];
        cli_hex(hash, part->hash, 8);
        fprintf(stderr, "smolrun: %s ", i < f->n_models ? "model" : "delta");
        cli_put_escaped(stderr, parts_path(&run->files, part->hash));
        fprintf(stderr, ", %s, hash %s..., times %g\n",
                cli_size(size, part->file->bytes.size_bytes), hash, (double)part->factor);
    }
    if (f->n_models + f->n_deltas && f->factor != 1)
        fprintf(stderr, "smolrun: its own differences times %g\n", (double)f->factor);
}

/* What a model has that is not GPT-2. */
static void print_architecture(const struct run *run)
{
    const struct smol_file *model = run->file->n_models ? run->file->parts[0].file : run->file;
    const struct smol_config *c = &model->config;
    const char *separator = ":";

    if (c->architecture == SMOL_ARCH_GPT2)
        return;
    fprintf(stderr, "smolrun: architecture %s", smol_architecture_name(c->architecture));
    for (unsigned bit = 1; bit < SMOL_ALL_FEATURES; bit *= 2)
        if (smol_config_has(c, (enum smol_feature)bit)) {
            fprintf(stderr, "%s %s", separator, smol_feature_name((enum smol_feature)bit));
            separator = ",";
        }
    fprintf(stderr, "; %s of %u tokens", run_slides(run) ? "a sliding context" : "a context",
            run_context(run));
    if (smol_config_history(c))
        fprintf(stderr, run_history(run) ? " and a history of %u" : " and no history",
                run_history(run));
    fputc('\n', stderr);
}

void run_print_statistics(const struct run *run, const struct run_result *r)
{
    const size_t n = r->n_tokens - r->n_prompt;
    char size[32], texts[48] = "";

    if (r->n_texts)
        snprintf(texts, sizeof texts, " in %u text%s", r->n_texts, r->n_texts == 1 ? "" : "s");
    fputc('\n', stderr);
    print_file_line(run);
    print_parts(run);
    print_architecture(run);
    if (r->finish && strcmp(r->finish, "context") == 0)
        fprintf(stderr,
                "smolrun: stopped because the context of %u tokens is full; with -n N it goes on\n",
                run_context(run));
    fprintf(stderr,
            "smolrun: prompt %zu tokens, %.1f tokens/s; generated %zu tokens%s, %.1f tokens/s; "
            "peak memory %s; seed %llu\n",
            r->n_prompt, rate(r->n_prompt, r->prompt_seconds), n, texts,
            rate(n, r->generate_seconds), cli_size(size, cli_peak_bytes()),
            (unsigned long long)run->args->sampler.seed);
}

static json_t *json_tokens_text(const struct run *run, const uint32_t *tokens, size_t n)
{
    json_t *json = NULL;
    size_t size;
    char *text;

    if (smol_model_decode(&size, NULL, 0, run->model, tokens, n, NULL))
        return NULL;
    text = malloc(size + 1);
    if (text && !smol_model_decode(&size, text, size, run->model, tokens, n, NULL))
        json = cli_json_string(text, size);
    free(text);
    return json;
}

static json_t *json_ids(const uint32_t *tokens, size_t n)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(ids, json_integer(tokens[i]));
    return ids;
}

static json_t *parts_json(const struct run *run)
{
    const struct smol_file *f = run->file;
    json_t *parts = json_array();

    for (uint32_t i = 0; i < f->n_models + f->n_deltas; i++) {
        const struct smol_part_link *part = &f->parts[i];
        const char *path = parts_path(&run->files, part->hash);
        char hash[2 * SMOL_HASH_BYTES + 1];
        cli_hex(hash, part->hash, SMOL_HASH_BYTES);
        json_array_append_new(
            parts,
            json_pack("{s:o, s:s, s:I, s:s, s:f}", "path", cli_json_string(path, strlen(path)),
                      "hash", hash, "file_bytes", (json_int_t)part->file->bytes.size_bytes,
                      "architecture", smol_architecture_name(part->file->config.architecture),
                      "factor", (double)part->factor));
    }
    return parts;
}

json_t *run_model_json(const struct run *run)
{
    char hash[2 * SMOL_HASH_BYTES + 1];
    json_t *model;

    cli_hex(hash, run->file->hash, SMOL_HASH_BYTES);
    model =
        json_pack("{s:o, s:s, s:I, s:b, s:s}", "path",
                  cli_json_string(run->named->path, strlen(run->named->path)), "hash", hash,
                  "file_bytes", (json_int_t)run->file->bytes.size_bytes, "signed", is_signed(run),
                  "architecture", smol_architecture_name(run->file->config.architecture));
    if (model && run->file->n_models) {
        json_object_set_new(model, "factor", json_real((double)run->file->factor));
        json_object_set_new(model, "parts", parts_json(run));
    }
    return model;
}

static int print_line(json_t *object)
{
    char *text = cli_json_text(object, JSON_COMPACT);

    json_decref(object);
    if (!text)
        return cli_no_memory(NULL);
    puts(text);
    free(text);
    return 0;
}

int run_print_json(const struct run *run, const struct run_result *r)
{
    const uint32_t *generated = r->tokens + r->n_prompt;
    const size_t n = r->n_tokens - r->n_prompt;
    json_t *object =
        json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:{s:f, s:f, s:f, s:f, s:f, s:I}}", "model",
                  run_model_json(run), "seed", cli_decimal((char[24]){0}, r->seed), "prompt",
                  json_tokens_text(run, r->tokens, r->n_prompt), "prompt_tokens",
                  json_ids(r->tokens, r->n_prompt), "text",
                  json_tokens_text(run, generated, r->n_shown - r->n_prompt), "tokens",
                  json_ids(generated, n), "finish_reason", r->finish, "stats", "open_seconds",
                  run->open_seconds, "prompt_seconds", r->prompt_seconds, "generate_seconds",
                  r->generate_seconds, "prompt_tokens_per_second",
                  rate(r->n_prompt, r->prompt_seconds), "tokens_per_second",
                  rate(n, r->generate_seconds), "peak_memory_bytes", (json_int_t)cli_peak_bytes());

    return run->args->interactive || run->args->n_texts ? print_line(object)
                                                        : cli_print_json(object);
}
