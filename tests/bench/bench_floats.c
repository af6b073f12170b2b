/* ns a call of the functions on floats of each instruction set that this machine has, for vectors
 * in the caches: the best of many. Run by hand: bench_floats [SECONDS]. Two builds are compared in
 * turns, the best of each. */
#define _POSIX_C_SOURCE 200809L
#include "kernel/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST 768u
#define N_KEYS 100u

static float x[MOST], y[MOST], gain[MOST], bias[MOST], keys[N_KEYS * MOST], scores[8 * N_KEYS];
static uint8_t row[4 * MOST];
static int16_t X[MOST];
static int64_t sums[MOST];
static volatile float sink;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

typedef void body(const struct smol_kernels *k, size_t n);

static void dot_f32(const struct smol_kernels *k, size_t n) { sink = k->dot_f32(row, x, n); }

static void dot_f16(const struct smol_kernels *k, size_t n) { sink = k->dot_f16(row, x, n); }

static void from_f16(const struct smol_kernels *k, size_t n) { k->from_f16(y, row, n); }

static void normalise(const struct smol_kernels *k, size_t n)
{
    k->layernorm(y, x, gain, bias, 1e-5f, n);
}

static void gelu(const struct smol_kernels *k, size_t n)
{
    memcpy(y, x, n * sizeof *y);
    k->gelu(y, n);
}

static void relu2(const struct smol_kernels *k, size_t n)
{
    memcpy(y, x, n * sizeof *y);
    k->relu2(y, n);
}

static void exponential(const struct smol_kernels *k, size_t n) { k->exp(y, x, n); }

static void quantise(const struct smol_kernels *k, size_t n) { sink = k->quantise(X, x, n); }

static void within(const struct smol_kernels *k, size_t n) { sink = k->within(x, n, 2); }

static void scale_sums(const struct smol_kernels *k, size_t n) { k->scale_sums(y, sums, 0.1, n); }

static void scale_rows(const struct smol_kernels *k, size_t n)
{
    k->scale_rows(y, sums, (const uint8_t *)x, 0.1, n);
}

static void attend(const struct smol_kernels *k, size_t n, size_t n_keys)
{
    struct smol_query heads[8];

    for (size_t h = 0; h < 8; h++)
        heads[h] = (struct smol_query){y + h * (n / 8), x, keys, keys, n_keys, 0.2f, 0.5f};
    k->attention(heads, 8, MOST, n / 8, scores, N_KEYS);
}

static void attention(const struct smol_kernels *k, size_t n) { attend(k, n, N_KEYS); }

static void attention_first(const struct smol_kernels *k, size_t n) { attend(k, n, 5); }

static double best(const struct smol_kernels *k, body *run, size_t n, double seconds)
{
    const double begin = now();
    double least = 1e30;

    do {
        const double start = now();
        for (unsigned i = 0; i < 200; i++)
            run(k, n);
        const double each = (now() - start) / 200;
        least = each < least ? each : least;
    } while (now() - begin < seconds * 1e9);
    return least;
}

static void bench_set(const struct smol_kernels *k, double seconds)
{
    static const struct {
        const char *name;
        body *run;
    } tasks[] = {
        {"dot_f32", dot_f32},
        {"dot_f16", dot_f16},
        {"from_f16", from_f16},
        {"layernorm", normalise},
        {"gelu", gelu},
        {"relu2", relu2},
        {"exp", exponential},
        {"quantise", quantise},
        {"scale_sums", scale_sums},
        {"scale_rows", scale_rows},
        {"within", within},
        {"8 heads, attention 5", attention_first},
        {"8 heads, attention 100", attention},
    };
    static const size_t widths[] = {40, 128, 384, MOST};

    for (unsigned i = 0; i < sizeof tasks / sizeof *tasks; i++)
        for (unsigned w = 0; w < sizeof widths / sizeof *widths; w++)
            printf("%s, %s, %zu: %.1f\n", k->name, tasks[i].name, widths[w],
                   best(k, tasks[i].run, widths[w], seconds));
}

int main(int argc, char **argv)
{
    static const enum smol_isa sets[] = {SMOL_ISA_SCALAR, SMOL_ISA_AVX2, SMOL_ISA_AVX512,
                                         SMOL_ISA_NEON};
    const double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.05;

    for (unsigned i = 0; i < N_KEYS * MOST; i++)
        keys[i] = (float)(i * 7919 % 1009) / 500 - 1;
    for (unsigned i = 0; i < MOST; i++) {
        x[i] = keys[i];
        gain[i] = 1;
        bias[i] = 0.5f;
        sums[i] = (int64_t)i * 7919 - 3000000;
    }
    memcpy(row, keys, sizeof row);
    for (unsigned i = 1; i < sizeof row; i += 2)
        row[i] &= 0xbf; /* finite as halves as well */
    for (unsigned i = 0; i < sizeof sets / sizeof *sets; i++)
        if (smol_kernels_select(sets[i]))
            bench_set(smol_kernels_select(sets[i]), seconds);
    return 0;
}
