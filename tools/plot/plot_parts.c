/* See plot_parts.h. */
#include "plot/plot_parts.h"
#include "plot/gnuplot.h"

#include <math.h>
#include <string.h>

/* Okabe and Ito's, which the colour-blind tell apart; grey instead of their yellow. */
static const char *const colours[] = {"0072b2", "d55e00", "009e73", "cc79a7",
                                      "e69f00", "56b4e9", "000000", "7f7f7f"};
#define N_COLOURS (sizeof colours / sizeof colours[0])

const char *plot_colour(size_t i) { return colours[i % N_COLOURS]; }

static const struct {
    const char *name, *colour;
} methods[] = {
#include "plot/methods.inc"
};

const char *plot_method_colour(const char *method, size_t i)
{
    for (size_t k = 0; k < sizeof methods / sizeof methods[0]; k++)
        if (strcmp(methods[k].name, method) == 0)
            return methods[k].colour;
    return plot_colour(i);
}

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

/* The largest of 1, 2 and 5 times a power of ten that is at most x > 0. */
static double round_step(double x)
{
    const double y = x * (1 + 1e-9), power = pow(10, floor(log10(y)));

    return y >= 5 * power ? 5 * power : y >= 2 * power ? 2 * power : power;
}

/* Numbers on the axis: even steps over a narrow range, else larger ones further up. */
static void put_tics(FILE *script, double low, double high)
{
    const bool is_narrow = high / low < 2;
    const double even = round_step(fmax((high - low) / 5, low * 1e-3));
    double step = is_narrow ? even : round_step(low / 4);

    fputs("set ytics (", script);
    for (double tic = step * ceil(low / step - 1e-9); tic <= high; tic += step) {
        fprintf(script, "%.6g, ", tic);
        step = is_narrow ? even : round_step(tic / 4);
    }
    fprintf(script, "%.6g)\n", 2 * high); /* no comma behind the last, which is not seen */
}

void plot_log_y(FILE *script, double low, double high)
{
    const double margin = exp(fmax(0.05 * log(high / low), 1e-3));

    if (!(low > 0) || !(high >= low) || isinf(high))
        return; /* gnuplot finds a range by itself */
    fprintf(script, "set logscale y\nset yrange [%.9g:%.9g]\n", low / margin, high * margin);
    put_tics(script, low / margin, high * margin);
}
