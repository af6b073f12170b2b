/* The kinds of plot, each a file. */
#ifndef PLOT_KINDS_H
#define PLOT_KINDS_H

#include "plot/plot.h"

#include <stdio.h>

/* Writes the script of a picture that goes to output. An exit code, after a message if it is not
 * 0. */
typedef int plot_kind_draw(FILE *script, const char *output, const struct plot_options *options,
                           const struct run_log *logs, size_t n);

plot_kind_draw plot_curves, plot_sweep, plot_bytes;

#endif
