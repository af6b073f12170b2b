/* Pictures drawn by gnuplot, which runs as a child process and without a shell. */
#ifndef GNUPLOT_H
#define GNUPLOT_H

#include <stdbool.h>
#include <stdio.h>

/* Whether a path ends in .svg; whether it does so as any kind of picture, .svg, .png or .pdf. */
bool gnuplot_is_svg(const char *path);
bool gnuplot_draws(const char *path);

/* A script whose picture, of so many pixels, will go to output, of such a kind. The caller writes
 * commands into it. NULL after a message. */
FILE *gnuplot_begin(const char *output, unsigned width, unsigned height);
/* Runs the script and writes the picture, whole or not at all; closes the script. An exit code,
 * after a message if it is not 0. */
int gnuplot_end(FILE *script, const char *output);

/* A text as gnuplot's constant, quoted so that nothing in it is a command, an expansion or a
 * mark-up. */
void gnuplot_text(FILE *script, const char *text);

#endif
