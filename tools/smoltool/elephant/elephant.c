/* smoltool elephant: von Neumann's elephant from four complex parameters (Mayer, Khairy, Howard
 * 2010), and the same with any closed outline. */
#include "cli/cli.h"
#include "cli/json.h"
#include "plot/gnuplot.h"
#include "smoltool/elephant/svg.h"
#include "smoltool/smoltool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define N_POINTS 500u
#define TWO_PI 6.283185307179586
#define DEFAULT_TERMS 8u
#define SHOWN_TERMS 40u

/* The fifth parameter, 40 + 20 i: where the trunk begins, and both coordinates of the eye. */
#define TRUNK 40.0
#define EYE 20.0

struct elephant_options {
    char *fit, *output;
    int k, wiggle, json; /* k 0: not given */
};

/* The elephant stands when x is drawn downwards. The trunk bends the more the further out, by swing
 * -1..1. */
static struct outline_point elephant(double t, double swing)
{
    const double x = 50 * sin(t) + 18 * sin(2 * t) + 12 * cos(3 * t) - 14 * cos(5 * t);
    const double y = -60 * cos(t) - 30 * sin(t) + 8 * sin(2 * t) - 10 * sin(3 * t);
    const double out = fmax(y - TRUNK, 0);

    return (struct outline_point){y, -x + swing * out * out / (2 * TRUNK)};
}

static struct outline elephant_curve(struct outline_point points[N_POINTS], double swing)
{
    for (unsigned i = 0; i < N_POINTS; i++)
        points[i] = elephant(TWO_PI * i / N_POINTS, swing);
    return (struct outline){points, N_POINTS};
}

static int draw_elephant(const struct elephant_options *o)
{
    static const struct outline_point eye = {EYE, EYE};
    struct outline_point curve[N_POINTS], up[N_POINTS], down[N_POINTS];
    struct figure figure = {
        .title = "von Neumann's elephant", .curve = elephant_curve(curve, 0), .eye = &eye};

    if (o->wiggle) {
        figure.up = elephant_curve(up, 1);
        figure.down = elephant_curve(down, -1);
    }
    return figure_write(&figure, o->output);
}

/* What rounding leaves of a zero, beside the largest number of its kind, is printed as one. */
static double shown(double value, double largest)
{
    return fabs(value) <= 1e-12 * largest ? 0 : value;
}

/* The terms come the largest first. */
static double largest_term(const struct outline_fit *fit)
{
    return hypot(fit->terms[0].re, fit->terms[0].im);
}

static void print_fit(const struct outline_fit *fit, size_t k, size_t n)
{
    const double size = fit->size, largest = largest_term(fit);

    printf("%zu of %zu coefficients: error %.6g (%.2f %% of the outline's size), at most %.6g\n", k,
           n, shown(fit->rms, size), size > 0 ? 100 * shown(fit->rms, size) / size : 0,
           shown(fit->largest, size));
    printf("%9s %14s %14s\n", "frequency", "real", "imaginary");
    for (size_t i = 0; i < k && i < SHOWN_TERMS; i++)
        printf("%9ld %14.7g %14.7g\n", fit->terms[i].frequency, shown(fit->terms[i].re, largest),
               shown(fit->terms[i].im, largest));
    if (k > SHOWN_TERMS)
        puts("      ...");
}

static int print_fit_json(const struct outline_fit *fit, size_t k, size_t n)
{
    const double size = fit->size, largest = largest_term(fit);
    json_t *terms = json_array();

    for (size_t i = 0; i < k; i++)
        json_array_append_new(terms, json_pack("{s:I, s:f, s:f}", "frequency",
                                               (json_int_t)fit->terms[i].frequency, "real",
                                               shown(fit->terms[i].re, largest), "imaginary",
                                               shown(fit->terms[i].im, largest)));
    return cli_print_json(json_pack("{s:I, s:f, s:f, s:f, s:o}", "points", (json_int_t)n, "size",
                                    size, "rms_error", shown(fit->rms, size), "largest_error",
                                    shown(fit->largest, size), "coefficients", terms));
}

static int fit_outline(const struct elephant_options *o)
{
    struct figure figure = {0};
    struct outline_fit fit;
    struct outline given;
    char title[64];
    size_t k;
    int code = outline_read(&given, o->fit);

    if (code)
        return code;
    k = o->k ? (size_t)o->k : DEFAULT_TERMS;
    k = k < given.n ? k : given.n;
    if (outline_fit(&fit, &given, k)) {
        free(given.points);
        return cli_no_memory(o->fit);
    }
    snprintf(title, sizeof title, "an outline from %zu coefficients", k);
    figure = (struct figure){.title = title, .curve = fit.curve, .given = given};
    code = figure_write(&figure, o->output);
    if (code == 0 && o->json)
        code = print_fit_json(&fit, k, given.n);
    else if (code == 0)
        print_fit(&fit, k, given.n);
    outline_fit_free(&fit);
    free(given.points);
    return code;
}

static int run(void *context, const char *const *arguments)
{
    const struct elephant_options *o = context;

    (void)arguments;
    if (!o->output)
        return cli_usage_error("--output", "is missing");
    if (!gnuplot_draws(o->output))
        return cli_usage_error(o->output, "should end in .svg, .png or .pdf");
    if (o->wiggle && (o->fit || !gnuplot_is_svg(o->output)))
        return cli_usage_error("--wiggle", o->fit ? "is for the elephant only" : "takes an .svg");
    if (o->k > 0 && !o->fit)
        return cli_usage_error("-k", "needs --fit");
    if (o->json && !o->fit)
        return cli_usage_error("--json", "needs --fit");
    return o->fit ? fit_outline(o) : draw_elephant(o);
}

int tool_elephant(int argc, const char **argv)
{
    struct elephant_options o = {0};
    const struct poptOption options[] = {
        CLI_WORD("output", 'o', &o.output, "where the picture goes, .svg; .png or .pdf by gnuplot",
                 "FILE"),
        CLI_FLAG("wiggle", 0, &o.wiggle, "let the trunk swing (SVG)"),
        CLI_WORD("fit", 0, &o.fit, "draw this closed outline instead, a point 'x y' a line",
                 "POINTS"),
        CLI_COUNT("coefficients", 'k', &o.k,
                  "from its K largest Fourier coefficients, the centre's among them (8)", "K"),
        CLI_FLAG("json", 0, &o.json, "print the coefficients as JSON"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(argc, argv, options,
                       &(struct cli_usage){"[OPTION...] -o FILE.svg|FILE.png|FILE.pdf", ""}, run,
                       &o);
}
