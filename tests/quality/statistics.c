/* Probabilities of test statistics. */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>

double tail_normal(double z) { return 0.5 * erfc(z / sqrt(2)); }

/* The incomplete gamma function's series, for x < a + 1: P(a, x). */
static double gamma_series(double a, double x)
{
    double term = 1 / a, sum = term;

    for (double k = a + 1; term > sum * 1e-16; k++) {
        term *= x / k;
        sum += term;
    }
    return sum * exp(a * log(x) - x - lgamma(a));
}

/* Its continued fraction by Lentz's method, for the rest: Q(a, x). */
static double gamma_fraction(double a, double x)
{
    double b = x + 1 - a, c = 1e300, d = 1 / b, f = d, change = 0;

    for (double i = 1; fabs(change - 1) > 1e-15 && i < 100000; i++) {
        const double numerator = i * (a - i);
        b += 2;
        d = 1 / (numerator * d + b);
        c = b + numerator / c;
        change = c * d;
        f *= change;
    }
    return f * exp(a * log(x) - x - lgamma(a));
}

double tail_chi_squared(double x, double freedom)
{
    const double a = freedom / 2;

    if (x <= 0)
        return 1;
    return x / 2 < a + 1 ? 1 - gamma_series(a, x / 2) : gamma_fraction(a, x / 2);
}

double tail_fair(double ones, double n, double u)
{
    return tail_normal((2 * (ones + u - 0.5) - n) / sqrt(n));
}

double tail_poisson(unsigned count, double mean, double u)
{
    double term = exp(-mean), below = 0;

    for (unsigned k = 0; k < count; k++) {
        below += term;
        term *= mean / (k + 1);
    }
    return 1 - below - (1 - u) * term;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Stephens' approximation of the distribution of the distance. */
double uniformity(double *p, size_t n)
{
    const double root = sqrt((double)n);
    double distance = 0, sum = 0;

    qsort(p, n, sizeof *p, ascending);
    for (size_t i = 0; i < n; i++) {
        const double below = p[i] - (double)i / (double)n,
                     above = (double)(i + 1) / (double)n - p[i];
        distance = fmax(distance, fmax(below, above));
    }
    const double t = distance * (root + 0.12 + 0.11 / root);
    if (t < 0.2) /* the series below does not converge there, and the value is 1 */
        return 1;
    for (int k = 1; k <= 100; k++)
        sum += (k % 2 ? 2 : -2) * exp(-2.0 * k * k * t * t);
    return fmin(1, fmax(0, sum));
}

/* The normal deviate with that upper tail, by bisection: no table to mistype. */
static double deviate(double p)
{
    double low = -40, high = 40;

    while (high - low > 1e-9) {
        const double middle = (low + high) / 2;
        if (tail_normal(middle) > p)
            low = middle;
        else
            high = middle;
    }
    return low;
}

double shared_bias(const double *p, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += deviate(fmin(fmax(p[i], 1e-15), 1 - 1e-15));
    return 2 * tail_normal(fabs(sum) / sqrt((double)n));
}

double spread(uint64_t n)
{
    uint64_t z = (n + 1) * 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return ((double)((z ^ z >> 31) >> 11) + 0.5) * 0x1p-53;
}
