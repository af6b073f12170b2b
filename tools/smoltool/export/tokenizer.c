/* Tokens in GPT-2's letters, config.json, and the files that a tokenizer is loaded from. */
#include "cli/cli.h"
#include "cli/json.h"
#include "smoltool/export/export.h"
#include "smoltool/gpt2_bytes.h"

#include <smol/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool export_token_is_used(const struct smol_file *file, uint32_t token)
{
    return token < smol_token_count(file);
}

/* Special tokens are their text; the others have a letter for each byte. */
char *export_token(const struct smol_file *file, uint32_t token)
{
    uint8_t place[SMOL_MAX_TOKEN_BYTES];
    const struct smol_span bytes = smol_token_bytes(place, file, token);
    char *text = malloc(2 * bytes.size_bytes + sizeof "[PAD4294967295]"), *end = text;

    if (!text)
        return NULL;
    if (bytes.size_bytes == 0) {
        snprintf(text, sizeof "[PAD4294967295]", "[PAD%u]", (unsigned)token);
        return text;
    }
    if (smol_token_is_special(file, token)) {
        memcpy(text, bytes.data, bytes.size_bytes);
        end += bytes.size_bytes;
    } else {
        for (size_t i = 0; i < bytes.size_bytes; i++)
            end = put_letter(end, bytes.data[i]);
    }
    *end = '\0';
    return text;
}

char *export_merge(const struct smol_file *file, uint32_t i)
{
    const struct smol_merge merge = smol_tokenizer_merge(file, i);
    const uint32_t before = smol_tokenizer_tokens_before_bytes(file);
    char *left = export_token(file, before + merge.left),
         *right = export_token(file, before + merge.right);
    char *text = left && right ? cli_text("%s %s", left, right) : NULL;

    free(left);
    free(right);
    return text;
}

uint32_t export_bos(const struct smol_file *file) { return smol_start_token(file); }

uint32_t export_eos(const struct smol_file *file)
{
    uint32_t token = 0;

    if (file->config.tokenizer == SMOL_TOKENIZER_BYTES || smol_end_token(&token, file))
        return token;
    while (smol_tokenizer_byte(token) != 0)
        token++;
    return smol_tokenizer_tokens_before_bytes(file) + token;
}

static json_t *config_json(const struct smol_file *file)
{
    const struct smol_config *c = &file->config;

    return json_pack(
        "{s:[s], s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f, s:i, s:i, s:b, s:b, s:s}",
        "architectures", "GPT2LMHeadModel", "model_type", "gpt2", "vocab_size", (int)c->vocab,
        "n_positions", (int)c->context, "n_ctx", (int)c->context, "n_embd", (int)c->width,
        "n_layer", (int)c->n_layers, "n_head", (int)c->n_heads, "n_inner", (int)c->n_ff,
        "activation_function", "gelu_new", "layer_norm_epsilon", (double)c->ln_epsilon,
        "bos_token_id", (int)export_bos(file), "eos_token_id", (int)export_eos(file),
        "tie_word_embeddings", 1, "scale_attn_weights", 1, "torch_dtype", "float32");
}

/* Letters to numbers, for the tokens that stand for something. */
static json_t *vocab_json(const struct smol_file *file)
{
    json_t *vocab = json_object();

    for (uint32_t i = 0; vocab && i < file->config.vocab; i++) {
        char *text;

        if (!export_token_is_used(file, i))
            continue;
        text = export_token(file, i);
        if (!text || json_object_set_new(vocab, text, json_integer(i))) {
            json_decref(vocab);
            vocab = NULL;
        }
        free(text);
    }
    return vocab;
}

static json_t *merges_json(const struct smol_file *file)
{
    json_t *merges = json_array();

    for (uint32_t i = 0; merges && i < smol_tokenizer_merge_count(file); i++) {
        char *text = export_merge(file, i);

        if (!text || json_array_append_new(merges, json_string(text))) {
            json_decref(merges);
            merges = NULL;
        }
        free(text);
    }
    return merges;
}

static json_t *specials_json(const struct smol_file *file)
{
    json_t *specials = json_array();

    for (uint32_t i = 0; specials && i < smol_token_count(file); i++) {
        char *text = smol_token_is_special(file, i) ? export_token(file, i) : NULL;

        if (text && json_array_append_new(
                        specials, json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", (int)i,
                                            "content", text, "single_word", 0, "lstrip", 0,
                                            "rstrip", 0, "normalized", 0, "special", 1))) {
            json_decref(specials);
            specials = NULL;
        }
        free(text);
    }
    return specials;
}

/* A model of Hugging Face's tokenizers: letters for bytes, and GPT-2's split if there are merges.
 */
static json_t *tokenizer_json(const struct smol_file *file)
{
    json_t *level = json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0,
                              "trim_offsets", 1, "use_regex", smol_tokenizer_merge_count(file) > 0);
    json_t *json =
        json_pack("{s:s, s:n, s:n, s:o, s:n, s:O, s:O, s:O, s:{s:s, s:n, s:n, s:s, s:s, s:b, "
                  "s:o, s:o}}",
                  "version", "1.0", "truncation", "padding", "added_tokens", specials_json(file),
                  "normalizer", "pre_tokenizer", level, "post_processor", level, "decoder", level,
                  "model", "type", "BPE", "dropout", "unk_token", "continuing_subword_prefix", "",
                  "end_of_word_suffix", "", "fuse_unk", 0, "vocab", vocab_json(file), "merges",
                  merges_json(file));

    json_decref(level);
    return json;
}

static json_t *tokenizer_config_json(const struct smol_file *file)
{
    uint32_t end;
    const char *const text = smol_end_token(&end, file) ? SMOL_END_OF_TEXT : NULL;

    return json_pack("{s:s, s:i, s:b, s:b, s:s*, s:s*}", "tokenizer_class",
                     "PreTrainedTokenizerFast", "model_max_length", (int)file->config.context,
                     "add_prefix_space", 0, "clean_up_tokenization_spaces", 0, "bos_token", text,
                     "eos_token", text);
}

/* merges.txt, for free(), or NULL. */
static char *merges_text(const struct smol_file *file)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    bool good = to != NULL;

    if (!to)
        return NULL;
    fputs("#version: 0.2\n", to);
    for (uint32_t i = 0; good && i < smol_tokenizer_merge_count(file); i++) {
        char *merge = export_merge(file, i);

        good = merge && fprintf(to, "%s\n", merge) > 0;
        free(merge);
    }
    if (fclose(to) == 0 && good)
        return text;
    free(text);
    return NULL;
}

static enum smol_status put_text(const struct export_job *job, const char *name, const char *text,
                                 struct smol_error *error)
{
    char *path = cli_text("%s/%s", job->output, name);
    enum smol_status status;

    if (path && text)
        status = smol_write_file(path, text, strlen(text), 0644, error);
    else
        status = cli_error_memory(error);
    free(path);
    return status;
}

/* Takes json over. */
static enum smol_status put_json(const struct export_job *job, const char *name, json_t *json,
                                 struct smol_error *error)
{
    char *text = json ? cli_json_text(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    const enum smol_status status = put_text(job, name, text, error);

    free(text);
    json_decref(json);
    return status;
}

enum smol_status export_small_files(const struct export_job *job, struct smol_error *error)
{
    const struct smol_file *file = job->file;
    enum smol_status status = put_json(job, "config.json", config_json(file), error);
    char *merges = merges_text(file);

    if (!status)
        status = put_json(job, "vocab.json", vocab_json(file), error);
    if (!status)
        status = put_text(job, "merges.txt", merges, error);
    free(merges);
    if (!status)
        status = put_json(job, "tokenizer.json", tokenizer_json(file), error);
    if (!status)
        status = put_json(job, "tokenizer_config.json", tokenizer_config_json(file), error);
    return status;
}
