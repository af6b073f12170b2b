/* See outline.h. */
#include "smoltool/elephant/outline.h"
#include "cli/cli.h"
#include "cli/foreign.h"

#include <fftw3.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NUMBER 1e100
#define MIN_CURVE_POINTS 720u /* drawn with fewer, a fit looks like a polygon */

/* Two numbers and nothing else, small enough to be squared. */
static bool parse_point(struct outline_point *p, const char *text)
{
    char *end;

    p->x = strtod(text, &end);
    if (end == text)
        return false;
    text = end;
    p->y = strtod(text, &end);
    return end != text && end[strspn(end, " \t")] == '\0' && fabs(p->x) <= MAX_NUMBER &&
           fabs(p->y) <= MAX_NUMBER;
}

static bool append(struct outline *o, size_t *capacity, struct outline_point point)
{
    if (o->n == *capacity) {
        const size_t larger = *capacity ? 2 * *capacity : 256;
        struct outline_point *points = realloc(o->points, larger * sizeof *points);
        if (!points)
            return false;
        o->points = points;
        *capacity = larger;
    }
    o->points[o->n++] = point;
    return true;
}

/* The bytes end in a zero; each line comes to do so. */
static int parse(struct outline *o, uint8_t *bytes, size_t size, const char *path)
{
    struct smol_span rest = {bytes, size}, found;
    struct smol_error error;
    size_t capacity = 0;

    if (foreign_start(&rest, &error))
        return cli_complain(path, &error);
    if (memchr(bytes, 0, size))
        return cli_fail(path, "contains a zero byte; it should be text");
    for (size_t line = 1; foreign_line(&found, &rest); line++) {
        char *text = (char *)bytes + (found.data - bytes);
        struct outline_point point;
        text[found.size_bytes] = '\0';
        text += strspn(text, " \t");
        if (*text == '\0' || *text == '#')
            continue;
        if (!parse_point(&point, text))
            return cli_fail(path, "line %zu: expected two numbers of at most 1e100", line);
        if (o->n == OUTLINE_MAX_POINTS)
            return cli_fail(path, "line %zu: more than 1000000 points", line);
        if (!append(o, &capacity, point))
            return cli_no_memory(path);
    }
    if (o->n > 1 && o->points[0].x == o->points[o->n - 1].x &&
        o->points[0].y == o->points[o->n - 1].y)
        o->n--;
    return o->n < 3 ? cli_fail(path, "an outline has at least 3 points") : 0;
}

int outline_read(struct outline *outline, const char *path)
{
    struct outline o = {0};
    uint8_t *bytes;
    size_t size;
    int code = cli_read_file(&bytes, &size, path);

    if (code)
        return code;
    code = parse(&o, bytes, size, path);
    free(bytes);
    if (code)
        free(o.points);
    else
        *outline = o;
    return code;
}

static int by_magnitude(const void *a, const void *b)
{
    const struct outline_term *x = a, *y = b;
    const double d = hypot(y->re, y->im) - hypot(x->re, x->im);

    if (d != 0)
        return d > 0 ? 1 : -1;
    return (x->frequency > y->frequency) - (x->frequency < y->frequency);
}

/* All n terms, the largest first. */
static void analyse(struct outline_term *terms, fftw_complex *z, fftw_plan plan,
                    const struct outline *o)
{
    for (size_t i = 0; i < o->n; i++) {
        z[i][0] = o->points[i].x;
        z[i][1] = o->points[i].y;
    }
    fftw_execute(plan);
    for (size_t i = 0; i < o->n; i++)
        terms[i] =
            (struct outline_term){.frequency = i <= (o->n - 1) / 2 ? (long)i : (long)i - (long)o->n,
                                  .re = z[i][0] / (double)o->n,
                                  .im = z[i][1] / (double)o->n};
    qsort(terms, o->n, sizeof *terms, by_magnitude);
}

static void synthesise(struct outline *curve, fftw_complex *z, fftw_plan plan,
                       const struct outline_term *terms, size_t k)
{
    memset(z, 0, curve->n * sizeof *z);
    for (size_t i = 0; i < k; i++) {
        const long f = terms[i].frequency;
        fftw_complex *c = z + (f < 0 ? (long)curve->n + f : f);
        (*c)[0] = terms[i].re;
        (*c)[1] = terms[i].im;
    }
    fftw_execute(plan);
    for (size_t i = 0; i < curve->n; i++)
        curve->points[i] = (struct outline_point){z[i][0], z[i][1]};
}

/* The curve has a whole number of points for each of the outline's. */
static void measure(struct outline_fit *fit, const struct outline *o)
{
    const size_t stride = fit->curve.n / o->n;
    double cx = 0, cy = 0, error = 0, size = 0;

    for (size_t i = 0; i < o->n; i++) {
        cx += o->points[i].x / (double)o->n;
        cy += o->points[i].y / (double)o->n;
    }
    for (size_t i = 0; i < o->n; i++) {
        const struct outline_point p = o->points[i], q = fit->curve.points[i * stride];
        const double distance = hypot(p.x - q.x, p.y - q.y), radius = hypot(p.x - cx, p.y - cy);
        fit->largest = fmax(fit->largest, distance);
        error += distance * distance;
        size += radius * radius;
    }
    fit->rms = sqrt(error / (double)o->n);
    fit->size = sqrt(size / (double)o->n);
}

int outline_fit(struct outline_fit *fit, const struct outline *outline, size_t k)
{
    const size_t n = outline->n, n_curve = n * ((MIN_CURVE_POINTS + n - 1) / n);
    struct outline_fit f = {.curve.n = n_curve};
    fftw_complex *z = fftw_alloc_complex(n_curve);
    fftw_plan forward = NULL, backward = NULL;
    int code = -1;

    f.terms = malloc(n * sizeof *f.terms);
    f.curve.points = malloc(n_curve * sizeof *f.curve.points);
    if (z) {
        forward = fftw_plan_dft_1d((int)n, z, z, FFTW_FORWARD, FFTW_ESTIMATE);
        backward = fftw_plan_dft_1d((int)n_curve, z, z, FFTW_BACKWARD, FFTW_ESTIMATE);
    }
    if (f.terms && f.curve.points && forward && backward) {
        analyse(f.terms, z, forward, outline);
        synthesise(&f.curve, z, backward, f.terms, k);
        measure(&f, outline);
        *fit = f;
        code = 0;
    } else {
        outline_fit_free(&f);
    }
    fftw_destroy_plan(forward);
    fftw_destroy_plan(backward);
    fftw_free(z);
    fftw_cleanup();
    return code;
}

void outline_fit_free(struct outline_fit *fit)
{
    free(fit->terms);
    free(fit->curve.points);
}
