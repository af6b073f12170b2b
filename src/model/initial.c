/* The numbers that a new model starts with. SPEC.md 12. */
#include "base/fpenv.h"
#include "frozen/frozen.h"

#include <smol/initial.h>

#include <math.h>
#include <string.h>

static const float default_epsilon = 1e-5f;

static double default_sigma(const struct smol_config *c, enum smol_slot slot)
{
    const bool residual = slot == SMOL_ATTN_C_PROJ || slot == SMOL_MLP_C_PROJ;
    uint32_t rows, cols;

    smol_config_shape(&rows, &cols, c, slot);
    return (slot == SMOL_MLP_C_PROJ && smol_config_has(c, SMOL_FEATURE_RELU2) ? 0.8 : 1.0) /
           sqrt((residual ? 2.0 * c->n_layers : 1.0) * cols);
}

void smol_config_fill(struct smol_config *config, const struct smol_scheme *matrix,
                      const struct smol_scheme *norm, double gain)
{
    struct smol_layer_span span = {.n_layers = (uint16_t)config->n_layers};
    struct smol_fpenv host;

    smol_fpenv_set(&host, NULL);
    config->ln_epsilon = default_epsilon;
    config->logit_scale = 1.0f;
    for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++) {
        const bool is_norm = slot == SMOL_LN_1 || slot == SMOL_LN_2;
        config->schemes[slot] = is_norm ? *norm : *matrix;
        if (!is_norm && matrix->source != SMOL_MATRIX_STORED)
            config->schemes[slot].sigma = (float)(gain * default_sigma(config, slot));
        else if (is_norm && norm->source == SMOL_NORM_OWN)
            config->schemes[slot].sigma = 1.0f;
        span.scheme[slot] = (uint8_t)slot;
    }
    config->spans[0] = span;
    config->n_spans = 1;
    config->n_schemes = SMOL_N_SLOTS;
    config->ln_f = SMOL_LN_1;
    smol_config_canonicalise(config);
    smol_fpenv_restore(&host);
}

uint32_t smol_sparse_parameters(double part, uint32_t cols)
{
    double n;

    SMOL_IN_FPENV(n = part * cols + 0.5);
    return n < 1 ? 1 : n < cols ? (uint32_t)n : cols;
}

static void gauss_rows(float *values, const struct smol_config *c, enum smol_purpose purpose,
                       uint32_t number, uint32_t rows, uint32_t cols, double std,
                       uint32_t row_begin, uint32_t n_rows)
{
    struct smol_frozen_key key;
    struct smol_fpenv host;
    const struct smol_frozen f = {
        .key = &key, .tensor = number, .purpose = purpose, .rows = rows, .cols = cols};

    smol_fpenv_set(&host, NULL);
    smol_frozen_key_init(&key, c->seed);
    smol_frozen_gauss_rows(values, &f, std, row_begin, n_rows);
    smol_fpenv_restore(&host);
}

void smol_initial_wte(float *values, const struct smol_config *config, double std,
                      uint32_t row_begin, uint32_t n_rows)
{
    gauss_rows(values, config, SMOL_PURPOSE_EMBEDDING, 0, config->vocab, config->width, std,
               row_begin, n_rows);
}

void smol_initial_wpe(float *values, const struct smol_config *config, double std,
                      uint32_t row_begin, uint32_t n_rows)
{
    gauss_rows(values, config, SMOL_PURPOSE_EMBEDDING, 1, config->context, config->width, std,
               row_begin, n_rows);
}

void smol_initial_output(float *values, const struct smol_config *config, double std,
                         uint32_t row_begin, uint32_t n_rows)
{
    gauss_rows(values, config, SMOL_PURPOSE_EMBEDDING, 2, config->vocab, config->width, std,
               row_begin, n_rows);
}

/* What is made of the bytes of a mask's scores. */
struct scores {
    uint64_t count[SMOL_TABLE_ENTRIES]; /* of each byte */
    bool is_there[SMOL_TABLE_ENTRIES];  /* whether a weight with it is */
    uint8_t *mask;
};

/* Takes n bytes from a column of a row on; at: of the row in the mask. */
typedef void take_scores(struct scores *scores, uint64_t at, uint32_t col, const uint8_t *bytes,
                         uint32_t n);

static void walk_scores(struct scores *scores, const struct smol_frozen *f, take_scores *take)
{
    uint8_t step[SMOL_STEP_BYTES];
    struct smol_stream stream;

    for (uint32_t row = 0; row < f->rows; row++) {
        if (row % SMOL_ROW_BLOCK == 0)
            smol_stream_init(&stream, f->key, f->tensor, 0, f->purpose, row / SMOL_ROW_BLOCK);
        for (uint32_t col = 0; col < f->cols; col += SMOL_STEP_BYTES) {
            smol_stream_step(&stream, step);
            take(scores, row * smol_mask_row_bytes(f->cols), col, step,
                 f->cols - col < SMOL_STEP_BYTES ? f->cols - col : SMOL_STEP_BYTES);
        }
    }
}

static void count(struct scores *scores, uint64_t at, uint32_t col, const uint8_t *bytes,
                  uint32_t n)
{
    (void)at;
    (void)col;
    for (uint32_t i = 0; i < n; i++)
        scores->count[bytes[i]]++;
}

static void set_bits(struct scores *scores, uint64_t at, uint32_t col, const uint8_t *bytes,
                     uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        scores->mask[at + (col + i) / 8] |=
            (uint8_t)((unsigned)scores->is_there[bytes[i]] << (col + i) % 8);
}

/* Magnitudes ascend from byte 128 on, and from 127 down. */
static void choose(struct scores *s, uint64_t n)
{
    const uint32_t half = SMOL_TABLE_ENTRIES / 2;
    double sum = 0;

    for (uint32_t u = half; u < SMOL_TABLE_ENTRIES; u++)
        sum += smol_gauss_table[u] * (double)(s->count[u] + s->count[2 * half - 1 - u]);
    for (uint32_t u = half; u < SMOL_TABLE_ENTRIES; u++)
        s->is_there[u] = s->is_there[2 * half - 1 - u] =
            smol_gauss_table[u] >= 2.0 / 3.0 * (sum / (double)n);
}

void smol_initial_mask(uint8_t *mask, const struct smol_config *config, uint32_t layer,
                       enum smol_slot slot)
{
    struct smol_frozen_key key;
    struct smol_frozen f = {.key = &key,
                            .tensor = smol_frozen_number(config, layer, slot),
                            .purpose = SMOL_PURPOSE_FACTOR};
    struct scores scores = {.mask = mask};
    struct smol_fpenv host;

    smol_config_shape(&f.rows, &f.cols, config, slot);
    smol_fpenv_set(&host, NULL);
    smol_frozen_key_init(&key, config->seed);
    memset(mask, 0, f.rows * smol_mask_row_bytes(f.cols));
    walk_scores(&scores, &f, count);
    choose(&scores, (uint64_t)f.rows * f.cols);
    walk_scores(&scores, &f, set_bits);
    smol_fpenv_restore(&host);
}

void smol_initial_history(float numbers[SMOL_HISTORY_LENGTHS])
{
    static const float initial[] = {5.5f, 3.25f, 2.25f, 2.25f, 1.75f};

    memcpy(numbers, initial, sizeof initial);
}

void smol_initial_factor(float *values, const struct smol_config *config, uint32_t layer,
                         enum smol_slot slot, uint32_t rank)
{
    uint32_t rows, cols;

    smol_config_shape(&rows, &cols, config, slot);
    SMOL_IN_FPENV(gauss_rows(values, config, SMOL_PURPOSE_FACTOR,
                             smol_frozen_number(config, layer, slot), rank, cols,
                             1.0 / sqrt((double)cols), 0, rank));
}
