/* What the kinds of plot share. */
#ifndef PLOT_PARTS_H
#define PLOT_PARTS_H

#include <stdbool.h>
#include <stdio.h>

#define PLOT_WIDTH 900u
#define PLOT_HEIGHT 560u

#define PLOT_KEY_ABOVE "set key outside center top horizontal\n"

/* Axes with their names. */
void plot_frame(FILE *script, const char *x, const char *y, bool log_x);
/* A logarithmic vertical axis over these values, with numbers on it however narrow it is. */
void plot_log_y(FILE *script, double low, double high);

/* The colour, as six hexadecimal digits, and the dashes of series i; and the colour of a method,
 * which is the same in every picture, or series i's for a method that is unknown. */
const char *plot_colour(size_t i);
const char *plot_method_colour(const char *method, size_t i);
unsigned plot_dash(size_t i);

/* Texts beside points, where they hide neither each other nor a point. In pixels of a picture. */
struct plot_label {
    double x, y; /* of what it names; then of where it begins, at half its height */
    size_t length;
};
struct plot_point {
    double x, y;
};
void plot_place(struct plot_label *labels, size_t n, const struct plot_point *points,
                size_t n_points, double width, double height);

#endif
