/* Rows in few bits, chosen for the least sum of squares: against their own decoding by the tables
 * of SPEC.md 3.3, the defaults of section 12, and the best of all thresholds. */
#include <criterion/criterion.h>
#include <make_model.h>
#include <math.h>
#include <smol/params.h>
#include <string.h>

enum { MOST = 200 };

/* Sums of three uniform numbers, with one in 16 four times as large. */
static void fill_row(float *row, size_t n, uint64_t *state)
{
    for (size_t i = 0; i < n; i++) {
        row[i] = test_uniform(state) + test_uniform(state) + test_uniform(state);
        row[i] *= test_random(state) % 16 == 0 ? 4 : 1;
    }
}

static double q4_error(const float *row, size_t n, float scale, const uint8_t *multipliers,
                       const uint8_t *data)
{
    double error = 0;

    for (size_t c = 0; c < n; c++) {
        const uint8_t byte = data[c / 64 * 32 + c % 32];
        const int nibble = c % 64 < 32 ? byte & 15 : byte >> 4, q = nibble - 16 * (nibble > 7);
        const double value = (double)scale * multipliers[c / 32] * q;

        error += ((double)row[c] - value) * ((double)row[c] - value);
    }
    return error;
}

Test(number_fit, four_bits_have_less_error)
{
    uint64_t state = 5;
    double plain_sum = 0, best_sum = 0;

    for (size_t n = 1; n <= MOST; n++) {
        float row[MOST];
        uint8_t data[128], multipliers[8];
        float scale;
        double plain, best;

        fill_row(row, n, &state);
        scale = smol_encode_q4(data, multipliers, row, n);
        plain = q4_error(row, n, scale, multipliers, data);
        memset(data, 0xff, sizeof data);
        memset(multipliers, 0xff, sizeof multipliers);
        scale = smol_encode_q4_best(data, multipliers, row, n);
        best = q4_error(row, n, scale, multipliers, data);
        cr_assert(scale >= 0 && isfinite(scale));
        cr_assert(best <= 1.01 * plain + 1e-9, "%zu: %g, plainly %g", n, best, plain);
        plain_sum += plain;
        best_sum += best;
        for (size_t c = n; c < (n + 63) / 64 * 64; c++)
            cr_assert_eq((data[c / 64 * 32 + c % 32] >> (c % 64 < 32 ? 0 : 4)) & 15, 0);
        for (size_t g = (n + 31) / 32; g < (n + 63) / 64 * 2; g++)
            cr_assert_eq(multipliers[g], 0);
    }
    cr_assert(best_sum < 0.85 * plain_sum, "%g, plainly %g", best_sum, plain_sum);
}

static double q4_row_error(const float *row, size_t n, float scale, uint8_t multiplier,
                           const uint8_t *data)
{
    const size_t half = (n + 1) / 2;
    double error = 0;

    for (size_t c = 0; c < n; c++) {
        const int nibble = c < half ? data[c] & 15 : data[c - half] >> 4,
                  q = nibble - 16 * (nibble > 7);
        const double value = (double)scale * multiplier * q;

        error += ((double)row[c] - value) * ((double)row[c] - value);
    }
    return error;
}

/* The least error of any multiplier, with all numbers rounded to nearest. */
static double least_q4_row_error(const float *row, size_t n, float scale)
{
    double least = (double)INFINITY;

    for (int m = 0; m <= 255; m++) {
        double error = 0;

        for (size_t c = 0; c < n; c++) {
            const double step = (double)scale * m, q = m ? nearbyint((double)row[c] / step) : 0,
                         within = q < -8  ? -8
                                  : q > 7 ? 7
                                          : q;
            error += ((double)row[c] - step * within) * ((double)row[c] - step * within);
        }
        least = error < least ? error : least;
    }
    return least;
}

/* Rows of one table, each half as large as the one before. */
Test(number_fit, rows_with_one_scale_have_about_the_least_error)
{
    enum { ROWS = 5 };
    double sum = 0, least_sum = 0;
    uint64_t state = 7;

    for (size_t n = 1; n <= MOST; n += 3) {
        float rows[ROWS][MOST], scale = 0;

        for (size_t r = 0; r < ROWS; r++) {
            fill_row(rows[r], n, &state);
            for (size_t c = 0; c < n; c++)
                rows[r][c] /= (float)(1u << r);
            scale = fmaxf(scale, smol_q4_row_scale(rows[r], n));
        }
        for (size_t r = 0; r < ROWS; r++) {
            uint8_t data[MOST];
            const uint8_t multiplier = smol_encode_q4_row(data, scale, rows[r], n);
            const double error = q4_row_error(rows[r], n, scale, multiplier, data),
                         least = least_q4_row_error(rows[r], n, scale);

            cr_assert(n < 22 || error <= 1.6 * least + 1e-4, "%zu: %g, least %g", n, error, least);
            cr_assert(n % 2 == 0 || data[n / 2] >> 4 == 0);
            sum += error;
            least_sum += least;
        }
    }
    cr_assert(sum < 1.05 * least_sum, "%g, least %g", sum, least_sum);
}

/* The least error of any threshold between two magnitudes: what is over it, its mean as scale. */
static double least_ternary_error(const float *row, size_t n)
{
    double least = (double)INFINITY;

    for (size_t k = 0; k < n; k++) {
        double sum = 0, count = 0, error = 0;

        for (size_t c = 0; c < n; c++)
            if (fabsf(row[c]) >= fabsf(row[k])) {
                sum += fabs((double)row[c]);
                count++;
            }
        for (size_t c = 0; c < n; c++) {
            const double from = fabsf(row[c]) >= fabsf(row[k]) ? sum / count : 0;
            error += (fabs((double)row[c]) - from) * (fabs((double)row[c]) - from);
        }
        least = error < least ? error : least;
    }
    return least;
}

Test(number_fit, three_values_have_about_the_least_error)
{
    uint64_t state = 6;

    for (size_t n = 1; n <= MOST; n += 7) {
        float row[MOST], scale;
        uint8_t data[MOST];
        int8_t q[MOST];
        double error = 0;

        fill_row(row, n, &state);
        scale = smol_encode_ternary_best(data, row, n);
        smol_decode_ternary(q, data, n);
        for (size_t c = 0; c < n; c++)
            error +=
                ((double)row[c] - (double)scale * q[c]) * ((double)row[c] - (double)scale * q[c]);
        cr_assert(error <= 1.05 * least_ternary_error(row, n) + 1e-9, "%zu: %g, least %g", n, error,
                  least_ternary_error(row, n));
    }
}

Test(number_fit, zeros_stay_zeros)
{
    const float row[70] = {0};
    uint8_t data[64], multipliers[4], zeros[64] = {0};
    int8_t q[70];

    cr_assert(smol_encode_q4_best(data, multipliers, row, 70) == 0);
    cr_assert_arr_eq(data, zeros, 64);
    cr_assert_arr_eq(multipliers, zeros, 4);
    cr_assert(smol_q4_row_scale(row, 70) == 0);
    memset(data, 0xff, sizeof data);
    cr_assert_eq(smol_encode_q4_row(data, 0, row, 70), 0);
    cr_assert_arr_eq(data, zeros, 35);
    memset(data, 0xff, sizeof data);
    cr_assert_eq(smol_encode_q4_row(data, 1, row, 70), 0);
    cr_assert_arr_eq(data, zeros, 35);
    cr_assert(smol_encode_ternary_best(data, row, 70) == 0);
    smol_decode_ternary(q, data, 70);
    cr_assert_arr_eq(q, zeros, 64);
}
