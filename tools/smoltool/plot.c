/* smoltool plot: pictures of training runs from their logs. */
#include "plot/plot.h"
#include "cli/cli.h"
#include "plot/gnuplot.h"
#include "smoltool/smoltool.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LOGS 256u

static int choose(const char *word, const char *const *list)
{
    for (int i = 0; list[i]; i++)
        if (!word || strcmp(word, list[i]) == 0)
            return i;
    return -1;
}

/* All that is left on the command line. */
static int read_logs(struct run_log *logs, size_t *n, poptContext context)
{
    const char *path;
    int code;

    while ((path = poptGetArg(context))) {
        if (*n == MAX_LOGS)
            return cli_usage_error(path, "more than 256 logs");
        code = run_log_read(logs + *n, path);
        if (code)
            return code;
        ++*n;
    }
    return *n ? 0 : cli_usage_error("LOG", "is missing");
}

static int plot(const char *output, const struct plot_options *o, poptContext context)
{
    struct run_log *logs = calloc(MAX_LOGS, sizeof *logs);
    size_t n = 0;
    int code;

    if (!logs)
        return cli_no_memory(output);
    code = read_logs(logs, &n, context);
    if (code == 0)
        code = plot_write(output, o, logs, n);
    for (size_t i = 0; i < n; i++)
        run_log_free(logs + i);
    free(logs);
    return code;
}

static int run(poptContext context, const char *output, const char *kind, const char *x, int log_x)
{
    static const char *const kinds[] = {"curves", "sweep", "bytes", NULL};
    static const char *const axes[] = {"step", "tokens", "seconds", NULL};
    const int k = choose(kind, kinds), a = choose(x, axes);

    if (!output)
        return cli_usage_error("--output", "is missing");
    if (!gnuplot_is_svg(output) && !gnuplot_is_png(output))
        return cli_usage_error(output, "should end in .svg or .png");
    if (k < 0)
        return cli_usage_error("--kind", "takes curves, sweep or bytes");
    if (a < 0)
        return cli_usage_error("--x", "takes step, tokens or seconds");
    if (k != PLOT_CURVES && (x || log_x))
        return cli_usage_error(x ? "--x" : "--log-x", "is for curves");
    return plot(output, &(struct plot_options){(enum plot_kind)k, (enum plot_x)a, log_x}, context);
}

int tool_plot(int argc, const char **argv)
{
    char *output = NULL, *kind = NULL, *x = NULL;
    int log_x = 0, code;
    const struct poptOption options[] = {
        {"output", 'o', POPT_ARG_STRING, &output, 0, "where the picture goes", "FILE.svg|FILE.png"},
        {"kind", 0, POPT_ARG_STRING, &kind, 0,
         "loss curves (default), loss against d with d90, or bits per byte against bytes",
         "curves|sweep|bytes"},
        {"x", 0, POPT_ARG_STRING, &x, 0, "what curves go along (step)", "step|tokens|seconds"},
        {"log-x", 0, POPT_ARG_NONE, &log_x, 0, "curves along a logarithmic axis", NULL},
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };
    poptContext context = poptGetContext("smoltool plot", argc, argv, options, 0);

    poptSetOtherOptionHelp(context, "[OPTION...] -o FILE.svg|FILE.png LOG...");
    code = cli_parse(context);
    if (code == 0)
        code = run(context, output, kind, x, log_x);
    free(output);
    free(kind);
    free(x);
    poptFreeContext(context);
    return code;
}
