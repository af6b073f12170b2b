/* The pieces of the network against plain double arithmetic and the C library. */
#include "train/ops/ops.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define N_SETS 3u

/* The ops of each instruction set that this machine has. */
static const struct smol_ops *set(unsigned i)
{
    static const enum smol_isa isa[N_SETS] = {SMOL_ISA_SCALAR, SMOL_ISA_AVX2, SMOL_ISA_AVX512};
    const struct smol_ops *ops = smol_ops_select(isa[i]);

    openblas_set_num_threads(1);
    return i > 0 && ops == &smol_ops_plain ? NULL : ops;
}

#define EACH_SET(ops, statement)                                                                   \
    for (unsigned set_number = 0; set_number < N_SETS; set_number++) {                             \
        const struct smol_ops *ops = set(set_number);                                              \
        if (ops)                                                                                   \
            statement;                                                                             \
    }

static double noise(unsigned i) { return (double)(i * 2654435761u % 20011u) / 10005.5 - 1; }

Test(train_ops, exp_is_exp)
{
    for (int i = -8700; i <= 8800; i += 7) {
        real x = (real)i / 100;
        const double expected = exp((double)x);

        smol_real_exp_all(&x, 1, 0);
        cr_assert_float_eq((double)x, expected, 3e-7 * expected, "at %d/100", i);
    }
}

Test(train_ops, exp_stays_finite)
{
    real x[] = {-1e30f, -100, 0, 100, 1e30f};

    smol_real_exp_all(x, 5, 0);
    cr_assert(x[0] >= 0 && x[0] < 1e-37f && x[1] < 1e-37f && x[2] == 1);
    cr_assert(isfinite(x[3]) && isfinite(x[4]) && x[4] > 1e38f);
}

Test(train_ops, max_is_the_largest)
{
    for (size_t n = 1; n < 40; n++)
        for (size_t at = 0; at < n; at++) {
            real x[40];

            for (size_t i = 0; i < n; i++)
                x[i] = (real)-5 - (real)i;
            x[at] = 2;
            cr_assert(smol_real_max(x, n) == 2);
        }
}

static void check_gelu_and_its_slope(const struct smol_ops *ops)
{
    enum { N = 3000 };
    static real x[N], out[N];

    for (int i = 0; i < N; i++)
        x[i] = (real)(i - N / 2) / 100;
    ops->gelu(out, x, N);
    for (int i = 0; i < N; i++) {
        const double v = (double)((real)(i - N / 2) / 100),
                     u = sqrt(2 / 3.14159265358979323846) * (v + 0.044715 * v * v * v);
        const double t = tanh(u),
                     slope = sqrt(2 / 3.14159265358979323846) * (1 + 3 * 0.044715 * v * v);

        cr_assert_float_eq((double)out[i], 0.5 * v * (1 + t), 2e-6, "GELU(%g)", v);
        cr_assert_float_eq((double)x[i], 0.5 * (1 + t) + 0.5 * v * (1 - t * t) * slope, 3e-6,
                           "GELU'(%g)", v);
    }
}

Test(train_ops, gelu_and_its_slope) { EACH_SET(ops, check_gelu_and_its_slope(ops)) }

static void check_layernorm(const struct smol_ops *ops)
{
    enum { N = 3, C = 37 };
    real x[N * C], z[N * C], out[N * C], rstd[N], gain[C], bias[C];

    for (unsigned i = 0; i < N * C; i++)
        x[i] = (real)(3 * noise(i) + 1);
    for (unsigned c = 0; c < C; c++) {
        gain[c] = (real)noise(c + 500);
        bias[c] = (real)noise(c + 900);
    }
    ops->layernorm(z, rstd, out, x, gain, bias, N, C, (real)1e-5);
    for (size_t i = 0; i < N; i++) {
        double mean = 0, var = 0;

        for (size_t c = 0; c < C; c++)
            mean += (double)x[i * C + c] / C;
        for (size_t c = 0; c < C; c++)
            var += ((double)x[i * C + c] - mean) * ((double)x[i * C + c] - mean) / C;
        for (size_t c = 0; c < C; c++) {
            const double expected = ((double)x[i * C + c] - mean) / sqrt(var + 1e-5);

            cr_assert_float_eq((double)z[i * C + c], expected, 2e-6);
            cr_assert_float_eq((double)out[i * C + c], expected * (double)gain[c] + (double)bias[c],
                               4e-6);
        }
    }
}

Test(train_ops, layernorm) { EACH_SET(ops, check_layernorm(ops)) }

static void check_cross_entropy(const struct smol_ops *ops)
{
    enum { N = 3, V = 11 };
    const int32_t targets[N] = {4, -1, 0};
    real logits[N * V];
    double before[N * V], losses[N];

    for (unsigned i = 0; i < N * V; i++)
        before[i] = (double)(logits[i] = (real)(4 * noise(i)));
    ops->cross_entropy(losses, logits, targets, NULL, N, V, true, (real)0.5);
    for (size_t i = 0; i < N; i++) {
        double sum = 0;

        for (size_t v = 0; v < V; v++)
            sum += exp(before[i * V + v]);
        for (size_t v = 0; v < V; v++) {
            const double p = exp(before[i * V + v]) / sum, hit = (int32_t)v == targets[i];

            cr_assert_float_eq((double)logits[i * V + v], targets[i] < 0 ? 0 : (p - hit) / 2, 1e-7);
        }
        cr_assert_float_eq(
            losses[i], targets[i] < 0 ? 0 : log(sum) - before[i * V + (size_t)targets[i]], 1e-6);
    }
}

Test(train_ops, cross_entropy) { EACH_SET(ops, check_cross_entropy(ops)) }

/* A teacher's share of the targets; its row need not add up to 1. */
static void check_taught_cross_entropy(const struct smol_ops *ops)
{
    enum { N = 3, V = 11 };
    const int32_t targets[N] = {4, -1, 0};
    const real weight = (real)0.25;
    uint16_t row[V];
    const uint16_t *rows[N] = {row, row, row};
    const struct smol_soft_targets soft = {rows, weight};
    double before[N * V], losses[N], total = 0;
    real logits[N * V];

    for (unsigned v = 0; v < V; v++)
        total += row[v] = (uint16_t)(1000 * v);
    for (unsigned i = 0; i < N * V; i++)
        before[i] = (double)(logits[i] = (real)(4 * noise(i)));
    ops->cross_entropy(losses, logits, targets, &soft, N, V, true, (real)0.5);
    for (size_t i = 0; i < N; i++) {
        double sum = 0, loss = 0;

        for (size_t v = 0; v < V; v++)
            sum += exp(before[i * V + v]);
        for (size_t v = 0; v < V; v++) {
            const double p = exp(before[i * V + v]) / sum;
            const double wanted = 0.75 * ((int32_t)v == targets[i]) + 0.25 * row[v] / total;

            cr_assert_float_eq((double)logits[i * V + v], targets[i] < 0 ? 0 : (p - wanted) / 2,
                               1e-7);
            loss -= wanted * log(p);
        }
        cr_assert_float_eq(losses[i], targets[i] < 0 ? 0 : loss, 2e-6);
    }
}

Test(train_ops, cross_entropy_with_a_teacher) { EACH_SET(ops, check_taught_cross_entropy(ops)); }

/* A share is 0, the rest scaled so that the mean stays; the same at the same place of a step, and
 * not at others. */
Test(train_ops, dropout)
{
    enum { N = 100000 };
    static real in[N], out[N], again[N];
    struct smol_dropout d = {.step = 3, .share = 64};
    size_t dropped = 0, same = 0;

    smol_dropout_key(d.key, 5);
    for (unsigned i = 0; i < N; i++)
        in[i] = (real)(noise(i) + 2);
    smol_dropout(out, in, &d, 7, N);
    for (size_t i = 0; i < N; i++) {
        dropped += out[i] == 0;
        if (out[i] != 0)
            cr_assert_float_eq((double)out[i], (double)in[i] / 0.75, 1e-6);
    }
    cr_assert_float_eq((double)dropped / N, 0.25, 0.007); /* five standard deviations */
    memcpy(again, in, sizeof in);
    smol_dropout(again, again, &d, 7, N);
    cr_assert_arr_eq(again, out, sizeof out);
    for (unsigned k = 0; k < 3; k++) {
        struct smol_dropout other = d;

        other.step += k == 0;
        other.process += k == 1;
        smol_dropout(again, in, &other, k == 2 ? 8 : 7, N);
        for (size_t i = same = 0; i < N; i++)
            same += (out[i] == 0) == (again[i] == 0);
        cr_assert_float_eq((double)same / N, 0.625, 0.01); /* as of independent draws */
    }
}

/* One position of one head by the definition, over the keys from `begin` on. */
static void attend(double *out, const real *qkv, size_t first, size_t begin, size_t q, size_t C,
                   size_t h, size_t D)
{
    double weight[200], sum = 0;

    for (size_t j = begin; j <= q; j++) {
        double e = 0;

        for (size_t i = 0; i < D; i++)
            e += (double)qkv[(first + q) * 3 * C + h * D + i] *
                 (double)qkv[(first + j) * 3 * C + C + h * D + i];
        weight[j] = exp(e / sqrt((double)D));
        sum += weight[j];
    }
    for (size_t i = 0; i < D; i++) {
        out[i] = 0;
        for (size_t j = begin; j <= q; j++)
            out[i] += weight[j] / sum * (double)qkv[(first + j) * 3 * C + 2 * C + h * D + i];
    }
}

/* length: of documents, the first of the second sequence is shorter; 0: none. */
static void check_attention(const struct smol_ops *ops, size_t T, size_t length)
{
    enum { B = 2, H = 3, D = 5, C = H * D, MOST = 200 };
    uint32_t begins[B * MOST] = {0};
    const struct smol_attention shape = {.batch = B,
                                         .heads = H,
                                         .context = T,
                                         .width = C,
                                         .n_threads = 1,
                                         .begins = length > 0 ? begins : NULL};
    real *qkv = calloc(B * T * 3 * C, sizeof *qkv), *out = calloc(B * T * C, sizeof *out);
    real *weights = calloc(B * H * T * T, sizeof *weights);

    cr_assert(qkv != NULL && out != NULL && weights != NULL);
    for (unsigned i = 0; i < B * T * 3 * C; i++)
        qkv[i] = (real)(2 * noise(i));
    for (size_t i = 0; i < B * T && length > 0; i++) {
        const size_t t = i % T, first = i < T ? 0 : length / 2;

        begins[i] = (uint32_t)(t < first ? 0 : t - (t - first) % length);
    }
    for (size_t i = 0; i < B * H * T * T; i++)
        weights[i] = (real)NAN; /* what is not seen counts for nothing */
    ops->attention(out, weights, qkv, &shape);
    for (size_t i = 0; i < B * T * H; i++) {
        const size_t h = i % H, q = i / H % T, b = i / H / T;
        double expected[D];

        attend(expected, qkv, b * T, begins[b * T + q], q, C, h, D);
        for (size_t k = 0; k < D; k++)
            cr_assert_float_eq((double)out[(b * T + q) * C + h * D + k], expected[k], 2e-5,
                               "context %zu, position %zu", T, q);
    }
    free(qkv);
    free(out);
    free(weights);
}

/* Contexts on both sides of the blocks of queries. */
Test(train_ops, attention)
{
    const size_t contexts[] = {1, 2, 63, 64, 65, 130};

    for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++)
        EACH_SET(ops, check_attention(ops, contexts[i], 0))
}

/* Documents shorter and longer than a block. */
Test(train_ops, attention_within_documents)
{
    const size_t lengths[] = {1, 2, 30, 64, 65, 100};

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        EACH_SET(ops, check_attention(ops, 130, lengths[i]))
}

/* Channels 1 and 2 come from the row before, where there is one in the document. */
static void check_half_shift_within_documents(const struct smol_ops *ops)
{
    enum { B = 2, T = 6, C = 3 };
    const uint32_t begins[B * T] = {0, 1, 1, 1, 4, 4, 0, 0, 0, 3, 3, 3};
    const real shifted[C] = {0, 1, 1};
    real x[B * T * C], y[B * T * C], d[B * T * C], expected[B * T * C] = {0};

    for (unsigned i = 0; i < B * T * C; i++) {
        x[i] = (real)noise(i);
        d[i] = (real)noise(i + 100);
    }
    ops->half_shift(y, x, shifted, begins, B, T, C);
    for (size_t i = 0; i < B * T; i++)
        for (size_t c = 0; c < C; c++) {
            const bool is_first = i % T == begins[i];
            const real *source = c == 0 ? x + i * C : is_first ? NULL : x + (i - 1) * C + c;

            cr_assert(y[i * C + c] == (source ? *source : 0));
            if (source)
                expected[source - x] = d[i * C + c];
        }
    ops->half_shift_backward(d, shifted, begins, B, T, C);
    cr_assert_arr_eq(d, expected, sizeof d);
}

Test(train_ops, half_shift_within_documents)
{
    EACH_SET(ops, check_half_shift_within_documents(ops))
}

/* c = 2 op(a) op(b) + 3 for a tall, a wide and a large product, each operand as it lies and
 * transposed. */
static void check_gemm(const struct smol_ops *ops, size_t m, size_t n, size_t k, bool ta, bool tb)
{
    real *a = calloc(m * k, sizeof *a), *b = calloc(k * n, sizeof *b),
         *c = calloc(m * n, sizeof *c);

    cr_assert(a != NULL && b != NULL && c != NULL);
    for (unsigned i = 0; i < m * k; i++)
        a[i] = (real)noise(i);
    for (unsigned i = 0; i < k * n; i++)
        b[i] = (real)noise(i + 7);
    for (size_t i = 0; i < m * n; i++)
        c[i] = 1;
    ops->gemm(c, n, (struct smol_operand){a, ta ? m : k, ta},
              (struct smol_operand){b, tb ? k : n, tb}, m, n, k, 2, 3, NULL);
    for (size_t i = 0; i < m * n; i++) {
        double sum = 3;

        for (size_t j = 0; j < k; j++)
            sum += 2 * (double)a[ta ? j * m + i / n : i / n * k + j] *
                   (double)b[tb ? i % n * k + j : j * n + i % n];
        cr_assert_float_eq((double)c[i], sum, 1e-5, "%zu x %zu x %zu, element %zu", m, n, k, i);
    }
    free(a);
    free(b);
    free(c);
}

Test(train_ops, gemm_in_pieces)
{
    const size_t shapes[][3] = {{300, 7, 9}, {5, 300, 9}, {130, 260, 11}, {700, 129, 3}, {1, 1, 1}};

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int t = 0; t < 4; t++)
            EACH_SET(ops, check_gemm(ops, shapes[i][0], shapes[i][1], shapes[i][2], t & 1, t & 2))
}
