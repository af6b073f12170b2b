/* A picture of a closed curve: SVG by itself, PNG by gnuplot. */
#ifndef SVG_H
#define SVG_H

#include "smoltool/elephant/outline.h"

struct figure {
    const char *title;
    struct outline curve;            /* filled, with an edge */
    struct outline given;            /* dots, if any */
    const struct outline_point *eye; /* NULL: none */
    struct outline up, down; /* the curve at the ends of a swing; for SVG alone, empty if it stands
                                still */
};

/* Writes it; output ends in .svg, .png or .pdf. An exit code, after a message if it is not 0. */
int figure_write(const struct figure *figure, const char *output);

#endif
