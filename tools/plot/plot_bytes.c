/* Bits per byte against bytes outside the embeddings. */
#include "cli/cli.h"
#include "plot/gnuplot.h"
#include "plot/plot_kinds.h"
#include "plot/plot_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* gnuplot's filled shapes. */
static const int point_types[] = {7, 5, 9, 13, 11, 15};
#define N_POINT_TYPES (sizeof point_types / sizeof point_types[0])

static bool first_of_method(const struct run_log *logs, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(run_log_method(logs + k), run_log_method(logs + i)) == 0)
            return false;
    return true;
}

/* The runs of the method that run i is the first of. */
static void put_method(FILE *script, const struct run_log *logs, size_t n, size_t i)
{
    fprintf(script, "$method%zu << END\n", i);
    for (size_t k = i; k < n; k++)
        if (strcmp(run_log_method(logs + k), run_log_method(logs + i)) == 0)
            fprintf(script, "%.9g %.9g\n", logs[k].non_embedding_bytes, logs[k].bits_per_byte);
    fputs("END\n", script);
}

static void plot_method(FILE *script, const struct run_log *log, size_t i, size_t nth)
{
    fprintf(script,
            "%s$method%zu using 1:2 with points pointtype %d pointsize 1 linecolor rgb '#%s' "
            "title ",
            nth ? ", " : "plot ", i, point_types[nth % N_POINT_TYPES],
            plot_method_colour(run_log_method(log), nth));
    gnuplot_text(script, run_log_method(log));
}

/* ---- where things are ---- */

/* The axes' sides, as parts of the picture; and the ranges, which end a little beyond the points.
 */
static const struct plot_range {
    double low, high;
} across = {0.1, 0.97}, up = {0.13, 0.84};

static double part(const struct plot_range *r, double v)
{
    return (v - r->low) / (r->high - r->low);
}

static void widen(struct plot_range *r, double least, double below, double above)
{
    const double length = fmax(r->high - r->low, least);

    r->low -= below * length;
    r->high += above * length;
}

static void find_ranges(struct plot_range *x, struct plot_range *y, const struct run_log *logs,
                        size_t n)
{
    *x = *y = (struct plot_range){INFINITY, -INFINITY};
    for (size_t i = 0; i < n; i++) {
        const double bytes = log10(fmax(logs[i].non_embedding_bytes, 1));
        x->low = fmin(x->low, bytes);
        x->high = fmax(x->high, bytes);
        y->low = fmin(y->low, logs[i].bits_per_byte);
        y->high = fmax(y->high, logs[i].bits_per_byte);
    }
    widen(x, 0.5, 0.05, 0.15);
    widen(y, 0.05, 0.06, 0.06);
}

static void put_axes(FILE *script, const struct plot_range *x, const struct plot_range *y)
{
    fprintf(script,
            "set lmargin at screen %.3f\nset rmargin at screen %.3f\nset bmargin at screen %.3f\n"
            "set tmargin at screen %.3f\nset xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\n",
            across.low, across.high, up.low, up.high, pow(10, x->low), pow(10, x->high), y->low,
            y->high);
}

/* ---- labels ---- */

/* What tells a run from others of its method, "d = 5", or nothing. */
static const char *detail(char label[RUN_LOG_LABEL_BYTES], const struct run_log *log)
{
    const char *comma;

    run_log_label(label, RUN_LOG_LABEL_BYTES, log);
    comma = strchr(label, ',');
    return comma ? comma + 2 : "";
}

/* Runs that differ in their seeds have one label, at their mean. false if run i is not the first of
 * them, or has nothing to tell. */
static bool find_label(struct plot_label *label, const struct plot_point *points,
                       const struct run_log *logs, size_t n, size_t i)
{
    char own[RUN_LOG_LABEL_BYTES], other[RUN_LOG_LABEL_BYTES];
    size_t count = 0;

    *label = (struct plot_label){.length = strlen(detail(own, logs + i))};
    for (size_t k = 0; k < n; k++) {
        run_log_label(other, sizeof other, logs + k);
        if (strcmp(own, other) != 0)
            continue;
        if (k < i)
            return false;
        label->x += points[k].x;
        label->y += points[k].y;
        count++;
    }
    label->x /= (double)count;
    label->y /= (double)count;
    return label->length > 0;
}

static size_t nth_method(const struct run_log *logs, size_t i)
{
    size_t nth = 0;

    for (size_t k = 0; k < i && strcmp(run_log_method(logs + k), run_log_method(logs + i)) != 0;
         k++)
        nth += first_of_method(logs, k);
    return nth;
}

struct labels {
    struct plot_point *points; /* (n), in pixels from the lower left corner of the axes */
    struct plot_label *labels; /* (n_labels) */
    size_t *runs, n_labels;    /* whose each is */
};

static void put_labels(FILE *script, const struct labels *l, const struct run_log *logs,
                       double width, double height)
{
    char text[RUN_LOG_LABEL_BYTES];

    for (size_t i = 0; i < l->n_labels; i++) {
        const struct run_log *log = logs + l->runs[i];
        fputs("set label ", script);
        gnuplot_text(script, detail(text, log));
        fprintf(script, " at graph %.4f, graph %.4f left textcolor rgb '#%s'\n",
                l->labels[i].x / width, l->labels[i].y / height,
                plot_method_colour(run_log_method(log), nth_method(logs, l->runs[i])));
    }
}

static void place_labels(FILE *script, const struct labels *l, const struct plot_range *x,
                         const struct plot_range *y, const struct run_log *logs, size_t n)
{
    const double width = (across.high - across.low) * PLOT_WIDTH;
    const double height = (up.high - up.low) * PLOT_HEIGHT;
    struct labels found = *l;

    for (size_t i = 0; i < n; i++)
        l->points[i] =
            (struct plot_point){width * part(x, log10(fmax(logs[i].non_embedding_bytes, 1))),
                                height * part(y, logs[i].bits_per_byte)};
    for (size_t i = 0; i < n; i++)
        if (find_label(l->labels + found.n_labels, l->points, logs, n, i))
            l->runs[found.n_labels++] = i;
    plot_place(l->labels, found.n_labels, l->points, n, width, height);
    put_labels(script, &found, logs, width, height);
}

/* ---- the plot ---- */

static void put_all(FILE *script, const struct labels *labels, const struct run_log *logs, size_t n)
{
    struct plot_range x, y;
    size_t nth = 0;

    plot_frame(script, "bytes outside the embeddings", "validation (bits per byte)", true);
    fputs(PLOT_KEY_ABOVE "set format x '%.0s%c'\n", script);
    find_ranges(&x, &y, logs, n);
    put_axes(script, &x, &y);
    place_labels(script, labels, &x, &y, logs, n);
    for (size_t i = 0; i < n; i++)
        if (first_of_method(logs, i))
            put_method(script, logs, n, i);
    for (size_t i = 0; i < n; i++)
        if (first_of_method(logs, i))
            plot_method(script, logs + i, i, nth++);
    fputc('\n', script);
}

int plot_bytes(FILE *script, const char *output, const struct plot_options *o,
               const struct run_log *logs, size_t n)
{
    struct labels l = {.points = malloc(n * sizeof *l.points),
                       .labels = malloc(n * sizeof *l.labels),
                       .runs = malloc(n * sizeof *l.runs)};
    const bool has_memory = l.points && l.labels && l.runs;

    (void)o;
    if (has_memory)
        put_all(script, &l, logs, n);
    free(l.points);
    free(l.labels);
    free(l.runs);
    return has_memory ? 0 : cli_no_memory(output);
}
