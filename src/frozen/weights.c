/* From streams and tables to the weights of some rows. SPEC.md 5.4 and 5.6. */
#include "base/bytes.h"
#include "frozen/frozen.h"

#include <string.h>

uint32_t smol_frozen_number(const struct smol_config *config, uint32_t layer, enum smol_slot slot)
{
    switch (slot) {
    case SMOL_LN_1: return 4 * layer;
    case SMOL_LN_2: return 4 * layer + 2;
    case SMOL_ATTN_C_ATTN: return 4 * layer;
    case SMOL_ATTN_C_PROJ: return 4 * layer + 1;
    case SMOL_MLP_C_FC: return 4 * layer + 2;
    case SMOL_MLP_C_PROJ: return 4 * layer + 3;
    case SMOL_LN_F: break;
    }
    return 4 * config->n_layers;
}

/* One plane of rows row_begin.. of a tensor, row by row: the stream of each row block from its
 * start, since rows have no starting points of their own. */
struct walk {
    const struct smol_frozen *tensor;
    uint32_t plane, row;
    struct smol_stream stream;
};

/* To the next row, which is in a new block at every 64th. */
static void walk_row(struct walk *w)
{
    if (w->row % SMOL_ROW_BLOCK == 0)
        smol_stream_init(&w->stream, w->tensor->key, w->tensor->tensor, w->plane,
                         w->tensor->purpose, w->row / SMOL_ROW_BLOCK);
    w->row++;
}

/* Before a row: those before it in its block are skipped. */
static void walk_start(struct walk *w, const struct smol_frozen *tensor, uint32_t plane,
                       uint32_t row)
{
    uint8_t bytes[SMOL_STEP_BYTES];

    w->tensor = tensor;
    w->plane = plane;
    w->row = row - row % SMOL_ROW_BLOCK;
    while (w->row < row) {
        walk_row(w);
        for (uint32_t col = 0; col < tensor->cols; col += SMOL_STEP_BYTES)
            smol_stream_step(&w->stream, bytes);
    }
}

/* Adds Q_p[u] of one plane of one row to weights (cols). */
static void add_row(int16_t *weights, struct walk *w)
{
    const int16_t *table = w->tensor->table + w->plane * SMOL_TABLE_ENTRIES;
    const uint32_t cols = w->tensor->cols;
    uint8_t bytes[SMOL_STEP_BYTES];

    for (uint32_t col = 0; col < cols; col += SMOL_STEP_BYTES) {
        const uint32_t n = cols - col < SMOL_STEP_BYTES ? cols - col : SMOL_STEP_BYTES;
        smol_stream_step(&w->stream, bytes);
        for (uint32_t j = 0; j < n; j++)
            weights[col + j] = (int16_t)(weights[col + j] + table[bytes[j]]);
    }
}

void smol_frozen_weights(int16_t *weights, const struct smol_frozen *tensor, uint32_t row_begin,
                         uint32_t n_rows)
{
    struct walk w;

    memset(weights, 0, (size_t)n_rows * tensor->cols * sizeof *weights);
    for (uint32_t plane = 0; plane < tensor->n_planes; plane++) {
        walk_start(&w, tensor, plane, row_begin);
        for (uint32_t r = 0; r < n_rows; r++) {
            walk_row(&w);
            add_row(weights + (size_t)r * tensor->cols, &w);
        }
    }
}

void smol_frozen_bytes(uint8_t *bytes, const struct smol_frozen *tensor, uint32_t plane,
                       uint32_t row_begin, uint32_t n_rows)
{
    const uint32_t cols = tensor->cols;
    uint8_t step[SMOL_STEP_BYTES];
    struct walk w;

    walk_start(&w, tensor, plane, row_begin);
    for (uint32_t r = 0; r < n_rows; r++) {
        walk_row(&w);
        for (uint32_t col = 0; col < cols; col += SMOL_STEP_BYTES) {
            smol_stream_step(&w.stream, step);
            memcpy(bytes + (size_t)r * cols + col, step,
                   cols - col < SMOL_STEP_BYTES ? cols - col : SMOL_STEP_BYTES);
        }
    }
}

void smol_sparse_columns(uint32_t *columns, const struct smol_frozen *tensor, uint32_t q,
                         uint32_t row_begin, uint32_t n_rows)
{
    struct smol_frozen words = *tensor; /* a row has four bytes for each number */
    uint8_t step[SMOL_STEP_BYTES];
    struct walk w;

    words.cols = 4 * q;
    walk_start(&w, &words, 0, row_begin);
    for (uint32_t r = 0; r < n_rows; r++) {
        walk_row(&w);
        for (uint32_t k = 0; k < q; k++) {
            const uint64_t begin = (uint64_t)k * tensor->cols / q,
                           end = (uint64_t)(k + 1) * tensor->cols / q;
            if (k % 16 == 0)
                smol_stream_step(&w.stream, step);
            columns[(size_t)r * q + k] =
                (uint32_t)(begin +
                           ((uint64_t)smol_le32(step + 4 * (k % 16)) * (end - begin) >> 32));
        }
    }
}

void smol_frozen_gauss_rows(float *values, const struct smol_frozen *tensor, double std,
                            uint32_t row_begin, uint32_t n_rows)
{
    const uint32_t cols = tensor->cols;
    uint8_t step[SMOL_STEP_BYTES];
    struct walk w;

    walk_start(&w, tensor, 0, row_begin);
    for (uint32_t r = 0; r < n_rows; r++) {
        walk_row(&w);
        for (uint32_t col = 0; col < cols; col += SMOL_STEP_BYTES) {
            smol_stream_step(&w.stream, step);
            for (uint32_t j = 0; j < SMOL_STEP_BYTES && col + j < cols; j++)
                values[(size_t)r * cols + col + j] = (float)(std * smol_gauss_table[step[j]]);
        }
    }
}
