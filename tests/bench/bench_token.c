/* Tokens a second of one program with the same model three times: its matrices regenerated, read as
 * int8 and read as f32; in turns, so that whoever shares the machine disturbs all alike. Only the
 * matrices' products differ; embeddings, attention and threads are the same. Run by hand:
 * bench_token MODEL.smol [TOKENS [THREADS [ROUNDS]]]. */
#define _POSIX_C_SOURCE 200809L
#include "base/bytes.h"
#include "model/model.h"

#include <smol/io.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAYS 4u
#define INT8_STEP 257 /* integer weights are up to 32640 = 127 x 257 */

static const char *const names[WAYS] = {"regenerated", "regenerated, approximate", "stored int8",
                                        "stored f32"};

/* Row-major matrices by tensor number. */
static uint8_t *stored_int8[SMOL_MAX_LAYERS * 4u], *stored_f32[SMOL_MAX_LAYERS * 4u];
static const struct smol_kernels *kernels;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *memory(size_t size)
{
    void *p = aligned_alloc(64, (size + 63) / 64 * 64);

    if (!p) {
        fputs("bench_token: out of memory\n", stderr);
        exit(1);
    }
    return p;
}

static uint32_t rows_of(const struct smol_frozen *f, uint32_t block, uint32_t n_blocks)
{
    const uint32_t left = f->rows - block * SMOL_ROW_BLOCK, most = n_blocks * SMOL_ROW_BLOCK;

    return left < most ? left : most;
}

static void product_int8(int64_t *sums, const struct smol_frozen *f, uint32_t block,
                         uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                         void *scratch)
{
    const struct smol_rows rows = {.data = stored_int8[f->tensor] +
                                           (size_t)block * SMOL_ROW_BLOCK * f->cols,
                                   .n_rows = rows_of(f, block, n_blocks),
                                   .cols = f->cols};

    for (size_t p = 0; p < n_x; p++) {
        int64_t *to = sums + p * n_blocks * SMOL_ROW_BLOCK;
        kernels->rows_q8(to, &rows, X + p * x_stride, x_stride, 1, scratch);
        for (size_t r = 0; r < rows.n_rows; r++)
            to[r] *= INT8_STEP;
    }
}

static void product_f32(int64_t *sums, const struct smol_frozen *f, uint32_t block,
                        uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                        void *scratch)
{
    const uint8_t *rows = stored_f32[f->tensor] + (size_t)block * SMOL_ROW_BLOCK * f->cols * 4;
    float *x = scratch;

    for (size_t p = 0; p < n_x; p++) {
        for (size_t c = 0; c < f->cols; c++)
            x[c] = X[p * x_stride + c];
        for (uint32_t r = 0; r < rows_of(f, block, n_blocks); r++)
            sums[p * n_blocks * SMOL_ROW_BLOCK + r] =
                (int64_t)kernels->dot_f32(rows + (size_t)r * f->cols * 4, x, f->cols);
    }
}

static void store(const struct smol_frozen *f)
{
    const size_t n = (size_t)f->rows * f->cols;
    int16_t *w = memory(n * sizeof *w);

    stored_int8[f->tensor] = memory(n);
    stored_f32[f->tensor] = memory(n * sizeof(float));
    smol_frozen_weights(w, f, 0, f->rows);
    for (size_t i = 0; i < n; i++) {
        const int q = (w[i] + (w[i] < 0 ? -INT8_STEP / 2 : INT8_STEP / 2)) / INT8_STEP;
        const float value = w[i];
        stored_int8[f->tensor][i] = (uint8_t)q;
        memcpy(stored_f32[f->tensor] + 4 * i, &value, sizeof value);
    }
    free(w);
}

/* Seconds for n tokens after a first one. */
static double generate(struct smol_session *s, uint32_t n)
{
    struct smol_error error = {0};
    const uint32_t token = 1;
    double begin;

    smol_session_rewind(s, 0);
    if (smol_session_feed(s, &token, 1, &error) != SMOL_OK)
        goto failed;
    begin = now();
    for (uint32_t i = 0; i < n; i++)
        if (smol_session_feed(s, &token, 1, &error) != SMOL_OK)
            goto failed;
    return now() - begin;
failed:
    fprintf(stderr, "bench_token: %s\n", error.text);
    exit(1);
}

static struct smol_session *open_session(struct smol_mapping *mapping, struct smol_file *file,
                                         const char *path, uint32_t n, uint32_t n_threads)
{
    const struct smol_session_options options = {
        .struct_bytes = sizeof options, .n_threads = n_threads, .context = n + 1, .batch = 1};
    struct smol_session *s = NULL;
    struct smol_error error = {0};
    size_t size;

    if (smol_file_open(mapping, file, path, n_threads, &error) == SMOL_OK &&
        smol_session_size(&size, file, &options, &error) == SMOL_OK &&
        smol_session_init(&s, file, &options, memory(size), size, &error) == SMOL_OK)
        return s;
    fprintf(stderr, "bench_token: %s: %s\n", path, error.text);
    exit(1);
}

int main(int argc, char **argv)
{
    const uint32_t n = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 32;
    const uint32_t n_threads = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 2;
    const unsigned rounds = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 7;
    double best[WAYS] = {0};
    struct smol_mapping mapping;
    struct smol_file file;
    struct smol_session *s;

    if (argc < 2 || n == 0 || n_threads == 0) {
        fputs("usage: bench_token MODEL.smol [TOKENS [THREADS [ROUNDS]]]\n", stderr);
        return 2;
    }
    s = open_session(&mapping, &file, argv[1], n, n_threads);
    kernels = s->kernels;
    for (uint32_t l = 0; l < s->config->n_layers; l++)
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++)
            if (smol_slot_is_matrix(slot))
                store(&dense_of(&s->layers[l], slot)->matrices[0].frozen);
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned way = 0; way < WAYS; way++) {
            smol_frozen_product *const products[WAYS] = {kernels->frozen, kernels->frozen_fast,
                                                         product_int8, product_f32};
            double rate;
            s->product = products[way];
            rate = n / generate(s, n);
            best[way] = rate > best[way] ? rate : best[way];
        }
    printf("%s, %s, %u threads, %u tokens, best of %u rounds: tokens/s\n", argv[1], kernels->name,
           (unsigned)n_threads, (unsigned)n, rounds);
    for (unsigned way = 0; way < WAYS; way++)
        printf("%-26s %8.1f   regenerated is %.2f times as fast\n", names[way], best[way],
               best[0] / best[way]);
    return 0;
}
