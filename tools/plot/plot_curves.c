/* Loss curves: training and validation along steps, tokens or time. */
#include "cli/cli.h"
#include "plot/gnuplot.h"
#include "plot/plot_kinds.h"
#include "plot/plot_parts.h"

#include <math.h>
#include <string.h>

#define N_BUCKETS 150u /* a training curve is drawn as the means of so many stretches */
#define FEW_CURVES 4u  /* more are named outside the axes */
#define MANY_CURVES 8u /* of more the training is not shown */

/* An axis in a unit that keeps its numbers short. */
struct axis {
    const char *label;
    double unit;
};

static struct axis axis_of(enum plot_x x, double largest)
{
    if (x == PLOT_STEPS)
        return (struct axis){"step", 1};
    if (x == PLOT_TOKENS)
        return largest < 1e4    ? (struct axis){"tokens", 1}
               : largest < 1e7  ? (struct axis){"tokens (thousands)", 1e3}
               : largest < 1e10 ? (struct axis){"tokens (millions)", 1e6}
                                : (struct axis){"tokens (billions)", 1e9};
    return largest < 600     ? (struct axis){"time (seconds)", 1}
           : largest < 36000 ? (struct axis){"time (minutes)", 60}
                             : (struct axis){"time (hours)", 3600};
}

static double x_of(const struct run_log_point *p, enum plot_x x)
{
    return x == PLOT_STEPS ? p->step : x == PLOT_TOKENS ? p->tokens : p->seconds;
}

static double largest_x(const struct run_log *logs, size_t n, enum plot_x x)
{
    double largest = 0;

    for (size_t i = 0; i < n; i++) {
        const struct run_log_curve *const curves[] = {&logs[i].train, &logs[i].validation};
        for (unsigned c = 0; c < 2; c++)
            if (curves[c]->n)
                largest = fmax(largest, x_of(curves[c]->points + curves[c]->n - 1, x));
    }
    return largest;
}

struct curve_style {
    enum plot_x x;
    bool log_x;
    double unit, largest; /* of x */
};

/* The stretch that a point belongs to: equal lengths of the axis as it is drawn. */
static unsigned bucket(const struct curve_style *s, double x)
{
    const double part = s->log_x ? log(fmax(x, 1e-3)) / log(fmax(s->largest, 2)) : x / s->largest;

    return (unsigned)fmin(fmax(part * N_BUCKETS, 0), N_BUCKETS - 1);
}

/* The mean of the stretch that begins at a point, which becomes the next one's. The first step
 * stands by itself: it shows where a training begins. */
static struct run_log_point next_stretch(size_t *begin, const struct run_log_curve *c,
                                         const struct curve_style *s)
{
    const unsigned b = bucket(s, x_of(c->points + *begin, s->x));
    const size_t first = *begin;
    struct run_log_point mean = {0};
    double x = 0, n;

    do {
        x += x_of(c->points + *begin, s->x);
        mean.loss += c->points[*begin].loss;
    } while (++*begin < c->n && first > 0 && bucket(s, x_of(c->points + *begin, s->x)) == b);
    n = (double)(*begin - first);
    mean.loss /= n;
    mean.step = x / n; /* of whatever kind */
    return mean;
}

static void put_train(FILE *script, size_t i, const struct run_log_curve *c,
                      const struct curve_style *s)
{
    fprintf(script, "$train%zu << END\n", i);
    for (size_t begin = 0; begin < c->n;) {
        const struct run_log_point mean = next_stretch(&begin, c, s);
        fprintf(script, "%.9g %.9g\n", mean.step / s->unit, mean.loss);
    }
    fputs("END\n", script);
}

static void put_validation(FILE *script, size_t i, const struct run_log_curve *c,
                           const struct curve_style *s)
{
    fprintf(script, "$validation%zu << END\n", i);
    for (size_t k = 0; k < c->n; k++)
        fprintf(script, "%.9g %.9g\n", x_of(c->points + k, s->x) / s->unit, c->points[k].loss);
    fputs("END\n", script);
}

/* Runs of the same method and numbers are told apart by their files. */
static void put_title(FILE *script, const struct run_log *logs, size_t n, size_t i)
{
    char label[RUN_LOG_LABEL_BYTES], other[RUN_LOG_LABEL_BYTES];
    size_t same = 0, length;

    run_log_label(label, sizeof label, logs + i);
    for (size_t k = 0; k < n; k++) {
        run_log_label(other, sizeof other, logs + k);
        same += strcmp(label, other) == 0;
    }
    length = strlen(label);
    if (same > 1)
        snprintf(label + length, sizeof label - length, " (%s)", cli_base_name(logs[i].path));
    gnuplot_text(script, label);
}

static bool all_validated(const struct run_log *logs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!logs[i].validation.n)
            return false;
    return true;
}

static bool shows_train(const struct run_log *log, size_t n)
{
    return !log->validation.n || n <= MANY_CURVES;
}

/* All that is shown, from the first step on: a logarithmic axis has room for it, and for the
 * differences at the end. */
static void put_ranges(FILE *script, const struct run_log *logs, size_t n,
                       const struct curve_style *s)
{
    double low = INFINITY, high = -INFINITY, first = INFINITY;

    for (size_t i = 0; i < n; i++) {
        const struct run_log_curve *t = &logs[i].train, *v = &logs[i].validation;
        for (size_t begin = 0; shows_train(logs + i, n) && begin < t->n;) {
            const struct run_log_point mean = next_stretch(&begin, t, s);
            low = fmin(low, mean.loss);
            high = fmax(high, mean.loss);
            first = fmin(first, mean.step);
        }
        for (size_t k = 0; k < v->n; k++) {
            low = fmin(low, v->points[k].loss);
            high = fmax(high, v->points[k].loss);
            first = fmin(first, x_of(v->points + k, s->x));
        }
    }
    first = s->log_x ? first / s->unit : 0;
    if (s->largest / s->unit > first && (!s->log_x || first > 0))
        fprintf(script, "set xrange [%.9g:%.9g]\n", first, s->largest / s->unit);
    plot_log_y(script, low, high);
}

/* A method has its colour, and its runs their dashes; where there is but one, each run a colour. */
static void put_look(FILE *script, const struct run_log *logs, size_t n, size_t i,
                     const char *alpha)
{
    const char *method = run_log_method(logs + i);
    size_t same = 0, before = 0;

    for (size_t k = 0; k < n; k++)
        if (strcmp(run_log_method(logs + k), method) == 0) {
            same++;
            before += k < i;
        }
    fprintf(script, " dashtype %u linecolor rgb '#%s%s'",
            same == n ? plot_dash(i) : 1 + (unsigned)(before % 4), alpha,
            same == n && n > 1 ? plot_colour(i) : plot_method_colour(method, i));
}

/* A line for the training, unless there are too many, and one for the validation; a run without one
 * has the other. */
static void plot_run(FILE *script, const struct run_log *logs, size_t n, size_t i)
{
    const bool validated = logs[i].validation.n > 0, train = shows_train(logs + i, n);

    fputs(i ? ", " : "plot ", script);
    if (train) {
        fprintf(script, "$train%zu with lines linewidth 1", i);
        put_look(script, logs, n, i, validated ? "90" : "");
    }
    if (validated) {
        fprintf(script, "%s$validation%zu with linespoints linewidth 2 pointtype 7 pointsize 0.5",
                train ? ", " : "", i);
        put_look(script, logs, n, i, "");
    }
    fputs(" title ", script);
    put_title(script, logs, n, i);
}

int plot_curves(FILE *script, const char *output, const struct plot_options *o,
                const struct run_log *logs, size_t n)
{
    struct curve_style style = {.x = o->x, .log_x = o->log_x, .largest = largest_x(logs, n, o->x)};
    const struct axis axis = axis_of(o->x, style.largest);

    (void)output;
    style.unit = axis.unit;
    plot_frame(script, axis.label,
               n > MANY_CURVES && all_validated(logs, n) ? "validation loss (nats per token)"
                                                         : "loss (nats per token)",
               o->log_x);
    fputs(n > FEW_CURVES ? PLOT_KEY_ABOVE : "set key inside right top\n", script);
    fputs(n > MANY_CURVES ? "" : "set title 'training (thin) and validation loss'\n", script);
    for (size_t i = 0; i < n; i++)
        if (!logs[i].train.n)
            return cli_fail(logs[i].path, "has no steps yet");
    put_ranges(script, logs, n, &style);
    for (size_t i = 0; i < n; i++) {
        put_train(script, i, &logs[i].train, &style);
        put_validation(script, i, &logs[i].validation, &style);
    }
    for (size_t i = 0; i < n; i++)
        plot_run(script, logs, n, i);
    fputc('\n', script);
    return 0;
}
