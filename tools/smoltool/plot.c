/* smoltool plot: pictures of training runs from their logs. */
#include "plot/plot.h"
#include "cli/cli.h"
#include "plot/gnuplot.h"
#include "smoltool/smoltool.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LOGS 256u

struct words {
    char *output, *kind, *x;
    int log_x;
};

static int choose(const char *word, const char *const *list)
{
    for (int i = 0; list[i]; i++)
        if (!word || strcmp(word, list[i]) == 0)
            return i;
    return -1;
}

static int plot(const char *output, const struct plot_options *o, const char *const *paths)
{
    struct run_log *logs;
    size_t n = 0, n_read = 0;
    int code = 0;

    for (; paths[n]; n++)
        if (n == MAX_LOGS)
            return cli_usage_error(paths[n], "more than 256 logs");
    logs = calloc(n, sizeof *logs);
    if (!logs)
        return cli_no_memory(output);
    while (code == 0 && n_read < n)
        if ((code = run_log_read(logs + n_read, paths[n_read])) == 0)
            n_read++;
    if (code == 0)
        code = plot_write(output, o, logs, n);
    while (n_read > 0)
        run_log_free(logs + --n_read);
    free(logs);
    return code;
}

static int run(void *context, const char *const *arguments)
{
    const struct words *w = context;
    static const char *const axes[] = {"step", "tokens", "seconds", NULL};
    const int axis = choose(w->x, axes);
    struct plot_options o = {.log_x = w->log_x != 0};

    if (!w->output)
        return cli_usage_error("--output", "is missing");
    if (!gnuplot_draws(w->output))
        return cli_usage_error(w->output, "should end in .svg, .png or .pdf");
    if (w->kind && !plot_kind_parse(&o.kind, w->kind))
        return cli_usage_error("--kind", "takes curves, sweep or bytes");
    if (axis < 0)
        return cli_usage_error("--x", "takes step, tokens or seconds");
    if (o.kind != PLOT_CURVES && (w->x || w->log_x))
        return cli_usage_error(w->x ? "--x" : "--log-x", "is for curves");
    o.x = (enum plot_x)axis;
    return plot(w->output, &o, arguments);
}

int tool_plot(int argc, const char **argv)
{
    struct words w = {0};
    const struct poptOption options[] = {
        CLI_WORD("output", 'o', &w.output, "where the picture goes, by gnuplot: .svg, .png or .pdf",
                 "FILE"),
        CLI_WORD("kind", 0, &w.kind,
                 "loss curves (default), loss against d with d90, or bits per byte against bytes",
                 "curves|sweep|bytes"),
        CLI_WORD("x", 0, &w.x, "horizontal axis of curves (step)", "step|tokens|seconds"),
        CLI_FLAG("log-x", 0, &w.log_x, "make that axis logarithmic"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(
        argc, argv, options,
        &(struct cli_usage){"[OPTION...] -o FILE.svg|FILE.png|FILE.pdf LOG...", "LOG..."}, run, &w);
}
