/* The rows of embeddings that two deltas have, side by side. SPEC.md 16. */
#include "cli/cli.h"
#include "smoltool/diff/diff.h"
#include "smoltool/embedding_rows.h"

#include <math.h>
#include <stdlib.h>

/* Numbers of rows that both have, and by how much those of B are off. */
struct off {
    uint64_t n_rows, n, n_different;
    double largest, sum;
};

static void add_row(struct off *o, const float *a, const float *b, uint32_t n)
{
    o->n_rows++;
    o->n += n;
    for (uint32_t i = 0; i < n; i++) {
        const double by = (double)b[i] - (double)a[i];

        o->n_different += fabs(by) > 0.0;
        o->largest = fmax(o->largest, fabs(by));
        o->sum += by * by;
    }
}

/* Both lists of tokens ascend. */
static void compare(struct off *o, float *values, const struct smol_rows_view *a,
                    const struct smol_rows_view *b)
{
    const uint32_t width = a->table.cols;
    uint32_t i = 0, k = 0;

    while (i < a->n && k < b->n) {
        const uint32_t of_a = rows_token(a, i), of_b = rows_token(b, k);

        if (of_a == of_b) {
            rows_read(values, a, i);
            rows_read(values + width, b, k);
            add_row(o, values, values + width, width);
        }
        i += of_a <= of_b;
        k += of_b <= of_a;
    }
}

static void compare_rows(struct diff *d, const char *section, const struct smol_rows_view *a,
                         const struct smol_rows_view *b)
{
    const bool alike = a->n && b->n && a->table.cols == b->table.cols;
    float *values = alike ? malloc(2 * (size_t)a->table.cols * sizeof *values) : NULL;
    struct off o = {0};
    json_t *found;

    if (values)
        compare(&o, values, a, b);
    else if (alike)
        d->failed = true;
    free(values);
    if (a->n == b->n && o.n_rows == a->n && o.n_different == 0 &&
        (a->n == 0 || a->table.type == b->table.type))
        return;
    found = json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "rows_a", (json_int_t)a->n, "rows_b",
                      (json_int_t)b->n, "rows_compared", (json_int_t)o.n_rows, "compared",
                      (json_int_t)o.n, "different", (json_int_t)o.n_different, "largest", o.largest,
                      "rms", o.n ? sqrt(o.sum / (double)o.n) : 0.0);
    diff_add(d, section, found);
}

void diff_rows(struct diff *d)
{
    compare_rows(d, "input_rows", &d->a->input_rows, &d->b->input_rows);
    compare_rows(d, "output_rows", &d->a->output_rows, &d->b->output_rows);
}
