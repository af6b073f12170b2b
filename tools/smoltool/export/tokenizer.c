/* Tokens in GPT-2's letters, config.json, and the files that a tokenizer is loaded from. */
#include "cli/cli.h"
#include "cli/json.h"
#include "smoltool/export/export.h"
#include "smoltool/gpt2_bytes.h"

#include <smol/tokenizer.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool export_token_is_used(const struct smol_file *file, uint32_t token)
{
    return token < smol_token_count(file);
}

/* What stands for the bytes outside a set has no letter of its own. */
#define OTHER "[OTHER]"

static bool has_other(const struct smol_file *file)
{
    return file->config.tokenizer == SMOL_TOKENIZER_BYTE_SET &&
           (file->tokenizer.data[file->tokenizer.size_bytes - 1] & 1) != 0;
}

/* The token for the bytes outside a set is the last, but for the end of text. */
static bool is_other(const struct smol_file *file, uint32_t token)
{
    uint32_t end = file->config.vocab;

    smol_end_token(&end, file);
    return has_other(file) && token + 1 == end;
}

/* Special tokens are their text; the others have a letter for each byte. */
char *export_token(char text[EXPORT_TOKEN_BYTES], const struct smol_file *file, uint32_t token)
{
    uint8_t place[SMOL_MAX_TOKEN_BYTES];
    const struct smol_span bytes = smol_token_bytes(place, file, token);
    char *end = text;

    if (is_other(file, token))
        return text + snprintf(text, EXPORT_TOKEN_BYTES, OTHER);
    if (bytes.size_bytes == 0 && smol_token_is_special(file, token)) /* of a set */
        return text + snprintf(text, EXPORT_TOKEN_BYTES, SMOL_END_OF_TEXT);
    if (bytes.size_bytes == 0)
        end += snprintf(text, EXPORT_TOKEN_BYTES, "[PAD%u]", (unsigned)token);
    if (smol_token_is_special(file, token)) {
        memcpy(text, bytes.data, bytes.size_bytes);
        end += bytes.size_bytes;
    } else {
        for (size_t i = 0; i < bytes.size_bytes; i++)
            end = put_letter(end, bytes.data[i]);
    }
    *end = '\0';
    return end;
}

char *export_merge(char text[EXPORT_TEXT_BYTES], const struct smol_file *file, uint32_t i)
{
    const struct smol_merge merge = smol_tokenizer_merge(file, i);
    const uint32_t before = smol_tokenizer_tokens_before_bytes(file);
    char *end = export_token(text, file, before + merge.left);

    *end++ = ' ';
    return export_token(end, file, before + merge.right);
}

uint32_t export_bos(const struct smol_file *file) { return smol_start_token(file); }

uint32_t export_eos(const struct smol_file *file)
{
    uint8_t place[SMOL_MAX_TOKEN_BYTES];
    uint32_t token = 0;

    if (file->config.tokenizer == SMOL_TOKENIZER_BYTES || smol_end_token(&token, file))
        return token;
    if (file->config.tokenizer == SMOL_TOKENIZER_BYTE_SET)
        return *smol_token_bytes(place, file, 0).data == 0 ? 0 : smol_start_token(file);
    while (smol_tokenizer_byte(token) != 0)
        token++;
    return smol_tokenizer_tokens_before_bytes(file) + token;
}

/* From 2 down to 2^-5 (SPEC.md 8). */
static json_t *slopes_json(uint32_t n_heads)
{
    const double last = (double)n_heads - 1;
    json_t *list = json_array();

    for (uint32_t h = 0; h < n_heads; h++)
        json_array_append_new(list, json_real(exp2(n_heads > 1 ? (last - 6 * h) / last : -1)));
    return list;
}

/* Named like GPT-2's where they mean the same. */
static json_t *smol_config_json(const struct smol_file *file)
{
    const struct smol_config *c = &file->config;
    json_t *features = json_array();

    for (unsigned bit = 1; bit <= SMOL_ALL_FEATURES; bit *= 2)
        if (smol_config_has(c, (enum smol_feature)bit))
            json_array_append_new(features, json_string(smol_feature_name((enum smol_feature)bit)));
    return json_pack("{s:s, s:o, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f, s:i, s:b, s:o*}",
                     "model_type", "smol", "features", features, "vocab_size", (int)c->vocab,
                     "n_ctx", (int)c->context, "n_embd", (int)c->width, "n_layer", (int)c->n_layers,
                     "n_head", (int)c->n_heads, "n_inner", (int)c->n_ff, "activation_function",
                     smol_config_has(c, SMOL_FEATURE_RELU2) ? "relu2" : "gelu_new",
                     "layer_norm_epsilon", (double)c->ln_epsilon, "bos_token_id",
                     (int)export_bos(file), "tie_word_embeddings",
                     !smol_config_has(c, SMOL_FEATURE_OUTPUT_TABLE), "slopes",
                     smol_config_has(c, SMOL_FEATURE_DISTANCES) ? slopes_json(c->n_heads) : NULL);
}

static json_t *config_json(const struct smol_file *file)
{
    const struct smol_config *c = &file->config;

    if (c->features)
        return smol_config_json(file);
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
    char text[EXPORT_TEXT_BYTES];

    for (uint32_t i = 0; i < file->config.vocab; i++)
        if (export_token_is_used(file, i)) {
            export_token(text, file, i);
            json_object_set_new(vocab, text, json_integer(i));
        }
    return vocab;
}

static json_t *merges_json(const struct smol_file *file)
{
    json_t *merges = json_array();
    char text[EXPORT_TEXT_BYTES];

    for (uint32_t i = 0; i < smol_tokenizer_merge_count(file); i++) {
        export_merge(text, file, i);
        json_array_append_new(merges, json_string(text));
    }
    return merges;
}

static json_t *specials_json(const struct smol_file *file)
{
    json_t *specials = json_array();
    char text[EXPORT_TEXT_BYTES];

    for (uint32_t i = 0; i < smol_token_count(file); i++)
        if (smol_token_is_special(file, i)) {
            export_token(text, file, i);
            json_array_append_new(specials,
                                  json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", (int)i,
                                            "content", text, "single_word", 0, "lstrip", 0,
                                            "rstrip", 0, "normalized", 0, "special", 1));
        }
    return specials;
}

/* A model of Hugging Face's tokenizers: letters for bytes, GPT-2's split if there are merges. */
static json_t *tokenizer_json(const struct smol_file *file)
{
    json_t *level = json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0,
                              "trim_offsets", 1, "use_regex", smol_tokenizer_merge_count(file) > 0);
    json_t *json =
        json_pack("{s:s, s:n, s:n, s:o, s:n, s:O, s:O, s:O, s:{s:s, s:n, s:s?, s:s, s:s, s:b, "
                  "s:o, s:o}}",
                  "version", "1.0", "truncation", "padding", "added_tokens", specials_json(file),
                  "normalizer", "pre_tokenizer", level, "post_processor", level, "decoder", level,
                  "model", "type", "BPE", "dropout", "unk_token", has_other(file) ? OTHER : NULL,
                  "continuing_subword_prefix", "", "end_of_word_suffix", "", "fuse_unk", 0, "vocab",
                  vocab_json(file), "merges", merges_json(file));

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

static enum smol_status put_merges(const struct export_job *job, struct smol_error *error)
{
    char *path = cli_text("%s/merges.txt", job->output), text[EXPORT_TEXT_BYTES];
    struct export_out out;
    enum smol_status status;

    if (!path)
        return cli_error_memory(error);
    export_out_open(&out, path, error);
    export_put(&out, "#version: 0.2\n", 14);
    for (uint32_t i = 0; i < smol_tokenizer_merge_count(job->file); i++) {
        char *end = export_merge(text, job->file, i);
        *end++ = '\n';
        export_put(&out, text, (size_t)(end - text));
    }
    status = export_job_close(&out, job);
    free(path);
    return status;
}

enum smol_status export_put_json(const struct export_job *job, const char *name, json_t *json,
                                 struct smol_error *error)
{
    char *text = cli_json_text(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    char *path = cli_text("%s/%s", job->output, name);
    enum smol_status status = path && text ? smol_write_file(path, text, strlen(text), 0666, error)
                                           : cli_error_memory(error);

    free(path);
    free(text);
    json_decref(json);
    return status;
}

enum smol_status export_small_files(const struct export_job *job, struct smol_error *error)
{
    const struct smol_file *file = job->file;
    enum smol_status status = export_put_json(job, "config.json", config_json(file), error);

    if (!status)
        status = export_put_json(job, "vocab.json", vocab_json(file), error);
    if (!status)
        status = put_merges(job, error);
    if (!status)
        status = export_put_json(job, "tokenizer.json", tokenizer_json(file), error);
    if (!status)
        status = export_put_json(job, "tokenizer_config.json", tokenizer_config_json(file), error);
    return status;
}
