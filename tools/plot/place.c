/* Labels that do not overlap: each takes the nearest free place beside its point. */
#include "plot/plot_parts.h"

#include <math.h>

/* Sizes in pixels, of gnuplot's default font and the points of plot_bytes.c. */
#define CHARACTER 8.2
#define LINE 16.0
#define POINT 11.0
#define GAP 10.0
#define MAX_LINES 16

struct box {
    double left, right, bottom, top;
};

static bool overlap(const struct box *a, const struct box *b)
{
    return a->left < b->right && b->left < a->right && a->bottom < b->top && b->bottom < a->top;
}

static struct box label_box(const struct plot_label *l)
{
    return (struct box){l->x, l->x + CHARACTER * (double)l->length, l->y - LINE / 2,
                        l->y + LINE / 2};
}

static struct box point_box(const struct plot_point *p)
{
    return (struct box){p->x - POINT / 2, p->x + POINT / 2, p->y - POINT / 2, p->y + POINT / 2};
}

static bool is_free(const struct plot_label *label, const struct plot_label *placed, size_t n,
                    const struct plot_point *points, size_t n_points, double width, double height)
{
    const struct box own = label_box(label);
    struct box other;

    if (own.left < 0 || own.right > width || own.bottom < 0 || own.top > height)
        return false;
    for (size_t i = 0; i < n; i++) {
        other = label_box(placed + i);
        if (overlap(&own, &other))
            return false;
    }
    for (size_t i = 0; i < n_points; i++) {
        other = point_box(points + i);
        if (overlap(&own, &other))
            return false;
    }
    return true;
}

/* Right of the point, left of it, then half a line further up and down at a time. */
static struct plot_label candidate(const struct plot_label *at, unsigned i)
{
    const double right = at->x + GAP, left = at->x - GAP - CHARACTER * (double)at->length;
    const double step = LINE / 2 * ((i / 2 + 1) / 2);

    return (struct plot_label){i % 2 ? left : right, at->y + (i / 2 % 2 ? step : -step),
                               at->length};
}

void plot_place(struct plot_label *labels, size_t n, const struct plot_point *points,
                size_t n_points, double width, double height)
{
    for (size_t i = 0; i < n; i++) {
        struct plot_label place = candidate(labels + i, 0);
        for (unsigned k = 0; k < 8 * MAX_LINES; k++) {
            const struct plot_label tried = candidate(labels + i, k);
            if (is_free(&tried, labels, i, points, n_points, width, height)) {
                place = tried;
                break;
            }
        }
        labels[i] = place;
    }
}
