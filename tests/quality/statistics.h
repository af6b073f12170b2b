/* Probabilities of test statistics under the hypothesis that bits are random. Every p-value is that
 * of the upper tail. */
#ifndef QUALITY_STATISTICS_H
#define QUALITY_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

/* P(Z > z), Z standard normal. */
double tail_normal(double z);

/* P(X > x), X chi-squared with so many degrees of freedom. */
double tail_chi_squared(double x, double freedom);

/* P(count or more ones of n fair bits): the normal approximation, the step of the last count spread
 * by u (0..1). */
double tail_fair(double ones, double n, double u);

/* P(K > count) + u P(K = count), K Poisson: uniform if u is. */
double tail_poisson(unsigned count, double mean, double u);

/* The chance of a Kolmogorov-Smirnov distance from the uniform distribution as large as that of p
 * (n), which is sorted. */
double uniformity(double *p, size_t n);

/* Stouffer's: the chance that p (n), as normal deviates, have a mean as far from 0. It sees a small
 * bias that all share. */
double shared_bias(const double *p, size_t n);

/* A number in (0, 1) of n alone, by a generator unrelated to the streams (SplitMix64). */
double spread(uint64_t n);

#endif
