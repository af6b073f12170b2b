/* The features of an architecture, as words of the line. */
#include "cli/cli.h"

#include <string.h>

/* "a,b" to bits. 0, or CLI_USAGE after a message. */
static int parse(uint16_t *features, const char *option, const char *list)
{
    uint16_t bits = 0;

    for (size_t length = 0; list; list = list[length] ? list + length + 1 : NULL) {
        enum smol_feature feature;
        char name[24] = "";

        length = strcspn(list, ",");
        if (length < sizeof name)
            memcpy(name, list, length);
        if (!smol_feature_parse(&feature, name))
            return cli_usage_error(option, "takes names of features: distances,relu2");
        bits |= (uint16_t)feature;
    }
    *features = bits;
    return 0;
}

int cli_features(uint16_t *features, enum smol_architecture architecture,
                 const struct cli_feature_words *w)
{
    uint16_t bits = *features, without = 0;
    int code;

    if ((w->features || w->without || w->history) && architecture != SMOL_ARCH_SMOL)
        return cli_usage_error(w->features  ? "--features"
                               : w->without ? "--without"
                                            : "--history",
                               "is for --arch smol; gpt2 has no features");
    if (w->features && (code = parse(&bits, "--features", w->features)) != 0)
        return code;
    if (w->without && (code = parse(&without, "--without", w->without)) != 0)
        return code;
    if (w->history)
        bits |= SMOL_FEATURE_HISTORY;
    *features = (uint16_t)(bits & ~without);
    return 0;
}

int cli_architecture(enum smol_architecture *architecture, const char *word)
{
    if (!word || (smol_architecture_parse(architecture, word) && *architecture != SMOL_ARCH_DELTA))
        return 0;
    return cli_usage_error("--arch", "takes smol or gpt2");
}
