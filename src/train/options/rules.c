/* See rules.h; and rules made of a word. */
#include "train/options/rules.h"
#include "train/options/fields.h"

#include "base/error.h"
#include "base/fpenv.h"

#include <stdlib.h>
#include <string.h>

#define FIELD(name, form, member)                                                                  \
    {                                                                                              \
        name, SMOL_FORM_##form, offsetof(struct smol_train_rule, member), 0, true                  \
    }

/* What a rule may set besides the method, in the order of enum smol_rule_field. */
static const struct smol_field fields[] = {
    FIELD("d", COUNT, d),
    FIELD("rank", COUNT, rank),
    FIELD("dist", DIST, dist),
    FIELD("norms", NORMS, norms),
    FIELD("numbers", PARAM_TYPE, param_type),
    FIELD("gains", FLAG, gains),
    FIELD("bias", FLAG, bias),
    FIELD("sparse", NUMBER, sparse),
    FIELD("matrix-type", MATRIX_TYPE, matrix_type),
};

#define N_FIELDS (sizeof fields / sizeof *fields)

static uint32_t bit_of(size_t field) { return (uint32_t)SMOL_RULE_D << field; }

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
    const struct smol_method *method = text ? smol_method_find(text) : NULL;

    if (method)
        strcpy(rule->method, method->name);
    rule->sets |= SMOL_RULE_METHOD;
    return method;
}

/* One field of a rule; NULL, or what it must be, "" if there is no such field. */
static const char *set_field(struct smol_train_rule *rule, const char *key, const json_t *value)
{
    const char *text = json_string_value(value);

    if (strcmp(key, "tensors") == 0)
        return set_pattern(rule, text)
                   ? NULL
                   : "a name of up to 63 letters, digits, '.', '_', '*' and '?'";
    if (strcmp(key, "method") == 0)
        return set_method(rule, text) ? NULL : "a method that a tensor can have";
    if (strcmp(key, "param-type") == 0)
        key = "numbers"; /* as files have always called it */
    for (size_t i = 0; i < N_FIELDS; i++)
        if (strcmp(key, fields[i].name) == 0) {
            rule->sets |= bit_of(i);
            return smol_field_decode(rule, fields + i, value) ? NULL : smol_field_wants(fields + i);
        }
    return "";
}

static enum smol_status decode(struct smol_train_rule *rule, const json_t *json, size_t number,
                               struct smol_error *error)
{
    const char *key, *wrong;
    json_t *value;

    *rule = (struct smol_train_rule){0};
    json_object_foreach((json_t *)json, key, value)
    {
        wrong = set_field(rule, key, value);
        if (wrong && *wrong != '\0')
            return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET, "rule %zu: %s must be %s", number,
                             key, wrong);
        if (wrong) /* whose key is not to be printed: it may be anything */
            return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET,
                             "rule %zu: it has an unknown field", number);
    }
    wrong = !json_is_object(json)    ? "it is not an object"
            : *rule->tensors == '\0' ? "it names no tensors"
            : rule->sets == 0        ? "it sets nothing"
                                     : NULL;
    return wrong ? smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET, "rule %zu: %s", number, wrong)
                 : SMOL_OK;
}

enum smol_status smol_rules_from_json(struct smol_train_options *options, const json_t *json,
                                      struct smol_error *error)
{
    struct smol_train_options o = *options;

    if (!json_is_array(json))
        return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET,
                         "a recipe is a list of rules: [{\"tensors\": ...}]");
    for (size_t i = 0; i < json_array_size(json); i++) {
        enum smol_status status;

        if (o.n_rules == SMOL_MAX_RULES)
            return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET, "rule %zu: there are more than 32",
                             i + 1);
        status = decode(o.rules + o.n_rules++, json_array_get(json, i), i + 1, error);
        if (status != SMOL_OK)
            return status;
    }
    *options = o;
    return SMOL_OK;
}

static json_t *encode(const struct smol_train_rule *rule)
{
    json_t *json = json_pack("{s:s}", "tensors", rule->tensors);

    if (rule->sets & SMOL_RULE_METHOD)
        json_object_set_new(json, "method", json_string(rule->method));
    for (size_t i = 0; i < N_FIELDS; i++)
        if (rule->sets & bit_of(i))
            json_object_set_new(json, fields[i].name, smol_field_encode(rule, fields + i));
    return json;
}

json_t *smol_rules_to_json(const struct smol_train_options *options)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < options->n_rules; i++)
        json_array_append_new(list, encode(options->rules + i));
    return list;
}

static enum smol_status add_rules(struct smol_train_options *options, const char *text,
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

enum smol_status smol_train_rules(struct smol_train_options *options, const char *text,
                                  size_t size_bytes, struct smol_error *error)
{
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    return smol_fpenv_end(&host, status ? status : add_rules(options, text, size_bytes, error));
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
    return smol_method_find(rule->method)->source != SMOL_MATRIX_UNIT ||
           (rule->sets & SMOL_RULE_RANK) != 0;
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
                         "takes a method, or METHOD:N with its d or rank");
    if (options->n_rules == SMOL_MAX_RULES)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "there are more than 32 rules");
    options->rules[options->n_rules++] = rule;
    return SMOL_OK;
}
