/* See sweep.h. */
#include "plot/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHARE 0.9

static double mean_loss(const struct run_log *logs, size_t n, const char *method)
{
    double sum = 0;
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        if (strcmp(run_log_method(logs + i), method) == 0) {
            sum += logs[i].nats_per_token;
            count++;
        }
    return count ? sum / (double)count : NAN;
}

static struct sweep_series *series_of(struct sweep *s, const char *method)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->series[i].method, method) == 0)
            return s->series + i;
    s->series[s->n].method = method;
    return s->series + s->n++;
}

static void add(struct sweep_series *s, unsigned d, double loss)
{
    size_t at = 0;

    while (at < s->n && s->points[at].d < d)
        at++;
    if (at == s->n || s->points[at].d != d) {
        memmove(s->points + at + 1, s->points + at, (s->n - at) * sizeof *s->points);
        s->points[at] = (struct sweep_point){.d = d};
        s->n++;
    }
    s->points[at].loss += loss; /* a sum until all runs are there */
    s->points[at].n_runs++;
}

static void finish_series(struct sweep_series *s, double threshold)
{
    for (size_t i = 0; i < s->n; i++) {
        s->points[i].loss /= s->points[i].n_runs;
        if (!s->d90 && s->points[i].loss <= threshold)
            s->d90 = s->points[i].d;
    }
}

int sweep_make(struct sweep *sweep, const struct run_log *logs, size_t n)
{
    struct sweep s = {.baseline = mean_loss(logs, n, SWEEP_BASELINE),
                      .full = mean_loss(logs, n, SWEEP_FULL)};

    s.threshold = s.full < s.baseline ? s.baseline - SHARE * (s.baseline - s.full) : NAN;
    s.series = calloc(n + 1, sizeof *s.series);
    for (size_t i = 0; s.series && i < n; i++) {
        struct sweep_series *series;
        if (!run_log_d(logs + i))
            continue;
        series = series_of(&s, run_log_method(logs + i));
        if (!series->points)
            series->points = calloc(n, sizeof *series->points);
        if (!series->points) {
            sweep_free(&s);
            return -1;
        }
        add(series, run_log_d(logs + i), logs[i].nats_per_token);
    }
    if (!s.series)
        return -1;
    for (size_t i = 0; i < s.n; i++)
        finish_series(s.series + i, s.threshold);
    *sweep = s;
    return 0;
}

void sweep_free(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->n; i++)
        free(sweep->series[i].points);
    free(sweep->series);
    *sweep = (struct sweep){0};
}

double sweep_share(const struct sweep *sweep, double loss)
{
    return isnan(sweep->threshold) ? NAN
                                   : (sweep->baseline - loss) / (sweep->baseline - sweep->full);
}
