/* The kernels of every instruction set that this machine has, against vectors from an independent
 * generator, with memory around every output that must stay as it is. */
#include "guard.h"
#include "kernel/kernel.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct smol_kernels *k; /* under test */

static const enum smol_isa sets[] = {SMOL_ISA_SCALAR, SMOL_ISA_AVX2, SMOL_ISA_AVX512,
                                     SMOL_ISA_NEON};

/* Sets k to the next instruction set that is here; false after the last. */
static bool next_set(size_t *i)
{
    for (k = NULL; *i < sizeof sets / sizeof *sets && !k; ++*i)
        k = smol_kernels_select(sets[*i]);
    return k;
}

static void each_set(const char *kind, void (*check)(struct vector *v))
{
    cr_assert_not_null(smol_kernels_select(SMOL_ISA_SCALAR));
    for (size_t i = 0; next_set(&i);)
        vectors_each(kind, check);
}

static void check_quantise(struct vector *v)
{
    size_t n;
    const float *x = vector_f32s(v, "x", &n), expected = vector_f32(v, "t");
    int16_t *X = guard_take(n * sizeof *X, sizeof *X);
    const float t = k->quantise(X, x, n);

    vector_same_f32(v, &t, &expected, 1);
    vector_same_i16(v, X, vector_i16s(v, "X", NULL), n);
    guard_give(X);
}

Test(kernel, quantise) { each_set("quantise", check_quantise); }

/* What comes out is not laid down, but it is something. */
static void quantise_bad(float first, float second)
{
    const float x[] = {1.0f, first, -2.0f, second, 3e38f};
    int16_t *X = guard_take(5 * sizeof *X, sizeof *X);

    k->quantise(X, x, 5);
    for (size_t i = 0; i < 5; i++)
        cr_assert(X[i] >= -32512 && X[i] <= 32512, "%s: %d", k->name, X[i]);
    guard_give(X);
}

Test(kernel, quantise_survives_what_is_not_finite)
{
    static const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};

    for (size_t set = 0; next_set(&set);)
        for (size_t i = 0; i < 16; i++)
            quantise_bad(bad[i % 4], bad[i / 4]);
}

static void check_block(struct vector *v)
{
    static int16_t table[SMOL_MAX_PLANES * SMOL_TABLE_ENTRIES];
    const enum smol_dist dist = (enum smol_dist)vector_u32(v, "dist");
    const uint32_t rows = vector_u32(v, "rows"), cols = vector_u32(v, "cols"),
                   block = vector_u32(v, "block");
    const size_t stride = cols + v->number % 3; /* inputs may lie apart */
    const uint32_t n_rows = rows - 64 * block < 64 ? rows - 64 * block : 64;
    size_t d, n;
    const double *alpha = vector_f64s(v, "alpha", &d);
    const int16_t *X = vector_i16s(v, "X", &n);
    const int64_t *N = vector_i64s(v, "N", NULL);
    const size_t n_x = n / cols;
    struct smol_frozen_key key;

    smol_frozen_key_init(&key, vector_u64(v, "seed"));
    const struct smol_frozen t = {
        .key = &key,
        .tensor = vector_u32(v, "tensor"),
        .purpose = (enum smol_purpose)vector_u32(v, "purpose"),
        .rows = rows,
        .cols = cols,
        .n_planes = smol_frozen_planes(dist, (uint32_t)d),
        .table = table,
        .scale = smol_frozen_table(table, dist, alpha, (uint32_t)d),
    };
    int16_t *apart = malloc(((n_x - 1) * stride + cols) * sizeof *apart);
    void *scratch = guard_take(k->scratch_bytes(cols, n_x, t.n_planes), 64);
    int64_t *sums = guard_take(n_x * 64 * sizeof *sums, sizeof *sums);
    int64_t untouched;
    memset(&untouched, GUARD_BYTE, sizeof untouched);
    for (size_t i = 0; i < n_x; i++)
        memcpy(apart + i * stride, X + i * cols, cols * sizeof *X);

    k->frozen(sums, &t, block, 1, apart, stride, n_x, scratch);
    for (size_t i = 0; i < n_x; i++) {
        vector_same_i64(v, sums + 64 * i, N + n_rows * i, n_rows);
        for (size_t r = n_rows; r < 64; r++)
            cr_assert_eq(sums[64 * i + r], untouched, "line %u: row %zu", v->number, r);
    }
    guard_give(sums);
    guard_give(scratch);
    free(apart);
}

Test(kernel, frozen_block) { each_set("block", check_block); }

static void check_dot_f32(struct vector *v)
{
    size_t n;
    const float *a = vector_f32s(v, "a", &n), *x = vector_f32s(v, "x", NULL),
                expected = vector_f32(v, "dot");
    uint8_t *row = malloc(4 * n + 1); /* a byte off, as in a file */
    float *values = guard_take(n * sizeof *values, sizeof *values);

    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &a[i], sizeof bits);
        for (unsigned j = 0; j < 4; j++)
            row[1 + 4 * i + j] = (uint8_t)(bits >> 8 * j);
    }
    const float dot = k->dot_f32(row + 1, x, n);
    vector_same_f32(v, &dot, &expected, 1);
    smol_numbers_to_f32(values, SMOL_F32, row + 1, 7.0f, n);
    vector_same_f32(v, values, a, n);
    guard_give(values);
    free(row);
}

Test(kernel, dot_f32) { each_set("dot_f32", check_dot_f32); }

static void check_dot_f16(struct vector *v)
{
    size_t n;
    const uint32_t *bits = vector_u32s(v, "a", &n);
    const float *x = vector_f32s(v, "x", NULL), expected = vector_f32(v, "dot");
    uint8_t *row = malloc(2 * n + 1);
    float *values = guard_take(n * sizeof *values, sizeof *values);

    for (size_t i = 0; i < n; i++) {
        row[1 + 2 * i] = (uint8_t)bits[i];
        row[2 + 2 * i] = (uint8_t)(bits[i] >> 8);
    }
    const float dot = k->dot_f16(row + 1, x, n);
    vector_same_f32(v, &dot, &expected, 1);
    smol_numbers_to_f32(values, SMOL_F16, row + 1, 7.0f, n);
    vector_same_f32(v, values, vector_f32s(v, "values", NULL), n);
    guard_give(values);
    free(row);
}

Test(kernel, dot_f16) { each_set("dot_f16", check_dot_f16); }

static void check_dot_q8(struct vector *v)
{
    size_t n;
    const int16_t *q = vector_i16s(v, "a", &n), *X = vector_i16s(v, "X", NULL);
    const int64_t expected = vector_i64s(v, "dot", NULL)[0];
    uint8_t *row = malloc(n);
    float *values = guard_take(n * sizeof *values, sizeof *values);

    for (size_t i = 0; i < n; i++)
        row[i] = (uint8_t)q[i];
    const struct smol_rows rows = {.data = row, .n_rows = 1, .cols = n};
    void *scratch = guard_take(k->scratch_bytes(n, 1, 0), 64);
    int64_t dot;
    k->rows_q8(&dot, &rows, X, n, 1, scratch);
    vector_same_i64(v, &dot, &expected, 1);
    smol_numbers_to_f32(values, SMOL_Q8, row, vector_f32(v, "scale"), n);
    vector_same_f32(v, values, vector_f32s(v, "values", NULL), n);
    guard_give(scratch);
    guard_give(values);
    free(row);
}

Test(kernel, rows_q8) { each_set("dot_q8", check_dot_q8); }

static void check_layernorm(struct vector *v)
{
    size_t n;
    const float *x = vector_f32s(v, "x", &n), epsilon = vector_f32(v, "epsilon");
    const float *gain = vector_f32s(v, "gain", NULL), *bias = vector_f32s(v, "bias", NULL);
    float *y = guard_take(n * sizeof *y, sizeof *y);

    k->layernorm(y, x, NULL, NULL, epsilon, n);
    vector_same_f32(v, y, vector_f32s(v, "z", NULL), n);
    k->layernorm(y, x, gain, bias, epsilon, n);
    vector_same_f32(v, y, vector_f32s(v, "y", NULL), n);
    guard_give(y);
}

Test(kernel, layernorm) { each_set("layernorm", check_layernorm); }

/* All lengths up to n, so that no group of lanes has only full ones. */
static void check_exp(struct vector *v)
{
    size_t n;
    const float *x = vector_f32s(v, "x", &n), *expected = vector_f32s(v, "y", NULL);

    for (size_t m = 1; m <= n; m++) {
        float *y = guard_take(m * sizeof *y, sizeof *y);
        k->exp(y, x + n - m, m);
        vector_same_f32(v, y, expected + n - m, m);
        guard_give(y);
    }
}

Test(kernel, exp) { each_set("exp", check_exp); }

static void check_gelu(struct vector *v)
{
    size_t n;
    const float *x = vector_f32s(v, "x", &n), *expected = vector_f32s(v, "y", NULL);

    for (size_t m = 1; m <= n; m++) {
        float *y = guard_take(m * sizeof *y, sizeof *y);
        memcpy(y, x + n - m, m * sizeof *y);
        k->gelu(y, m);
        vector_same_f32(v, y, expected + n - m, m);
        guard_give(y);
    }
}

/* Sums of small rows, by hand: X = 1, 10, 100, ... 10,000 and again. */
Test(kernel, masks_by_hand)
{
    static const uint8_t bits[] = {0x2f, 0x01, 0x00, 0x00, 0xff, 0x03},
                         signs[] = {0x05, 0xfe, 0xff, 0xff, 0x00, 0xfd};
    static const int16_t X[] = {1, 10, 100, 1000, 10000, 1, 10, 100, 1000, 10000};
    const struct smol_rows rows = {.data = bits, .signs = signs, .n_rows = 3, .cols = 10};
    static uint8_t scratch[16384] __attribute__((aligned(64)));

    for (size_t set = 0; next_set(&set);) {
        int64_t sums[3];
        k->rows_mask(sums, &rows, X, 10, 1, scratch);
        cr_assert_eq(sums[0], -1 + 10 - 100 + 1000 + 1 + 1000, "%s", k->name);
        cr_assert_eq(sums[1], 0, "%s", k->name);
        cr_assert_eq(sums[2], 11111 + 1 + 10 + 100 - 1000 + 10000, "%s", k->name);
    }
}

/* Six columns in two bytes: columns 0, 2, 4 in the first, 1, 3, 5 in the second. Its numbers 1, -1,
 * 0, 0, 0 are v = 2 x 81 + 9 + 3 + 1 = 175, a byte of 185; 0, 1, -1, 0, 0 are 81 + 54 + 3 + 1 =
 * 139, of 147. */
Test(kernel, ternary_by_hand)
{
    static const uint8_t data[] = {185, 147};
    static const int16_t X[] = {1, 10, 100, 1000, 10000, 20000};
    const struct smol_rows rows = {.data = data, .n_rows = 1, .cols = 6};
    static uint8_t scratch[16384] __attribute__((aligned(64)));

    for (size_t set = 0; next_set(&set);) {
        int64_t sum;
        k->rows_ternary(&sum, &rows, X, 6, 1, scratch);
        cr_assert_eq(sum, 1 - 100 + 1000 - 20000, "%s", k->name);
    }
}

Test(kernel, gelu) { each_set("gelu", check_gelu); }

/* exp takes any input. Where x^3 is no longer finite, GELU is still x or almost 0. */
static void functions_of_bad(void)
{
    static const float x[] = {NAN, -NAN, INFINITY, -INFINITY, 3.4e38f, -3.4e38f, 1e20f, -1e20f};
    float y[8], g[8];

    k->exp(y, x, 8);
    for (size_t i = 0; i < 8; i++)
        cr_assert(y[i] > 0 && y[i] < INFINITY, "%s: exp(%a) is %a", k->name, (double)x[i],
                  (double)y[i]);
    memcpy(g, x, sizeof g);
    k->gelu(g, 8);
    cr_assert(isnan(g[0]) && isnan(g[1]));
    cr_assert_eq(g[4], 3.4e38f);
    cr_assert_eq(g[6], 1e20f);
    cr_assert(g[7] <= 0 && g[7] > -1e-15f);
}

Test(kernel, functions_survive_all_floats)
{
    for (size_t set = 0; next_set(&set);)
        functions_of_bad();
}

/* Rows of K and V at their stride, what lies between them full of numbers that would show. */
static float *spread(const float *rows, size_t n_rows, size_t D, size_t stride)
{
    const size_t n = (n_rows - 1) * stride + D;
    float *out = malloc(n * sizeof *out);

    for (size_t i = 0; i < n; i++)
        out[i] = i % stride < D ? rows[i / stride * D + i % stride] : NAN;
    return out;
}

static void check_attention(struct vector *v)
{
    const size_t stride = vector_u32(v, "stride");
    size_t D, n;
    const float *q = vector_f32s(v, "q", &D), *K = vector_f32s(v, "K", &n),
                *V = vector_f32s(v, "V", NULL);
    const size_t n_keys = n / D;
    float *keys = spread(K, n_keys, D, stride), *values = spread(V, n_keys, D, stride);
    float *o = guard_take(D * sizeof *o, sizeof *o);
    float *scores = guard_take(n_keys * sizeof *scores, sizeof *scores);

    const struct smol_query head = {o, q, keys, values, n_keys, 1.0f / sqrtf((float)D), 0};
    k->attention(&head, 1, stride, D, scores, n_keys);
    vector_same_f32(v, o, vector_f32s(v, "o", NULL), D);
    guard_give(scores);
    guard_give(o);
    free(values);
    free(keys);
}

Test(kernel, attention) { each_set("attention", check_attention); }

/* With values that are the rows of the unit matrix, the outputs are the weights of the keys; keys 0
 * leave the distances alone. */
static void weights_by_distance(float slope)
{
    enum { N = 37 };
    static const float zeros[N * N];
    static float values[N * N];
    float *o = guard_take(N * sizeof *o, sizeof *o), scores[N];
    double sum = 0;

    for (size_t j = 0; j < N; j++) {
        values[j * N + j] = 1;
        sum += exp((double)slope * ((double)j - (N - 1)));
    }
    const struct smol_query head = {o, zeros, zeros, values, N, 0.25f, slope};
    k->attention(&head, 1, N, N, scores, N);
    for (size_t j = 0; j < N; j++) {
        const double expected = exp((double)slope * ((double)j - (N - 1))) / sum;
        cr_assert_float_eq((double)o[j], expected, 1e-6 * expected, "%s: slope %g, key %zu",
                           k->name, (double)slope, j);
    }
    guard_give(o);
}

Test(kernel, attention_weighs_keys_by_their_distance)
{
    for (size_t set = 0; next_set(&set);) {
        weights_by_distance(0);
        weights_by_distance(0.25f);
        weights_by_distance(2);
        weights_by_distance(-0.125f);
    }
}

/* A query of 2 and keys 3, 1 and 0 by scale 0.5 and slope 0.25: scores 2.5, 0.75 and 0. */
Test(kernel, attention_scales_products_before_distances)
{
    static const float q[] = {2}, keys[] = {3, 1, 0}, values[] = {1, 10, 100};
    const double p[] = {exp(2.5), exp(0.75), 1};

    for (size_t set = 0; next_set(&set);) {
        float o, scores[3];
        const struct smol_query head = {&o, q, keys, values, 3, 0.5f, 0.25f};
        k->attention(&head, 1, 1, 1, scores, 3);
        cr_assert_float_eq((double)o, (p[0] + 10 * p[1] + 100 * p[2]) / (p[0] + p[1] + p[2]), 1e-5,
                           "%s", k->name);
    }
}

Test(kernel, relu2)
{
    static const float x[] = {3, -3, 0.0f, -0.0f, 0.5f, -1e-40f, 0x1p-100f, 0x1.000002p0f, NAN};
    static const float expected[] = {9, 0, 0, 0, 0.25f, 0, 0, 0x1.000004p0f, 0};

    for (size_t set = 0; next_set(&set);) {
        float *y = guard_take(sizeof x, sizeof *x);
        memcpy(y, x, sizeof x);
        k->relu2(y, sizeof x / sizeof *x);
        cr_assert_arr_eq(y, expected, sizeof x, "%s", k->name);
        guard_give(y);
    }
}
