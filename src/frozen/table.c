/* From coefficients to tables of integers, one for each plane. SPEC.md 5.5 and 5.6. */
#include "base/number.h"
#include "frozen/frozen.h"

#include <math.h>

/* Half to even: adding 1.5 x 2^52 leaves no room for a fraction. |x| < 2^51. */
static double round_half_even(double x)
{
    const double magic = 0x1.8p52;
    volatile double sum = x + magic;

    return sum - magic;
}

uint32_t smol_frozen_planes(enum smol_dist dist, uint32_t d)
{
    return dist == SMOL_SIGN ? (d + 7) / 8 : d;
}

/* T_p[u], terms in the order of k. */
static double entry(enum smol_dist dist, const double *alpha, uint32_t d, uint32_t plane,
                    uint32_t u)
{
    double sum = 0;

    if (dist == SMOL_GAUSS)
        return alpha[plane] * smol_gauss_table[u];
    for (uint32_t k = 8 * plane; k < d && k < 8 * plane + 8; k++)
        sum += alpha[k] * (u >> (k - 8 * plane) & 1 ? -1.0 : 1.0);
    return sum;
}

double smol_frozen_table(int16_t *table, enum smol_dist dist, const double *alpha, uint32_t d)
{
    const uint32_t n_planes = smol_frozen_planes(dist, d);
    double M = 0;

    for (uint32_t p = 0; p < n_planes; p++) {
        double max = 0;
        for (uint32_t u = 0; u < SMOL_TABLE_ENTRIES; u++)
            max = fmax(max, fabs(entry(dist, alpha, d, p, u)));
        M += max;
    }
    const double s = M / 32640.0;
    for (uint32_t p = 0; p < n_planes; p++)
        for (uint32_t u = 0; u < SMOL_TABLE_ENTRIES; u++)
            table[p * SMOL_TABLE_ENTRIES + u] =
                s == 0 ? 0 : (int16_t)round_half_even(entry(dist, alpha, d, p, u) / s);
    return s;
}

void smol_frozen_fill(struct smol_frozen *f, int16_t *table, const struct smol_scheme *s,
                      float sigma, const uint8_t *alphas)
{
    const uint32_t d = alphas ? s->d : 1;
    double alpha[SMOL_MAX_BASES] = {1.0};
    float stored[SMOL_MAX_BASES];

    f->n_planes = smol_frozen_planes(s->dist, d);
    f->table = table;
    if (!table)
        return;
    if (alphas)
        smol_params_to_f32(stored, s->alpha_type, alphas, 0, d);
    for (uint32_t k = 0; alphas && k < d; k++)
        alpha[k] = (double)stored[k];
    f->scale = (double)sigma * smol_frozen_table(table, s->dist, alpha, d);
}
