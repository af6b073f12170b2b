/* The ops of each instruction set, and tiles of AVX-512's shape, against the plain ones. */
#include "train/ops/ops.h"

#include <criterion/criterion.h>
#include <omp.h>
#include <stdlib.h>

extern const struct smol_ops ops_wide;

#define N_SETS 3u
#define EACH_SET(ops, statement)                                                                   \
    for (unsigned set_number = 0; set_number < N_SETS; set_number++) {                             \
        const struct smol_ops *ops = set(set_number);                                              \
        if (ops)                                                                                   \
            statement;                                                                             \
    }

/* Those that this machine has. */
static const struct smol_ops *set(unsigned i)
{
    const struct smol_ops *ops =
        i == 0 ? &ops_wide : smol_ops_select(i == 1 ? SMOL_ISA_AVX2 : SMOL_ISA_AVX512);

    openblas_set_num_threads(1);
    return ops == &smol_ops_plain ? NULL : ops;
}

/* n numbers from -1 to 1. */
static real *noise(size_t n, unsigned seed)
{
    real *x = calloc(n, sizeof *x);

    cr_assert(x != NULL);
    for (size_t i = 0; i < n; i++)
        x[i] = (real)((double)(((unsigned)i + seed * 977u) * 2654435761u % 20011u) / 10005.5 - 1);
    return x;
}

static void check_close(const char *what, const struct smol_ops *ops, const real *x,
                        const real *expected, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++)
        cr_assert_float_eq((double)x[i], (double)expected[i], tolerance, "%s of %s, %zu: %g not %g",
                           what, ops->name, i, (double)x[i], (double)expected[i]);
}

/* c = 2 op(a) op(b) + 3 c, where c is part of wider rows, and nothing beside it changes. */
static void check_gemm(const struct smol_ops *ops, size_t m, size_t n, size_t k, bool ta, bool tb)
{
    const size_t stride = n + 3;
    real *a = noise(m * k, 1), *b = noise(k * n, 2), *c = noise(m * stride, 3),
         *expected = noise(m * stride, 3);
    const struct smol_operand left = {a, ta ? m : k, ta}, right = {b, tb ? k : n, tb};

    real *roomy = noise(m * stride, 3), *room = noise(SMOL_PRODUCT_ROOM, 4);

    omp_set_num_threads(1);
    smol_ops_plain.gemm(expected, stride, left, right, m, n, k, 2, 3, NULL);
    ops->gemm(c, stride, left, right, m, n, k, 2, 3, NULL);
    check_close("gemm", ops, c, expected, m * stride, 2e-6 * (double)(k + 5));
    ops->gemm(roomy, stride, left, right, m, n, k, 2, 3, room);
    cr_assert_arr_eq(roomy, c, m * stride * sizeof *c, "%s with room", ops->name);
    free(roomy);
    free(room);
    ops->gemm_small(c, stride, left, right, m, n, k, 1, 0);
    smol_ops_plain.gemm_small(expected, stride, left, right, m, n, k, 1, 0);
    check_close("gemm_small", ops, c, expected, m * stride, 2e-6 * (double)(k + 5));
    free(a);
    free(b);
    free(c);
    free(expected);
}

/* On both sides of tiles, panels, blocks of rows and depths, and of what is packed. */
Test(train_ops_sets, gemm)
{
    const size_t shapes[][3] = {{1, 1, 1},      {5, 15, 3},     {13, 17, 64},  {14, 33, 127},
                                {15, 64, 129},  {289, 31, 130}, {300, 80, 90}, {29, 530, 70},
                                {600, 40, 20},  {257, 35, 300}, {40, 33, 530}, {6, 16, 256},
                                {394, 70, 257}, {805, 33, 512}};

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int t = 0; t < 4; t++)
            EACH_SET(ops, check_gemm(ops, shapes[i][0], shapes[i][1], shapes[i][2], t & 1, t & 2))
}

/* The same bits in each place however many threads there are. */
static void check_threads(const struct smol_ops *ops, size_t m, size_t n, size_t k, bool ta)
{
    real *a = noise(m * k, 1), *b = noise(k * n, 2), *one = noise(m * n, 3), *c = noise(m * n, 4),
         *room = noise(5 * SMOL_PRODUCT_ROOM, 5);
    const struct smol_operand left = {a, ta ? m : k, ta}, right = {b, n, false};

    omp_set_num_threads(1);
    ops->gemm(one, n, left, right, m, n, k, 1, 0, room);
    for (int threads = 5; threads > 1; threads--) { /* downwards: LLVM's OpenMP loses memory when a
                                                       team grows */
        omp_set_num_threads(threads);
        ops->gemm(c, n, left, right, m, n, k, 1, 0, room);
        cr_assert_arr_eq(c, one, m * n * sizeof *c, "%s with %d threads", ops->name, threads);
    }
    omp_set_num_threads(1);
    free(a);
    free(b);
    free(one);
    free(c);
    free(room);
}

Test(train_ops_sets, gemm_is_the_same_with_more_threads)
{
    for (int t = 0; t < 2; t++) {
        EACH_SET(ops, check_threads(ops, 300, 100, 140, t))
        EACH_SET(ops, check_threads(ops, 20, 200, 300, t))
    }
}

/* A product and the sum of its squares, the same for any number of threads. */
static void check_squares(const struct smol_ops *ops, size_t m, size_t n, size_t k, bool ta)
{
    const size_t stride = n + 3;
    real *a = noise(m * k, 1), *b = noise(k * n, 2), *c = noise(m * stride, 3),
         *expected = noise(m * stride, 3), *room = noise(3 * SMOL_PRODUCT_ROOM, 4);
    double *sums = calloc(smol_product_sums(m, n), sizeof *sums), squares = 0, first = 0;
    const struct smol_operand left = {a, ta ? m : k, ta}, right = {b, n, false};

    cr_assert_not_null(sums);
    ops->gemm(expected, stride, left, right, m, n, k, 1, 0, room);
    for (size_t i = 0; i < m * stride; i++)
        squares += i % stride < n ? (double)expected[i] * (double)expected[i] : 0;
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        const double sum =
            ops->gemm_squares(sums, c, stride, left, right, m, n, k, threads == 2 ? NULL : room);
        cr_assert_arr_eq(c, expected, m * stride * sizeof *c, "%s, %d threads", ops->name, threads);
        cr_assert_float_eq(sum, squares, 1e-5 * squares, "%s, %zu x %zu x %zu: %g not %g",
                           ops->name, m, n, k, sum, squares);
        first = threads == 1 ? sum : first;
        cr_assert(sum == first, "%s, %d threads", ops->name, threads);
    }
    omp_set_num_threads(1);
    free(a);
    free(b);
    free(c);
    free(expected);
    free(room);
    free(sums);
}

Test(train_ops_sets, squares)
{
    static const size_t shapes[][3] = {{1, 1, 1},     {13, 31, 5},    {14, 32, 256},  {15, 33, 257},
                                       {300, 65, 70}, {420, 600, 40}, {129, 513, 600}};

    check_squares(&smol_ops_plain, 129, 70, 30, true);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (unsigned t = 0; t < 2; t++)
            EACH_SET(ops, check_squares(ops, shapes[i][0], shapes[i][1], shapes[i][2], t != 0))
}

/* Attention's backward pass, with all that it may have; room: NULL or what gemm takes. */
static void check_attention_backward(const struct smol_ops *ops, real *room)
{
    enum { B = 2, H = 2, T = 70, C = 24 };
    const real temperatures[H] = {(real)1.5, (real)0.7}, slopes[H] = {(real)0.1, 1};
    uint32_t begins[B * T];
    struct smol_attention shape = {.batch = B,
                                   .heads = H,
                                   .context = T,
                                   .width = C,
                                   .n_threads = 1,
                                   .temperatures = temperatures,
                                   .slopes = slopes,
                                   .begins = begins};
    real *qkv = noise(B * T * 3 * C, 1), *d_out = noise(B * T * C, 2), *out = noise(B * T * C, 3);
    real *weights = noise(B * H * T * T, 4), *scratch = noise(64 * T, 5);
    real *d_qkv = noise(B * T * 3 * C, 6), *expected = noise(B * T * 3 * C, 7);
    real d_heads[2 * B * H], expected_heads[2 * B * H];

    for (uint32_t i = 0; i < B * T; i++)
        begins[i] = i % T < 40 ? 0 : 40;
    smol_ops_plain.attention(out, weights, qkv, &shape);
    smol_ops_plain.attention_backward(expected, expected_heads, scratch, d_out, weights, qkv,
                                      &shape);
    shape.room = room;
    ops->attention(out, weights, qkv, &shape);
    ops->attention_backward(d_qkv, d_heads, scratch, d_out, weights, qkv, &shape);
    check_close("attention_backward", ops, d_qkv, expected, B * T * 3 * C, 2e-5);
    check_close("d_heads", ops, d_heads, expected_heads, 2 * B * H, 2e-3);
    free(qkv);
    free(d_out);
    free(out);
    free(weights);
    free(scratch);
    free(d_qkv);
    free(expected);
}

Test(train_ops_sets, attention_backward)
{
    real *room = noise(SMOL_PRODUCT_ROOM, 9);

    EACH_SET(ops, check_attention_backward(ops, NULL))
    EACH_SET(ops, check_attention_backward(ops, room))
    check_attention_backward(&smol_ops_plain, room);
    free(room);
}

static void check_norm_and_affine(const struct smol_ops *ops)
{
    enum { N = 130, C = 75 };
    real *x = noise(N * C, 1), *z = noise(N * C, 2), *out = noise(N * C, 3), *gain = noise(C, 4),
         *bias = noise(C, 5), *partial = noise(smol_layernorm_partials(N, C), 6);
    real *d_out[2] = {noise(N * C, 7), noise(N * C, 7)},
         *d_x[2] = {noise(N * C, 8), noise(N * C, 8)};
    real d_gain[2][C], d_bias[2][C], rstd[N];

    smol_ops_plain.layernorm(z, rstd, out, x, gain, bias, N, C, (real)1e-5);
    for (unsigned i = 0; i < 2; i++)
        (i ? ops : &smol_ops_plain)
            ->layernorm_backward(d_x[i], d_gain[i], d_bias[i], partial, d_out[i], z, rstd, gain, N,
                                 C);
    check_close("layernorm_backward", ops, d_x[1], d_x[0], N * C, 1e-5);
    check_close("d_gain", ops, d_gain[1], d_gain[0], C, 1e-4);
    check_close("d_bias", ops, d_bias[1], d_bias[0], C, 1e-4);
    for (unsigned i = 0; i < 2; i++) {
        (i ? ops : &smol_ops_plain)->affine(d_x[i], x, gain, bias, 1, N, C);
        (i ? ops : &smol_ops_plain)
            ->affine_backward(d_out[i], d_gain[i], d_bias[i], z, x, gain, N, C);
    }
    check_close("affine", ops, d_x[1], d_x[0], N * C, 1e-5);
    check_close("affine_backward", ops, d_out[1], d_out[0], N * C, 1e-6);
    check_close("d_gain", ops, d_gain[1], d_gain[0], C, 1e-4);
    check_close("d_bias", ops, d_bias[1], d_bias[0], C, 1e-4);
    for (unsigned i = 0; i < 2; i++) {
        free(d_out[i]);
        free(d_x[i]);
    }
    free(x);
    free(z);
    free(out);
    free(gain);
    free(bias);
    free(partial);
}

Test(train_ops_sets, norm_and_affine) { EACH_SET(ops, check_norm_and_affine(ops)) }

/* What works on numbers one by one, by the formulas. */
static void check_elements(const struct smol_ops *ops)
{
    enum { N = 101 };
    const struct smol_adam step = {.beta1 = (real)0.9,
                                   .beta2 = (real)0.95,
                                   .correction1 = 2,
                                   .correction2 = 3,
                                   .rate = (real)0.01,
                                   .keep = (real)0.99,
                                   .scale = (real)0.5};
    real *u = noise(N, 1), *value = noise(N, 1), *m = noise(N, 2), *v = noise(N, 3),
         *g = noise(N, 4), *out = noise(N, 5), *d = noise(N, 4), *d3 = noise(N, 4);
    double magnitude = 0, dot = 0, squares = 0, kept = 0, ternary = 0;
    struct smol_mask_sums sums;
    int8_t signs[N];
    real m_before[N], v_before[N];

    for (size_t i = 0; i < N; i++) {
        signs[i] = i % 3 == 0 ? -1 : 1;
        v[i] = (v[i] + 1) / 2;
        v_before[i] = v[i];
        m_before[i] = m[i];
        magnitude += fabs((double)u[i]);
        dot += (double)u[i] * (double)g[i];
        squares += (double)g[i] * (double)g[i];
        kept += u[i] >= (real)0.2 ? (double)g[i] * signs[i] : 0;
        ternary += (double)g[i] * (u[i] > (real)0.3 ? 1 : u[i] < (real)-0.3 ? -1 : 0);
    }
    cr_assert_float_eq((double)ops->magnitudes(u, N), magnitude, 1e-4);
    cr_assert_float_eq((double)ops->dot(u, g, N), dot, 1e-4);
    cr_assert_float_eq(ops->sum_of_squares(g, N), squares, 1e-4);
    sums = ops->mask_row_backward(d, u, signs, (real)0.2, (real)0.7, N);
    kept -= (double)sums.there;
    ternary -= (double)ops->ternary_row_backward(d3, u, (real)0.3, (real)0.7, N);
    for (unsigned negative = 0; negative < 2; negative++) { /* the same from the weights */
        const real scale = negative != 0 ? (real)-0.7 : (real)0.7;
        real *signed_d = noise(N, 4);

        ops->mask_row(out, u, signs, (real)0.2, scale, N);
        const struct smol_mask_sums same = ops->mask_row_signed(signed_d, out, (real)0.7, N);
        cr_assert_float_eq((double)same.there, (double)(negative != 0 ? -sums.there : sums.there),
                           1e-4);
        cr_assert_float_eq((double)same.squares, (double)sums.squares, 1e-4);
        for (size_t i = 0; i < N; i++)
            cr_assert_float_eq((double)signed_d[i], (double)(negative != 0 ? -d[i] : d[i]), 1e-6);
        free(signed_d);
    }
    cr_assert_float_eq(kept, 0, 1e-4);
    cr_assert_float_eq((double)sums.squares, 0.49 * squares, 1e-4);
    cr_assert_float_eq(ternary, 0, 1e-4);
    ops->mask_row(out, u, signs, (real)0.2, (real)0.7, N);
    ops->adam(value, m, v, g, N, &step);
    for (size_t i = 0; i < N; i++) {
        const double grad = 0.5 * (double)g[i], moment = 0.9 * (double)m_before[i] + 0.1 * grad,
                     second = 0.95 * (double)v_before[i] + 0.05 * grad * grad;

        cr_assert_float_eq((double)out[i], u[i] >= (real)0.2 ? 0.7 * signs[i] : 0, 1e-6);
        cr_assert_float_eq((double)d[i], 0.7 * signs[i] * (double)g[i], 1e-6);
        cr_assert_float_eq((double)d3[i], 0.7 * (double)g[i], 1e-6);
        cr_assert_float_eq((double)value[i],
                           0.99 * (double)u[i] - 0.01 * 2 * moment / (sqrt(3 * second) + 1e-8),
                           2e-6);
    }
    ops->ternary_row(out, u, (real)0.3, (real)0.7, N);
    for (size_t i = 0; i < N; i++)
        cr_assert_float_eq((double)out[i],
                           u[i] > (real)0.3    ? 0.7
                           : u[i] < (real)-0.3 ? -0.7
                                               : 0,
                           1e-6);
    memcpy(out, u, N * sizeof *u);
    ops->add(out, g, N);
    ops->scale(out, g, N);
    memcpy(d, u, N * sizeof *u);
    ops->relu2(d3, d, N);
    for (size_t i = 0; i < N; i++) {
        const double positive = u[i] > 0 ? (double)u[i] : 0;

        cr_assert_float_eq((double)out[i], ((double)u[i] + (double)g[i]) * (double)g[i], 1e-6);
        cr_assert_float_eq((double)d3[i], positive * positive, 1e-6);
        cr_assert_float_eq((double)d[i], 2 * positive, 1e-6);
    }
    free(u);
    free(value);
    free(m);
    free(v);
    free(g);
    free(out);
    free(d);
    free(d3);
}

Test(train_ops_sets, elements) { EACH_SET(ops, check_elements(ops)) }

/* n bytes: what values say of them, where `distinct` of the values differ, and what sums of signs
 * are. */
static void check_frozen(const struct smol_ops *ops, size_t n, size_t distinct)
{
    real *d = noise(n, 1), *values = noise(256, 2), *out = calloc(n + 1, sizeof *out);
    uint8_t *bytes = malloc(n + 1);
    double sums[9];

    cr_assert(out && bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    for (size_t i = 0; i < 256; i++)
        values[i] = values[i % distinct];
    out[n] = 7;
    ops->look_up(out, bytes, values, n);
    for (size_t i = 0; i < n; i++)
        cr_assert(out[i] == values[bytes[i]], "%s, number %zu of %zu", ops->name, i, n);
    cr_assert(out[n] == 7);
    for (uint32_t n_bases = 1; ops->contract_signs && n_bases <= 8; n_bases++) {
        for (size_t k = 0; k < 9; k++)
            sums[k] = 5;
        ops->contract_signs(sums, d, bytes, n, n_bases);
        for (uint32_t k = 0; k < n_bases; k++) {
            double sum = 0;

            for (size_t i = 0; i < n; i++)
                sum += (bytes[i] >> k & 1) != 0 ? -(double)d[i] : (double)d[i];
            cr_assert_float_eq(sums[k], sum, 2e-4, "%s, %u of %u in %zu: %g not %g", ops->name, k,
                               n_bases, n, sums[k], sum);
        }
        cr_assert(sums[n_bases] == 5);
    }
    free(d);
    free(values);
    free(out);
    free(bytes);
}

Test(train_ops_sets, frozen)
{
    static const size_t lengths[] = {1, 3, 15, 16, 17, 64, 100, 4095, 4096, 4097, 9000};

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t distinct = 2; distinct <= 256; distinct *= 2)
            EACH_SET(ops, check_frozen(ops, lengths[i], distinct))
}
