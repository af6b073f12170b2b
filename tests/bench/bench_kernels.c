/* Gweights/s of the kernels of each instruction set on one thread, beside the bare generator and
 * beside stored matrices of the same shape read from memory, in one run: the ratios are what
 * counts. Run by hand: bench_kernels [SECONDS [scalar|avx2|avx512|neon|avxvnni|avx512bw [ROWS
 * COLUMNS VECTORS]]], ROWS a multiple of 64. */
#define _POSIX_C_SOURCE 200809L
#include "cpu/cpu.h"
#include "kernel/kernel.h"

#include <smol/params.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POSITIONS 64u
#define STORED_BYTES 200000000u
#define SLICE_BYTES 2500000u

static double seconds_each = 0.3;
static uint32_t positions = POSITIONS, only_rows, columns = 3072; /* 0 rows: two shapes */

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
        fputs("bench_kernels: out of memory\n", stderr);
        exit(1);
    }
    memset(p, 1, size);
    return p;
}

/* What is measured; count weights a call. The best of many calls' rates: others use this machine
 * too. */
struct task {
    const struct smol_kernels *k;
    struct smol_frozen frozen, mask;
    uint8_t *signs;        /* of some row blocks of the mask */
    const uint8_t *stored; /* (n_stored) rows of the matrix, as often as it takes to leave the
                              caches */
    size_t n_stored;
    int16_t *X;
    float *x;
    int64_t *sums;
    void *scratch;
    size_t n_x;
    float sink;
    unsigned slice;
};

typedef uint64_t body(struct task *task); /* returns the weights multiplied */

static double rate(struct task *task, body *run)
{
    const double begin = now();
    double best = 0;

    do {
        const double start = now();
        const uint64_t weights = run(task);
        const double r = (double)weights / (now() - start);
        best = r > best ? r : best;
    } while (now() - begin < seconds_each);
    return best * 1e-9;
}

static uint64_t run_product(struct task *t, smol_frozen_product *product)
{
    const uint32_t most = smol_frozen_is_narrow(&t->frozen) ? t->k->block_batch
                                                            : t->k->block_batch_wide,
                   n_blocks = t->frozen.rows / SMOL_ROW_BLOCK;

    for (uint32_t b = 0; b < n_blocks; b += most) {
        t->frozen.is_packed = b > 0;
        product(t->sums, &t->frozen, b, n_blocks - b < most ? n_blocks - b : most, t->X,
                t->frozen.cols, t->n_x, t->scratch);
    }
    return (uint64_t)t->frozen.rows * t->frozen.cols * t->n_x;
}

static uint64_t run_frozen(struct task *t) { return run_product(t, t->k->frozen); }

static uint64_t run_frozen_fast(struct task *t) { return run_product(t, t->k->frozen_fast); }

/* The next part of what is stored: a short time each, so that the best is one without disturbance,
 * and all of it more than caches hold. */
static const uint8_t *next_slice(struct task *t)
{
    t->slice = (t->slice + 1) % (STORED_BYTES / 2 / SLICE_BYTES);
    return t->stored + (size_t)t->slice * SLICE_BYTES;
}

#define CALL_ROWS (SMOL_BLOCK_BATCH * SMOL_ROW_BLOCK)

/* Stored rows of a type, as many a call as of frozen ones. Multipliers and signs are what lies
 * somewhere; those of 4 bits, a byte for 16 of data, are read from memory too. */
static uint64_t run_rows(struct task *t, smol_rows_product *product, size_t row_bytes)
{
    const size_t cols = t->frozen.cols,
                 n_blocks = (SLICE_BYTES / row_bytes / CALL_ROWS - 1) / t->n_x + 1;
    const uint8_t *slice = next_slice(t);

    for (size_t b = 0; b < n_blocks; b++) {
        const size_t at = b * CALL_ROWS * row_bytes;
        const struct smol_rows rows = {.data = slice + at,
                                       .multipliers = slice + STORED_BYTES / 2 + at / 16,
                                       .signs = t->signs,
                                       .n_rows = CALL_ROWS,
                                       .cols = cols};
        if (product == t->k->rows_mask)
            smol_mask_signs(t->signs, &t->mask, 0, SMOL_BLOCK_BATCH, t->k->stream_bytes);
        product(t->sums, &rows, t->X, cols, t->n_x, t->scratch);
    }
    return (uint64_t)n_blocks * CALL_ROWS * cols * t->n_x;
}

static uint64_t run_q8(struct task *t) { return run_rows(t, t->k->rows_q8, t->frozen.cols); }

static uint64_t run_q4(struct task *t)
{
    return run_rows(t, t->k->rows_q4, smol_row_bytes(SMOL_Q4, t->frozen.cols));
}

static uint64_t run_ternary(struct task *t)
{
    return run_rows(t, t->k->rows_ternary, smol_row_bytes(SMOL_TERNARY, t->frozen.cols));
}

static uint64_t run_mask(struct task *t)
{
    return run_rows(t, t->k->rows_mask, smol_mask_row_bytes(t->frozen.cols));
}

/* Bytes that are only read. */
static uint64_t run_read(struct task *t)
{
    const uint64_t *words = (const uint64_t *)(const void *)next_slice(t);
    uint64_t sum = 0;

    for (size_t i = 0; i < SLICE_BYTES / sizeof *words; i++)
        sum += words[i];
    t->sink += (float)sum;
    return SLICE_BYTES;
}

static uint64_t run_i16(struct task *t)
{
    const size_t cols = t->frozen.cols;

    for (size_t r = 0; r < t->n_stored / 2; r += SMOL_ROW_BLOCK)
        t->k->rows_i16(t->sums, (const int16_t *)(const void *)(t->stored + 2 * r * cols),
                       SMOL_ROW_BLOCK, cols, t->X);
    return (uint64_t)t->n_stored / 2 * cols;
}

static uint64_t run_f32(struct task *t)
{
    const size_t cols = t->frozen.cols, n = t->n_stored / 4;

    for (size_t r = 0; r < n; r++)
        t->sink += t->k->dot_f32(t->stored + 4 * r * cols, t->x, cols);
    return (uint64_t)n * cols;
}

static uint64_t run_generator(struct task *t)
{
    struct smol_stream s;
    uint8_t bytes[SMOL_STEP_BYTES];

    smol_stream_init(&s, t->frozen.key, 0, 0, SMOL_PURPOSE_MATRIX, 0);
    for (unsigned i = 0; i < 20000; i++)
        smol_stream_step(&s, bytes);
    t->sink += (float)bytes[0];
    return 20000u * SMOL_STEP_BYTES;
}

/* Beside frozen weights of few bases, and beside what memory allows: its speed at that moment, over
 * the bytes of a weight. */
static void bench_rows(struct task *t, double frozen)
{
    static const struct {
        const char *name;
        double bytes; /* of a weight */
        body *run;
    } types[] = {{"mask", 1.0 / 8, run_mask},
                 {"ternary", 1.0 / 5, run_ternary},
                 {"q4", 1.0 / 2 + 1.0 / 32, run_q4},
                 {"q8", 1, run_q8}};

    for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
        t->n_x = 1;
        const double memory_gbs = rate(t, run_read), one = rate(t, types[i].run);
        t->n_x = positions;
        printf("%-8s %5u x %-5u %-7s  one vector %7.2f (%.2f of frozen, %.2f of memory's %.1f GB/s)"
               "   %u vectors %7.2f\n",
               t->k->name, t->frozen.rows, t->frozen.cols, types[i].name, one, one / frozen,
               one * types[i].bytes / memory_gbs, memory_gbs, positions, rate(t, types[i].run));
    }
}

static void bench_shape(struct task *t, uint32_t n_rows, uint32_t cols)
{
    static int16_t table[SMOL_MAX_PLANES * SMOL_TABLE_ENTRIES];
    static const struct {
        enum smol_dist dist;
        uint32_t d;
    } schemes[] = {
        {SMOL_SIGN, 1}, {SMOL_SIGN, 5}, {SMOL_SIGN, 8}, {SMOL_SIGN, 16}, {SMOL_GAUSS, 1}};
    static const double alpha[16] = {1,   0.5, -0.25, 0.75, -0.6, 0.4,  0.3, 0.2,
                                     0.1, 0.9, 0.8,   0.7,  0.6,  -0.5, 0.4, 0.3};
    double frozen = 0;

    t->frozen.rows = n_rows;
    t->frozen.cols = cols;
    t->frozen.table = table;
    t->mask = (struct smol_frozen){.key = t->frozen.key,
                                   .tensor = 1,
                                   .purpose = SMOL_PURPOSE_MASK,
                                   .rows = n_rows,
                                   .cols = cols};
    t->n_stored = (size_t)STORED_BYTES / cols / SMOL_ROW_BLOCK * SMOL_ROW_BLOCK;
    for (unsigned i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        t->frozen.n_planes = smol_frozen_planes(schemes[i].dist, schemes[i].d);
        smol_frozen_table(table, schemes[i].dist, alpha, schemes[i].d);
        t->n_x = 1;
        const double one = rate(t, run_frozen);
        frozen = schemes[i].d <= 5 && one > frozen ? one : frozen;
        printf("%-8s %5u x %-5u %-5s d %-2u  one vector %7.2f", t->k->name, n_rows, cols,
               schemes[i].dist ? "gauss" : "sign", schemes[i].d, one);
        t->n_x = positions;
        printf("   %u vectors %7.2f", positions, rate(t, run_frozen));
        t->n_x = 1;
        printf("   approximate: one vector %7.2f", rate(t, run_frozen_fast));
        t->n_x = positions;
        printf("   %u vectors %7.2f\n", positions, rate(t, run_frozen_fast));
    }
    t->n_x = 1;
    printf("%-8s %5u x %-5u stored, one vector:  int16 %7.2f   f32 %7.2f\n", t->k->name, n_rows,
           cols, rate(t, run_i16), rate(t, run_f32));
    bench_rows(t, frozen);
}

#if defined(__x86_64__)
smol_frozen_product smol_frozen_avxvnni_for_tests;
smol_rows_product smol_rows_q8_avxvnni_for_tests;

/* Those with AVX-VNNI, in AVX-512's encoding. */
static const struct smol_kernels *avxvnni(void)
{
    static struct smol_kernels k;

    k = smol_kernels_avx2;
    k.name = "avxvnni";
    k.frozen = smol_frozen_avxvnni_for_tests;
    k.rows_q8 = smol_rows_q8_avxvnni_for_tests;
    return smol_kernels_select(SMOL_ISA_AVX512) ? &k : NULL;
}

static const struct smol_kernels *avx512bw(void)
{
    static struct smol_kernels k;

    k = smol_kernels_avx512bw;
    k.name = "avx512bw";
    return smol_cpu_detect().avx512bw ? &k : NULL;
}
#else
static const struct smol_kernels *avxvnni(void) { return NULL; }

static const struct smol_kernels *avx512bw(void) { return NULL; }
#endif

static void bench_set(struct task *t, const struct smol_kernels *k, const char *only)
{
    if (k == NULL || (only && strcmp(only, k->name) != 0))
        return;
    t->k = k;
    t->scratch = memory(k->scratch_bytes(columns, positions, SMOL_MAX_PLANES));
    if (only_rows) {
        bench_shape(t, only_rows, columns);
    } else {
        bench_shape(t, 3072, 768);
        bench_shape(t, 768, 3072);
    }
    free(t->scratch);
}

int main(int argc, char **argv)
{
    static const enum smol_isa sets[] = {SMOL_ISA_SCALAR, SMOL_ISA_AVX2, SMOL_ISA_AVX512,
                                         SMOL_ISA_NEON};
    struct smol_frozen_key key;
    struct task t = {.frozen = {.key = &key}};

    if (argc > 1)
        seconds_each = strtod(argv[1], NULL);
    if (argc > 5) {
        only_rows = (uint32_t)strtoul(argv[3], NULL, 10) / SMOL_ROW_BLOCK * SMOL_ROW_BLOCK;
        columns = (uint32_t)strtoul(argv[4], NULL, 10);
        positions = (uint32_t)strtoul(argv[5], NULL, 10);
    }
    smol_frozen_key_init(&key, 1);
    t.stored = memory(STORED_BYTES);
    t.signs = memory(SMOL_BLOCK_BATCH * smol_mask_signs_bytes(columns));
    t.X = memory((size_t)positions * columns * sizeof *t.X);
    t.x = memory(columns * sizeof *t.x);
    for (size_t i = 0; i < (size_t)positions * columns; i++)
        t.X[i] = (int16_t)((int)(i * 7919 % 65025) - 32512);
    t.sums = memory((size_t)positions * SMOL_BLOCK_BATCH * SMOL_ROW_BLOCK * sizeof *t.sums);
    printf("Gweights/s, one thread (stored ones are read from memory)\nplain generator alone %.2f "
           "GB/s\n",
           rate(&t, run_generator));
    for (unsigned i = 0; i < sizeof sets / sizeof *sets; i++)
        bench_set(&t, smol_kernels_select(sets[i]), argc > 2 ? argv[2] : NULL);
    bench_set(&t, avxvnni(), argc > 2 ? argv[2] : NULL);
    bench_set(&t, avx512bw(), argc > 2 ? argv[2] : NULL);
    return 0;
}
