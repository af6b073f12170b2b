/* The numbers of two models side by side: what is learned in each tensor, and the rows of the
 * embeddings. */
#include "cli/cli.h"
#include "smoltool/diff/diff.h"
#include "smoltool/embedding_rows.h"

#include <smol/initial.h>
#include <smol/params.h>
#include <smol/weights.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Pairs of numbers, and by how much those of B are off. */
struct off {
    uint64_t n, n_different;
    double largest, sum;
};

/* By their bits: -0 is not 0. */
static bool add_pair(struct off *o, double a, double b)
{
    const bool differ = memcmp(&a, &b, sizeof a) != 0;

    o->n++;
    o->n_different += differ;
    o->largest = fmax(o->largest, fabs(b - a));
    o->sum += (b - a) * (b - a);
    return differ;
}

static void join(struct off *o, const struct off *more)
{
    o->n += more->n;
    o->n_different += more->n_different;
    o->largest = fmax(o->largest, more->largest);
    o->sum += more->sum;
}

static void set_off(struct diff *d, json_t *object, const struct off *o)
{
    diff_set(d, object, "compared", json_integer((json_int_t)o->n));
    diff_set(d, object, "different", json_integer((json_int_t)o->n_different));
    diff_set(d, object, "largest", json_real(o->largest));
    diff_set(d, object, "rms", json_real(o->n ? sqrt(o->sum / (double)o->n) : 0));
}

/* Parameters that belong together; n is 0 if a model has none here. */
struct part {
    const uint8_t *data;
    enum smol_dtype type;
    uint64_t n;
};

/* What a slot may have, and the names in the order of the file. */
enum { NUMBERS, FACTOR_A, FACTOR_B, SPARSE, GAIN, BIAS, N_PARTS };
static const char *const part_names[] = {"", " A", " B", " sparse", " gain", ""};

static struct part make(const struct smol_file *f, uint64_t at, enum smol_dtype type, uint64_t n)
{
    return (struct part){f->params.data + at, type, n};
}

/* Of a norm: the gain is its weight. */
static struct part norm_part(const struct smol_file *f, const struct smol_scheme *s,
                             const struct smol_params_place *at, int which)
{
    const bool is_bias = which == BIAS;

    if ((which != NUMBERS && !is_bias) || s->source == SMOL_NORM_FROZEN)
        return (struct part){0};
    return s->source == SMOL_NORM_STORED
               ? make(f, is_bias ? at->bias : at->gain, s->value_type, f->config.width)
               : make(f, is_bias ? at->bias_alphas : at->alphas, s->alpha_type, s->d);
}

/* Factors of a rank, or nola's alphas of them. */
static struct part factor_part(const struct smol_file *f, const struct smol_scheme *s,
                               const struct smol_params_place *at, bool is_a, uint64_t length)
{
    if (s->source == SMOL_MATRIX_NOLA)
        return make(f, is_a ? at->alphas : at->bias_alphas, s->alpha_type, s->d);
    return make(f, is_a ? at->factor_a : at->factor_b, s->value_type, s->rank * length);
}

static struct part matrix_part(const struct smol_file *f, const struct smol_scheme *s,
                               const struct smol_params_place *at, enum smol_slot slot, int which)
{
    uint32_t rows, cols;

    smol_config_shape(&rows, &cols, &f->config, slot);
    if (which == FACTOR_A || which == FACTOR_B)
        return factor_part(f, s, at, which == FACTOR_A, which == FACTOR_A ? cols : rows);
    if (which == SPARSE)
        return make(f, at->sparse, s->value_type,
                    smol_scheme_has(s, SMOL_TERM_SPARSE) ? (uint64_t)rows * s->dimensions : 0);
    if (which == GAIN)
        return make(f, at->gain, s->value_type, smol_scheme_has(s, SMOL_TERM_GAINS) ? rows : 0);
    if (which == BIAS)
        return make(f, at->bias, s->value_type, smol_scheme_has(s, SMOL_TERM_BIASES) ? rows : 0);
    /* The shared numbers are the file's, nola's stand for its factors. */
    return make(
        f, at->alphas, s->alpha_type,
        smol_scheme_is_shared(s) || s->source == SMOL_MATRIX_NOLA ? 0 : smol_scheme_parameters(s));
}

/* A layer that a model does not have has no numbers. */
static struct part part_of(const struct smol_file *f, uint32_t layer, enum smol_slot slot,
                           int which)
{
    struct smol_params_place at;
    const struct smol_scheme *s;

    if (slot != SMOL_LN_F && layer >= f->config.n_layers)
        return (struct part){0};
    s = smol_config_scheme(&f->config, layer, slot);
    smol_params_at(&at, &f->config, layer, slot);
    return s->kind == SMOL_NORM ? norm_part(f, s, &at, which) : matrix_part(f, s, &at, slot, which);
}

/* A layer's gain, which its matrices share. */
static struct part layer_gain(const struct smol_file *f, uint32_t layer)
{
    for (enum smol_slot slot = SMOL_LN_1; layer < f->config.n_layers && slot < SMOL_N_SLOTS;
         slot++) {
        const struct smol_scheme *s = smol_config_scheme(&f->config, layer, slot);
        struct smol_params_place at;
        if (!smol_scheme_has(s, SMOL_TERM_LAYER_GAIN))
            continue;
        smol_params_at(&at, &f->config, layer, slot);
        return make(f, at.layer_gain, s->alpha_type, 1);
    }
    return (struct part){0};
}

/* The vector that matrices share stands first in LRND. */
static struct part shared_part(const struct smol_file *f)
{
    for (uint32_t i = 0; i < f->config.n_schemes; i++) {
        const struct smol_scheme *s = &f->config.schemes[i];
        if (smol_scheme_is_shared(s))
            return make(f, 0, s->alpha_type, smol_scheme_parameters(s));
    }
    return (struct part){0};
}

/* Parts of one length, block by block. */
static void compare_numbers(struct off *o, const struct part *a, const struct part *b)
{
    for (uint64_t i = 0; i < a->n; i += SMOL_Q8_BLOCK) {
        const size_t n = a->n - i < SMOL_Q8_BLOCK ? (size_t)(a->n - i) : SMOL_Q8_BLOCK;
        float of_a[SMOL_Q8_BLOCK], of_b[SMOL_Q8_BLOCK];
        smol_decode_numbers(of_a, a->type, a->data + smol_params_array_bytes(a->type, i), n);
        smol_decode_numbers(of_b, b->type, b->data + smol_params_array_bytes(b->type, i), n);
        for (size_t k = 0; k < n; k++)
            add_pair(o, (double)of_a[k], (double)of_b[k]);
    }
}

/* Adds one place to the sums, and to the list if it differs. */
static void compare_part(struct diff *d, json_t *list, struct off *total, const char *name,
                         struct part a, struct part b)
{
    struct off o = {0};
    json_t *entry;

    if (a.n == b.n)
        compare_numbers(&o, &a, &b);
    join(total, &o);
    if (a.n == b.n && o.n_different == 0)
        return;
    entry = json_pack("{s:I, s:I}", "a", (json_int_t)a.n, "b", (json_int_t)b.n);
    if (a.n == b.n)
        set_off(d, entry, &o);
    diff_set(d, list, name, entry);
}

static void compare_slot(struct diff *d, json_t *list, struct off *total, uint32_t layer,
                         enum smol_slot slot)
{
    char stem[32], name[SMOL_MAX_TENSOR_NAME];

    if (slot == SMOL_LN_F)
        snprintf(stem, sizeof stem, "ln_f");
    else
        snprintf(stem, sizeof stem, "h.%u.%s", layer, smol_slot_name(slot));
    for (int which = 0; which < N_PARTS; which++) {
        snprintf(name, sizeof name, "%s.%s%s", stem, which == BIAS ? "bias" : "weight",
                 part_names[which]);
        compare_part(d, list, total, name, part_of(d->a, layer, slot, which),
                     part_of(d->b, layer, slot, which));
    }
}

void diff_learned(struct diff *d)
{
    const struct smol_config *a = &d->a->config, *b = &d->b->config;
    const uint32_t n_layers = a->n_layers < b->n_layers ? b->n_layers : a->n_layers;
    const uint64_t n_a = smol_config_parameters(a), n_b = smol_config_parameters(b);
    json_t *found, *list = json_object();
    struct off total = {0};

    compare_part(d, list, &total, "shared", shared_part(d->a), shared_part(d->b));
    for (uint32_t layer = 0; layer < n_layers; layer++) {
        char name[32];
        snprintf(name, sizeof name, "h.%u.layer_gain", layer);
        compare_part(d, list, &total, name, layer_gain(d->a, layer), layer_gain(d->b, layer));
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++)
            compare_slot(d, list, &total, layer, slot);
    }
    compare_slot(d, list, &total, 0, SMOL_LN_F);
    if (list && json_object_size(list) == 0) {
        json_decref(list);
        return;
    }
    found = json_pack("{s:I, s:I}", "a", (json_int_t)n_a, "b", (json_int_t)n_b);
    set_off(d, found, &total);
    diff_set(d, found, "tensors", list);
    diff_add(d, "learned", found);
}

/* The rows that both tables have, of one width. */
static enum smol_status compare_rows(struct off *o, uint64_t *n_rows, const struct diff *d,
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
            differ |= add_pair(o, r->a[c], r->b[c]);
        *n_rows += differ;
    }
    return SMOL_OK;
}

/* Of equal types and shapes: whether a table is the same bytes. A scale of 0 makes zeros of any
 * bits. */
static bool equal_bytes(const struct smol_table_view *a, const struct smol_table_view *b)
{
    const size_t n_data = (size_t)(a->rows * smol_row_bytes(a->type, a->cols));
    const size_t n_multipliers = (size_t)a->rows * smol_row_multipliers(a->cols);

    return memcmp(a->data, b->data, n_data) == 0 &&
           (!a->scales || memcmp(a->scales, b->scales, 4 * (size_t)a->rows) == 0) &&
           (!a->multipliers || memcmp(a->multipliers, b->multipliers, n_multipliers) == 0);
}

static json_t *table_json(struct diff *d, const struct smol_tensor *a, const struct smol_tensor *b,
                          const struct off *o, uint64_t n_rows)
{
    const uint32_t n = a->rows < b->rows ? a->rows : b->rows;
    json_t *found = json_pack("{s:[I, I], s:[I, I]}", "a", (json_int_t)a->rows, (json_int_t)a->cols,
                              "b", (json_int_t)b->rows, (json_int_t)b->cols);

    if (a->cols != b->cols)
        return found;
    diff_set(d, found, "rows_compared", json_integer((json_int_t)n));
    diff_set(d, found, "rows_different", json_integer((json_int_t)n_rows));
    set_off(d, found, o);
    return found;
}

static enum smol_status compare_table(struct diff *d, const char *name, uint32_t index,
                                      struct smol_error *error)
{
    const struct smol_table_view *view_a = index ? &d->a->wpe : &d->a->wte,
                                 *view_b = index ? &d->b->wpe : &d->b->wte;
    enum smol_status status = SMOL_OK;
    struct smol_tensor a, b;
    struct table_rows rows;
    struct off o = {0};
    uint64_t n_rows = 0;

    smol_tensor_at(&a, &d->a->config, index);
    smol_tensor_at(&b, &d->b->config, index);
    if (!table_rows_init(&rows, d->a, &a, d->b, &b)) {
        status = cli_error_memory(error);
    } else if (a.cols == b.cols)
        status = compare_rows(&o, &n_rows, d, &a, &b, &rows, error);
    table_rows_free(&rows);
    if (!status && (a.rows != b.rows || a.cols != b.cols || o.n_different ||
                    view_a->type != view_b->type || !equal_bytes(view_a, view_b)))
        diff_add(d, name, table_json(d, &a, &b, &o, n_rows));
    return status;
}

enum smol_status diff_embeddings(struct diff *d, struct smol_error *error)
{
    const enum smol_status status = compare_table(d, "wte", 0, error);

    return status ? status : compare_table(d, "wpe", 1, error);
}
