/* The numbers of two models side by side: what is learned in each tensor, and the rows of the
 * embeddings. */
#include "cli/cli.h"
#include "smoltool/diff/diff.h"
#include "smoltool/embedding_rows.h"
#include "smoltool/params.h"

#include <smol/initial.h>
#include <smol/weights.h>

#include <stdio.h>
#include <string.h>

/* The names of what a slot and a layer may have. */
static const char *const place_names[PARAM_N_PLACES] = {"",      " A", " B",     " sparse",
                                                        " gain", "",   " models"};
static const char *const layer_names[PARAM_N_LAYER_PLACES] = {"layer_gain", "attn.temperature",
                                                              "attn.slope_factor"};

/* Parts of one length, block by block. */
static void compare_numbers(struct diff_off *o, const struct diff *d, const struct param_part *a,
                            const struct param_part *b)
{
    for (uint64_t i = 0; i < a->n; i += SMOL_Q8_BLOCK) {
        const size_t n = a->n - i < SMOL_Q8_BLOCK ? (size_t)(a->n - i) : SMOL_Q8_BLOCK;
        float of_a[SMOL_Q8_BLOCK], of_b[SMOL_Q8_BLOCK];
        param_read(of_a, d->a->params.data, a, i, n);
        param_read(of_b, d->b->params.data, b, i, n);
        for (size_t k = 0; k < n; k++)
            diff_off_add(o, (double)of_a[k], (double)of_b[k]);
    }
}

/* Adds one place to the sums, and to the list if it differs. */
static void compare_part(struct diff *d, json_t *list, struct diff_off *total, const char *name,
                         struct param_part a, struct param_part b)
{
    const bool alike = a.n == b.n && (a.n == 0 || (a.kind == b.kind && a.cols == b.cols));
    struct diff_off o = {0};
    json_t *entry;

    if (alike)
        compare_numbers(&o, d, &a, &b);
    diff_off_join(total, &o);
    if (alike && o.n_different == 0)
        return;
    entry = json_pack("{s:I, s:I}", "a", (json_int_t)a.n, "b", (json_int_t)b.n);
    if (alike)
        diff_off_set(d, entry, &o);
    diff_set(d, list, name, entry);
}

static void compare_slot(struct diff *d, json_t *list, struct diff_off *total, uint32_t layer,
                         enum smol_slot slot)
{
    char stem[32], name[SMOL_MAX_TENSOR_NAME];

    if (slot == SMOL_LN_F)
        snprintf(stem, sizeof stem, "ln_f");
    else
        snprintf(stem, sizeof stem, "h.%u.%s", layer, smol_slot_name(slot));
    for (enum param_place p = PARAM_OF_WEIGHT; p < PARAM_N_PLACES; p++) {
        snprintf(name, sizeof name, "%s.%s%s", stem, p == PARAM_BIAS ? "bias" : "weight",
                 place_names[p]);
        compare_part(d, list, total, name, param_of_slot(&d->a->config, layer, slot, p),
                     param_of_slot(&d->b->config, layer, slot, p));
    }
}

static void compare_layer(struct diff *d, json_t *list, struct diff_off *total, uint32_t layer)
{
    char name[SMOL_MAX_TENSOR_NAME];

    for (enum param_layer_place p = PARAM_LAYER_GAIN; p < PARAM_N_LAYER_PLACES; p++) {
        snprintf(name, sizeof name, "h.%u.%s", layer, layer_names[p]);
        compare_part(d, list, total, name, param_of_layer(&d->a->config, layer, p),
                     param_of_layer(&d->b->config, layer, p));
    }
}

void diff_learned(struct diff *d)
{
    const struct smol_config *a = &d->a->config, *b = &d->b->config;
    const uint32_t n_layers = a->n_layers < b->n_layers ? b->n_layers : a->n_layers;
    const uint64_t n_a = smol_config_parameters(a), n_b = smol_config_parameters(b);
    json_t *found, *list = json_object();
    struct diff_off total = {0};

    compare_part(d, list, &total, "shared", param_shared(a), param_shared(b));
    for (uint32_t layer = 0; layer < n_layers; layer++) {
        compare_layer(d, list, &total, layer);
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++)
            compare_slot(d, list, &total, layer, slot);
    }
    compare_slot(d, list, &total, 0, SMOL_LN_F);
    compare_part(d, list, &total, "history", param_history(a), param_history(b));
    if (list && json_object_size(list) == 0) {
        json_decref(list);
        return;
    }
    found = json_pack("{s:I, s:I}", "a", (json_int_t)n_a, "b", (json_int_t)n_b);
    diff_off_set(d, found, &total);
    diff_set(d, found, "tensors", list);
    diff_add(d, "learned", found);
}

/* The rows that both tables have, of one width. */
static enum smol_status compare_rows(struct diff_off *o, uint64_t *n_rows, const struct diff *d,
                                     const struct smol_tensor *a, const struct smol_tensor *b,
                                     struct table_rows *r, struct smol_error *error)
{
    const uint32_t n = a->rows < b->rows ? a->rows : b->rows;

    for (uint32_t i = 0; i < n; i++) {
        enum smol_status status = smol_tensor_read(r->a, d->a, a, i, 1, r->scratch, error);
        bool differ = false;
        if (!status)
            status = smol_tensor_read(r->b, d->b, b, i, 1, r->scratch, error);
        if (status)
            return status;
        for (uint32_t c = 0; c < a->cols; c++)
            differ |= diff_off_add(o, r->a[c], r->b[c]);
        *n_rows += differ;
    }
    return SMOL_OK;
}

/* Of equal types and shapes: whether a table is the same bytes. A scale of 0 makes zeros of any
 * bits. */
static bool equal_bytes(const struct smol_table_view *a, const struct smol_table_view *b)
{
    const size_t n_data = (size_t)(a->rows * smol_row_bytes(a->type, a->cols));
    const bool is_shared = a->type == SMOL_Q4_ROW; /* the scale, for all rows */
    const size_t n_multipliers = (size_t)a->rows * (is_shared ? 1 : smol_row_multipliers(a->cols));

    return memcmp(a->data, b->data, n_data) == 0 &&
           (!a->scales || memcmp(a->scales, b->scales, is_shared ? 4 : 4 * (size_t)a->rows) == 0) &&
           (!a->multipliers || memcmp(a->multipliers, b->multipliers, n_multipliers) == 0);
}

static json_t *table_json(struct diff *d, const struct smol_tensor *a, const struct smol_tensor *b,
                          const struct diff_off *o, uint64_t n_rows)
{
    const uint32_t n = a->rows < b->rows ? a->rows : b->rows;
    json_t *found = json_pack("{s:[I, I], s:[I, I]}", "a", (json_int_t)a->rows, (json_int_t)a->cols,
                              "b", (json_int_t)b->rows, (json_int_t)b->cols);

    if (a->cols != b->cols || n == 0)
        return found;
    diff_set(d, found, "rows_compared", json_integer((json_int_t)n));
    diff_set(d, found, "rows_different", json_integer((json_int_t)n_rows));
    diff_off_set(d, found, o);
    return found;
}

/* A table that a file does not have has no rows. */
static const struct smol_table_view *table_of(struct smol_tensor *t, const struct smol_file *f,
                                              const char *name)
{
    if (smol_config_is_delta(&f->config) || smol_tensor_find(t, &f->config, name, NULL) != SMOL_OK)
        *t = (struct smol_tensor){.cols = f->config.width};
    return t->part == SMOL_PART_WPE ? &f->wpe : t->part == SMOL_PART_OUTPUT ? &f->output : &f->wte;
}

static enum smol_status compare_table(struct diff *d, const char *section, const char *name,
                                      struct smol_error *error)
{
    enum smol_status status = SMOL_OK;
    struct smol_tensor a, b;
    const struct smol_table_view *view_a = table_of(&a, d->a, name),
                                 *view_b = table_of(&b, d->b, name);
    struct table_rows rows;
    struct diff_off o = {0};
    uint64_t n_rows = 0;

    if (a.rows == 0 && b.rows == 0)
        return SMOL_OK;
    if (a.rows && b.rows && a.cols == b.cols) {
        status = table_rows_init(&rows, d->a, &a, d->b, &b)
                     ? compare_rows(&o, &n_rows, d, &a, &b, &rows, error)
                     : cli_error_memory(error);
        table_rows_free(&rows);
    }
    if (!status && (a.rows != b.rows || a.cols != b.cols || o.n_different ||
                    view_a->type != view_b->type || !equal_bytes(view_a, view_b)))
        diff_add(d, section, table_json(d, &a, &b, &o, n_rows));
    return status;
}

enum smol_status diff_embeddings(struct diff *d, struct smol_error *error)
{
    enum smol_status status = compare_table(d, "wte", "wte.weight", error);

    if (!status)
        status = compare_table(d, "wpe", "wpe.weight", error);
    return status ? status : compare_table(d, "output_table", "lm_head.weight", error);
}
