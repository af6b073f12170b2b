/* See plot.h. */
#include "plot/plot.h"
#include "cli/cli.h"
#include "plot/gnuplot.h"
#include "plot/plot_kinds.h"
#include "plot/plot_parts.h"

#include <string.h>

static const struct {
    const char *name;
    plot_kind_draw *draw;
    bool any; /* also runs that are not finished */
} kinds[] = {
    [PLOT_CURVES] = {"curves", plot_curves, true},
    [PLOT_SWEEP] = {"sweep", plot_sweep, false},
    [PLOT_BYTES] = {"bytes", plot_bytes, false},
};

bool plot_kind_parse(enum plot_kind *kind, const char *name)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(name, kinds[i].name) == 0) {
            *kind = (enum plot_kind)i;
            return true;
        }
    return false;
}

static int check_finished(const struct run_log *logs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!logs[i].finished)
            return cli_fail(logs[i].path, "the run is not finished");
    return 0;
}

int plot_write(const char *output, const struct plot_options *o, const struct run_log *logs,
               size_t n)
{
    int code = kinds[o->kind].any ? 0 : check_finished(logs, n);
    FILE *script;

    if (code)
        return code;
    script = gnuplot_begin(output, PLOT_WIDTH, PLOT_HEIGHT);
    if (!script)
        return CLI_FAILED;
    code = kinds[o->kind].draw(script, output, o, logs, n);
    if (code == 0)
        return gnuplot_end(script, output);
    fclose(script);
    return code;
}
