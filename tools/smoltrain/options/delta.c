/* See delta.h. */
#include "smoltrain/options/delta.h"
#include "cli/cli.h"
#include "smoltrain/bases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What the models have already; what a plan chooses, or only a model by itself has. */
static const char *const of_bases[] = {"arch",   "features",  "without",  "history",
                                       "layers", "width",     "heads",    "ff",
                                       "vocab",  "vocab-min", "tokenizer"};
static const char *const of_others[] = {"size", "minutes", "plan", "embedding-std", "logit-scale"};
static const char *const of_deltas[] = {"mix", "embedding-rows"};

static int refuse(const char *const *names, size_t n, const char *why)
{
    for (size_t i = 0; i < n; i++)
        if (train_line_gives(names[i])) {
            char option[32] = "--";

            strncat(option, names[i], sizeof option - 3);
            return cli_usage_error(option, why);
        }
    return 0;
}

/* FILE or FILE=FACTOR; a file may have a = in its name. */
static int add_base(struct train_args *args, char *word)
{
    char *cut = strrchr(word, '='), *end = NULL;
    double factor = (double)NAN;

    if (args->n_bases == SMOL_MAX_MODELS)
        return cli_usage_error("--bases", "takes at most 8 models");
    if (*word == '\0')
        return cli_usage_error("--bases",
                               "takes models, as a.smol,b.smol or a.smol=0.7,b.smol=0.3");
    if (cut && cut != word && cut[1] != '\0')
        factor = strtod(cut + 1, &end);
    if (end && *end == '\0' && isfinite(factor))
        *cut = '\0';
    else
        factor = (double)NAN;
    args->factors[args->n_bases] = (float)factor;
    args->bases[args->n_bases++] = word;
    return 0;
}

/* "a.smol,b.smol=0.4". A copy is cut, once: the line is there for several runs, and the words live
 * as long as the program. */
static int add_list(struct train_args *args, const char *list)
{
    static struct train_args found;
    static char *words;
    int code = 0;

    if (!words) {
        words = cli_text("%s", list);
        if (!words)
            return cli_no_memory(NULL);
        for (char *word = words, *next; word && code == 0; word = next) {
            next = strchr(word, ',');
            if (next)
                *next++ = '\0';
            code = add_base(&found, word);
        }
    }
    memcpy(args->bases, found.bases, sizeof found.bases);
    memcpy(args->factors, found.factors, sizeof found.factors);
    args->n_bases = found.n_bases;
    return code;
}

int train_delta_find(struct train_args *args, const struct train_line *line)
{
    int code;

    args->n_bases = 0;
    if (line->base && line->bases)
        return cli_usage_error("--base", "contradicts --bases");
    if (!line->base && !line->bases)
        return refuse(of_deltas, sizeof of_deltas / sizeof *of_deltas, "needs --base or --bases");
    if ((code = refuse(of_bases, sizeof of_bases / sizeof *of_bases,
                       "is not for --base, which has its own")) != 0 ||
        (code = refuse(of_others, sizeof of_others / sizeof *of_others, "is not for --base")) != 0)
        return code;
    if (args->output && cli_ends_with(args->output, ".safetensors"))
        return cli_usage_error("--output", "must be a .smol with --base");
    if (line->base) {
        args->bases[0] = line->base;
        args->factors[0] = 1;
        args->n_bases = 1;
    } else if ((code = add_list(args, line->bases)) != 0) {
        return code;
    }
    args->tokenizer = args->bases[0];
    return 0;
}

const char *train_delta_method(const struct train_args *args)
{
    return args->n_bases > 1 ? "embed" : "lora";
}

int train_delta_use(struct smol_train_options *o, const struct train_args *args)
{
    struct train_bases bases;
    struct smol_error error;
    int code = train_bases_open(&bases, args);

    if (code != 0)
        return code;
    if (smol_train_on(o, bases.parts, bases.n, &error) != SMOL_OK)
        code = cli_complain(args->n_bases > 1 ? "--bases" : args->bases[0], &error);
    train_bases_close(&bases);
    o->n_steps = 1000;
    o->param_type = SMOL_Q8_BLOCKS;
    return code;
}

int train_delta_check(const struct smol_train_options *saved, const struct train_args *args)
{
    struct train_bases bases;
    int code;

    if (saved->n_models == 0)
        return args->n_bases > 0 ? cli_usage_error("--base", "is not for this training") : 0;
    if (args->n_bases == 0)
        return cli_usage_error("--base", "is needed: the training changes a model");
    if ((code = train_bases_open(&bases, args)) != 0)
        return code;
    if (bases.n != saved->n_models || smol_train_models(bases.parts, bases.n) != saved->models)
        code = cli_fail(args->bases[0], args->n_bases > 1
                                            ? "and the others are not the bases of the checkpoint"
                                            : "is not the base of the checkpoint");
    train_bases_close(&bases);
    return code;
}

static int apply_mix(struct smol_train_options *o, const char *word)
{
    static const char *const names[] = {
        [SMOL_MIX_NONE] = "none", [SMOL_MIX_FILE] = "file", [SMOL_MIX_MATRIX] = "matrix"};

    for (unsigned i = 0; word && i < sizeof names / sizeof *names; i++)
        if (strcmp(word, names[i]) == 0) {
            o->mix = (enum smol_mix)i;
            return 0;
        }
    return word ? cli_usage_error("--mix", "takes matrix, file or none") : 0;
}

static int apply_rows(struct smol_train_options *o, const char *word)
{
    uint64_t n = SMOL_ALL_ROWS;

    if (word && strcmp(word, "all") != 0 && (!cli_parse_u64(&n, word) || n > SMOL_MAX_VOCAB))
        return cli_usage_error("--embedding-rows", "takes a number of tokens, or all");
    if (word)
        o->embedding_rows = (uint32_t)n;
    return 0;
}

/* What a sweep measures its runs by: the base as it is, and all of it trained. */
static void apply_run(struct smol_train_options *o, const struct train_line *line,
                      const struct train_sweep_run *run)
{
    if (strcmp(run->method, "embed") == 0) {
        o->n_steps = 0;
        o->embedding_rows = 0;
    } else if (o->full) {
        o->embedding_rows = SMOL_ALL_ROWS;
        o->norms = line->norms ? o->norms : SMOL_NORM_STORED;
    }
}

int train_delta_apply(struct train_args *args, const struct train_line *line,
                      const struct train_sweep_run *run)
{
    struct smol_train_options *o = &args->options;
    int code;

    if (args->n_bases == 0)
        return 0;
    if ((code = apply_mix(o, line->mix)) != 0 || (code = apply_rows(o, line->embedding_rows)) != 0)
        return code;
    if (run)
        apply_run(o, line, run);
    return 0;
}
