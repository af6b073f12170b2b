/* smolrun's command line: llama.cpp's names and defaults where it has them. */
#include "cli/session_args.h"
#include "smolrun/smolrun.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options that are checked after popt has read them. */
struct words {
    struct session_words session;
    char *seed, *check;
    int context, threads, top_k;
};

static int check_words(struct run_args *a, const struct words *w)
{
    if (a->n_predict < -1)
        return cli_usage_error("-n", "takes -1, 0 or more");
    if (w->context < 0)
        return cli_usage_error("--ctx-size", "takes 0 (the model's) or more");
    if (w->threads < 0 || w->threads > (int)SMOL_MAX_THREADS)
        return cli_usage_error("--threads", "takes 0 (one for each core) to 256");
    if (w->top_k < 0)
        return cli_usage_error("--top-k", "takes 0 (off) or more");
    if ((a->prompt != NULL) + (a->prompt_file != NULL) + (a->perplexity_file != NULL) > 1)
        return cli_usage_error("-p, -f, --perplexity", "exclude each other");
    if (a->interactive && a->perplexity_file)
        return cli_usage_error("-i, --perplexity", "exclude each other");
    a->session.context = (uint32_t)w->context;
    /* More threads than processors only wait for each other. */
    a->session.n_threads =
        w->threads && (uint32_t)w->threads < cli_cores() ? (uint32_t)w->threads : cli_cores();
    a->sampler.top_k = (uint32_t)w->top_k;
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

static int parse(struct run_args *a, struct words *w, int argc, const char **argv)
{
    struct poptOption session[SESSION_OPTIONS];
    const struct poptOption options[] = {
        {"prompt", 'p', POPT_ARG_STRING, &a->prompt, 0, "the text to continue", "TEXT"},
        {"file", 'f', POPT_ARG_STRING, &a->prompt_file, 0, "a file with the text to continue",
         "FILE"},
        {"interactive", 'i', POPT_ARG_NONE, &a->interactive, 0,
         "go on after each line that is typed or piped in", NULL},
        {"predict", 'n', POPT_ARG_INT, &a->n_predict, 0,
         "tokens to generate; -1: until the context is full", "N"},
        {"n-predict", 0, POPT_ARG_INT | POPT_ARGFLAG_DOC_HIDDEN, &a->n_predict, 0, NULL, NULL},
        {"ctx-size", 'c', POPT_ARG_INT, &w->context, 0,
         "tokens held at once; 0: as many as the model can", "N"},
        {"ignore-eos", 0, POPT_ARG_NONE, &a->ignore_eos, 0, "go on after the end-of-text token",
         NULL},
        {"threads", 't', POPT_ARG_INT, &w->threads, 0,
         "threads, at most one for each core; 0: as many", "N"},
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, session, 0, "How it is computed:", NULL},
        {"check", 0, POPT_ARG_STRING, &w->check, 0,
         "full (default): damage, hash, signature; fast: damage", "WHAT"},
        {"seed", 's', POPT_ARG_STRING, &w->seed, 0, "seed of the sampling; -1: random", "N"},
        {"temp", 0, POPT_ARG_FLOAT, &a->sampler.temperature, 0, "temperature, 0: greedy (0.8)",
         "X"},
        {"top-k", 0, POPT_ARG_INT, &w->top_k, 0, "sample among the best K, 0: off (40)", "K"},
        {"top-p", 0, POPT_ARG_DOUBLE, &a->sampler.top_p, 0,
         "sample among the best that make up P, 1: off (0.95)", "P"},
        {"min-p", 0, POPT_ARG_FLOAT, &a->sampler.min_p, 0,
         "drop what is under P times the best, 0: off (0.05)", "P"},
        {"repeat-penalty", 0, POPT_ARG_FLOAT, &a->sampler.repeat_penalty, 0,
         "divides the logits of recent tokens, 1: off (1)", "X"},
        {"repeat-last-n", 0, POPT_ARG_INT, &a->sampler.repeat_last_n, 0,
         "how many tokens are recent, -1: all (64)", "N"},
        {"no-display-prompt", 0, POPT_ARG_NONE, &a->no_display_prompt, 0, "do not print the prompt",
         NULL},
        {"json", 0, POPT_ARG_NONE, &a->json, 0, "print one JSON object instead of text", NULL},
        {"perplexity", 0, POPT_ARG_STRING, &a->perplexity_file, 0,
         "measure how well the model predicts FILE", "FILE"},
        {"bench", 0, POPT_ARG_NONE, NULL, 0, "measure tokens a second; see --bench --help", NULL},
        {"trust", 0, POPT_ARG_STRING, &a->trust, 0,
         "demand a signature by this minisign public key", "KEY"},
        {"trusted", 0, POPT_ARG_NONE, &a->trusted, 0, "demand one by a key of the trust folder",
         NULL},
        CLI_VERSION_OPTION,
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };
    poptContext context;
    int code;

    session_args_table(session, &w->session);
    context = poptGetContext("smolrun", argc, argv, options, 0);
    poptSetOtherOptionHelp(context,
                           "[OPTION...] MODEL.smol\n"
                           "Continues a text with a language model: -p, -f or the standard input.");
    code = cli_parse(context);
    if (code == 0) {
        const char *model = cli_one_argument(context, "MODEL.smol");
        a->model = model ? strdup(model) : NULL;
        code = !model ? CLI_USAGE : !a->model ? cli_no_memory(NULL) : check_words(a, w);
        code = code ? code : session_args_check(&a->session, &w->session);
        code = code ? code : check_check(a, w->check);
        code = code ? code : check_sampler(a);
    }
    poptFreeContext(context);
    return code;
}

int run_args_parse(struct run_args *args, int argc, const char **argv, int *exit_code)
{
    struct words w = {.seed = NULL};
    int code;

    *args = (struct run_args){.n_predict = -1};
    smol_sampler_defaults(&args->sampler, sizeof args->sampler);
    w.top_k = (int)args->sampler.top_k;
    code = parse(args, &w, argc, argv);
    free(w.seed);
    free(w.check);
    session_args_free(&w.session);
    if (code != 0)
        run_args_free(args);
    *exit_code = code;
    return code;
}

void run_args_free(struct run_args *args)
{
    free(args->model);
    free(args->prompt);
    free(args->prompt_file);
    free(args->perplexity_file);
    free(args->trust);
}
