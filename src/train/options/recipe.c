/* Rules for some tensors: one from a word, several from a recipe, and their JSON, which recipes,
 * checkpoints, logs and cards share. docs/methods.md describes it. */
#include "base/error.h"
#include "train/trainer.h"

#include <stdlib.h>

static const char *const dist_words[] = {"sign", "gauss", NULL};
static const char *const norm_words[] = {"frozen", "alpha", "stored", NULL};
static const char *const number_words[] = {"f16", "f32", "q8", NULL};

/* The place of a text in a list that ends with NULL; -1 if it is not there. */
static int find(const char *text, const char *const *words)
{
    for (int i = 0; text && words[i]; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    return -1;
}

static bool set_pattern(struct smol_train_rule *rule, const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._*?";

    if (!text || *text == '\0' || strlen(text) >= sizeof rule->tensors ||
        strspn(text, allowed) != strlen(text))
        return false;
    strcpy(rule->tensors, text);
    return true;
}

static bool set_method(struct smol_train_rule *rule, const char *text)
{
    struct smol_train_options o;

    if (!text || strlen(text) >= sizeof rule->method || !smol_train_defaults(&o, text) || o.full)
        return false;
    strcpy(rule->method, text);
    rule->sets |= SMOL_RULE_METHOD;
    return true;
}

static bool set_count(uint32_t *count, const json_t *value)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > UINT32_MAX)
        return false;
    *count = (uint32_t)json_integer_value(value);
    return true;
}

/* One field of a rule; NULL, or what is wrong. */
static const char *set_field(struct smol_train_rule *rule, const char *key, const json_t *value)
{
    const char *text = json_string_value(value);
    int word;

    if (strcmp(key, "tensors") == 0)
        return set_pattern(rule, text)
                   ? NULL
                   : "tensors must be a name of up to 63 letters, digits, '.', '_', '*' and '?'";
    if (strcmp(key, "method") == 0)
        return set_method(rule, text) ? NULL : "method is none that a tensor can have";
    if (strcmp(key, "d") == 0) {
        rule->sets |= SMOL_RULE_D;
        return set_count(&rule->d, value) ? NULL : "d must be a whole number";
    }
    if (strcmp(key, "rank") == 0) {
        rule->sets |= SMOL_RULE_RANK;
        return set_count(&rule->rank, value) ? NULL : "rank must be a whole number";
    }
    if (strcmp(key, "dist") == 0) {
        word = find(text, dist_words);
        rule->dist = (enum smol_dist)word;
        rule->sets |= SMOL_RULE_DIST;
        return word >= 0 ? NULL : "dist must be sign or gauss";
    }
    if (strcmp(key, "norms") == 0) {
        word = find(text, norm_words);
        rule->norms = (enum smol_source)word;
        rule->sets |= SMOL_RULE_NORMS;
        return word >= 0 ? NULL : "norms must be frozen, alpha or stored";
    }
    if (strcmp(key, "numbers") == 0) {
        word = find(text, number_words);
        rule->numbers = (enum smol_params_numbers)word;
        rule->sets |= SMOL_RULE_NUMBERS;
        return word >= 0 ? NULL : "numbers must be f16, f32 or q8";
    }
    if (strcmp(key, "gains") == 0) {
        rule->gains = json_is_true(value);
        rule->sets |= SMOL_RULE_GAINS;
        return json_is_boolean(value) ? NULL : "gains must be true or false";
    }
    if (strcmp(key, "bias") == 0) {
        rule->bias = json_is_true(value);
        rule->sets |= SMOL_RULE_BIAS;
        return json_is_boolean(value) ? NULL : "bias must be true or false";
    }
    if (strcmp(key, "sparse") == 0) {
        rule->sparse = json_number_value(value);
        rule->sets |= SMOL_RULE_SPARSE;
        return json_is_number(value) ? NULL : "sparse must be a number";
    }
    return "it has a field that no rule has";
}

static const char *decode(struct smol_train_rule *rule, const json_t *json)
{
    const char *key, *wrong;
    json_t *value;

    *rule = (struct smol_train_rule){0};
    if (!json_is_object(json))
        return "it is not an object";
    json_object_foreach((json_t *)json, key, value)
    {
        wrong = set_field(rule, key, value);
        if (wrong)
            return wrong;
    }
    if (*rule->tensors == '\0')
        return "it names no tensors";
    return rule->sets != 0 ? NULL : "it sets nothing";
}

enum smol_status smol_rules_from_json(struct smol_train_options *options, const json_t *json,
                                      struct smol_error *error)
{
    struct smol_train_options o = *options;

    if (!json_is_array(json))
        return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET,
                         "a recipe is a list of rules: [{\"tensors\": ...}]");
    for (size_t i = 0; i < json_array_size(json); i++) {
        const char *wrong = o.n_rules < SMOL_MAX_RULES
                                ? decode(o.rules + o.n_rules, json_array_get(json, i))
                                : "there are more than 32";

        if (wrong)
            return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET, "rule %zu: %s", i + 1, wrong);
        o.n_rules++;
    }
    *options = o;
    return SMOL_OK;
}

static json_t *encode(const struct smol_train_rule *rule)
{
    json_t *json = json_pack("{s:s}", "tensors", rule->tensors);

    if ((rule->sets & SMOL_RULE_METHOD) != 0)
        json_object_set_new(json, "method", json_string(rule->method));
    if ((rule->sets & SMOL_RULE_D) != 0)
        json_object_set_new(json, "d", json_integer(rule->d));
    if ((rule->sets & SMOL_RULE_RANK) != 0)
        json_object_set_new(json, "rank", json_integer(rule->rank));
    if ((rule->sets & SMOL_RULE_DIST) != 0)
        json_object_set_new(json, "dist", json_string(dist_words[rule->dist]));
    if ((rule->sets & SMOL_RULE_NORMS) != 0)
        json_object_set_new(json, "norms", json_string(norm_words[rule->norms]));
    if ((rule->sets & SMOL_RULE_NUMBERS) != 0)
        json_object_set_new(json, "numbers", json_string(number_words[rule->numbers]));
    if ((rule->sets & SMOL_RULE_GAINS) != 0)
        json_object_set_new(json, "gains", json_boolean(rule->gains));
    if ((rule->sets & SMOL_RULE_BIAS) != 0)
        json_object_set_new(json, "bias", json_boolean(rule->bias));
    if ((rule->sets & SMOL_RULE_SPARSE) != 0)
        json_object_set_new(json, "sparse", json_real(rule->sparse));
    return json;
}

json_t *smol_rules_to_json(const struct smol_train_options *options)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < options->n_rules; i++)
        json_array_append_new(list, encode(options->rules + i));
    return list;
}

enum smol_status smol_train_recipe(struct smol_train_options *options, const char *text,
                                   size_t size_bytes, struct smol_error *error)
{
    json_error_t place;
    json_t *json = json_loadb(text, size_bytes, JSON_REJECT_DUPLICATES, &place);
    enum smol_status status;

    if (!json)
        return smol_fail(error, SMOL_E_TEXT, (uint64_t)place.position, "line %d: %s", place.line,
                         place.text);
    status = smol_rules_from_json(options, json, error);
    json_decref(json);
    return status;
}

/* N of "METHOD:N", as d or, of lora, as rank. */
static bool set_number(struct smol_train_rule *rule, const char *text)
{
    char *end;
    const unsigned long n = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || n > UINT32_MAX)
        return false;
    if (strcmp(rule->method, "lora") == 0) {
        rule->rank = (uint32_t)n;
        rule->sets |= SMOL_RULE_RANK;
    } else {
        rule->d = (uint32_t)n;
        rule->sets |= SMOL_RULE_D;
    }
    return strcmp(rule->method, "embed") != 0;
}

enum smol_status smol_train_rule(struct smol_train_options *options, const char *tensors,
                                 const char *method, struct smol_error *error)
{
    struct smol_train_rule rule = {0};
    const char *colon = strchr(method, ':');
    const size_t n = colon ? (size_t)(colon - method) : strlen(method);
    char name[sizeof rule.method] = "";

    if (n < sizeof name)
        memcpy(name, method, n);
    if (!set_pattern(&rule, tensors) || !set_method(&rule, name) ||
        (colon && !set_number(&rule, colon + 1)))
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "takes a method but full, or METHOD:N with its d or rank");
    if (options->n_rules == SMOL_MAX_RULES)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "there are more than 32 rules");
    options->rules[options->n_rules++] = rule;
    return SMOL_OK;
}
