/* What adapter_config.json says: alphas, and that there is nothing but low-rank factors. */
#include "cli/cli.h"
#include "smoltool/import/adapter.h"
#include "smoltool/import/json_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CONFIG "adapter_config.json"

bool adapter_is_there(const char *folder)
{
    char *path = cli_text("%s/" CONFIG, folder);
    struct stat about;
    const bool is_there = path && stat(path, &about) == 0;

    free(path);
    return is_there;
}

/* A member that changes nothing: none, null, false, empty. */
static bool is_nothing(const json_t *value)
{
    return !value || json_is_null(value) || json_is_false(value) ||
           ((json_is_array(value) || json_is_object(value)) && json_array_size(value) == 0 &&
            json_object_size(value) == 0);
}

/* What would make more of the adapter than its factors, or other products of them. */
static int check_members(const struct adapter_config *c)
{
    static const char *const members[] = {"use_dora",          "lora_bias",
                                          "use_qalora",        "layer_replication",
                                          "modules_to_save",   "trainable_token_indices",
                                          "target_parameters", "alora_invocation_tokens",
                                          "arrow_config"};
    const char *type = json_string_value(json_object_get(c->json, "peft_type"));
    const json_t *bias = json_object_get(c->json, "bias");

    if (!type || strcmp(type, "LORA") != 0)
        return cli_fail(c->path, "peft_type is '%.64s', not LORA", type ? type : "?");
    if (!is_nothing(bias) &&
        (!json_is_string(bias) || strcmp(json_string_value(bias), "none") != 0))
        return cli_fail(c->path,
                        "bias is not none; a delta could hold biases, but not these, which "
                        "are not differences");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (!is_nothing(json_object_get(c->json, members[i])))
            return cli_fail(c->path, "has %s, which a delta cannot express", members[i]);
    return 0;
}

/* PEFT takes the keys of alpha_pattern for regular expressions. */
static bool is_plain(const char *key) { return key[strcspn(key, "\\^$*+?()[]{}|")] == '\0'; }

static int take_alphas(struct adapter_config *c)
{
    const json_t *alpha = json_object_get(c->json, "lora_alpha");
    json_t *alphas = json_object_get(c->json, "alpha_pattern"), *value;
    const char *key;

    if (!json_is_number(alpha))
        return cli_fail(c->path, "lora_alpha is not a number");
    c->alpha = json_number_value(alpha);
    c->is_by_root = json_is_true(json_object_get(c->json, "use_rslora"));
    c->alphas = is_nothing(alphas) ? NULL : alphas;
    json_object_foreach(alphas, key, value) if (
        !is_plain(key) ||
        !json_is_number(
            value)) return cli_fail(c->path,
                                    "alpha_pattern: %.64s is no module's name with a number", key);
    return 0;
}

int adapter_config_open(struct adapter_config *c, const char *folder)
{
    int code;

    *c = (struct adapter_config){.path = cli_text("%s/" CONFIG, folder)};
    if (!c->path)
        return cli_no_memory(NULL);
    code = json_file_load(&c->json, c->path);
    if (code == 0 && !json_is_object(c->json))
        code = cli_fail(c->path, "is no JSON object");
    code = code ? code : check_members(c);
    return code ? code : take_alphas(c);
}

void adapter_config_close(struct adapter_config *c)
{
    json_decref(c->json);
    free(c->path);
}

/* Whether a module's whole name ends with a key, at a dot. */
static bool names(const char *key, const char *module)
{
    char *whole = cli_text(".transformer.%s", module);
    const size_t n = strlen(key), length = whole ? strlen(whole) : 0;
    const bool matches =
        whole && n < length && whole[length - n - 1] == '.' && strcmp(whole + length - n, key) == 0;

    free(whole);
    return matches;
}

double adapter_scale(const struct adapter_config *c, const char *module, uint32_t rank)
{
    double alpha = c->alpha;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)c->alphas, key, value) if (names(key, module))
    {
        alpha = json_number_value(value);
        break;
    }
    return alpha / (c->is_by_root ? sqrt((double)rank) : (double)rank);
}
