/* See plot.h. */
#include "plot/plot.h"
#include "cli/cli.h"
#include "plot/gnuplot.h"
#include "plot/plot_parts.h"

#include <string.h>

#define WIDTH 900u
#define HEIGHT 560u

/* Okabe and Ito's, which the colour-blind tell apart; grey instead of their yellow. */
static const char *const colours[] = {"0072b2", "d55e00", "009e73", "cc79a7",
                                      "e69f00", "56b4e9", "000000", "7f7f7f"};
#define N_COLOURS (sizeof colours / sizeof colours[0])

const char *plot_colour(size_t i) { return colours[i % N_COLOURS]; }

/* Solid first; then dashed, when the colours come round again. */
unsigned plot_dash(size_t i) { return 1 + (unsigned)(i / N_COLOURS % 4); }

void plot_frame(FILE *script, const char *x, const char *y, bool log_x)
{
    fputs("set border 3 linewidth 1 linecolor rgb '#555555'\nset tics nomirror textcolor rgb "
          "'#333333'\n"
          "set grid linecolor rgb '#e4e4e4' linewidth 1 linetype 1\nset key noautotitle\n",
          script);
    if (log_x)
        fputs("set logscale x\n", script);
    fputs("set xlabel ", script);
    gnuplot_text(script, x);
    fputs("\nset ylabel ", script);
    gnuplot_text(script, y);
    fputc('\n', script);
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
    int code = o->kind == PLOT_CURVES ? 0 : check_finished(logs, n);
    FILE *script;

    if (code)
        return code;
    script = gnuplot_begin(output, WIDTH, HEIGHT);
    if (!script)
        return CLI_FAILED;
    if (o->kind == PLOT_CURVES)
        code = plot_curves(script, o, logs, n);
    else if (o->kind == PLOT_SWEEP)
        code = plot_sweep(script, output, logs, n);
    else
        plot_bytes(script, logs, n);
    if (code == 0)
        return gnuplot_end(script, output);
    fclose(script);
    return code;
}
