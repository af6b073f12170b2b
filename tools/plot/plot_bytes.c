/* Bits per byte against bytes outside the embeddings. */
#include "plot/gnuplot.h"
#include "plot/plot_kinds.h"
#include "plot/plot_parts.h"

#include <string.h>

/* gnuplot's filled shapes. */
static const int point_types[] = {7, 5, 9, 13, 11, 15};
#define N_POINT_TYPES (sizeof point_types / sizeof point_types[0])

static bool first_of_method(const struct run_log *logs, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(run_log_method(logs + k), run_log_method(logs + i)) == 0)
            return false;
    return true;
}

/* What tells run k from others of its method, "d = 5", as a column of data: once, if only seeds
 * differ. */
static void put_detail(FILE *script, const struct run_log *logs, size_t k)
{
    char label[RUN_LOG_LABEL_BYTES], other[RUN_LOG_LABEL_BYTES];
    const char *comma;
    bool is_told = false;

    run_log_label(label, sizeof label, logs + k);
    for (size_t i = 0; i < k && !is_told; i++) {
        run_log_label(other, sizeof other, logs + i);
        is_told = strcmp(label, other) == 0;
    }
    comma = strchr(label, ',');
    fprintf(script, "\"%s\"\n", comma && !is_told ? comma + 2 : "");
}

/* The runs of the method that run i is the first of. */
static void put_method(FILE *script, const struct run_log *logs, size_t n, size_t i)
{
    fprintf(script, "$method%zu << END\n", i);
    for (size_t k = i; k < n; k++)
        if (strcmp(run_log_method(logs + k), run_log_method(logs + i)) == 0) {
            fprintf(script, "%.9g %.9g ", logs[k].non_embedding_bytes, logs[k].bits_per_byte);
            put_detail(script, logs, k);
        }
    fputs("END\n", script);
}

static void plot_method(FILE *script, const struct run_log *log, size_t i, size_t nth)
{
    fprintf(script,
            "%s$method%zu using 1:2 with points pointtype %d pointsize 1 linecolor rgb '#%s' "
            "title ",
            nth ? ", " : "plot ", i, point_types[nth % N_POINT_TYPES], plot_colour(nth));
    gnuplot_text(script, run_log_method(log));
    fprintf(script, ", $method%zu using 1:2:3 with labels left offset 0.8, 0 textcolor rgb '#%s'",
            i, plot_colour(nth));
}

int plot_bytes(FILE *script, const char *output, const struct plot_options *o,
               const struct run_log *logs, size_t n)
{
    size_t nth = 0;

    (void)output;
    (void)o;
    plot_frame(script, "bytes outside the embeddings", "validation (bits per byte)", true);
    fputs(PLOT_KEY_ABOVE
          "set format x '%.0s%c'\nset offsets graph 0.03, graph 0.1, graph 0.06, graph 0.06\n",
          script);
    for (size_t i = 0; i < n; i++)
        if (first_of_method(logs, i))
            put_method(script, logs, n, i);
    for (size_t i = 0; i < n; i++)
        if (first_of_method(logs, i))
            plot_method(script, logs + i, i, nth++);
    fputc('\n', script);
    return 0;
}
