/* Tests of one stream by itself. Which statistic, and where its distribution comes from, stands at
 * each. */
#include "bits.h"
#include "sample.h"
#include "statistics.h"

#include <fftw3.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Pearson's statistic of counts (n) that should all be alike. */
static double evenness(const unsigned *counts, size_t n, double expected)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return tail_chi_squared(sum, (double)n - 1);
}

double test_ones(const struct sample *s)
{
    unsigned count = 0;

    for (size_t i = 0; i < SAMPLE_WORDS; i++)
        count += ones(s->words[i]);
    return tail_fair(count, SAMPLE_BITS, spread(s->n));
}

/* The signs of base n mod 8. */
double test_ones_of_a_base(const struct sample *s)
{
    unsigned count = 0;

    for (size_t i = 0; i < SAMPLE_WORDS; i++)
        count += ones(s->words[i] >> s->n % 8 & BIT_OF_EACH_BYTE);
    return tail_fair(count, SAMPLE_BYTES, spread(s->n));
}

double test_blocks(const struct sample *s)
{
    double sum = 0;

    for (size_t i = 0; i < SAMPLE_WORDS; i += 16) {
        double count = 0;
        for (size_t j = 0; j < 16; j++)
            count += ones(s->words[i + j]);
        sum += (count - 512) * (count - 512) / 256;
    }
    return tail_chi_squared(sum, SAMPLE_WORDS / 16);
}

/* A run ends where neighbouring bits differ, which half of them do. */
double test_transitions(const struct sample *s)
{
    unsigned count = 0;

    for (size_t i = 0; i < SAMPLE_WORDS; i++) {
        const uint64_t next =
            i + 1 < SAMPLE_WORDS ? s->words[i + 1] << 63 : s->words[i] & (uint64_t)1 << 63;
        count += ones(s->words[i] ^ (s->words[i] >> 1 | next));
    }
    return tail_fair(count, SAMPLE_BITS - 1, spread(s->n));
}

double test_bytes(const struct sample *s)
{
    unsigned counts[256] = {0};

    for (size_t i = 0; i < SAMPLE_BYTES; i++)
        counts[s->bytes[i]]++;
    return evenness(counts, 256, SAMPLE_BYTES / 256);
}

/* Six bits of a byte and six of the next: which six changes from sample to sample. */
double test_neighbours(const struct sample *s)
{
    static unsigned counts[4096];
    const unsigned shift = (unsigned)(s->n % 3);

    memset(counts, 0, sizeof counts);
    for (size_t i = 0; i < SAMPLE_BYTES; i += 2)
        counts[(s->bytes[i] >> shift & 63u) << 6 | (s->bytes[i + 1] >> shift & 63u)]++;
    return evenness(counts, 4096, SAMPLE_BYTES / 2 / 4096.0);
}

/* Bytes below 16 come one in sixteen; the lengths between them are geometric. */
double test_gaps(const struct sample *s)
{
    enum { LONGEST = 48 };
    unsigned counts[LONGEST + 1] = {0}, n_gaps = 0, length = 0;
    double share = 1.0 / 16, sum = 0;

    for (size_t i = 0; i < SAMPLE_BYTES; i++) {
        if (s->bytes[i] >= 16) {
            length++;
            continue;
        }
        counts[length < LONGEST ? length : LONGEST]++;
        n_gaps++;
        length = 0;
    }
    for (unsigned i = 0; i <= LONGEST; i++) {
        const double expected = n_gaps * (i < LONGEST ? share : 16 * share);
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
        share *= 15.0 / 16;
    }
    return tail_chi_squared(sum, LONGEST);
}

static int ascending(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Marsaglia's: m days of a year of 2^32. Two of the m - 1 spacings between them in order are equal
 * with the chance m / 2^33, so that pairs of equal ones are Poisson with the mean m (m - 1) (m - 2)
 * / 2^34. */
double test_birthdays(const struct sample *s)
{
    enum { M = 4096, GROUPS = SAMPLE_BYTES / 4 / M };
    static uint32_t day[M];
    unsigned n_equal = 0;

    for (size_t group = 0; group < GROUPS; group++) {
        for (size_t i = 0; i < M; i++)
            day[i] = (uint32_t)(s->words[(group * M + i) / 2] >> 32 * (i % 2));
        qsort(day, M, sizeof *day, ascending);
        for (size_t i = 0; i + 1 < M; i++)
            day[i] = day[i + 1] - day[i];
        qsort(day, M - 1, sizeof *day, ascending);
        for (size_t i = 0; i + 2 < M; i++)
            n_equal += day[i] == day[i + 1];
    }
    return tail_poisson(n_equal, GROUPS * (double)M * (M - 1) * (M - 2) * 0x1p-34, spread(s->n));
}

static unsigned rank_of(uint32_t m[32])
{
    unsigned rank = 0;

    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        unsigned pivot = rank;
        while (pivot < 32 && !(m[pivot] & bit))
            pivot++;
        if (pivot == 32)
            continue;
        const uint32_t row = m[pivot];
        m[pivot] = m[rank];
        m[rank++] = row;
        for (unsigned i = rank; i < 32; i++)
            m[i] ^= m[i] & bit ? row : 0;
    }
    return rank;
}

/* Matrices over two elements: 0 points for rank 32, 1 for 31, 2 below; points are all but normal in
 * sum, which a chi-squared statistic of so few cells is not. */
double test_ranks(const struct sample *s)
{
    const double one = 0.57757619017320484, two = 0.13363571474019274; /* their chances */
    const double mean = one + 2 * two, variance = one + 4 * two - mean * mean;
    enum { N = SAMPLE_BYTES / 128 };
    unsigned points = 0;

    for (size_t k = 0; k < N; k++) {
        uint32_t m[32];
        for (size_t i = 0; i < 32; i++)
            m[i] = (uint32_t)(s->words[k * 16 + i / 2] >> 32 * (i % 2));
        const unsigned rank = rank_of(m);
        points += rank == 32 ? 0 : rank == 31 ? 1 : 2;
    }
    return tail_normal((points + spread(s->n) - 0.5 - N * mean) / sqrt(N * variance));
}

/* Fourier transform of the signs of base n mod 8. |X|^2 / N of each frequency is exponential, so
 * one in twenty exceeds t = log 20. As the squares add up to a constant (Parseval), the count
 * varies less than a binomial one: by p (1 - p) - (t p)^2 a frequency, p = 1/20. */
double test_spectrum(const struct sample *s)
{
    static double x[SAMPLE_BYTES];
    static fftw_complex X[SAMPLE_BYTES / 2 + 1];
    static fftw_plan plan;
    const double t = log(20), p = 0.05, n = SAMPLE_BYTES / 2 - 1;
    unsigned count = 0;

    if (!plan)
        plan = fftw_plan_dft_r2c_1d((int)SAMPLE_BYTES, x, X, FFTW_ESTIMATE);
    for (size_t i = 0; i < SAMPLE_BYTES; i++)
        x[i] = s->bytes[i] >> s->n % 8 & 1 ? -1 : 1;
    fftw_execute(plan);
    for (size_t f = 1; f < SAMPLE_BYTES / 2; f++)
        count += X[f][0] * X[f][0] + X[f][1] * X[f][1] > t * SAMPLE_BYTES;
    return tail_normal((count + spread(s->n) - 0.5 - n * p) /
                       sqrt(n * (p * (1 - p) - t * p * t * p)));
}

/* Mean of the table's numbers to a power. */
static double moment(unsigned power)
{
    double sum = 0;

    for (unsigned u = 0; u < SMOL_TABLE_ENTRIES; u++)
        sum += pow(smol_gauss_table[u], power);
    return sum / SMOL_TABLE_ENTRIES;
}

/* Sums of four polynomials of the weights, which are uncorrelated under the table's own moments: of
 * degrees 1 to 4, so that mean, variance, skewness and kurtosis are all looked at. */
double test_normal_moments(const struct sample *s)
{
    const double m4 = moment(4), m6 = moment(6), m8 = moment(8), c = (m6 - m4) / (m4 - 1);
    const double variance[4] = {1, m4 - 1, m6 - m4 * m4, m8 - m4 * m4 - c * c * (m4 - 1)};
    double sum[4] = {0}, statistic = 0;

    for (size_t i = 0; i < SAMPLE_BYTES; i++) {
        const double g = smol_gauss_table[s->bytes[i]], g2 = g * g;
        sum[0] += g;
        sum[1] += g2 - 1;
        sum[2] += g2 * g - m4 * g;
        sum[3] += g2 * g2 - m4 - c * (g2 - 1);
    }
    for (unsigned i = 0; i < 4; i++)
        statistic += sum[i] * sum[i] / (variance[i] * SAMPLE_BYTES);
    return tail_chi_squared(statistic, 4);
}

/* The sign matrix S (64, 1024) of base n mod 8: squares of the inner products of its rows, over C,
 * are chi-squared. Their sum is also that of the columns, but for a constant: the norm of S S' is
 * that of S' S. */
double test_orthogonality(const struct sample *s)
{
    static uint64_t row[ROWS][COLS / 64];
    double sum = 0;

    memset(row, 0, sizeof row);
    for (size_t i = 0; i < SAMPLE_BYTES; i++)
        row[i / COLS][i % COLS / 64] |= (uint64_t)(s->bytes[i] >> s->n % 8 & 1) << i % 64;
    for (size_t a = 0; a < ROWS; a++)
        for (size_t b = 0; b < a; b++) {
            double differing = 0;
            for (size_t i = 0; i < COLS / 64; i++)
                differing += ones(row[a][i] ^ row[b][i]);
            const double inner = COLS - 2 * differing;
            sum += inner * inner / COLS;
        }
    return tail_chi_squared(sum, ROWS * (ROWS - 1) / 2);
}
