/* Plots of training runs, drawn by gnuplot. */
#ifndef PLOT_H
#define PLOT_H

#include "plot/run_log.h"

enum plot_kind { PLOT_CURVES, PLOT_SWEEP, PLOT_BYTES };
enum plot_x { PLOT_STEPS, PLOT_TOKENS, PLOT_SECONDS };

struct plot_options {
    enum plot_kind kind;
    enum plot_x x; /* of curves */
    bool log_x;    /* of curves; the other kinds always are */
};

/* "curves", "sweep" or "bytes"; false if it is none of them. */
bool plot_kind_parse(enum plot_kind *kind, const char *name);

/* Writes the plot of n > 0 logs to output, which ends in .svg, .png or .pdf. An exit code, after a
 * message if it is not 0. */
int plot_write(const char *output, const struct plot_options *options, const struct run_log *logs,
               size_t n);

#endif
