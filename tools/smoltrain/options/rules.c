/* Methods for some tensors: words and a recipe file to the rules of a training's options. */
#include "smoltrain/options/rules.h"
#include "cli/cli.h"
#include "cli/foreign.h"
#include "cli/guard.h"

/* One pattern's method. */
static int add(struct smol_train_options *options, const char *option, const char *tensors,
               const char *method)
{
    struct smol_error error;

    if (!method || smol_train_rule(options, tensors, method, &error) == SMOL_OK)
        return 0;
    return cli_usage_error(option, error.text);
}

static int add_recipe(struct smol_train_options *options, const char *path)
{
    struct smol_mapping mapping;
    struct smol_error error;
    enum smol_status status = cli_map(&mapping, path, &error);

    if (status == SMOL_OK) {
        struct smol_span text = mapping.bytes;
        status = foreign_start(&text, &error);
        if (status == SMOL_OK)
            status = smol_train_rules(options, (const char *)text.data, text.size_bytes, &error);
        cli_unmap(&mapping);
    }
    return status != SMOL_OK ? cli_complain(path, &error) : 0;
}

int train_rules_apply(struct smol_train_options *options, const struct train_rule_words *words)
{
    int code;

    if (!words->attn && !words->mlp && !words->recipe)
        return 0;
    options->n_rules = 0;
    if ((code = add(options, "--attn", "h.*.attn.*", words->attn)) != 0 ||
        (code = add(options, "--mlp", "h.*.mlp.*", words->mlp)) != 0)
        return code;
    return words->recipe ? add_recipe(options, words->recipe) : 0;
}
