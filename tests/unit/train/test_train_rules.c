/* Rules for tensors by name: what they say of which, their JSON, and what they may not say. */
#include "train/options/options.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static enum smol_status rules(struct smol_train_options *o, const char *text)
{
    return smol_train_rules(o, text, strlen(text), NULL);
}

static struct smol_config config_of(const struct smol_train_options *options)
{
    struct smol_train_options o = *options;
    struct smol_config c;
    struct smol_error error;

    smol_train_resolve(&o);
    cr_assert_eq(smol_train_config(&c, &o, &error), SMOL_OK, "%s", error.text);
    return c;
}

/* The last rule that fits decides, field by field; a method sets d and rank. */
Test(train_rules, rules_by_name)
{
    struct smol_train_options o;
    struct smol_config c;
    const struct smol_scheme *s;

    cr_assert(smol_train_defaults(&o, sizeof o, "lora"));
    cr_assert_eq(smol_train_rule(&o, "h.*.attn.*", "alpha:9", NULL), SMOL_OK);
    cr_assert_eq(
        rules(&o, "[{\"tensors\": \"h.?.mlp.c_fc.weight\", \"method\": \"fastfood\", \"d\": 77},"
                  "{\"tensors\": \"h.2.*\", \"rank\": 3, \"dist\": \"gauss\"},"
                  "{\"tensors\": \"ln_f\", \"norms\": \"alpha\", \"d\": 6},"
                  "{\"tensors\": \"h.3.ln_2\", \"norms\": \"stored\"}]"),
        SMOL_OK);
    cr_assert_eq(o.n_rules, 5);
    c = config_of(&o);
    s = smol_config_scheme(&c, 0, SMOL_ATTN_C_PROJ);
    cr_assert(s->source == SMOL_MATRIX_OWN && s->d == 9 && s->rank == 0 && s->dist == SMOL_SIGN);
    s = smol_config_scheme(&c, 2, SMOL_ATTN_C_ATTN);
    cr_assert(s->source == SMOL_MATRIX_OWN && s->d == 9 && s->rank == 3 && s->dist == SMOL_GAUSS);
    s = smol_config_scheme(&c, 1, SMOL_MLP_C_FC);
    cr_assert(s->source == SMOL_MATRIX_FASTFOOD && s->dimensions == 77 && s->rank == 0);
    s = smol_config_scheme(&c, 3, SMOL_MLP_C_PROJ);
    cr_assert(s->source == SMOL_MATRIX_UNIT && s->rank == 4);
    s = smol_config_scheme(&c, 0, SMOL_LN_F);
    cr_assert(s->source == SMOL_NORM_OWN && s->d == 6);
    cr_assert_eq(smol_config_scheme(&c, 3, SMOL_LN_2)->source, SMOL_NORM_STORED);
    cr_assert_eq(smol_config_scheme(&c, 3, SMOL_LN_1)->source, SMOL_NORM_FROZEN);
    cr_assert_eq(c.n_spans, 3, "layers 0 and 1 are alike");
    cr_assert_str_eq(smol_train_method(&o), "mixed");
}

/* By the definition: a star is nothing, or any character and a star. */
static bool fits(const char *pattern, const char *name)
{
    if (*pattern == '*')
        return fits(pattern + 1, name) || (*name != '\0' && fits(pattern, name + 1));
    if (*pattern == '\0' || *name == '\0')
        return *pattern == *name;
    return (*pattern == '?' || *pattern == *name) && fits(pattern + 1, name + 1);
}

static bool is_meant(const char *pattern, unsigned layer, enum smol_slot slot)
{
    char name[48];
    int n = snprintf(name, sizeof name, "h.%u.%s.weight", layer, smol_slot_name(slot));

    if (fits(pattern, name))
        return true;
    name[n - (int)strlen(".weight")] = '\0';
    return fits(pattern, name);
}

static void check_pattern(const char *pattern, unsigned *n_fitting)
{
    bool any = false;
    struct smol_train_options o;
    struct smol_config c;

    cr_assert(smol_train_defaults(&o, sizeof o, "alpha"));
    o.n_layers = 2;
    o.n_rules = 1;
    o.rules[0] = (struct smol_train_rule){.sets = SMOL_RULE_GAINS, .gains = true};
    strcpy(o.rules[0].tensors, pattern);
    for (unsigned i = 0; i < 2 * SMOL_N_SLOTS; i++)
        any = any || (smol_slot_is_matrix(i / 2) && is_meant(pattern, i % 2, i / 2));
    cr_assert_eq(smol_train_options_check(&o, NULL), any ? SMOL_OK : SMOL_E_ARGUMENT, "%s",
                 pattern);
    *n_fitting += any;
    if (!any)
        return;
    c = config_of(&o);
    for (unsigned i = 0; i < 2 * SMOL_N_SLOTS; i++)
        if (smol_slot_is_matrix(i / 2))
            cr_assert_eq(smol_scheme_has(smol_config_scheme(&c, i % 2, i / 2), SMOL_TERM_GAINS),
                         is_meant(pattern, i % 2, i / 2), "%s, layer %u, slot %u", pattern, i % 2,
                         i / 2);
}

/* Patterns are made of names: some characters become stars, question marks or what other programs
 * give a meaning, some parts are left out. Only * and ? mean something. */
Test(train_rules, patterns)
{
    static const char *const by_hand[] = {
        "*",       "**",   "?",          "[h]*",   "h.[01].*",
        "h.[!9]*", "\\h*", "h\\.*",      "*[",     "h.0.mlp.c_f[c]",
        "*c_*c*",  "*h",   "h.*.weight", "h.0.*?", "*.weight?"};
    static const char meta[] = "**??[]\\!-";
    uint64_t state = 1;
    unsigned n_fitting = 0;

    for (size_t i = 0; i < sizeof by_hand / sizeof *by_hand; i++)
        check_pattern(by_hand[i], &n_fitting);
    for (unsigned round = 0; round < 4000; round++) {
        char name[48], pattern[sizeof name];
        size_t n = 0;

        snprintf(name, sizeof name, "h.%u.%s.weight", round % 2, smol_slot_name(round / 2 % 6));
        for (size_t i = 0; name[i] != '\0'; i++) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            const unsigned draw = (unsigned)(state >> 33) % 100, which = (unsigned)(state >> 50);
            if (draw < 8)
                pattern[n++] = meta[which % (sizeof meta - 1)];
            else if (draw >= 20 || n == 0 || pattern[n - 1] != '*')
                pattern[n++] = name[i];
        }
        pattern[n] = '\0';
        check_pattern(pattern, &n_fitting);
    }
    cr_assert(n_fitting > 200 && n_fitting < 3800, "%u fit", n_fitting);
}

Test(train_rules, rules_survive_json)
{
    struct smol_train_options a, b;
    json_t *json;

    cr_assert(smol_train_defaults(&a, sizeof a, "alpha"));
    cr_assert_eq(rules(&a, "[{\"tensors\": \"*\", \"method\": \"lora\", \"d\": 2, \"rank\": 7, "
                           "\"dist\": \"gauss\", "
                           "\"norms\": \"stored\"}]"),
                 SMOL_OK);
    json = smol_options_to_json(&a);
    cr_assert_eq(smol_options_from_json(&b, json, NULL), SMOL_OK);
    json_decref(json);
    cr_assert_null(smol_options_difference(&a, &b));
    cr_assert(b.n_rules == 1 && b.rules[0].rank == 7 && b.rules[0].norms == SMOL_NORM_STORED);
    b.rules[0].rank = 8;
    cr_assert_str_eq(smol_options_difference(&a, &b), "rules");
    b.n_rules = 0;
    cr_assert_str_eq(smol_options_difference(&a, &b), "rules");
}

/* Files go on calling the type of parameters "numbers", its old name, and leave f16 out. */
Test(train_rules, param_types)
{
    static const char *const keys[] = {"numbers", "param-type"};
    struct smol_train_options a, b;

    for (size_t i = 0; i < 2; i++) {
        char text[100];
        json_t *json;

        cr_assert(smol_train_defaults(&a, sizeof a, "lora"));
        cr_assert_eq(a.param_type, SMOL_F16);
        json = smol_options_to_json(&a);
        cr_assert_null(json_object_get(json, "numbers"));
        cr_assert_eq(smol_options_from_json(&b, json, NULL), SMOL_OK);
        cr_assert_eq(b.param_type, SMOL_F16);
        json_decref(json);
        a.param_type = SMOL_F32;
        snprintf(text, sizeof text, "[{\"tensors\": \"h.0.mlp.*\", \"%s\": \"q8\"}]", keys[i]);
        cr_assert_eq(rules(&a, text), SMOL_OK, "%s", text);
        cr_assert_eq(a.rules[0].sets, SMOL_RULE_PARAM_TYPE);
        json = smol_options_to_json(&a);
        cr_assert_str_eq(json_string_value(json_object_get(json, "numbers")), "f32");
        cr_assert_str_eq(json_string_value(json_object_get(
                             json_array_get(json_object_get(json, "rules"), 0), "numbers")),
                         "q8");
        cr_assert_eq(smol_options_from_json(&b, json, NULL), SMOL_OK);
        cr_assert_null(smol_options_difference(&a, &b));
        json_decref(json);
        cr_assert(b.param_type == SMOL_F32 && b.rules[0].param_type == SMOL_Q8_BLOCKS);
        b.rules[0].param_type = SMOL_F16;
        cr_assert_str_eq(smol_options_difference(&a, &b), "rules");
    }
    for (enum smol_dtype type = SMOL_F32; type <= 5; type++) {
        cr_assert(smol_train_defaults(&a, sizeof a, "lora"));
        a.param_type = type;
        cr_assert_eq(smol_train_options_check(&a, NULL),
                     type == SMOL_F32 || type == SMOL_F16 || type == SMOL_Q8_BLOCKS
                         ? SMOL_OK
                         : SMOL_E_ARGUMENT);
    }
}

Test(train_rules, malformed_rules)
{
    static const char *const bad[] = {
        "",
        "[",
        "{}",
        "[1]",
        "[{}]",
        "[{\"tensors\": \"*\"}]",
        "[{\"method\": \"alpha\"}]",
        "[{\"tensors\": \"\", \"d\": 1}]",
        "[{\"tensors\": \"a b\", \"d\": 1}]",
        "[{\"tensors\": 3, \"d\": 1}]",
        ("[{\"tensors\": \"0123456789012345678901234567890123456789012345678901234567890123\", "
         "\"d\": 1}]"),
        "[{\"tensors\": \"*\", \"matrix-type\": \"q6\"}]",
        "[{\"tensors\": \"*\", \"method\": \"other\"}]",
        "[{\"tensors\": \"*\", \"method\": \"a method of a name that is too long\"}]",
        "[{\"tensors\": \"*\", \"d\": -1}]",
        "[{\"tensors\": \"*\", \"d\": 1.5}]",
        "[{\"tensors\": \"*\", \"d\": 4294967296}]",
        "[{\"tensors\": \"*\", \"rank\": \"4\"}]",
        "[{\"tensors\": \"*\", \"dist\": \"flat\"}]",
        "[{\"tensors\": \"*\", \"norms\": 1}]",
        "[{\"tensors\": \"*\", \"numbers\": \"q4\"}]",
        "[{\"tensors\": \"*\", \"param-type\": \"f64\"}]",
        "[{\"tensors\": \"*\", \"colour\": 1}]",
        "[{\"tensors\": \"*\", \"d\": 1, \"d\": 2}]",
        "[{\"tensors\": \"*\", \"d\": 1}] x"};
    static const char *const words[] = {
        "",         ":",       "alpha:", "alpha:x",          "alpha:-1",
        "alpha:1x", "embed:3", "full:x", "alpha:4294967296", "ALPHA"};
    struct smol_train_options o;

    cr_assert(smol_train_defaults(&o, sizeof o, "alpha"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(rules(&o, bad[i]), SMOL_E_TEXT, "%s", bad[i]);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        cr_assert_eq(smol_train_rule(&o, "*", words[i], NULL), SMOL_E_ARGUMENT, "%s", words[i]);
    cr_assert_eq(o.n_rules, 0);
    for (unsigned i = 0; i < SMOL_MAX_RULES; i++)
        cr_assert_eq(smol_train_rule(&o, "h.*", "alpha", NULL), SMOL_OK);
    cr_assert_eq(smol_train_rule(&o, "h.*", "alpha", NULL), SMOL_E_ARGUMENT);
    cr_assert_eq(rules(&o, "[{\"tensors\": \"*\", \"d\": 1}]"), SMOL_E_TEXT);
}

/* What is well formed and yet no model. */
Test(train_rules, rules_that_contradict)
{
    static const char *const bad[] = {
        "[{\"tensors\": \"h.4.*\", \"d\": 3}]",
        "[{\"tensors\": \"h.*.ln_1\", \"method\": \"alpha\"}]",
        "[{\"tensors\": \"h.0.mlp.*\", \"norms\": \"alpha\"}]",
        "[{\"tensors\": \"*\", \"d\": 65}]",
        "[{\"tensors\": \"*\", \"d\": 0}]",
        "[{\"tensors\": \"*\", \"rank\": 4097}]",
        "[{\"tensors\": \"ln_f\", \"norms\": \"alpha\", \"d\": 65}]",
        "[{\"tensors\": \"*\", \"method\": \"fastfood\", \"d\": 1048577}]",
        ("[{\"tensors\": \"*.attn.*\", \"method\": \"alpha-global\"}, {\"tensors\": \"*.mlp.*\", "
         "\"method\": \"alpha-global\", \"d\": 6}]")};
    struct smol_error error;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct smol_train_options o;

        cr_assert(smol_train_defaults(&o, sizeof o, "alpha"));
        cr_assert_eq(rules(&o, bad[i]), SMOL_OK, "%s", bad[i]);
        cr_assert_neq(smol_train_options_check(&o, &error), SMOL_OK, "%s", bad[i]);
    }
}

/* A file has at most 32 schemes. */
Test(train_rules, too_many_kinds)
{
    /* One for norms and three for the matrices without a rule, whose default scales differ. */
    for (uint32_t n = 28; n <= 29; n++) {
        struct smol_train_options o;

        cr_assert(smol_train_defaults(&o, sizeof o, "embed"));
        o.n_layers = 40;
        for (uint32_t i = 0; i < n; i++) {
            struct smol_train_rule *rule = o.rules + o.n_rules++;

            *rule = (struct smol_train_rule){
                .sets = SMOL_RULE_METHOD | SMOL_RULE_D, .method = "alpha", .d = i + 1};
            snprintf(rule->tensors, sizeof rule->tensors, "h.%u.attn.c_attn", (unsigned)i);
        }
        cr_assert_eq(smol_train_options_check(&o, NULL), n == 28 ? SMOL_OK : SMOL_E_ARGUMENT);
    }
}
