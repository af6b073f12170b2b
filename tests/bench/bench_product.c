/* GFLOP/s of the trainer's matrix products: those of each instruction set's ops, and the BLAS's in
 * pieces (plain), with the products of a step: forward, gradients of inputs and gradients of
 * weights; and those of one of attention's blocks.
 *
 *     bench_product [THREADS [WIDTH TOKENS VOCAB]] */
#include "train/ops/ops.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 6

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *noise(size_t n)
{
    float *x = aligned_alloc(64, (n * sizeof *x + 63) / 64 * 64);

    if (!x)
        exit(1);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)rand() / (float)RAND_MAX - 0.5f;
    return x;
}

/* Seconds of one product, at best. */
static double seconds(const struct smol_ops *ops, float *c, struct smol_operand a,
                      struct smol_operand b, size_t m, size_t n, size_t k, real *room)
{
    const size_t times = (size_t)(2e8 / ((double)m * (double)n * (double)k)) + 1;
    double best = 1e9;

    for (int round = 0; round < ROUNDS; round++) {
        const double begin = now();

        for (size_t i = 0; i < times; i++)
            ops->gemm(c, n, a, b, m, n, k, 1, 0, room);
        const double each = (now() - begin) / (double)times;
        best = each < best ? each : best;
    }
    return best;
}

static void bench(const char *what, size_t m, size_t n, size_t k, bool a_turned, bool b_turned)
{
    static const enum smol_isa sets[] = {SMOL_ISA_SCALAR, SMOL_ISA_AVX2, SMOL_ISA_AVX512};
    float *a = noise(m * k), *b = noise(k * n), *c = noise(m * n),
          *room = noise((size_t)omp_get_max_threads() * SMOL_PRODUCT_ROOM);
    const struct smol_operand left = {a, a_turned ? m : k, a_turned},
                              right = {b, b_turned ? k : n, b_turned};

    printf("%-22s %5zu x %5zu x %5zu", what, m, n, k);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        const struct smol_ops *ops = smol_ops_select(sets[i]);

        if (i == 0 || ops != &smol_ops_plain)
            printf("  %s %6.1f", ops->name,
                   2e-9 * (double)m * (double)n * (double)k /
                       seconds(ops, c, left, right, m, n, k, room));
    }
    printf("\n");
    free(a);
    free(b);
    free(c);
    free(room);
}

/* The three products of a matrix (rows, cols). */
static void bench_matrix(const char *name, size_t rows, size_t cols, size_t tokens)
{
    printf("%s\n", name);
    bench("  forward", tokens, rows, cols, false, true);
    bench("  gradient of inputs", tokens, cols, rows, false, false);
    bench("  gradient of weights", rows, cols, tokens, true, false);
}

/* A block of queries that sees 128 keys, with heads of 32. */
static void bench_attention(void)
{
    printf("attention\n");
    bench("  scores", 32, 128, 32, false, true);
    bench("  values", 32, 32, 128, false, false);
    bench("  gradient of values", 128, 32, 32, true, false);
}

static size_t argument(char **argv, int argc, int i, size_t otherwise)
{
    return argc > i ? (size_t)strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    const size_t C = argument(argv, argc, 2, 128), tokens = argument(argv, argc, 3, 1024),
                 V = argument(argv, argc, 4, 65);

    openblas_set_num_threads(1);
    omp_set_num_threads((int)argument(argv, argc, 1, 1));
    bench_matrix("attn.c_attn", 3 * C, C, tokens);
    bench_matrix("attn.c_proj", C, C, tokens);
    bench_matrix("mlp.c_fc", 4 * C, C, tokens);
    bench_matrix("mlp.c_proj", C, 4 * C, tokens);
    bench_matrix("output", V, C, tokens);
    bench_attention();
    return 0;
}
