/* See round.h. */
#include "train/net/round.h"

#include "base/bytes.h"
#include "base/number.h"

#include <omp.h>

void smol_row_round(struct smol_row_code *code, float *row, enum smol_dtype type, uint32_t cols)
{
    uint8_t scale[4];
    const struct smol_table_view table = {type, 1, cols, code->data, code->multipliers, scale};

    if (type == SMOL_Q4 && code->is_fitted)
        code->scale = smol_encode_q4_best(code->data, code->multipliers, row, cols);
    else if (type == SMOL_Q4)
        code->scale = smol_encode_q4(code->data, code->multipliers, row, cols);
    else if (type == SMOL_TERNARY)
        code->scale = smol_encode_ternary_best(code->data, row, cols);
    else if (type == SMOL_Q4_ROW)
        *code->multipliers = smol_encode_q4_row(code->data, code->scale, row, cols);
    else
        code->scale = smol_encode_q8(code->data, row, cols);
    smol_put32(scale, smol_f32_bits(code->scale));
    smol_embedding_row(row, &table, 0);
}

bool smol_param_is_fitted(const struct smol_net *net, uint32_t param)
{
    return net->config.architecture != SMOL_ARCH_GPT2 || net->may_round || param >= net->n_tables;
}

bool smol_param_is_rounded(const struct smol_net *net, const struct smol_param *p)
{
    return net->may_round && p->type != SMOL_F32 && !p->is_latent;
}

static void *thread_scratch(const struct smol_net *net)
{
    return (unsigned char *)net->scratch + (size_t)omp_get_thread_num() * net->scratch_bytes;
}

static float *load_row(float *row, const real *values, uint32_t cols)
{
    for (uint32_t c = 0; c < cols; c++)
        row[c] = (float)values[c];
    return row;
}

/* The scale that all rows of q4-row share, 0 for other types. */
static float table_scale(const struct smol_net *net, const struct smol_param *p, const real *values)
{
    const uint32_t cols = (uint32_t)p->cols;
    const size_t rows = p->type == SMOL_Q4_ROW ? p->rows : 0;
    float scale = 0;

#pragma omp parallel for schedule(static) num_threads((int)net->n_threads) reduction(max : scale)
    for (size_t r = 0; r < rows; r++) {
        const float *row = load_row(thread_scratch(net), values + r * cols, cols);
        const float of_row = smol_q4_row_scale(row, cols);

        scale = of_row > scale ? of_row : scale;
    }
    return scale;
}

/* Rows that have a scale; scratch holds a row as floats and encoded. */
static void round_rows(const struct smol_net *net, const struct smol_param *p, const real *values)
{
    const uint32_t cols = (uint32_t)p->cols;
    const float scale = table_scale(net, p, values);

#pragma omp parallel for schedule(static) num_threads((int)net->n_threads)
    for (size_t r = 0; r < p->rows; r++) {
        float *row = load_row(thread_scratch(net), values + r * cols, cols);
        uint8_t *bytes = (uint8_t *)(row + cols);
        struct smol_row_code code = {bytes, bytes + smol_row_bytes(p->type, cols), scale, true};

        smol_row_round(&code, row, p->type, cols);
        for (size_t c = 0; c < cols; c++)
            p->used[r * cols + c] = (real)row[c];
    }
}

/* n numbers of an array, a whole number of blocks or the array's end. */
static void round_numbers(real *to, const real *from, enum smol_dtype type, size_t n)
{
    float block[SMOL_Q8_BLOCK];
    uint8_t bytes[sizeof block];

    for (size_t i = 0; i < n; i += SMOL_Q8_BLOCK) {
        const size_t m = n - i < SMOL_Q8_BLOCK ? n - i : SMOL_Q8_BLOCK;

        for (size_t j = 0; j < m; j++)
            block[j] = (float)from[i + j];
        smol_encode_numbers(bytes, type, block, m);
        smol_decode_numbers(block, type, bytes, m);
        for (size_t j = 0; j < m; j++)
            to[i + j] = (real)block[j];
    }
}

void smol_net_round(const struct smol_net *net)
{
    for (uint32_t i = 0; i < net->n_params; i++) {
        const struct smol_param *p = net->params + i;
        const real *values = smol_net_value(net, i);

        if (p->used == values)
            continue;
        if (!net->rounds || net->stored)
            memcpy(p->used, values, smol_param_size(p) * sizeof *values);
        else if (smol_dtype_is_scaled(p->type))
            round_rows(net, p, values);
        else
            round_numbers(p->used, values, p->type, smol_param_size(p));
    }
}
