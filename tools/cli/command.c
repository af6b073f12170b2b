/* The command line, read by popt. See cli.h. */
#include "cli/cli.h"

#include <smol/model.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cli_answered(poptContext context)
{
    poptFreeContext(context);
    exit(cli_close_output(0));
}

int cli_parsed(poptContext context, int code)
{
    if (code == CLI_ASKED_HELP)
        poptPrintHelp(context, stdout, 0);
    else if (code == CLI_ASKED_VERSION)
        printf("%s %s\n", cli_program, smol_version());
    else if (code >= -1)
        return 0;
    if (code > 0)
        cli_answered(context);
    return cli_usage_error(poptBadOption(context, POPT_BADOPTION_NOALIAS), poptStrerror(code));
}

static void free_list(char ***list)
{
    for (char **word = *list; word && *word; word++)
        free(*word);
    free(*list);
    *list = NULL;
}

/* What popt has copied for a table's words; two options may have one place. */
static void free_words(const struct poptOption *o)
{
    for (; o->longName || o->arg; o++)
        if ((o->argInfo & POPT_ARG_MASK) == POPT_ARG_INCLUDE_TABLE)
            free_words(o->arg);
        else if ((o->argInfo & POPT_ARG_MASK) == POPT_ARG_ARGV)
            free_list(o->arg);
        else if ((o->argInfo & POPT_ARG_MASK) == POPT_ARG_STRING) {
            free(*(char **)o->arg);
            *(char **)o->arg = NULL;
        }
}

/* 0, or CLI_USAGE after a message. */
static int check_arguments(const char *const *arguments, const char *names)
{
    char name[32];
    int n;

    for (; sscanf(names, " %31s%n", name, &n) == 1; names += n, arguments++) {
        char *more = strstr(name, "...");
        if (!*arguments && name[0] == '[')
            return 0;
        if (more)
            *more = '\0';
        if (!*arguments)
            return cli_usage_error(name, "is missing");
        if (more)
            return 0;
    }
    return *arguments ? cli_usage_error(*arguments, "one argument too many") : 0;
}

int cli_command(int argc, const char **argv, const struct poptOption *options,
                const struct cli_usage *usage, cli_run *run, void *context)
{
    static const char *const none[] = {NULL};
    poptContext popt = poptGetContext(cli_program, argc, argv, options, 0);
    const char *const *arguments;
    int code;

    if (!popt)
        return cli_no_memory(NULL);
    if (usage->line)
        poptSetOtherOptionHelp(popt, usage->line);
    code = cli_parsed(popt, poptGetNextOpt(popt));
    arguments = code ? NULL : (const char *const *)poptGetArgs(popt);
    arguments = arguments ? arguments : none;
    code = code ? code : cli_numbers(argc, argv, options);
    if (code == 0 && (code = check_arguments(arguments, usage->arguments)) == 0)
        code = run(context, arguments);
    free_words(options);
    poptFreeContext(popt);
    return code;
}
