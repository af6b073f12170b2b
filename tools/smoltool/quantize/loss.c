/* What a model loses by other number types, number by number. */
#include "cli/cli.h"
#include "smoltool/embedding_rows.h"
#include "smoltool/params.h"
#include "smoltool/quantize/quantize.h"

#include <math.h>
#include <stdlib.h>

/* Sums of squares so far, of all and of the row at hand. */
struct sums {
    double error, size, row_error, row_size, worst_row;
    uint64_t n;
};

static double ratio(double error, double size) { return size > 0 ? sqrt(error / size) : 0; }

static void add(struct sums *s, double before, double after)
{
    s->row_error += (after - before) * (after - before);
    s->row_size += before * before;
    s->n++;
}

static void end_row(struct sums *s)
{
    s->error += s->row_error;
    s->size += s->row_size;
    s->worst_row = fmax(s->worst_row, ratio(s->row_error, s->row_size));
    s->row_error = s->row_size = 0;
}

static void conclude(struct quantize_loss *loss, const struct sums *s)
{
    loss->is_there = s->n > 0;
    loss->rms = s->n ? sqrt(s->error / (double)s->n) : 0;
    loss->relative = ratio(s->error, s->size);
    loss->worst_row = s->worst_row;
}

static enum smol_status compare_table(struct quantize_loss *loss, const struct smol_file *before,
                                      const struct smol_file *after, const char *name,
                                      struct smol_error *error)
{
    enum smol_status status = SMOL_OK;
    struct sums sums = {0};
    struct smol_tensor t;
    struct table_rows m;

    if (smol_tensor_find(&t, &before->config, name, NULL))
        return SMOL_OK;
    if (!table_rows_init(&m, before, &t, after, &t))
        status = cli_error_memory(error);
    for (uint32_t i = 0; !status && i < t.rows; i++) {
        status = smol_tensor_read(m.a, before, &t, i, 1, m.scratch, error);
        if (!status)
            status = smol_tensor_read(m.b, after, &t, i, 1, m.scratch, error);
        for (uint32_t c = 0; !status && c < t.cols; c++)
            add(&sums, m.a[c], m.b[c]);
        end_row(&sums);
    }
    table_rows_free(&m);
    conclude(loss, &sums);
    return status;
}

/* The same of the rows of a delta. */
static enum smol_status compare_rows(struct quantize_loss *loss,
                                     const struct smol_rows_view *before,
                                     const struct smol_rows_view *after, struct smol_error *error)
{
    const uint32_t width = before->table.cols;
    float *a = malloc((width + 1) * sizeof *a), *b = malloc((width + 1) * sizeof *b);
    struct sums sums = {0};

    for (uint32_t i = 0; a && b && i < before->n; i++) {
        rows_read(a, before, i);
        rows_read(b, after, i);
        for (uint32_t c = 0; c < width; c++)
            add(&sums, (double)a[c], (double)b[c]);
        end_row(&sums);
    }
    conclude(loss, &sums);
    free(a);
    free(b);
    return a && b ? SMOL_OK : cli_error_memory(error);
}

/* Vectors, and what has rows row by row. */
static void compare_part(struct sums *s, struct quantize_loss *loss, const struct smol_file *before,
                         const struct smol_file *after, const struct param_part *a,
                         const struct param_part *b)
{
    const uint64_t row = a->kind == PARAM_ROWS ? a->cols : a->n;
    float of_a[SMOL_Q8_BLOCK], of_b[SMOL_Q8_BLOCK];

    if (s->n == 0 && a->n > 0) {
        loss->from = a->type;
        loss->to = b->type;
    }
    for (uint64_t i = 0; i < a->n; i += row) {
        for (uint64_t k = 0; k < row; k += SMOL_Q8_BLOCK) {
            const size_t n = row - k < SMOL_Q8_BLOCK ? (size_t)(row - k) : SMOL_Q8_BLOCK;

            param_read(of_a, before->params.data, a, i + k, n);
            param_read(of_b, after->params.data, b, i + k, n);
            for (size_t j = 0; j < n; j++)
                add(s, (double)of_a[j], (double)of_b[j]);
        }
        end_row(s);
    }
}

/* Two losses at a time: of stored matrices, and of all other numbers. */
struct params_loss {
    struct sums matrices, params;
    struct quantize_loss *losses;
    const struct smol_file *before, *after;
};

static void compare(struct params_loss *l, struct param_part a, struct param_part b)
{
    if (a.kind == PARAM_ROWS)
        compare_part(&l->matrices, l->losses + QUANTIZE_MATRICES, l->before, l->after, &a, &b);
    else if (a.kind == PARAM_NUMBERS)
        compare_part(&l->params, l->losses + QUANTIZE_PARAMS, l->before, l->after, &a, &b);
}

static void compare_slot(struct params_loss *l, uint32_t layer, enum smol_slot slot)
{
    for (enum param_place p = PARAM_OF_WEIGHT; p < PARAM_N_PLACES; p++)
        compare(l, param_of_slot(&l->before->config, layer, slot, p),
                param_of_slot(&l->after->config, layer, slot, p));
}

static void compare_params(struct params_loss *l)
{
    const struct smol_config *a = &l->before->config, *b = &l->after->config;

    compare(l, param_shared(a), param_shared(b));
    for (uint32_t layer = 0; layer < a->n_layers; layer++) {
        for (enum param_layer_place p = PARAM_LAYER_GAIN; p < PARAM_N_LAYER_PLACES; p++)
            compare(l, param_of_layer(a, layer, p), param_of_layer(b, layer, p));
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++)
            compare_slot(l, layer, slot);
    }
    compare_slot(l, 0, SMOL_LN_F);
    compare(l, param_history(a), param_history(b));
    conclude(l->losses + QUANTIZE_MATRICES, &l->matrices);
    conclude(l->losses + QUANTIZE_PARAMS, &l->params);
}

enum smol_status quantize_compare(struct quantize_loss losses[QUANTIZE_N],
                                  const struct smol_file *before, const struct smol_file *after,
                                  const struct quantize_types *types, struct smol_error *error)
{
    const struct smol_config *a = &before->config, *b = &after->config;
    struct params_loss params = {.losses = losses, .before = before, .after = after};
    const struct {
        const char *tensor;
        const struct smol_rows_view *before, *after; /* of a delta */
        enum smol_dtype from, to;
    } tables[] = {{"wte.weight", &before->input_rows, &after->input_rows, a->wte_type, b->wte_type},
                  {"wpe.weight", NULL, NULL, a->wpe_type, b->wpe_type},
                  {"lm_head.weight", &before->output_rows, &after->output_rows, a->output_type,
                   b->output_type}};
    enum smol_status status = SMOL_OK;

    for (int i = QUANTIZE_WTE; i <= QUANTIZE_OUTPUT && types->has_embeddings && !status; i++) {
        losses[i] = (struct quantize_loss){.from = tables[i].from, .to = tables[i].to};
        if (!smol_config_is_delta(a))
            status = compare_table(losses + i, before, after, tables[i].tensor, error);
        else if (tables[i].before)
            status = compare_rows(losses + i, tables[i].before, tables[i].after, error);
    }
    losses[QUANTIZE_MATRICES] = losses[QUANTIZE_PARAMS] = (struct quantize_loss){0};
    compare_params(&params);
    losses[QUANTIZE_MATRICES].is_there &= types->has_matrices;
    losses[QUANTIZE_PARAMS].is_there &= types->has_params;
    return status;
}
