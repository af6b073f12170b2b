/* See embedding_rows.h. */
#include "smoltool/embedding_rows.h"
#include "cli/cli.h"

#include <smol/initial.h>
#include <smol/params.h>

#include <stdlib.h>

static void put_f32(uint8_t *p, float f) { smol_encode_numbers(p, SMOL_F32, &f, 1); }

void table_put_row(uint8_t *embeddings, const struct smol_table_layout *at, enum smol_dtype type,
                   uint64_t row, const float *values, uint32_t width)
{
    uint8_t *dest = embeddings + at->data + row * smol_row_bytes(type, width);
    uint8_t *multipliers = embeddings + at->multipliers + row * smol_row_multipliers(width);

    if (type == SMOL_Q8)
        put_f32(embeddings + at->scales + 4 * row, smol_encode_q8(dest, values, width));
    else if (type == SMOL_Q4)
        put_f32(embeddings + at->scales + 4 * row,
                smol_encode_q4(dest, multipliers, values, width));
    else
        smol_encode_numbers(dest, type, values, width);
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

uint8_t *table_file(uint64_t *size_bytes, const struct smol_parts *parts, struct smol_error *error)
{
    uint8_t *bytes;

    if (smol_file_size(size_bytes, parts, error))
        return NULL;
    bytes = malloc(*size_bytes);
    if (!bytes)
        cli_error_memory(error);
    else if (smol_file_write(bytes, *size_bytes, parts, error)) {
        free(bytes);
        bytes = NULL;
    }
    return bytes;
}
