/* See embedding_rows.h. */
#include "smoltool/embedding_rows.h"
#include "cli/cli.h"
#include "smoltool/params.h"

#include <smol/initial.h>
#include <smol/params.h>

#include <math.h>
#include <stdlib.h>

static void put_f32(uint8_t *p, float f) { smol_encode_numbers(p, SMOL_F32, &f, 1); }

static int descending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x < y) - (x > y);
}

/* What is least off: of all numbers of largest magnitude that could stay, those whose mean, as the
 * scale, leaves the smallest sum of squares. sizes: (n) for their magnitudes. */
static float ternary_scale(float *least, float *sizes, const float *values, uint32_t n)
{
    double sum = 0, best = 0, scale = 0;

    for (uint32_t i = 0; i < n; i++)
        sizes[i] = fabsf(values[i]);
    qsort(sizes, n, sizeof *sizes, descending);
    *least = 0;
    for (uint32_t i = 0; i < n && sizes[i] > 0; i++) {
        sum += (double)sizes[i];
        if (sum * sum / (i + 1) > best) {
            best = sum * sum / (i + 1);
            scale = sum / (i + 1);
            *least = sizes[i];
        }
    }
    return (float)scale;
}

static float encode_ternary(uint8_t *dest, const float *values, uint32_t n)
{
    int8_t *q = malloc(n);
    float *sizes = malloc(n * sizeof *sizes), least, scale = -1;

    if (q && sizes) {
        scale = ternary_scale(&least, sizes, values, n);
        for (uint32_t i = 0; i < n; i++)
            q[i] = (int8_t)(scale == 0 || fabsf(values[i]) < least ? 0 : values[i] < 0 ? -1 : 1);
        smol_encode_ternary(dest, q, n);
    }
    free(q);
    free(sizes);
    return scale;
}

static float get_f32(const uint8_t *p)
{
    float f;

    smol_decode_numbers(&f, SMOL_F32, p, 1);
    return f;
}

/* The scale's place has the largest so far. */
void table_see_row(uint8_t *section, const struct smol_table_layout *at, enum smol_dtype type,
                   const float *values, uint32_t width)
{
    const float scale = type == SMOL_Q4_ROW ? smol_q4_row_scale(values, width) : 0;

    if (scale > 0 && scale > get_f32(section + at->scales))
        put_f32(section + at->scales, scale);
}

bool table_put_row(uint8_t *section, const struct smol_table_layout *at, enum smol_dtype type,
                   uint64_t row, const float *values, uint32_t width)
{
    uint8_t *dest = section + at->data + row * smol_row_bytes(type, width);
    uint8_t *multipliers = section + at->multipliers + row * smol_row_multipliers(width);

    if (type == SMOL_Q8) {
        put_f32(section + at->scales + 4 * row, smol_encode_q8(dest, values, width));
    } else if (type == SMOL_Q4) {
        put_f32(section + at->scales + 4 * row, smol_encode_q4(dest, multipliers, values, width));
    } else if (type == SMOL_Q4_ROW) {
        section[at->multipliers + row] =
            smol_encode_q4_row(dest, get_f32(section + at->scales), values, width);
    } else if (type == SMOL_TERNARY) {
        const float scale = encode_ternary(dest, values, width);

        put_f32(section + at->scales + 4 * row, scale);
        return scale >= 0;
    } else {
        smol_encode_numbers(dest, type, values, width);
    }
    return true;
}

bool table_rows_init(struct table_rows *r, const struct smol_file *a,
                     const struct smol_tensor *of_a, const struct smol_file *b,
                     const struct smol_tensor *of_b)
{
    const size_t for_a = smol_tensor_scratch_bytes(a, of_a),
                 for_b = smol_tensor_scratch_bytes(b, of_b);

    r->scratch_bytes = for_a > for_b ? for_a : for_b;
    r->a = malloc(of_a->cols * sizeof *r->a);
    r->b = malloc(of_b->cols * sizeof *r->b);
    r->scratch = cli_memory(r->scratch_bytes);
    return r->a && r->b && r->scratch;
}

void table_rows_free(struct table_rows *r)
{
    free(r->a);
    free(r->b);
    cli_memory_free(r->scratch, r->scratch_bytes);
}

uint32_t rows_token(const struct smol_rows_view *rows, uint32_t i)
{
    const uint8_t *p = rows->tokens + 4 * (size_t)i;

    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A delta's rows lie in its EMBD as those of stored matrices in LRND; of q4-row the scale comes
 * first. */
void rows_read(float *values, const struct smol_rows_view *rows, uint32_t i)
{
    const struct smol_table_view *t = &rows->table;
    const uint8_t *start = t->type == SMOL_Q4_ROW ? t->scales : t->data;
    const struct param_part part = {
        .kind = PARAM_ROWS,
        .type = t->type,
        .n = (uint64_t)t->rows * t->cols,
        .cols = t->cols,
        .rows = {(uint64_t)(t->data - start),
                 t->multipliers ? (uint64_t)(t->multipliers - start) : 0,
                 t->scales ? (uint64_t)(t->scales - start) : 0}};

    param_read(values, start, &part, (uint64_t)i * t->cols, t->cols);
}
