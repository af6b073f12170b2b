/* Validation loss against d, between the baseline and training everything, and d90. */
#include "cli/cli.h"
#include "plot/gnuplot.h"
#include "plot/plot_kinds.h"
#include "plot/plot_parts.h"
#include "plot/sweep.h"

#include <math.h>
#include <stdint.h>

/* Named where the curves are not: those come from the upper left and go to the lower right. */
static void put_level(FILE *script, double y, const char *title, const char *x, const char *offset)
{
    if (!isnan(y))
        fprintf(script, "set label '%s' at graph %s, first %.9g %s textcolor rgb '#555555'\n",
                title, x, y, offset);
}

static void put_levels(FILE *script, const struct sweep *s)
{
    put_level(script, s->baseline, "embed (baseline)", "0.99", "right offset 0, 0.5");
    put_level(script, s->threshold, "90 % of the way from embed to full", "0.01",
              "left offset 0, 0.5");
    put_level(script, s->full, "full", "0.02", "left offset 0, -0.6");
}

static void plot_level(FILE *script, double y, unsigned dashes)
{
    if (!isnan(y))
        fprintf(script, ", %.9g with lines linewidth 1.5 dashtype %u linecolor rgb '#555555'", y,
                dashes);
}

/* A little of the axis on both sides. */
static void put_d_range(FILE *script, const struct sweep *s)
{
    unsigned least = UINT32_MAX, most = 0;

    for (size_t i = 0; i < s->n; i++) {
        const struct sweep_series *series = s->series + i;
        least = series->points[0].d < least ? series->points[0].d : least;
        most = series->points[series->n - 1].d > most ? series->points[series->n - 1].d : most;
    }
    fprintf(script, "set xrange [%.9g:%.9g]\n", least / 1.3, most * 1.3);
}

/* Its points, and d90 where it has one. */
static void put_series(FILE *script, const struct sweep_series *s, size_t i)
{
    fprintf(script, "$series%zu << END\n", i);
    for (size_t k = 0; k < s->n; k++)
        fprintf(script, "%u %.9g\n", s->points[k].d, s->points[k].loss);
    fputs("END\n", script);
    if (s->d90)
        fprintf(script,
                "set arrow from %u, graph 0 to %u, graph 1 nohead dashtype 3 linewidth 1.5 "
                "linecolor rgb '#%s'\n"
                "set label 'd90 = %u' at %u, graph 0.5 offset 0.6, -%zu textcolor rgb '#%s'\n",
                s->d90, s->d90, plot_method_colour(s->method, i), s->d90, s->d90, i,
                plot_method_colour(s->method, i));
}

static void put_sweep(FILE *script, const struct sweep *s)
{
    plot_frame(script, "d (parameters in a vector)", "validation loss (nats per token)", true);
    fputs(PLOT_KEY_ABOVE "set offsets 0, 0, graph 0.06, graph 0.06\n", script);
    put_d_range(script, s);
    put_levels(script, s);
    for (size_t i = 0; i < s->n; i++)
        put_series(script, s->series + i, i);
    for (size_t i = 0; i < s->n; i++) {
        fprintf(script,
                "%s$series%zu using 1:2:xtic(1) with linespoints linewidth 2 dashtype %u "
                "pointtype 7 "
                "pointsize 0.8 linecolor rgb '#%s' title ",
                i ? ", " : "plot ", i, plot_dash(i), plot_method_colour(s->series[i].method, i));
        gnuplot_text(script, s->series[i].method);
    }
    plot_level(script, s->baseline, 2);
    plot_level(script, s->threshold, 3);
    plot_level(script, s->full, 1);
    fputc('\n', script);
}

int plot_sweep(FILE *script, const char *output, const struct plot_options *o,
               const struct run_log *logs, size_t n)
{
    struct sweep sweep;
    int code = 0;

    (void)o;
    if (sweep_make(&sweep, logs, n))
        return cli_no_memory(output);
    if (sweep.n)
        put_sweep(script, &sweep);
    else
        code = cli_fail(output, "none of the runs has a d");
    sweep_free(&sweep);
    return code;
}
