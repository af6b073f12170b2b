/* What the kinds of plot share; plot.h is for everybody else. */
#ifndef PLOT_PARTS_H
#define PLOT_PARTS_H

#include "plot/plot.h"

#include <stdio.h>

#define PLOT_KEY_ABOVE "set key outside center top horizontal\n"

/* Write a script. plot_curves and plot_sweep return an exit code, after a message if it is not 0.
 */
int plot_curves(FILE *script, const struct plot_options *options, const struct run_log *logs,
                size_t n);
int plot_sweep(FILE *script, const char *output, const struct run_log *logs, size_t n);
void plot_bytes(FILE *script, const struct run_log *logs, size_t n);

/* Axes with their names. */
void plot_frame(FILE *script, const char *x, const char *y, bool log_x);
/* The colour, as six hexadecimal digits, and the dashes of series i. */
const char *plot_colour(size_t i);
unsigned plot_dash(size_t i);

#endif
