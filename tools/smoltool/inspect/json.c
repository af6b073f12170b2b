/* smoltool inspect --json, and the numbers behind both faces. */
#include "cli/json.h"
#include "cli/cli.h"
#include "smoltool/inspect/inspect.h"

#include <smol/initial.h>
#include <smol/params.h>
#include <smol/tokenizer.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool inspect_alphas(float *alpha, uint32_t *d, bool *shared, const struct smol_file *file,
                    const struct smol_tensor *t)
{
    const struct smol_scheme *s = smol_config_scheme(&file->config, t->layer, t->slot);
    const bool is_matrix = s->kind == SMOL_MATRIX;
    struct smol_params_place at;

    if (t->part > SMOL_PART_BIAS || s->d == 0 ||
        (is_matrix && (t->part == SMOL_PART_BIAS || s->source == SMOL_MATRIX_UNIT ||
                       s->source > SMOL_MATRIX_SHARED)))
        return false;
    smol_params_at(&at, &file->config, t->layer, t->slot);
    smol_decode_numbers(
        alpha, s->alpha_type,
        file->params.data + (t->part == SMOL_PART_BIAS ? at.bias_alphas : at.alphas), s->d);
    *d = s->d;
    *shared = smol_scheme_is_shared(s);
    return true;
}

uint32_t inspect_set_bytes(bool *has_other, const struct smol_file *file)
{
    uint32_t end;
    const uint32_t n = smol_token_count(file) - smol_end_token(&end, file);

    *has_other = (file->tokenizer.data[file->tokenizer.size_bytes - 1] & 1) != 0;
    return n - *has_other;
}

bool inspect_is_of_heads(const struct smol_tensor *t)
{
    return t->part == SMOL_PART_TEMPERATURE || t->part == SMOL_PART_SLOPE_FACTOR;
}

double inspect_head_factor(const struct smol_file *file, const struct smol_tensor *t, uint32_t head)
{
    const uint32_t n = file->config.n_heads;
    struct smol_params_place at;
    const uint8_t *data;
    float block[SMOL_Q8_BLOCK];

    smol_params_at(&at, &file->config, t->layer, SMOL_LN_1);
    data =
        file->params.data + (t->part == SMOL_PART_TEMPERATURE ? at.temperatures : at.slope_factors);
    for (uint32_t begin = head / SMOL_Q8_BLOCK * SMOL_Q8_BLOCK; begin <= head;
         begin += SMOL_Q8_BLOCK)
        smol_decode_numbers(block, file->config.head_type,
                            data + smol_params_array_bytes(file->config.head_type, begin),
                            n - begin < SMOL_Q8_BLOCK ? n - begin : SMOL_Q8_BLOCK);
    return (double)block[head % SMOL_Q8_BLOCK];
}

void inspect_history(float numbers[SMOL_HISTORY_LENGTHS], const struct smol_file *file)
{
    const struct smol_config *c = &file->config;

    smol_decode_numbers(numbers, c->head_type, file->params.data + smol_params_history_at(c),
                        SMOL_HISTORY_LENGTHS);
}

static json_t *json_history(const struct smol_file *file)
{
    float numbers[SMOL_HISTORY_LENGTHS];
    json_t *list = json_array();

    inspect_history(numbers, file);
    for (unsigned k = 0; k < SMOL_HISTORY_LENGTHS; k++)
        json_array_append_new(list, json_real((double)numbers[k]));
    return list;
}

static json_t *json_heads(const struct smol_file *file)
{
    const uint32_t n = smol_tensor_count(&file->config);
    json_t *all = json_object();
    struct smol_tensor t;

    for (uint32_t i = 0; i < n; i++) {
        json_t *list;

        smol_tensor_at(&t, &file->config, i);
        if (!inspect_is_of_heads(&t))
            continue;
        list = json_array();
        for (uint32_t h = 0; h < file->config.n_heads; h++)
            json_array_append_new(list, json_real(inspect_head_factor(file, &t, h)));
        json_object_set_new(all, t.name, list);
    }
    return all;
}

static json_t *json_alphas(const struct smol_file *file)
{
    const uint32_t n = smol_tensor_count(&file->config);
    json_t *all = json_object();
    float alpha[SMOL_MAX_BASES];
    struct smol_tensor t;

    for (uint32_t i = 0; i < n; i++) {
        json_t *list;
        uint32_t d;
        bool shared;
        smol_tensor_at(&t, &file->config, i);
        if (!inspect_alphas(alpha, &d, &shared, file, &t))
            continue;
        list = json_array();
        for (uint32_t k = 0; k < d; k++)
            json_array_append_new(list, json_real((double)alpha[k]));
        json_object_set_new(all, shared ? "shared" : t.name, list);
    }
    return all;
}

json_t *inspect_scheme_json(const struct smol_scheme *s)
{
    const bool is_matrix = s->kind == SMOL_MATRIX;
    const char *source = smol_source_name(s->kind, s->source);

    json_t *o = json_pack(
        "{s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:f, s:I, s:b, s:b, s:b, s:b}", "kind",
        is_matrix ? "matrix" : "norm", "source",
        !is_matrix && s->source == SMOL_NORM_OWN ? "own" : source, "dist", smol_dist_name(s->dist),
        "d", s->d, "rank", s->rank, "alpha_type", smol_dtype_name(s->alpha_type), "value_type",
        smol_dtype_name(s->value_type), "sigma", (double)s->sigma, "dimensions",
        (json_int_t)s->dimensions, "gains", smol_scheme_has(s, SMOL_TERM_GAINS), "biases",
        smol_scheme_has(s, SMOL_TERM_BIASES), "sparse", smol_scheme_has(s, SMOL_TERM_SPARSE),
        "layer_gains", smol_scheme_has(s, SMOL_TERM_LAYER_GAIN));

    if (smol_scheme_has(s, SMOL_TERM_MODELS))
        json_object_set_new(o, "models", json_true());
    return o;
}

static json_t *json_schemes(const struct smol_config *c)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < c->n_schemes; i++)
        json_array_append_new(list, inspect_scheme_json(&c->schemes[i]));
    return list;
}

static json_t *json_runs(const struct smol_config *c)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < c->n_spans; i++) {
        json_t *schemes = json_array();
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++)
            json_array_append_new(schemes, json_integer(c->spans[i].scheme[slot]));
        json_array_append_new(
            list, json_pack("{s:i, s:o}", "layers", c->spans[i].n_layers, "schemes", schemes));
    }
    return list;
}

static void set_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, json_string(text));
}

static void set_integer(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void set_sizes(json_t *o, const struct smol_file *file)
{
    struct smol_size_report r;

    smol_file_sizes(&r, file);
    set_integer(o, "file_bytes", r.file);
    set_integer(o, "embedding_bytes", r.embeddings);
    set_integer(o, "non_embedding_bytes", r.non_embedding);
    set_integer(o, "non_embedding_params", smol_config_parameters(&file->config));
    set_integer(o, "learned_bytes", r.params);
    set_integer(o, "tokenizer_bytes", r.tokenizer);
    set_integer(o, "card_bytes", r.card);
    set_integer(o, "padding_bytes", r.padding);
}

/* The bytes that have tokens, and the token of the others. */
static void set_byte_set(json_t *o, const struct smol_file *file)
{
    bool has_other;
    const uint32_t n = inspect_set_bytes(&has_other, file);
    uint8_t room[SMOL_MAX_TOKEN_BYTES];
    json_t *list = json_array();

    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer(*smol_token_bytes(room, file, i).data));
    json_object_set_new(o, "bytes", list);
    json_object_set_new(o, "other_token", has_other ? json_integer(n) : json_null());
}

static void set_tokenizer(json_t *o, const struct smol_file *file)
{
    static const char *const names[] = {"bytes", "bpe", "byte set"};
    uint32_t end;

    set_text(o, "tokenizer", names[file->config.tokenizer]);
    if (file->config.tokenizer != SMOL_TOKENIZER_BYTES && !file->tokenizer.data)
        return; /* the rest is its model's */
    if (file->config.tokenizer == SMOL_TOKENIZER_BYTE_SET)
        set_byte_set(o, file);
    set_integer(o, "tokens", smol_token_count(file));
    set_integer(o, "merges", smol_tokenizer_merge_count(file));
    json_object_set_new(o, "end_token",
                        smol_end_token(&end, file) ? json_integer(end) : json_null());
}

/* What GPT-2 has not, or what it has and others have not. */
static void set_architecture(json_t *o, const struct smol_config *c)
{
    json_t *list = json_array();

    for (unsigned bit = 1; bit <= SMOL_ALL_FEATURES; bit *= 2)
        if (smol_config_has(c, (enum smol_feature)bit))
            json_array_append_new(list, json_string(smol_feature_name((enum smol_feature)bit)));
    set_text(o, "architecture", smol_architecture_name(c->architecture));
    json_object_set_new(o, "features", list);
    if (smol_config_has(c, SMOL_FEATURE_DISTANCES))
        json_object_set_new(o, "wpe_type", json_null());
    json_object_set_new(o, "output_type",
                        smol_config_has(c, SMOL_FEATURE_OUTPUT_TABLE)
                            ? json_string(smol_dtype_name(c->output_type))
                            : json_null());
    json_object_set_new(o, "head_type",
                        smol_config_has_head_type(c) ? json_string(smol_dtype_name(c->head_type))
                                                     : json_null());
}

/* The types of what a delta may have: rows. */
static void set_rows(json_t *o, const struct smol_config *c)
{
    set_integer(o, "input_rows", c->input_rows);
    set_integer(o, "output_rows", c->output_rows);
    json_object_set_new(o, "wpe_type", json_null());
    if (c->input_rows == 0)
        json_object_set_new(o, "wte_type", json_null());
    if (c->output_rows == 0)
        json_object_set_new(o, "output_type", json_null());
}

json_t *inspect_shape_json(const struct smol_config *c)
{
    json_t *o = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:s, s:s}", "layers",
                          (json_int_t)c->n_layers, "width", (json_int_t)c->width, "heads",
                          (json_int_t)c->n_heads, "feed_forward", (json_int_t)c->n_ff, "context",
                          (json_int_t)c->context, "vocab", (json_int_t)c->vocab, "ln_epsilon",
                          (double)c->ln_epsilon, "logit_scale", (double)c->logit_scale, "wte_type",
                          smol_dtype_name(c->wte_type), "wpe_type", smol_dtype_name(c->wpe_type));

    if (o && c->architecture != SMOL_ARCH_GPT2)
        set_architecture(o, c);
    if (o && smol_config_is_delta(c))
        set_rows(o, c);
    return o;
}

static void set_config(json_t *o, const struct smol_file *file)
{
    const struct smol_config *c = &file->config;
    char text[32];

    set_text(o, "method", inspect_is_mix(file) ? "none" : smol_config_method(c));
    /* JSON's integers reach 2^63 - 1 in most readers; the text holds every seed. */
    if (c->seed <= INT64_MAX)
        set_integer(o, "seed", c->seed);
    else
        set_text(o, "seed", cli_decimal(text, c->seed));
    snprintf(text, sizeof text, "0x%016llx", (unsigned long long)c->seed);
    set_text(o, "seed_hex", text);
    json_object_update_new(o, inspect_shape_json(c));
    json_object_set_new(o, "schemes", json_schemes(c));
    json_object_set_new(o, "runs", json_runs(c));
    set_integer(o, "ln_f_scheme", c->ln_f);
}

/* d and distribution of the first matrix, for those who want one number. */
static void set_first_matrix(json_t *o, const struct smol_config *c)
{
    const struct smol_scheme *s = smol_config_scheme(c, 0, SMOL_ATTN_C_ATTN);

    set_integer(o, "d", s->d);
    set_integer(o, "rank", s->rank);
    set_text(o, "dist", smol_dist_name(s->dist));
}

int inspect_json(const struct smol_file *file, const struct inspect_session *session)
{
    char hash[2 * SMOL_HASH_BYTES + 1], number[17];
    json_t *o = json_object();

    set_sizes(o, file);
    set_config(o, file);
    set_tokenizer(o, file);
    set_first_matrix(o, &file->config);
    if (smol_config_is_delta(&file->config))
        json_object_set_new(o, "base", inspect_base_json(file, session->part_paths));
    json_object_set_new(o, "alphas", json_alphas(file));
    if (smol_config_head_factors(&file->config))
        json_object_set_new(o, "head_factors", json_heads(file));
    if (smol_config_history(&file->config)) {
        json_object_set_new(o, "history", json_history(file));
        set_integer(o, "session_history", session_args_history(&session->options, &file->config));
    }
    set_integer(o, "session_context", session->options.context);
    set_integer(o, "session_threads", session->options.n_threads);
    if (session->memory_bytes) {
        set_integer(o, "session_bytes", session->session_bytes);
        set_integer(o, "memory_bytes", session->memory_bytes);
    }
    cli_hex(hash, file->hash, SMOL_HASH_BYTES);
    set_text(o, "hash", hash);
    json_object_set_new(o, "signed", json_boolean(file->is_signed));
    cli_key_number(number, file->signature.key_number);
    json_object_set_new(o, "signer", file->is_signed ? json_string(number) : json_null());
    json_object_set_new(o, "card",
                        file->card.size_bytes ? json_loadb((const char *)file->card.data,
                                                           file->card.size_bytes, 0, NULL)
                                              : json_null());
    return cli_print_json(o);
}
