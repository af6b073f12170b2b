/* See plot_parts.h. */
#include "plot/plot_parts.h"
#include "plot/gnuplot.h"

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
