/* Are the frozen weights' bits random? Statistical tests of the streams, as a model takes bytes
 * from them.
 *
 * Usage: stream_quality [--gib N]
 *            tests N GiB, 1..4 (beyond that the rounding of the p-values themselves would show);
 *            without it 32 MiB, in a few seconds
 *        stream_quality --raw
 *            writes the bytes to standard output until nobody reads them, for dieharder (-g 200) or
 *            PractRand (stdin32)
 *
 * A sample is a row block of 64 rows of 1,024 weights of one plane. Each test gives each sample a
 * p-value. A test fails if one is below 1e-5 / their number on either side, or if together they are
 * not uniform (Kolmogorov-Smirnov), or if they share a bias (Stouffer), at 1e-5. Seeds are fixed:
 * the outcome is always the same. */
#include "sample.h"
#include "statistics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL 1e-5
#define SAMPLES_A_GIB ((size_t)1 << 30 >> 16)

static struct sample sample;

static void fill(uint64_t n)
{
    const struct place place = sample_place(n);

    sample_fill(&sample, n, &place);
}

static int raw(void)
{
    for (uint64_t n = 0;; n++) {
        fill(n);
        if (fwrite(sample.bytes, 1, SAMPLE_BYTES, stdout) != SAMPLE_BYTES)
            return EXIT_SUCCESS;
    }
}

/* Prints the line of one test from its p-values p (n); whether it passed. */
static int judge(const char *name, double *p, size_t n)
{
    double smallest = 1;
    size_t n_low = 0;

    for (size_t i = 0; i < n; i++) {
        smallest = fmin(smallest, 2 * fmin(p[i], 1 - p[i]));
        n_low += p[i] < 0.005 || p[i] > 0.995;
    }
    const double bias = shared_bias(p, n), uniform = uniformity(p, n); /* sorts */
    const int passed = smallest >= LEVEL / (double)n && bias >= LEVEL && uniform >= LEVEL;
    printf("| %-30s | %6zu | %8.2g | %5.2f %% | %10.4f | %7.4f |%s\n", name, n, smallest,
           100 * (double)n_low / (double)n, uniform, bias, passed ? "" : " FAILED");
    return passed;
}

static int examine(size_t n_samples)
{
    double *p = malloc(n_quality_tests * n_samples * sizeof *p);
    size_t n_passed = 0;

    if (!p) {
        fprintf(stderr, "stream_quality: not enough memory\n");
        return EXIT_FAILURE;
    }
    for (uint64_t n = 0; n < n_samples; n++) {
        fill(n);
        for (size_t t = 0; t < n_quality_tests; t++)
            p[t * n_samples + n] = quality_tests[t].p(&sample);
    }
    printf("| test | samples | smallest p | p < 1 %% | p of uniformity | p of a shared bias "
           "|\n|---|---|---|---|---|---|\n");
    for (size_t t = 0; t < n_quality_tests; t++)
        n_passed += (size_t)judge(quality_tests[t].name, p + t * n_samples, n_samples);
    free(p);
    printf("%zu passed, %zu failed\n", n_passed, n_quality_tests - n_passed);
    return n_passed == n_quality_tests ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    const long gib = argc == 3 && strcmp(argv[1], "--gib") == 0 ? strtol(argv[2], NULL, 10) : 0;

    if (argc == 2 && strcmp(argv[1], "--raw") == 0)
        return raw();
    if (argc != 1 && (gib < 1 || gib > 4)) {
        fprintf(stderr, "usage: stream_quality [--gib 1..4 | --raw]\n");
        return 2;
    }
    return examine(gib ? (size_t)gib * SAMPLES_A_GIB : SAMPLES_A_GIB / 32);
}
