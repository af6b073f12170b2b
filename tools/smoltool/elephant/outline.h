/* Closed outlines: read from a text, and fitted by a few Fourier coefficients. */
#ifndef OUTLINE_H
#define OUTLINE_H

#include <stddef.h>

#define OUTLINE_MAX_POINTS 1000000u

struct outline_point {
    double x, y;
};

struct outline {
    struct outline_point *points; /* (n), the last joined to the first; for free() */
    size_t n;
};

/* Reads "x y" a line; empty lines and those that begin with # do not count, nor does a last point
 * that is the first. At least 3 points. An exit code, after a message if it is not 0. */
int outline_read(struct outline *outline, const char *path);

/* A term of z(t) = x + iy = sum c exp(i f t), t = 0..2 pi from the first point back to it. */
struct outline_term {
    long frequency;
    double re, im;
};

struct outline_fit {
    struct outline_term *terms; /* (k), the largest first; for free() */
    struct outline curve;       /* the fit, at least as many points as the outline; for free() */
    double rms, largest;        /* distance of the outline's points from the fit's */
    double size; /* root mean square distance of the outline's points from their centre */
};

/* Keeps the k largest of the n coefficients of the outline's Fourier series, which no other k beat.
 * 1 <= k <= n. 0, or -1 if there is no memory. */
int outline_fit(struct outline_fit *fit, const struct outline *outline, size_t k);
void outline_fit_free(struct outline_fit *fit);

#endif
