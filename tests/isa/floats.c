/* The functions on floats of every table against plain C: the same bits for odd sizes, unaligned
 * data and guarded buffers. */
#include "isa.h"

#include "../unit/make_model.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>

static const struct smol_kernels *const p = &smol_kernels_scalar;

static void check_functions(const struct smol_kernels *k, size_t n, const float *x)
{
    ISA_SAME(float, "exp", n, p->exp(y, x, n), k->exp(y, x, n));
    ISA_SAME(float, "gelu", n, (memcpy(y, x, n * sizeof *x), p->gelu(y, n)),
             (memcpy(y, x, n * sizeof *x), k->gelu(y, n)));
    ISA_SAME(float, "relu2", n, (memcpy(y, x, n * sizeof *x), p->relu2(y, n)),
             (memcpy(y, x, n * sizeof *x), k->relu2(y, n)));
}

static void check_quantise(const struct smol_kernels *k, size_t n, const float *x)
{
    float a = 0, b = 0;

    ISA_SAME(int16_t, "quantise", n, a = p->quantise(y, x, n), b = k->quantise(y, x, n));
    cr_assert_arr_eq(&a, &b, sizeof a, "quantise of %zu", n);
}

/* A number at the limit, above it, and none, at each place of a few. */
static void check_within(const struct smol_kernels *k, size_t n, uint64_t *random)
{
    static const struct {
        float x;
        bool is_within;
    } cases[] = {
        {2, true},         {-2, true},         {0x1.000002p1f, false}, {-0x1.000002p1f, false},
        {INFINITY, false}, {-INFINITY, false}, {NAN, false},           {-NAN, false},
        {1e-40f, true},    {-0.0f, true}};
    static float x[ISA_MAX_SIZE];

    isa_fill(x, n, 1, random);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t at = test_random(random) % n;
        const float before = x[at];
        x[at] = cases[i].x;
        cr_assert_eq(p->within(x, n, 2), cases[i].is_within);
        cr_assert_eq(k->within(x, n, 2), cases[i].is_within, "%s: within, %zu", k->name, n);
        x[at] = before;
    }
}

/* From 1 to the largest double, at both sides of where f is halved, and 1 + next to nothing. */
static void check_log(const struct smol_kernels *k, size_t n, uint64_t *random)
{
    static const double some[] = {1, 1 + 0x1p-52, 0x1.6a09e5fffffffp0, 0x1.6a09e6p0, 2 - 0x1p-52,
                                  2, DBL_MAX,     0x1.6a09e6p1023};
    static double x[ISA_MAX_SIZE];

    for (size_t i = 0; i < n; i++) {
        const double f = 1 + (double)test_random(random) / 0x1p32;
        x[i] = i % 5 == 0   ? some[test_random(random) % (sizeof some / sizeof *some)]
               : i % 5 == 1 ? 1 + ldexp(f, -(int)(test_random(random) % 52) - 1)
                            : ldexp(f, (int)(test_random(random) % 1024 >> i % 5));
    }
    ISA_SAME(float, "log", n, p->log(y, x, n), k->log(y, x, n));
}

/* Few different tokens, so that all of them are found often; with and without the one before. */
static void check_find(const struct smol_kernels *k, size_t n, uint64_t *random)
{
    static uint16_t tokens[SMOL_FIND_TOKENS + 1], places[SMOL_FIND_TOKENS];
    const uint16_t some[] = {0, 1, 255, 256, 65535};
    const uint32_t of = 1 + (uint32_t)(test_random(random) % 5);

    n = n < SMOL_FIND_TOKENS ? n : SMOL_FIND_TOKENS;
    for (size_t i = 0; i <= n; i++)
        tokens[i] = some[test_random(random) % of];
    for (unsigned i = 0; i < 2; i++) {
        const uint16_t mask = i ? 0xffff : 0, last = some[test_random(random) % of],
                       before = some[test_random(random) % of];
        const size_t found = k->find(places, tokens + 1, n, last, before, mask);
        size_t expected = 0;
        for (size_t at = 1; at <= n; at++)
            if (tokens[at] == last && (!mask || tokens[at - 1] == before)) {
                cr_assert_lt(expected, found, "%s: find, %zu", k->name, n);
                cr_assert_eq(places[expected], at - 1, "%s: find, %zu", k->name, n);
                expected++;
            }
        cr_assert_eq(found, expected, "%s: find, %zu", k->name, n);
    }
}

static void check_floats(const struct smol_kernels *k, size_t n, float scale, uint64_t *random)
{
    static float x[ISA_MAX_SIZE], gain[ISA_MAX_SIZE], bias[ISA_MAX_SIZE];

    isa_fill(x, n, scale, random);
    isa_fill(gain, n, 1, random);
    isa_fill(bias, n, 1, random);
    check_functions(k, n, x);
    check_quantise(k, n, x);
    check_within(k, n, random);
    check_log(k, n, random);
    check_find(k, n, random);
    ISA_SAME(float, "layernorm", n, p->layernorm(y, x, NULL, NULL, 1e-5f, n),
             k->layernorm(y, x, NULL, NULL, 1e-5f, n));
    ISA_SAME(float, "layernorm with gain", n, p->layernorm(y, x, gain, bias, 1e-5f, n),
             k->layernorm(y, x, gain, bias, 1e-5f, n));
}

/* Numbers at the ends of what a float can be, and what is none, among others. */
static void check_extremes(const struct smol_kernels *k, size_t n, uint64_t *random)
{
    static const float extremes[] = {INFINITY, -INFINITY, NAN,       -NAN,    0.0f,  -0.0f,
                                     88.0f,    -87.0f,    88.5f,     -100.0f, 3e38f, -3e38f,
                                     1e-40f,   -1e-40f,   0x1p-126f, 5e-34f};
    static float x[ISA_MAX_SIZE];

    for (size_t e = 0; e < sizeof extremes / sizeof *extremes; e++) {
        isa_fill(x, n, 1e-36f, random);
        x[test_random(random) % n] = extremes[e];
        check_functions(k, n, x);
        check_quantise(k, n, x);
        x[test_random(random) % n] = extremes[test_random(random) % 16];
        check_functions(k, n, x);
        check_quantise(k, n, x);
    }
}

static void check_dot(const struct smol_kernels *k, size_t n, const uint8_t *row, const float *x)
{
    const float wide[2] = {p->dot_f32(row, x, n), k->dot_f32(row, x, n)};

    const float plain[2] = {p->dot(x, x, n), k->dot(x, x, n)};

    cr_assert_arr_eq(&wide[0], &wide[1], sizeof *wide, "dot_f32 of %zu", n);
    cr_assert_arr_eq(&plain[0], &plain[1], sizeof *plain, "dot of %zu", n);
}

/* Rows at an odd address. */
static void check_dots(const struct smol_kernels *k, size_t n, uint64_t *random)
{
    static uint8_t row[4 * ISA_MAX_SIZE + 1];
    static float x[ISA_MAX_SIZE], values[ISA_MAX_SIZE];
    float a, b;

    isa_fill(x, n, 1, random);
    isa_fill(values, n, 1, random);
    memcpy(row + 1, values, n * sizeof *values);
    check_dot(k, n, row + 1, x);
    for (size_t i = 0; i < 2 * n; i++)
        row[1 + i] = (uint8_t)(test_random(random) & (i % 2 ? 0xbb : 0xff)); /* finite halves */
    a = p->dot_f16(row + 1, x, n);
    b = k->dot_f16(row + 1, x, n);
    cr_assert_arr_eq(&a, &b, sizeof a, "dot_f16 of %zu", n);
    ISA_SAME(float, "from_f16", n, p->from_f16(y, row + 1, n), k->from_f16(y, row + 1, n));
}

/* Rows packed at an odd address, with vectors that have something between them. */
static void check_rows(const struct smol_kernels *k, size_t n, uint64_t *random)
{
    static uint8_t rows[4 * 8 * ISA_MAX_SIZE + 1];
    static float x[5 * (ISA_MAX_SIZE + 3)], values[8 * ISA_MAX_SIZE];
    static const size_t n_rows[] = {1, 3, 6, 7, 8}, n_x[] = {1, 2, 3, 5};

    isa_fill(x, 5 * (n + 3), 1, random);
    isa_fill(values, 8 * n, 1, random);
    for (size_t r = 0; r < sizeof n_rows / sizeof *n_rows; r++)
        for (size_t i = 0; i < sizeof n_x / sizeof *n_x; i++) {
            float a[5 * 10] = {0}, b[5 * 10] = {0};
            memcpy(rows + 1, values, 8 * n * sizeof *values);
            p->rows_f32(a, 10, rows + 1, n_rows[r], x, n + 3, n_x[i], n);
            k->rows_f32(b, 10, rows + 1, n_rows[r], x, n + 3, n_x[i], n);
            cr_assert_arr_eq(a, b, sizeof a, "rows_f32 of %zu", n);
            for (size_t c = 0; c < 16 * n; c++)
                rows[1 + c] &= c % 2 ? 0xbb : 0xff; /* finite halves */
            p->rows_f16(a, 10, rows + 1, n_rows[r], x, n + 3, n_x[i], n);
            k->rows_f16(b, 10, rows + 1, n_rows[r], x, n + 3, n_x[i], n);
            cr_assert_arr_eq(a, b, sizeof a, "rows_f16 of %zu", n);
        }
}

static void check_sums(const struct smol_kernels *k, size_t n, uint64_t *random)
{
    static float a[ISA_MAX_SIZE], x[ISA_MAX_SIZE], z[ISA_MAX_SIZE];

    isa_fill(a, n, 1, random);
    isa_fill(x, n, 3, random);
    isa_fill(z, n, 2, random);
    ISA_SAME(float, "add_scaled", n, (memcpy(y, z, n * sizeof *z), p->add_scaled(y, -0.3f, x, n)),
             (memcpy(y, z, n * sizeof *z), k->add_scaled(y, -0.3f, x, n)));
    ISA_SAME(float, "add_each_scaled", n,
             (memcpy(y, z, n * sizeof *z), p->add_each_scaled(y, a, x, n)),
             (memcpy(y, z, n * sizeof *z), k->add_each_scaled(y, a, x, n)));
}

/* Products too small for a float leave lanes of -0, and so the sum is, if nothing is added to lanes
 * without a term. */
static void check_negative_zero(const struct smol_kernels *k, size_t n)
{
    static float x[ISA_MAX_SIZE], values[ISA_MAX_SIZE];

    for (size_t i = 0; i < n; i++) {
        x[i] = 1e-30f;
        values[i] = -1e-30f;
    }
    check_dot(k, n, (const uint8_t *)values, x);
    cr_assert_eq(signbit(k->dot_f32((const uint8_t *)values, x, n)) != 0, n >= 16);
}

#define MOST_HEADS 11u
#define MOST_KEYS 152u
#define STRIDE 133u

static void attend(const struct smol_kernels *k, float *y, struct smol_query *heads, size_t n,
                   size_t D)
{
    static float scores[MOST_HEADS * MOST_KEYS];

    for (size_t h = 0; h < n; h++)
        heads[h].o = y + h * D;
    k->attention(heads, n, STRIDE, D, scores, MOST_KEYS);
}

/* Heads of so many keys, of `more` keys more than the one before, with rows of their own or, if the
 * first has an even number, the same; D numbers each. */
static void check_heads(const struct smol_kernels *k, size_t n_heads, size_t n_keys, size_t more,
                        size_t D)
{
    static const float slopes[] = {0, 0.037f, -0.5f, 4.0f};
    static float q[MOST_HEADS + 130], keys[(MOST_KEYS + MOST_HEADS) * STRIDE],
        values[(MOST_KEYS + MOST_HEADS) * STRIDE];
    struct smol_query heads[MOST_HEADS];

    if (keys[0] == 0) { /* once */
        uint64_t random = 7;
        isa_fill(q, sizeof q / sizeof *q, 2, &random);
        isa_fill(keys, sizeof keys / sizeof *keys, 2, &random);
        isa_fill(values, sizeof values / sizeof *values, 1, &random);
    }
    for (size_t h = 0; h < n_heads; h++) {
        const size_t at = n_keys % 2 ? h * 5 % MOST_HEADS * STRIDE : 0;
        heads[h] = (struct smol_query){.q = q + h,
                                       .K = keys + at,
                                       .V = values + at,
                                       .n_keys = n_keys + h * more,
                                       .scale = 0.3f + (float)h,
                                       .slope = slopes[(n_keys + h) % 4]};
    }
    ISA_SAME(float, "attention", n_heads *D, attend(p, y, heads, n_heads, D),
             attend(k, y, heads, n_heads, D));
}

static void check_attention(const struct smol_kernels *k, size_t n)
{
    const size_t D = n < 130 ? n : 130;

    for (size_t n_keys = 1; n_keys <= 40; n_keys += 13)
        for (size_t n_heads = 1; n_heads <= MOST_HEADS; n_heads++)
            for (size_t more = 0; more < 3; more++)
                check_heads(k, n_heads, n_keys + (n_heads + n % 7) * 13 % 80, more, D);
    for (size_t n_keys = 1; n_keys <= 130; n_keys += n == 1 ? 1 : 129)
        check_heads(k, 5, n_keys, n_keys / 2 % 2, n == 1 ? 1 + n_keys % 40 : D);
}

static void check_scaled_sums(const struct smol_kernels *k, size_t n, uint64_t *random)
{
    static int64_t sums[ISA_MAX_SIZE];
    static float scales[ISA_MAX_SIZE];
    static uint8_t unaligned[4 * ISA_MAX_SIZE + 1];

    for (size_t i = 0; i < n; i++)
        sums[i] = (int64_t)test_random(random) >> (i % 60);
    ISA_SAME(float, "scale_sums", n, p->scale_sums(y, sums, 0.1 / 3, n),
             k->scale_sums(y, sums, 0.1 / 3, n));
    isa_fill(scales, n, 1, random);
    memmove(unaligned + 1, scales, 4 * n);
    ISA_SAME(float, "scale_rows", n, p->scale_rows(y, sums, unaligned + 1, 0.1 / 3, n),
             k->scale_rows(y, sums, unaligned + 1, 0.1 / 3, n));
}

static void check_all(enum isa_table table)
{
    const struct smol_kernels *k = isa_kernels(table, NULL);
    const bool few = test_is_sanitized();
    uint64_t random = 3;

    for (size_t i = 0; i < ISA_N_SIZES; i++) {
        const size_t n = isa_sizes[i];
        for (int e = -3 + (few ? (int)i % 2 : 0); e <= 3; e += few ? 2 : 1)
            check_floats(k, n, powf(10, (float)e), &random);
        check_extremes(k, n, &random);
        check_dots(k, n, &random);
        check_rows(k, n, &random);
        check_sums(k, n, &random);
        check_negative_zero(k, n);
        check_attention(k, n);
        check_scaled_sums(k, n, &random);
    }
}

ISA_CASES(floats, check_all)
#ifdef ISA_EMULATED
ISA_CASE(floats, vector_scalar, ISA_VECTOR_SCALAR, check_all)
ISA_CASE(floats, vector_avx512, ISA_VECTOR_AVX512, check_all)
#endif
