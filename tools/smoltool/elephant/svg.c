/* See svg.h. */
#include "smoltool/elephant/svg.h"
#include "cli/cli.h"
#include "cli/text_stream.h"
#include "plot/gnuplot.h"

#include <math.h>
#include <stdlib.h>

#define LONG_SIDE 800.0 /* pixels */
#define FILL "#b9c7d6"
#define EDGE "#2b3a4a"
#define DOTS "#d55e00"

/* What the picture shows of the plane. */
struct view {
    double x0, y0, x1, y1;
};

static void include(struct view *v, const struct outline *o)
{
    for (size_t i = 0; i < o->n; i++) {
        v->x0 = fmin(v->x0, o->points[i].x);
        v->x1 = fmax(v->x1, o->points[i].x);
        v->y0 = fmin(v->y0, o->points[i].y);
        v->y1 = fmax(v->y1, o->points[i].y);
    }
}

static struct view view_of(const struct figure *f)
{
    struct view v = {INFINITY, INFINITY, -INFINITY, -INFINITY};
    double margin;

    include(&v, &f->curve);
    include(&v, &f->given);
    include(&v, &f->up);
    include(&v, &f->down);
    margin = 0.06 * fmax(v.x1 - v.x0, v.y1 - v.y0);
    if (!(margin > 0)) /* all points are one */
        margin = 1 + fabs(v.x0) + fabs(v.y0);
    return (struct view){v.x0 - margin, v.y0 - margin, v.x1 + margin, v.y1 + margin};
}

/* Pixels for each unit. */
static double scale_of(const struct view *v)
{
    return LONG_SIDE / fmax(v->x1 - v->x0, v->y1 - v->y0);
}

/* SVG's y points down. */
static void svg_path(FILE *to, const struct outline *o, const struct view *v)
{
    const double s = scale_of(v);

    for (size_t i = 0; i < o->n; i++)
        fprintf(to, "%s%.2f %.2f", i ? "L" : "M", (o->points[i].x - v->x0) * s,
                (v->y1 - o->points[i].y) * s);
    fputc('Z', to);
}

/* A swing moves every point along a line, as the sine of time: so its two ends and the middle say
 * it all, if the time between them eases as a sine does. */
static void svg_swing(FILE *to, const struct figure *f, const struct view *v)
{
    const struct outline *const stations[] = {&f->curve, &f->up, &f->curve, &f->down, &f->curve};

    fputs("<animate attributeName=\"d\" dur=\"2s\" repeatCount=\"indefinite\" calcMode=\"spline\" "
          "keyTimes=\"0;0.25;0.5;0.75;1\" "
          "keySplines=\"0.39 0.575 0.565 1;0.435 0 0.61 0.425;0.39 0.575 0.565 1;0.435 0 0.61 "
          "0.425\" values=\"",
          to);
    for (size_t i = 0; i < sizeof stations / sizeof stations[0]; i++) {
        if (i)
            fputc(';', to);
        svg_path(to, stations[i], v);
    }
    fputs("\"/>", to);
}

static void svg(FILE *to, const struct figure *f)
{
    const struct view v = view_of(f);
    const double s = scale_of(&v), width = (v.x1 - v.x0) * s, height = (v.y1 - v.y0) * s;

    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.2f %.2f\" width=\"%.0f\" "
            "height=\"%.0f\">\n"
            "<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
            width, height, width, height, f->title);
    fputs("<path id=\"curve\" fill=\"" FILL "\" stroke=\"" EDGE
          "\" stroke-width=\"3\" stroke-linejoin=\"round\" d=\"",
          to);
    svg_path(to, &f->curve, &v);
    fputs("\">", to);
    if (f->up.n)
        svg_swing(to, f, &v);
    fputs("</path>\n", to);
    for (size_t i = 0; i < f->given.n; i++)
        fprintf(to,
                "<circle class=\"point\" cx=\"%.2f\" cy=\"%.2f\" r=\"2.5\" fill=\"" DOTS "\"/>\n",
                (f->given.points[i].x - v.x0) * s, (v.y1 - f->given.points[i].y) * s);
    if (f->eye)
        fprintf(to, "<circle id=\"eye\" cx=\"%.2f\" cy=\"%.2f\" r=\"8\" fill=\"" EDGE "\"/>\n",
                (f->eye->x - v.x0) * s, (v.y1 - f->eye->y) * s);
    fputs("</svg>\n", to);
}

static int write_svg(const struct figure *f, const char *output)
{
    struct text_stream s;
    int code;

    if (!text_stream_open(&s))
        return cli_no_memory(output);
    svg(s.to, f);
    code = text_stream_close(&s) ? cli_write_file(output, s.text, s.n) : cli_no_memory(output);
    free(s.text);
    return code;
}

/* A closed curve comes back to its first point. */
static void put_points(FILE *script, const char *name, const struct outline_point *points, size_t n)
{
    fprintf(script, "$%s << END\n", name);
    for (size_t i = 0; i <= n; i++)
        fprintf(script, "%.9g %.9g\n", points[i % n].x, points[i % n].y);
    fputs("END\n", script);
}

static int write_by_gnuplot(const struct figure *f, const char *output)
{
    const struct view v = view_of(f);
    const double s = scale_of(&v);
    FILE *script =
        gnuplot_begin(output, (unsigned)((v.x1 - v.x0) * s), (unsigned)((v.y1 - v.y0) * s));

    if (!script)
        return CLI_FAILED;
    put_points(script, "curve", f->curve.points, f->curve.n);
    if (f->given.n)
        put_points(script, "given", f->given.points, f->given.n);
    if (f->eye)
        put_points(script, "eye", f->eye, 1);
    fprintf(script,
            "unset border\nunset tics\nunset key\nset margins screen 0, screen 1, screen 0, screen "
            "1\n"
            "set xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\n"
            "plot $curve with filledcurves closed fillcolor rgb '" FILL "', "
            "$curve with lines linewidth 3 linecolor rgb '" EDGE "'",
            v.x0, v.x1, v.y0, v.y1);
    if (f->given.n)
        fputs(", $given with points pointtype 7 pointsize 0.5 linecolor rgb '" DOTS "'", script);
    if (f->eye)
        fputs(", $eye with points pointtype 7 pointsize 2 linecolor rgb '" EDGE "'", script);
    fputc('\n', script);
    return gnuplot_end(script, output);
}

int figure_write(const struct figure *figure, const char *output)
{
    return gnuplot_is_svg(output) ? write_svg(figure, output) : write_by_gnuplot(figure, output);
}
