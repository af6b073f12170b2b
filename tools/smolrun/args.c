/* smolrun's command line: llama.cpp's names and defaults where it has them. */
#include "cli/session_args.h"
#include "smolrun/smolrun.h"

#include <limits.h>
#include <sodium.h>
#include <string.h>

#define RUN_FLOAT(name, place, text, value)                                                        \
    {                                                                                              \
        name, 0, POPT_ARG_FLOAT, place, 0, text, value                                             \
    }

#define NO_STRIDE LONG_MIN /* not given */

/* Options that are checked after popt has read them, and those that need no check. */
struct words {
    struct run_args args;
    run_with *run;
    struct session_words session;
    char *model, *seed, *check, *texts;
    int context, threads, top_k;
    long stride, predict, repeat_last_n;
};

int run_model_name(const char **model, const char *option, const char *argument)
{
    if (option && argument)
        return cli_usage_error("-m, MODEL.smol", "exclude each other");
    *model = option ? option : argument;
    return *model ? 0 : cli_usage_error("MODEL.smol", "is missing");
}

static int check_words(struct run_args *a, const struct words *w)
{
    uint64_t n_texts = 0;

    if (w->predict < -1)
        return cli_usage_error("-n", "takes -1, 0 or more");
    if (w->texts && (!cli_parse_u64(&n_texts, w->texts) || !n_texts || n_texts > RUN_MAX_TEXTS))
        return cli_usage_error("-np", "takes 1 to 1000000");
    if (w->texts && (a->interactive || a->perplexity_file))
        return cli_usage_error(a->interactive ? "-i, -np" : "--perplexity, -np",
                               "exclude each other");
    if (w->threads > (int)SMOL_MAX_THREADS)
        return cli_usage_error("--threads", "takes 0 (one for each core) to 256");
    if ((a->prompt != NULL) + (a->prompt_file != NULL) + (a->perplexity_file != NULL) > 1)
        return cli_usage_error("-p, -f, --perplexity", "exclude each other");
    if (a->interactive && a->perplexity_file)
        return cli_usage_error("-i, --perplexity", "exclude each other");
    if (w->stride != NO_STRIDE && (w->stride < 1 || w->stride > UINT32_MAX))
        return cli_usage_error("--stride", "takes 1 or more");
    if (w->stride != NO_STRIDE && !a->perplexity_file)
        return cli_usage_error("--stride", "needs --perplexity");
    a->n_predict = (int)w->predict;
    a->sampler.repeat_last_n = (int32_t)w->repeat_last_n;
    a->session.context = (uint32_t)w->context;
    /* More threads than processors only wait for each other. */
    a->session.n_threads =
        w->threads && (uint32_t)w->threads < cli_cores() ? (uint32_t)w->threads : cli_cores();
    a->sampler.top_k = (uint32_t)w->top_k;
    if (w->stride != NO_STRIDE)
        a->stride = (uint32_t)w->stride;
    a->n_texts = (uint32_t)n_texts;
    if (!w->seed || strcmp(w->seed, "-1") == 0)
        randombytes_buf(&a->sampler.seed, 4);
    else if (!cli_parse_u64(&a->sampler.seed, w->seed))
        return cli_usage_error("--seed", "takes -1 (random) or 0..2^64-1");
    return 0;
}

/* The fast check leaves out what only the hash can tell, and with it whose file it is. */
static int check_check(struct run_args *a, const char *check)
{
    if (check && strcmp(check, "full") != 0 && strcmp(check, "fast") != 0)
        return cli_usage_error("--check", "takes full or fast");
    a->check_fast = check && strcmp(check, "fast") == 0;
    if (a->check_fast && (a->trust || a->trusted))
        return cli_usage_error(a->trust ? "--trust" : "--trusted", "needs --check full");
    if (a->trust && a->trusted)
        return cli_usage_error("--trust, --trusted", "exclude each other");
    return 0;
}

static int check_sampler(const struct run_args *a)
{
    struct smol_error error;
    size_t size;

    if (smol_sampler_size(&size, 1, &a->sampler, &error) == SMOL_OK)
        return 0;
    return cli_usage_error("sampling", error.text);
}

static int check_all(void *context, const char *const *arguments)
{
    struct words *w = context;
    struct run_args *a = &w->args;
    int code;

    if ((code = run_model_name(&a->model, w->model, arguments[0])) || (code = check_words(a, w)) ||
        (code = session_args_check(&a->session, &w->session)) ||
        (code = check_check(a, w->check)) || (code = check_sampler(a)))
        return code;
    a->session.is_fixed = a->session.is_fixed || a->stride;
    return w->run(a);
}

int run_args_read(int argc, const char **argv, run_with *run)
{
    struct words w = {.predict = -1, .stride = NO_STRIDE, .run = run};
    struct run_args *a = &w.args;
    struct poptOption session[SESSION_OPTIONS], parts[PARTS_OPTIONS];
    const struct poptOption options[] = {
        CLI_WORD("model", 'm', &w.model, "the same as MODEL.smol", "FILE"),
        CLI_WORD("prompt", 'p', &a->prompt, "the text to continue", "TEXT"),
        CLI_WORD("file", 'f', &a->prompt_file, "a file with the text to continue", "FILE"),
        CLI_FLAG("interactive", 'i', &a->interactive, "continue after each line typed or piped in"),
        CLI_WHOLE("predict", 'n', &w.predict, "tokens; -1 (default): until the context is full",
                  "N"),
        {"n-predict", 0, POPT_ARG_LONG | POPT_ARGFLAG_DOC_HIDDEN, &w.predict, 0, NULL, NULL},
        CLI_WORD("parallel", 0, &w.texts, "-np N: N texts, with seeds from -s on (1)", "N"),
        {"np", 0, POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN | POPT_ARGFLAG_ONEDASH, &w.texts, 0,
         NULL, NULL},
        CLI_COUNT("ctx-size", 'c', &w.context, "tokens held at once; 0 (default): model's limit",
                  "N"),
        CLI_FLAG("ignore-eos", 0, &a->ignore_eos, "continue after the end-of-text token"),
        CLI_COUNT("threads", 't', &w.threads, "threads, at most and (0, default) one per core",
                  "N"),
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, parts, 0, NULL, NULL},
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, session, 0, "How it is computed:", NULL},
        CLI_WORD("check", 0, &w.check, "full (default): hash, signature too; fast: damage", "WHAT"),
        CLI_WORD("seed", 's', &w.seed, "seed of the sampler; -1 (default): random", "N"),
        RUN_FLOAT("temp", &a->sampler.temperature, "temperature, 0: greedy (0.8)", "X"),
        CLI_COUNT("top-k", 0, &w.top_k, "sample among the best K, 0: off (40)", "K"),
        CLI_REAL("top-p", 0, &a->sampler.top_p, "sample among the best, of P in all, 1: off (0.95)",
                 "P"),
        RUN_FLOAT("min-p", &a->sampler.min_p, "drop under P times the best, 0: off (0.05)", "P"),
        RUN_FLOAT("repeat-penalty", &a->sampler.repeat_penalty,
                  "divides the logits of recent tokens, 1: off (1)", "X"),
        CLI_WHOLE("repeat-last-n", 0, &w.repeat_last_n, "how many tokens are recent, -1: all (64)",
                  "N"),
        CLI_FLAG("no-display-prompt", 0, &a->no_display_prompt, "do not print the prompt"),
        CLI_FLAG("json", 0, &a->json, "print one JSON object instead of text"),
        CLI_WORD("perplexity", 0, &a->perplexity_file, "measure how well the model predicts FILE",
                 "FILE"),
        CLI_WHOLE("stride", 0, &w.stride, "... in windows that overlap, each N tokens on", "N"),
        CLI_FLAG("bench", 0, NULL, "measure tokens a second; see --bench --help"),
        CLI_WORD("trust", 0, &a->trust, "demand a signature by this minisign public key", "KEY"),
        CLI_FLAG("trusted", 0, &a->trusted, "demand one by a key in ~/.config/smol/trusted"),
        CLI_VERSION_OPTION,
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };
    static const struct cli_usage usage = {
        "[OPTION...] MODEL.smol: continues -p, -f or standard input", "[MODEL.smol]"};

    smol_sampler_defaults(&a->sampler, sizeof a->sampler);
    w.top_k = (int)a->sampler.top_k;
    w.repeat_last_n = a->sampler.repeat_last_n;
    session_args_table(session, &w.session);
    parts_table(parts, &a->parts);
    return cli_command(argc, argv, options, &usage, check_all, &w);
}
