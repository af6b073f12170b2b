/* Rows in few bits with less error than the defaults of SPEC.md 12: scales chosen for the least sum
 * of squares. Sums have one order, so that every machine finds the same. */
#include "base/fpenv.h"
#include "base/number.h"

#include <math.h>

#define LANES 8u
#define N_STEPS 15u /* tried for a group: its largest magnitude by 7, 7.5, ... 14 */
/* Of ternary rows: thresholds to start from, in halves of the mean, and steps from each. */
#define N_STARTS 6
#define MAX_ROUNDS 20

/* What a step makes of a group x (n), n <= SMOL_Q4_GROUP: sums of x q and of q^2. With any scale
 * the error is least at xq / qq, and then xq^2 / qq less than the sum of x^2. */
struct fit {
    float xq, qq;
};

static float lanes_sum(const float lane[LANES])
{
    float sum = 0;

    for (unsigned l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

/* x is padded with zeros to a whole group. Half to even, by a number that leaves no bit for a
 * fraction. */
static struct fit fit_step(const float x[SMOL_Q4_GROUP], float step)
{
    const float magic = 0x1.8p23f, inverse = 1 / step;
    float xq[LANES] = {0}, qq[LANES] = {0};

    for (unsigned i = 0; i < SMOL_Q4_GROUP; i += LANES)
        for (unsigned l = 0; l < LANES; l++) {
            const float shifted = x[i + l] * inverse + magic, q = shifted - magic;
            const float low = q < -8 ? -8 : q, within = low > 7 ? 7 : low;

            xq[l] += x[i + l] * within;
            qq[l] += within * within;
        }
    return (struct fit){lanes_sum(xq), lanes_sum(qq)};
}

/* The step of least error among those tried; 0 if all is 0. */
static float best_step(const float x[SMOL_Q4_GROUP])
{
    float largest = 0, most = 0, best = 0;

    for (unsigned i = 0; i < SMOL_Q4_GROUP; i++)
        largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    for (unsigned k = 0; k < N_STEPS; k++) {
        const float step = largest / (7.0f + 0.5f * (float)k);
        const struct fit fit = step > 0 && isfinite(1 / step) ? fit_step(x, step) : (struct fit){0};

        if (fit.qq > 0 && fit.xq / fit.qq * fit.xq > most) {
            most = fit.xq / fit.qq * fit.xq;
            best = fit.xq / fit.qq;
        }
    }
    return best;
}

static void load_group(float group[SMOL_Q4_GROUP], const float *values, size_t i, size_t n)
{
    for (size_t j = 0; j < SMOL_Q4_GROUP; j++)
        group[j] = i + j < n ? values[i + j] : 0;
}

/* Where the step of the group from column i on stands until its numbers are there. */
static uint8_t *step_at(uint8_t *dest, size_t i) { return dest + i / SMOL_Q4_GROUP * 16; }

/* Chooses the steps, and returns the largest. */
static float choose_steps(uint8_t *dest, const float *values, size_t n)
{
    float group[SMOL_Q4_GROUP], largest = 0;

    for (size_t i = 0; i < n; i += SMOL_Q4_GROUP) {
        load_group(group, values, i, n);
        const float step = best_step(group);
        smol_put32(step_at(dest, i), smol_f32_bits(step));
        largest = step > largest ? step : largest;
    }
    return largest;
}

/* To nearest even, within -8..most. */
static float round_to(float x, float most)
{
    const float magic = 0x1.8p23f;
    const float shifted = x + magic, q = shifted - magic;

    return q > most ? most : q < -8 ? -8 : q;
}

/* The numbers of 32 columns or fewer, in the low or the high halves of bytes. */
static void put_group(uint8_t *bytes, const float *values, size_t n, float step, unsigned shift)
{
    for (size_t j = 0; step > 0 && j < n; j++)
        bytes[j] |= (uint8_t)(((uint32_t)(int32_t)round_to(values[j] / step, 7) & 15) << shift);
}

static float fit_q4(uint8_t *dest, uint8_t *multipliers, const float *values, size_t n)
{
    const float scale = choose_steps(dest, values, n) / 255.0f;

    for (size_t i = 0; i < n; i += 2 * SMOL_Q4_GROUP) {
        const float steps[2] = {smol_load_f32(step_at(dest, i)),
                                smol_load_f32(step_at(dest, i + SMOL_Q4_GROUP))};

        memset(dest + i / 2, 0, SMOL_Q4_GROUP);
        for (size_t g = 0; g < 2; g++) {
            const size_t at = i + g * SMOL_Q4_GROUP, left = at < n ? n - at : 0;
            const float m = scale > 0 && left > 0 ? round_to(steps[g] / scale, 255) : 0;

            multipliers[at / SMOL_Q4_GROUP] = (uint8_t)m;
            put_group(dest + i / 2, values + at, left < SMOL_Q4_GROUP ? left : SMOL_Q4_GROUP,
                      scale * m, g == 0 ? 0 : 4);
        }
    }
    return scale;
}

float smol_encode_q4_best(uint8_t *dest, uint8_t *multipliers, const float *values, size_t n)
{
    float scale;

    SMOL_IN_FPENV(scale = fit_q4(dest, multipliers, values, n));
    return scale;
}

/* What a step makes of a row of any length; sum16 of SPEC.md 7. */
static struct fit fit_row(const float *x, size_t n, float step)
{
    float xq[16] = {0}, qq[16] = {0};

    for (size_t i = 0; i < n; i += 16)
        for (size_t l = 0; l < 16 && i + l < n; l++) {
            const float q = round_to(x[i + l] / step, 7);

            xq[l] += x[i + l] * q;
            qq[l] += q * q;
        }
    for (size_t h = 8; h > 0; h /= 2)
        for (size_t l = 0; l < h; l++) {
            xq[l] += xq[l + h];
            qq[l] += qq[l + h];
        }
    return (struct fit){xq[0], qq[0]};
}

/* best_step for such a row, as SPEC.md 12 has it. */
static float row_step(const float *x, size_t n)
{
    float largest = 0, best = 0;
    double most = 0;

    for (size_t i = 0; i < n; i++)
        largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    for (unsigned k = 0; k < N_STEPS; k++) {
        const float step = largest / (7.0f + 0.5f * (float)k);
        const struct fit fit = step > 0 ? fit_row(x, n, step) : (struct fit){0};

        if (fit.qq > 0 && (double)fit.xq * (double)fit.xq / (double)fit.qq > most) {
            most = (double)fit.xq * (double)fit.xq / (double)fit.qq;
            best = fit.xq / fit.qq;
        }
    }
    return best;
}

static uint8_t fit_q4_row(uint8_t *dest, float scale, const float *x, size_t n)
{
    const size_t row_bytes = smol_row_bytes(SMOL_Q4_ROW, (uint32_t)n);
    const float m = scale > 0 ? round_to(row_step(x, n) / scale, 255) : 0;
    const size_t n_high = m > 0 ? n - row_bytes : 0;

    memset(dest, 0, row_bytes);
    put_group(dest, x, row_bytes, scale * m, 0);
    put_group(dest, x + row_bytes, n_high, scale * m, 4);
    return (uint8_t)m;
}

uint8_t smol_encode_q4_row(uint8_t *dest, float scale, const float *values, size_t n)
{
    uint8_t multiplier;

    SMOL_IN_FPENV(multiplier = fit_q4_row(dest, scale, values, n));
    return multiplier;
}

float smol_q4_row_scale(const float *values, size_t n)
{
    float scale;

    SMOL_IN_FPENV(scale = row_step(values, n) / 255.0f);
    return scale;
}

/* What is over a threshold: with its mean as scale the error is less by sum^2 / count. */
struct kept {
    double sum, count;
};

static struct kept keep(const float *values, size_t n, double threshold)
{
    struct kept kept = {0};

    for (size_t i = 0; i < n; i++) {
        const double x = fabs((double)values[i]);

        kept.sum += x > threshold ? x : 0;
        kept.count += x > threshold;
    }
    return kept;
}

static double mean_of(struct kept kept) { return kept.count > 0 ? kept.sum / kept.count : 0; }

/* A threshold from which neither can be bettered alone: the scale is best as the mean of what is
 * over it, the threshold as half the scale. */
static double settle(const float *values, size_t n, double threshold)
{
    for (int i = 0; i < MAX_ROUNDS; i++) {
        const double next = mean_of(keep(values, n, threshold)) / 2;

        if (!(fabs(next - threshold) > 0))
            break;
        threshold = next;
    }
    return threshold;
}

static float fit_ternary(uint8_t *dest, const float *values, size_t n)
{
    const size_t row_bytes = smol_row_bytes(SMOL_TERNARY, (uint32_t)n);
    const double mean = mean_of(keep(values, n, -1));
    struct kept best = {0};
    double least = 0;

    for (int i = 1; i <= N_STARTS; i++) {
        const double threshold = settle(values, n, mean * i / 2);
        const struct kept kept = keep(values, n, threshold);

        if (kept.sum * mean_of(kept) > best.sum * mean_of(best)) {
            best = kept;
            least = threshold;
        }
    }
    for (size_t i = 0; i < row_bytes; i++) {
        uint32_t v = 0;
        for (size_t k = 0, c = i; k < 5; k++, c += row_bytes)
            v = 3 * v + 1 + (c < n && (double)values[c] > least) -
                (c < n && (double)values[c] < -least);
        dest[i] = (uint8_t)((256 * v + 242) / 243);
    }
    return (float)mean_of(best);
}

float smol_encode_ternary_best(uint8_t *dest, const float *values, size_t n)
{
    float scale;

    SMOL_IN_FPENV(scale = fit_ternary(dest, values, n));
    return scale;
}
