/* What config.json says. A member that would make another network of the same tensors is refused.
 */
#include "cli/cli.h"
#include "smoltool/import/config.h"
#include "smoltool/import/json_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG "config.json"
#define OWN_CONFIG "smol.config" /* of smoltrain, in the metadata */

static bool is_absent(const json_t *value) { return !value || json_is_null(value); }

/* Left alone if there is no such member. */
static int take_size(uint32_t *size, const json_t *json, const char *key, const char *path)
{
    const json_t *value = json_object_get(json, key);
    const json_int_t n = json_integer_value(value);

    if (is_absent(value))
        return 0;
    if (!json_is_integer(value) || n < 1 || n > (json_int_t)SMOL_MAX_VOCAB)
        return cli_fail(path, "%s is not a whole number of 1 to %u", key, SMOL_MAX_VOCAB);
    *size = (uint32_t)n;
    return 0;
}

static int take_sizes(struct import_stated *s, const json_t *json)
{
    const struct {
        const char *key;
        uint32_t *size;
    } sizes[] = {
        {"n_layer", &s->n_layers}, {"n_head", &s->n_heads},      {"n_embd", &s->width},
        {"n_ctx", &s->context},    {"n_positions", &s->context}, /* which counts, if they differ */
        {"n_inner", &s->n_ff},     {"vocab_size", &s->vocab},
    };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (take_size(sizes[i].size, json, sizes[i].key, s->where))
            return CLI_FAILED;
    return 0;
}

/* Members with one value that a model of smol can have. */
static int check_words(const struct import_stated *s, const json_t *json)
{
    const char *type = json_string_value(json_object_get(json, "model_type"));
    const json_t *function = json_object_get(json, "activation_function");
    const char *name = json_string_value(function);

    if (type && strcmp(type, "gpt2") != 0)
        return cli_fail(s->where, "model_type is '%.64s', not gpt2", type);
    if (is_absent(function) ||
        (name && (strcmp(name, "gelu_new") == 0 || strcmp(name, "gelu_pytorch_tanh") == 0)))
        return 0;
    return cli_fail(s->where, "activation_function is '%.64s', not gelu_new or gelu_pytorch_tanh",
                    name ? name : "?");
}

static int check_flags(const struct import_stated *s, const json_t *json)
{
    static const struct {
        const char *key;
        bool is_needed;
    } flags[] = {{"scale_attn_weights", true},
                 {"scale_attn_by_inverse_layer_idx", false},
                 {"add_cross_attention", false}};

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        const json_t *value = json_object_get(json, flags[i].key);
        if (!is_absent(value) && json_is_true(value) != flags[i].is_needed)
            return cli_fail(s->where, "%s is %s, which a .smol file cannot express", flags[i].key,
                            json_is_true(value) ? "true" : "not true");
    }
    return 0;
}

static int take_json(struct import_stated *s, const json_t *json)
{
    const json_t *epsilon = json_object_get(json, "layer_norm_epsilon"),
                 *tied = json_object_get(json, "tie_word_embeddings");

    if (!json_is_object(json))
        return cli_fail(s->where, "is not an object of JSON");
    if (check_words(s, json) || check_flags(s, json) || take_sizes(s, json))
        return CLI_FAILED;
    if (!is_absent(epsilon) && !(json_number_value(epsilon) > 0))
        return cli_fail(s->where, "layer_norm_epsilon is not a number over 0");
    s->epsilon = json_number_value(epsilon);
    s->is_tied = json_is_true(tied);
    s->is_untied = json_is_false(tied);
    return 0;
}

/* A single file may have it in its metadata. */
static int take_own(struct import_stated *s, const struct checkpoint *c, const char *text)
{
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    int code;

    s->where = c->files[0].path;
    code = json ? take_json(s, json) : cli_fail(s->where, OWN_CONFIG " is not JSON");
    json_decref(json);
    return code;
}

int import_stated(struct import_stated *s, char **path, const struct checkpoint *c)
{
    const struct checkpoint_file *first = &c->files[0];
    const char *own = c->n_files == 1 && first->tensors
                          ? smol_safetensors_text(first->tensors, OWN_CONFIG)
                          : NULL;
    json_t *json = NULL;
    int code;

    *s = (struct import_stated){0};
    *path = NULL;
    if (first->gguf)
        return import_stated_gguf(s, first);
    if (own)
        return take_own(s, c, own);
    if ((code = checkpoint_look(path, c, CONFIG)) != 0 || !*path)
        return code;
    s->where = *path;
    code = json_file_load(&json, *path);
    if (!code)
        code = take_json(s, json);
    json_decref(json);
    return code;
}
