/* What the kinds of plot share. */
#ifndef PLOT_PARTS_H
#define PLOT_PARTS_H

#include <stdbool.h>
#include <stdio.h>

#define PLOT_KEY_ABOVE "set key outside center top horizontal\n"

/* Axes with their names. */
void plot_frame(FILE *script, const char *x, const char *y, bool log_x);
/* The colour, as six hexadecimal digits, and the dashes of series i. */
const char *plot_colour(size_t i);
unsigned plot_dash(size_t i);

#endif
