/* See weights.h. */
#include "smoltool/import/weights.h"
#include "cli/cli.h"
#include "cli/countdown.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define TILE_ROWS 64u
#define RELEASE_BYTES ((uint64_t)16 << 20) /* that may be read before they are given back */
#define HALF_LIMIT 65520.0f                /* what rounds to more than the largest half */
#define LIMIT 0x1p60f                      /* of numbers that are encoded: <smol/params.h> */

struct job {
    struct smol_assembly *assembly;
    const struct smol_config *config;
    const struct checkpoint *checkpoint;
    const char *path; /* at fault, if something is wrong now */
    struct smol_error *error;
    struct countdown countdown;
    double n_done, n_all; /* numbers */
    float *tile;          /* (TILE_ROWS, cols) of any tensor */
    float *column;        /* TILE_ROWS */
    uint8_t *rows;        /* a tile, encoded */
};

/* ---- interrupts ---- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) { interrupted = number; }

void import_catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};

    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int import_interrupted(void) { return interrupted; }

/* ---- reading ---- */

static enum smol_status fail(struct job *j, const struct checkpoint_tensor *t, const char *why)
{
    j->path = t->file->path;
    return cli_error(j->error, SMOL_E_NUMERIC, "tensor %s: %s", t->name, why);
}

static enum smol_status read(struct job *j, float *values, const struct checkpoint_tensor *t,
                             uint64_t first, size_t n)
{
    struct smol_error why;

    return smol_array_values(values, t->array, first, n, &why) ? fail(j, t, why.text) : SMOL_OK;
}

/* Rows of outputs from columns: every row of the array has a piece of each. */
static enum smol_status read_columns(struct job *j, const struct checkpoint_tensor *t,
                                     uint32_t rows, uint32_t cols, uint32_t begin, uint32_t n)
{
    enum smol_status status = SMOL_OK;

    for (uint32_t k = 0; !status && k < cols; k++) {
        status = read(j, j->column, t, (uint64_t)k * rows + begin, n);
        for (uint32_t r = 0; r < n; r++)
            j->tile[(size_t)r * cols + k] = j->column[r];
    }
    return status;
}

/* What was read of a tensor goes; at the end of it all that was of its file, since the system maps
 * pages around those that are touched. */
static void release(const struct checkpoint_tensor *t, uint64_t n_read_bytes)
{
    const struct smol_mapping *m = &t->file->mapping;

    if (n_read_bytes >= t->array->size_bytes)
        smol_mapping_release(m, m->bytes.data, m->bytes.size_bytes);
    else
        smol_mapping_release(m, t->array->data, n_read_bytes);
}

/* ---- encoding ---- */

/* Where a row's scale and multipliers go, in what follows the rows. */
struct tail {
    uint8_t *bytes;
    size_t size_bytes;
    uint64_t multipliers, scales; /* offsets */
};

static enum smol_status put_row(struct job *j, const struct checkpoint_tensor *t, uint8_t *dest,
                                struct tail *tail, enum smol_dtype type, uint32_t row,
                                const float *values, uint32_t n)
{
    float scale = 0, largest = 0;

    for (uint32_t i = 0; i < n; i++)
        largest = fabsf(values[i]) > largest ? fabsf(values[i]) : largest;
    if (largest > LIMIT || (type == SMOL_F16 && largest >= HALF_LIMIT))
        return fail(j, t,
                    type == SMOL_F16 ? "a number is too large for f16" : "a number is over 2^60");
    if (type == SMOL_Q8)
        scale = smol_encode_q8(dest, values, n);
    else if (type == SMOL_Q4)
        scale = smol_encode_q4_best(
            dest, tail->bytes + tail->multipliers + (uint64_t)row * smol_row_multipliers(n), values,
            n);
    else
        smol_encode_numbers(dest, type, values, n);
    if (smol_dtype_is_scaled(type))
        smol_encode_numbers(tail->bytes + tail->scales + 4 * (uint64_t)row, SMOL_F32, &scale, 1);
    return SMOL_OK;
}

static enum smol_status put_tile(struct job *j, const struct checkpoint_tensor *t,
                                 struct tail *tail, enum smol_dtype type, uint32_t cols,
                                 uint32_t begin, uint32_t n)
{
    const size_t row_bytes = (size_t)smol_row_bytes(type, cols);
    enum smol_status status = SMOL_OK;

    for (uint32_t r = 0; !status && r < n; r++)
        status = put_row(j, t, j->rows + r * row_bytes, tail, type, begin + r,
                         j->tile + (size_t)r * cols, cols);
    if (!status)
        status = smol_assembly_append(j->assembly, j->rows, n * row_bytes, j->error);
    j->n_done += (double)n * cols;
    countdown_show(&j->countdown, j->n_done, j->n_all);
    return interrupted && !status ? cli_error(j->error, SMOL_E_IO, "interrupted") : status;
}

static enum smol_status put_rows(struct job *j, const struct checkpoint_tensor *t,
                                 struct tail *tail, enum smol_dtype type, uint32_t rows,
                                 uint32_t cols, bool is_transposed)
{
    const uint64_t row_in_bytes = t->array->size_bytes / rows;
    enum smol_status status = SMOL_OK;
    uint64_t released = 0;

    for (uint32_t begin = 0, n; !status && begin < rows; begin += n) {
        n = rows - begin < TILE_ROWS ? rows - begin : TILE_ROWS;
        status = is_transposed ? read_columns(j, t, rows, cols, begin, n)
                               : read(j, j->tile, t, (uint64_t)begin * cols, (size_t)n * cols);
        if (!status)
            status = put_tile(j, t, tail, type, cols, begin, n);
        if (!is_transposed && (begin + n) * row_in_bytes - released >= RELEASE_BYTES) {
            released = (begin + n) * row_in_bytes;
            release(t, released);
        }
    }
    release(t, t->array->size_bytes);
    return status;
}

static enum smol_status put_zeros(struct job *j, uint64_t n)
{
    static const uint8_t zeros[64];

    return smol_assembly_append(j->assembly, zeros, (size_t)n, j->error);
}

/* A table whose parts are padded to multiples of alignment. */
static enum smol_status put_table(struct job *j, const char *name, enum smol_dtype type,
                                  uint32_t rows, uint32_t cols, uint32_t alignment,
                                  bool is_transposed)
{
    const struct checkpoint_tensor *t = checkpoint_find(j->checkpoint, name);
    const uint64_t rows_bytes = rows * smol_row_bytes(type, cols);
    struct smol_table_layout at;
    const uint64_t end = smol_table_place(&at, type, rows, cols, 0, alignment),
                   padded = (rows_bytes + alignment - 1) / alignment * alignment;
    struct tail tail = {.size_bytes = (size_t)(end - padded)};
    enum smol_status status;

    tail.multipliers = at.multipliers ? at.multipliers - padded : 0;
    tail.scales = at.scales ? at.scales - padded : 0;
    tail.bytes = calloc(tail.size_bytes + 1, 1);
    if (!tail.bytes)
        return cli_error_memory(j->error);
    status = put_rows(j, t, &tail, type, rows, cols, is_transposed);
    if (!status)
        status = put_zeros(j, padded - rows_bytes);
    if (!status)
        status = smol_assembly_append(j->assembly, tail.bytes, tail.size_bytes, j->error);
    free(tail.bytes);
    return status;
}

/* ---- in the order of the file ---- */

/* A table of a tensor: vectors have one row, and are floats. */
static enum smol_status put_tensor(struct job *j, const struct smol_tensor *t)
{
    const bool is_matrix = checkpoint_is_matrix(t);
    const enum smol_dtype type = is_matrix
                                     ? smol_config_scheme(j->config, t->layer, t->slot)->alpha_type
                                 : t->part == SMOL_PART_WTE    ? j->config->wte_type
                                 : t->part == SMOL_PART_WPE    ? j->config->wpe_type
                                 : t->part == SMOL_PART_OUTPUT ? j->config->output_type
                                                               : SMOL_F32;

    return put_table(j, t->name, type, t->rows, t->cols, checkpoint_is_table(t) ? 64 : 1,
                     is_matrix && j->checkpoint->is_transposed);
}

/* Tables come last in a file, and first in the order of the forward pass, the output table apart.
 */
static enum smol_status put_all(struct job *j)
{
    const uint32_t n = smol_tensor_count(j->config);
    enum smol_status status = SMOL_OK;

    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; !status && i < n; i++) {
            struct smol_tensor t;
            smol_tensor_at(&t, j->config, i);
            if (checkpoint_is_table(&t) == (pass == 1))
                status = put_tensor(j, &t);
        }
    return status;
}

static bool make_room(struct job *j)
{
    size_t longest = 0;

    for (uint32_t i = 0; i < smol_tensor_count(j->config); i++) {
        struct smol_tensor t;
        smol_tensor_at(&t, j->config, i);
        j->n_all += (double)t.rows * t.cols;
        longest = t.cols > longest ? t.cols : longest;
    }
    j->tile = malloc(TILE_ROWS * longest * sizeof *j->tile);
    j->column = malloc(TILE_ROWS * sizeof *j->column);
    j->rows = malloc(TILE_ROWS * (longest + 64) * sizeof *j->tile); /* f32, or blocks of q4 */
    return j->tile && j->column && j->rows;
}

enum smol_status import_weights(struct smol_assembly *assembly, const struct smol_config *config,
                                const struct checkpoint *checkpoint, const char **path,
                                struct smol_error *error)
{
    struct job j = {
        .assembly = assembly, .config = config, .checkpoint = checkpoint, .error = error};
    enum smol_status status = make_room(&j) ? SMOL_OK : cli_error_memory(error);

    countdown_begin(&j.countdown, "weights");
    if (!status)
        status = put_all(&j);
    countdown_end(&j.countdown);
    *path = j.path;
    free(j.tile);
    free(j.column);
    free(j.rows);
    return status;
}
