/* The rows of embeddings that two deltas have, side by side. SPEC.md 16. */
#include "cli/cli.h"
#include "smoltool/diff/diff.h"
#include "smoltool/embedding_rows.h"

#include <stdlib.h>

/* Both lists of tokens ascend. Returns how many rows both have. */
static uint32_t compare(struct diff_off *o, float *values, const struct smol_rows_view *a,
                        const struct smol_rows_view *b)
{
    const uint32_t width = a->table.cols;
    uint32_t i = 0, k = 0, n = 0;

    while (i < a->n && k < b->n) {
        const uint32_t of_a = rows_token(a, i), of_b = rows_token(b, k);

        if (of_a == of_b) {
            rows_read(values, a, i);
            rows_read(values + width, b, k);
            for (uint32_t c = 0; c < width; c++)
                diff_off_add(o, (double)values[c], (double)values[width + c]);
            n++;
        }
        i += of_a <= of_b;
        k += of_b <= of_a;
    }
    return n;
}

static void compare_rows(struct diff *d, const char *section, const struct smol_rows_view *a,
                         const struct smol_rows_view *b)
{
    const bool alike = a->n && b->n && a->table.cols == b->table.cols;
    float *values = alike ? malloc(2 * (size_t)a->table.cols * sizeof *values) : NULL;
    struct diff_off o = {0};
    uint32_t n_rows = 0;
    json_t *found;

    if (values)
        n_rows = compare(&o, values, a, b);
    else if (alike)
        d->failed = true;
    free(values);
    if (a->n == b->n && n_rows == a->n && o.n_different == 0 &&
        (a->n == 0 || a->table.type == b->table.type))
        return;
    found = json_pack("{s:I, s:I, s:I}", "rows_a", (json_int_t)a->n, "rows_b", (json_int_t)b->n,
                      "rows_compared", (json_int_t)n_rows);
    diff_off_set(d, found, &o);
    diff_add(d, section, found);
}

void diff_rows(struct diff *d)
{
    compare_rows(d, "input_rows", &d->a->input_rows, &d->b->input_rows);
    compare_rows(d, "output_rows", &d->a->output_rows, &d->b->output_rows);
}
