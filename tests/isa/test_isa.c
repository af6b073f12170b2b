/* Every instruction set against the plain kernels: the same bits for odd sizes, unaligned data and
 * guarded buffers, kernel by kernel and for whole sessions. What this machine lacks is skipped,
 * saying so. */
#include "../unit/make_model.h"
#include "cpu/cpu.h"
#include "kernel/kernel.h"

#include <criterion/criterion.h>
#include <math.h>
#include <smol/params.h>
#include <smol/session.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const enum smol_isa sets[] = {SMOL_ISA_AVX2, SMOL_ISA_AVX512, SMOL_ISA_NEON};
#define N_SETS (sizeof sets / sizeof sets[0])
#define N_KERNELS                                                                                  \
    (N_SETS + 2u) /* and those that other processors have, in instructions that this one has: see  \
                     below */

static const size_t sizes[] = {1,  2,  3,   15,  16,  17,  31,  32,  33,  47,  63,
                               64, 65, 100, 127, 128, 129, 130, 200, 511, 768, 1025};
#define N_SIZES (sizeof sizes / sizeof sizes[0])
#define MAX_SIZE 1025u
#define GUARD 64u
#define SCRATCH                                                                                    \
    (16u * 200064u + 8u * 220000u) /* for 200,000 columns, or fewer and some vectors               \
                                    */

/* A buffer with guard bytes on both sides; at an odd address if asked. */
struct guarded {
    uint8_t bytes[GUARD + 8 * MAX_SIZE * 4 + GUARD];
    size_t size;
};

static void *guard(struct guarded *g, size_t size)
{
    memset(g->bytes, 0xa5, sizeof g->bytes);
    g->size = size;
    return g->bytes + GUARD;
}

static void check_guard(const struct guarded *g, const char *what, size_t n)
{
    for (size_t i = 0; i < GUARD; i++)
        cr_assert(g->bytes[i] == 0xa5 && g->bytes[GUARD + g->size + i] == 0xa5,
                  "%s of %zu writes past its end", what, n);
}

#if defined(__x86_64__)
smol_frozen_product smol_frozen_avxvnni_for_tests;
smol_rows_product smol_rows_q8_avxvnni_for_tests;

static const struct smol_kernels *avxvnni(void)
{
    static struct smol_kernels k;

    k = smol_kernels_avx2;
    k.name = "avx2 with VNNI";
    k.frozen = smol_frozen_avxvnni_for_tests;
    k.rows_q8 = smol_rows_q8_avxvnni_for_tests;
    return smol_kernels_select(SMOL_ISA_AVX512) ? &k : NULL;
}

static const struct smol_kernels *avx512bw(void)
{
    return smol_cpu_detect().avx512bw ? &smol_kernels_avx512bw : NULL;
}
#else
static const struct smol_kernels *avxvnni(void) { return NULL; }

static const struct smol_kernels *avx512bw(void) { return NULL; }
#endif

static const struct smol_kernels *kernels_of(size_t set)
{
    const struct smol_kernels *k = set < N_SETS    ? smol_kernels_select(sets[set])
                                   : set == N_SETS ? avxvnni()
                                                   : avx512bw();

    if (!k)
        fprintf(stderr, "skipped: this machine lacks instruction set %d\n",
                set < N_SETS ? (int)sets[set] : -1);
    return k;
}

static void fill(float *x, size_t n, float scale, uint64_t *random)
{
    for (size_t i = 0; i < n; i++)
        x[i] = scale * test_uniform(random);
}

/* A function from floats to floats, both ways, and equal bits. */
#define SAME_FLOATS(what, n, size, plain, fast)                                                    \
    do {                                                                                           \
        static struct guarded first, second;                                                       \
        float *y = guard(&first, (size) * sizeof(float));                                          \
        plain;                                                                                     \
        y = guard(&second, (size) * sizeof(float));                                                \
        fast;                                                                                      \
        cr_assert_arr_eq(first.bytes, second.bytes, sizeof first.bytes, "%s of %zu", what,         \
                         (size_t)(n));                                                             \
        check_guard(&second, what, n);                                                             \
    } while (0)

static void check_floats(const struct smol_kernels *k, size_t n, float scale, uint64_t *random)
{
    const struct smol_kernels *p = &smol_kernels_scalar;
    static float x[MAX_SIZE], gain[MAX_SIZE], bias[MAX_SIZE];

    fill(x, n, scale, random);
    fill(gain, n, 1, random);
    fill(bias, n, 1, random);
    SAME_FLOATS("exp", n, n, p->exp(y, x, n), k->exp(y, x, n));
    SAME_FLOATS("gelu", n, n, (memcpy(y, x, n * sizeof *x), p->gelu(y, n)),
                (memcpy(y, x, n * sizeof *x), k->gelu(y, n)));
    SAME_FLOATS("layernorm", n, n, p->layernorm(y, x, NULL, NULL, 1e-5f, n),
                k->layernorm(y, x, NULL, NULL, 1e-5f, n));
    SAME_FLOATS("layernorm with gain", n, n, p->layernorm(y, x, gain, bias, 1e-5f, n),
                k->layernorm(y, x, gain, bias, 1e-5f, n));
}

static void check_dots(const struct smol_kernels *k, size_t n, uint64_t *random)
{
    const struct smol_kernels *p = &smol_kernels_scalar;
    static uint8_t row[4 * MAX_SIZE + 1];
    static float x[MAX_SIZE], values[MAX_SIZE];
    static int16_t X[MAX_SIZE], Y[MAX_SIZE];
    float a, b;

    fill(x, n, 1, random);
    fill(values, n, 1, random);
    memcpy(row + 1, values, n * sizeof *values); /* an odd address */
    a = p->dot_f32(row + 1, x, n);
    b = k->dot_f32(row + 1, x, n);
    cr_assert_arr_eq(&a, &b, sizeof a, "dot_f32 of %zu", n);
    for (size_t i = 0; i < 2 * n; i++)
        row[1 + i] = (uint8_t)(test_random(random) & (i % 2 ? 0xbb : 0xff)); /* finite halves */
    a = p->dot_f16(row + 1, x, n);
    b = k->dot_f16(row + 1, x, n);
    cr_assert_arr_eq(&a, &b, sizeof a, "dot_f16 of %zu", n);
    SAME_FLOATS("from_f16", n, n, p->from_f16(y, row + 1, n), k->from_f16(y, row + 1, n));
    a = p->quantise(X, x, n);
    b = k->quantise(Y, x, n);
    cr_assert(memcmp(&a, &b, sizeof a) == 0 && memcmp(X, Y, n * sizeof *X) == 0, "quantise of %zu",
              n);
}

/* Bytes of rows of 8 or 4 bits, at random, at an odd address, that end with their buffers. */
static void check_rows_of(const struct smol_kernels *k, enum smol_dtype type, size_t n_rows,
                          size_t n, size_t n_x, const int16_t *X, uint64_t *random)
{
    static uint8_t scratch[SCRATCH] __attribute__((aligned(64)));
    static int64_t a[60 + 1], b[60 + 1];
    const size_t size = n_rows * smol_row_bytes((uint8_t)type, (uint32_t)n);
    const size_t n_multipliers = type == SMOL_Q4 ? n_rows * smol_row_multipliers((uint32_t)n) : 0;
    uint8_t *data = malloc(size + 1), *multipliers = malloc(n_multipliers + 1);
    const struct smol_rows rows = {data + 1, multipliers + 1, n_rows, n};

    for (size_t i = 0; i <= size; i++)
        data[i] = (uint8_t)test_random(random);
    for (size_t i = 0; i <= n_multipliers; i++)
        multipliers[i] = (uint8_t)(255 - test_random(random) % 3 * 100);
    for (size_t c = n; type == SMOL_Q4 && c < (n + 63) / 64 * 64; c++) /* as in a file */
        for (size_t r = 0; r < n_rows; r++)
            data[1 + r * size / n_rows + c / 64 * 32 + c % 32] &= c % 64 < 32 ? 0xf0 : 0x0f;
    memset(a, 0x5a, sizeof a);
    memset(b, 0x5a, sizeof b);
    (type == SMOL_Q4 ? smol_kernels_scalar.rows_q4 : smol_kernels_scalar.rows_q8)(a, &rows, X, n,
                                                                                  n_x, scratch);
    (type == SMOL_Q4 ? k->rows_q4 : k->rows_q8)(b, &rows, X, n, n_x, scratch);
    cr_assert_arr_eq(a, b, sizeof a, "%s: %zu rows of %zu, number type %d, %zu vectors", k->name,
                     n_rows, n, (int)type, n_x);
    free(data);
    free(multipliers);
}

/* Integer weights and their sums as floats. */
static void check_integer_rows(const struct smol_kernels *k, size_t n, const int16_t *X,
                               uint64_t *random)
{
    static int16_t w[3 * MAX_SIZE];
    static int64_t sums[MAX_SIZE];
    int64_t a[4] = {0}, b[4] = {0};

    for (size_t i = 0; i < 3 * n; i++)
        w[i] = (int16_t)((int)(test_random(random) % 65345) - 32672);
    smol_kernels_scalar.rows_i16(a, w, 3, n, X);
    k->rows_i16(b, w, 3, n, X);
    cr_assert_arr_eq(a, b, sizeof a, "%s: rows of %zu integer weights", k->name, n);
    for (size_t i = 0; i < n; i++)
        sums[i] = (int64_t)test_random(random) >> (i % 60);
    SAME_FLOATS("scale_sums", n, n, smol_kernels_scalar.scale_sums(y, sums, 0.1 / 3, n),
                k->scale_sums(y, sums, 0.1 / 3, n));
}

/* Tables of 1..20 rows at an odd address, with 1 and 3 vectors; the rows end with the buffer. */
static void check_rows(const struct smol_kernels *k, size_t n, uint64_t *random)
{
    static int16_t X[3 * MAX_SIZE];

    for (size_t i = 0; i < 3 * n; i++)
        X[i] = (int16_t)((int)(test_random(random) % 65025) - 32512);
    for (size_t n_rows = 1; n_rows <= 20; n_rows += n_rows < 9 ? 1 : 11)
        for (size_t n_x = 1; n_x <= 3; n_x += 2) {
            check_rows_of(k, SMOL_Q8, n_rows, n, n_x, X, random);
            check_rows_of(k, SMOL_Q4, n_rows, n, n_x, X, random);
        }
    check_integer_rows(k, n, X, random);
}

static void check_attention(const struct smol_kernels *k, size_t n, uint64_t *random)
{
    const struct smol_kernels *p = &smol_kernels_scalar;
    static float q[MAX_SIZE], keys[40 * 133], values[40 * 133], scores[40];
    const size_t D = n < 130 ? n : 130;

    fill(q, D, 2, random);
    fill(keys, sizeof keys / sizeof *keys, 2, random);
    fill(values, sizeof values / sizeof *values, 1, random);
    for (size_t n_keys = 1; n_keys <= 40; n_keys += 13)
        SAME_FLOATS("attention", D, D, p->attention(y, q, keys, values, 133, n_keys, D, scores),
                    k->attention(y, q, keys, values, 133, n_keys, D, scores));
}

/* A tensor of 200 rows, its blocks one by one and together, with n_x vectors. */
static void check_coefficients(const struct smol_kernels *k, size_t n, enum smol_dist dist,
                               const double *alpha, uint32_t d, size_t n_x, uint64_t *random)
{
    static int16_t table[SMOL_MAX_PLANES * SMOL_TABLE_ENTRIES], X[5 * MAX_SIZE];
    static uint8_t scratch[SCRATCH] __attribute__((aligned(64)));
    static int64_t a[5 * SMOL_BLOCK_BATCH * 64], b[5 * SMOL_BLOCK_BATCH * 64];
    struct smol_frozen_key key;
    struct smol_frozen f = {
        .key = &key, .tensor = 3, .rows = 203, .cols = (uint32_t)n, .table = table};

    for (size_t i = 0; i < n * n_x; i++)
        X[i] = (int16_t)((int)(test_random(random) % 65025) - 32512);
    smol_frozen_key_init(&key, n);
    f.n_planes = smol_frozen_planes(dist, d);
    f.scale = smol_frozen_table(table, dist, alpha, d);
    for (size_t u = 0; u < f.n_planes * SMOL_TABLE_ENTRIES; u++)
        cr_assert_eq(table[u], -table[u ^ 255]);
    memset(a, 0x5a, sizeof a);
    memset(b, 0x5a, sizeof b);
    for (uint32_t n_blocks = 1; n_blocks <= SMOL_BLOCK_BATCH; n_blocks++)
        for (uint32_t block = 0; block + n_blocks <= 4; block += n_blocks) {
            smol_kernels_scalar.frozen(a, &f, block, n_blocks, X, n, n_x, scratch);
            k->frozen(b, &f, block, n_blocks, X, n, n_x, scratch);
            cr_assert_arr_eq(
                a, b, sizeof a,
                "%s: %u frozen blocks from %u, %zu columns, d %u, distribution %d, %zu vectors",
                k->name, n_blocks, block, n, d, (int)dist, n_x);
            smol_kernels_scalar.frozen_fast(a, &f, block, n_blocks, X, n, n_x, scratch);
            k->frozen_fast(b, &f, block, n_blocks, X, n, n_x, scratch);
            cr_assert_arr_eq(a, b, sizeof a, "%s: the same, approximate", k->name);
        }
}

static void check_frozen(const struct smol_kernels *k, size_t n, enum smol_dist dist, uint32_t d,
                         size_t n_x, uint64_t *random)
{
    double alpha[64];

    for (uint32_t i = 0; i < d; i++)
        alpha[i] = (double)test_uniform(random);
    check_coefficients(k, n, dist, alpha, d, n_x, random);
}

/* What projections are made with, over 64, 128, ... numbers. */
static void check_projections(const struct smol_kernels *k, uint64_t *random)
{
    const struct smol_kernels *p = &smol_kernels_scalar;
    enum { MOST = 4096 };
    static float x[MOST], y[MOST], table[SMOL_TABLE_ENTRIES];
    static uint8_t bytes[MOST], others[MOST];
    struct smol_frozen_key key;
    const struct smol_frozen f = {.key = &key, .tensor = 5, .purpose = SMOL_PURPOSE_PROJECTION};

    smol_frozen_key_init(&key, 3);
    fill(table, SMOL_TABLE_ENTRIES, 1, random);
    for (size_t n = 64; n <= MOST; n *= 2) {
        fill(x, MOST, 1, random);
        memcpy(y, x, sizeof y);
        p->hadamard(x, n);
        k->hadamard(y, n);
        cr_assert_arr_eq(x, y, sizeof x, "%s: hadamard of %zu", k->name, n);
        memset(bytes, 1, sizeof bytes);
        memset(others, 1, sizeof others);
        p->stream_bytes(bytes, n, &f, 2, (uint32_t)n);
        k->stream_bytes(others, n, &f, 2, (uint32_t)n);
        cr_assert_arr_eq(bytes, others, sizeof bytes, "%s: %zu bytes of a stream", k->name, n);
        p->scale_by_bytes(x, bytes, table, n - 16);
        k->scale_by_bytes(y, bytes, table, n - 16);
        cr_assert_arr_eq(x, y, sizeof x, "%s: %zu factors by bytes", k->name, n - 16);
    }
}

Test(isa, kernels_give_the_same_bits, .timeout = 120)
{
    static const uint32_t bases[] = {1, 5, 6, 7, 8, 9, 17, 64};
    uint64_t random = 3;

    for (size_t set = 0; set < N_KERNELS; set++) {
        const struct smol_kernels *k = kernels_of(set);
        if (k)
            check_projections(k, &random);
        for (size_t i = 0; k && i < N_SIZES; i++) {
            for (int e = -3; e <= 3; e++)
                check_floats(k, sizes[i], powf(10, (float)e), &random);
            check_dots(k, sizes[i], &random);
            check_rows(k, sizes[i], &random);
            check_attention(k, sizes[i], &random);
            for (size_t d = 0; d < 8; d++)
                for (size_t n_x = 1; n_x <= 5; n_x += d % 2 ? 1 : 4) {
                    check_frozen(k, sizes[i], SMOL_SIGN, bases[d], n_x, &random);
                    check_frozen(k, sizes[i], SMOL_GAUSS, bases[d] % 3 + 1, n_x, &random);
                }
        }
    }
}

/* A table of up to eight sign bases is a sum of two parts, of four bits each, and of what their
 * fractions carry: these have parts of all sizes. Only where halves are rounded to even it may be
 * none, as the first one: of such sums, the four entries would differ by one at most. */
Test(isa, tables_of_every_kind_give_the_same_bits, .timeout = 120)
{
    static const double coefficients[][8] = {
        {127, 100, 90, 80, 60, 30, 20, 5},
        {0, 0, 0, 0, 0, 0, 0, 0},
        {1, 1, 1, 1, 1, 1, 1, 1},
        {1, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9},
        {1e-9, -1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1},
        {0, 0, 0, 0, 0, 0, 0, -1},
        {0, 0, 0, 0, 1, 1, 1, -1},
        {1e-5, 1e-5, -1e-5, 1e-5, 1, 2, 4, 8},
        {8, 4, -2, 1, 1e-5, 1e-5, -1e-5, 1e-5},
        {128, 64, 32, 16, 8, 4, 2, 1},
        {-1, -0.5, 0.25, -0.125, 0.75, -0.3, 0.1, 0.9},
    };
    static const uint32_t bases[] = {7, 8, 16, 24};
    static int16_t q[SMOL_TABLE_ENTRIES];
    uint64_t random = 4;

    smol_frozen_table(q, SMOL_SIGN, coefficients[0], 8);
    cr_assert_eq(q[1] - q[5] - q[33] + q[37], 2);
    for (size_t set = 0; set < N_KERNELS; set++) {
        const struct smol_kernels *k = kernels_of(set);
        for (size_t n = 1; k && n <= 1025; n = 3 * n + 62)
            for (size_t n_x = 1; n_x <= 2; n_x++) {
                for (size_t i = 0; i < sizeof coefficients / sizeof *coefficients; i++)
                    for (uint32_t d = 6; d <= 8; d++)
                        check_coefficients(k, n, SMOL_SIGN, coefficients[i], d, n_x, &random);
                for (size_t i = 0; i < sizeof bases / sizeof *bases; i++)
                    check_frozen(k, n, SMOL_SIGN, bases[i], n_x, &random);
                for (uint32_t d = 1; d <= 3; d++)
                    check_frozen(k, n, SMOL_GAUSS, d, n_x, &random);
            }
    }
}

/* The largest integers there are, over more columns than 32 bits can sum: weights of +-32,640 by
 * +-32,512, for one vector and for two, with and against the weights' signs. */
Test(isa, the_largest_sums_are_exact, .timeout = 120)
{
    enum { COLS = 200000 };
    static int16_t table[SMOL_TABLE_ENTRIES], X[2 * COLS], row[COLS];
    static uint8_t scratch[SCRATCH] __attribute__((aligned(64)));
    struct smol_frozen_key key;
    struct smol_frozen f = {.key = &key, .rows = 2, .cols = COLS, .n_planes = 1, .table = table};
    const int64_t expected = (int64_t)COLS * 32640 * 32512;
    const double one = 1;

    smol_frozen_key_init(&key, 1);
    smol_frozen_table(table, SMOL_SIGN, &one, 1);
    /* X has the sign of the first row's weight, so that the sum is the largest possible. */
    smol_frozen_weights(row, &f, 0, 1);
    for (size_t i = 0; i < COLS; i++) {
        X[i] = row[i] < 0 ? -32512 : 32512;
        X[COLS + i] = (int16_t)-X[i];
    }
    for (size_t set = 0; set < N_KERNELS; set++) {
        const struct smol_kernels *k = kernels_of(set);
        for (size_t n_x = 1; k && n_x <= 2; n_x++) {
            int64_t a[2 * 64], b[2 * 64];
            smol_kernels_scalar.frozen(a, &f, 0, 1, X, COLS, n_x, scratch);
            k->frozen(b, &f, 0, 1, X, COLS, n_x, scratch);
            cr_assert_eq(a[0], expected);
            cr_assert_eq(b[0], expected);
            cr_assert_eq(a[1], b[1]);
            cr_assert(n_x == 1 || (b[64] == -expected && b[65] == a[65]));
        }
    }
}

static void run_session(float *logits, const struct smol_file *file, enum smol_isa isa,
                        uint32_t batch)
{
    static const uint32_t tokens[9] = {3, 1, 4, 1, 5, 9, 2, 6, 5};
    const struct smol_session_options options = {
        .struct_bytes = sizeof options, .isa = isa, .batch = batch};
    struct smol_session *session;
    struct smol_error error = {0};
    size_t size;
    void *memory;

    cr_assert_eq(smol_session_size(&size, file, &options, &error), SMOL_OK, "%s", error.text);
    memory = aligned_alloc(64, (size + 63) / 64 * 64);
    cr_assert_eq(smol_session_init(&session, file, &options, memory, size, &error), SMOL_OK, "%s",
                 error.text);
    cr_assert_eq(smol_session_feed(session, tokens, 9, &error), SMOL_OK, "%s", error.text);
    memcpy(logits, smol_session_logits(session), file->config.vocab * sizeof *logits);
    smol_session_finish(session);
    free(memory);
}

Test(isa, sessions_give_the_same_bits, .timeout = 120)
{
    static const struct model_recipe recipes[] = {
        {.source = SMOL_MATRIX_OWN,
         .width = 65,
         .n_heads = 5,
         .n_ff = 131,
         .vocab = 257,
         .wte_type = SMOL_Q8,
         .wpe_type = SMOL_Q8},
        {.source = SMOL_MATRIX_SHARED,
         .dist = SMOL_GAUSS,
         .d = 9,
         .width = 15,
         .n_heads = 3,
         .n_ff = 7,
         .norms = SMOL_NORM_OWN},
        {.rank = 3,
         .value_type = SMOL_F16,
         .norms = SMOL_NORM_STORED,
         .width = 130,
         .n_heads = 2,
         .wte_type = SMOL_F16},
        {.source = SMOL_MATRIX_OWN,
         .d = 64,
         .rank = 17,
         .width = 1,
         .n_heads = 1,
         .n_ff = 3,
         .vocab = 11},
        {.source = SMOL_MATRIX_OWN,
         .alpha_type = SMOL_Q8_BLOCKS,
         .rank = 3,
         .value_type = SMOL_Q8_BLOCKS,
         .norms = SMOL_NORM_STORED,
         .width = 33,
         .n_heads = 3},
        {.rank = 2,
         .value_type = SMOL_F16,
         .terms = SMOL_TERM_GAINS | SMOL_TERM_BIASES,
         .width = 70,
         .n_heads = 5,
         .n_ff = 67},
        {.source = SMOL_MATRIX_FASTFOOD_SHARED,
         .dimensions = 90,
         .value_type = SMOL_Q8_BLOCKS,
         .terms = SMOL_TERM_GAINS | SMOL_TERM_LAYER_GAIN,
         .width = 30,
         .n_heads = 3},
        {.source = SMOL_MATRIX_NOLA,
         .d = 9,
         .rank = 67,
         .alpha_type = SMOL_F16,
         .terms = SMOL_TERM_BIASES,
         .width = 33,
         .n_heads = 3},
        {.rank = 2,
         .value_type = SMOL_F16,
         .dimensions = 33,
         .terms = SMOL_TERM_SPARSE,
         .width = 70,
         .n_heads = 5,
         .n_ff = 67},
        {.source = SMOL_MATRIX_OWN,
         .value_type = SMOL_Q8_BLOCKS,
         .dimensions = 17,
         .terms = SMOL_TERM_SPARSE | SMOL_TERM_GAINS,
         .width = 70,
         .n_heads = 5,
         .n_ff = 67},
        {.source = SMOL_MATRIX_FASTFOOD,
         .dimensions = 100,
         .rank = 2,
         .width = 33,
         .n_heads = 3,
         .n_ff = 50},
        {.source = SMOL_MATRIX_FASTFOOD,
         .dimensions = 130,
         .alpha_type = SMOL_Q8_BLOCKS,
         .norms = SMOL_NORM_OWN,
         .width = 30,
         .n_heads = 3},
        {.source = SMOL_MATRIX_FASTFOOD_SHARED,
         .dimensions = 700,
         .alpha_type = SMOL_F16,
         .width = 30,
         .n_heads = 3,
         .wte_type = SMOL_Q8},
        {.source = SMOL_MATRIX_FOURIER,
         .dimensions = 100,
         .alpha_type = SMOL_F16,
         .width = 33,
         .n_heads = 3,
         .n_ff = 50},
        {.source = SMOL_MATRIX_OWN,
         .d = 8,
         .width = 96,
         .n_heads = 3,
         .vocab = 300,
         .wte_type = SMOL_Q4,
         .wpe_type = SMOL_Q4},
    };

    for (size_t set = 0; set < N_SETS; set++)
        for (size_t i = 0; kernels_of(set) && i < sizeof recipes / sizeof recipes[0]; i++) {
            static float a[300], b[300];
            struct smol_file file;
            model_open(&file, &recipes[i]);
            run_session(a, &file, SMOL_ISA_SCALAR, 4);
            for (uint32_t batch = 1; batch < 9; batch += 3) {
                run_session(b, &file, sets[set], batch);
                cr_assert_arr_eq(a, b, file.config.vocab * sizeof *a, "recipe %zu", i);
            }
            free((void *)(uintptr_t)file.bytes.data);
        }
}
