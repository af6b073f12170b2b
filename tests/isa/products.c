/* The integer products, and what projections are made with, of every table against plain C: the
 * same bits for odd sizes, unaligned data and guarded buffers. */
#include "isa.h"

#include "../unit/make_model.h"

#include <criterion/criterion.h>
#include <smol/params.h>
#include <stdlib.h>

/* For 200,000 columns, or fewer and some vectors. */
#define SCRATCH (72u * 200064u + 8u * 220000u)

/* Bytes of rows of 8 or 4 bits, at random, at an odd address, that end with their buffers. */
static void check_rows_of(const struct smol_kernels *k, enum smol_dtype type, size_t n_rows,
                          size_t n, size_t n_x, const int16_t *X, uint64_t *random)
{
    static uint8_t scratch[SCRATCH] __attribute__((aligned(64)));
    static int64_t a[60 + 1], b[60 + 1];
    const size_t size = n_rows * smol_row_bytes((uint8_t)type, (uint32_t)n);
    const size_t n_multipliers = type == SMOL_Q4 ? n_rows * smol_row_multipliers((uint32_t)n) : 0;
    uint8_t *data = malloc(size + 1), *multipliers = malloc(n_multipliers + 1);
    const struct smol_rows rows = {
        .data = data + 1, .multipliers = multipliers + 1, .n_rows = n_rows, .cols = n};

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

/* Integer weights. */
static void check_integer_rows(const struct smol_kernels *k, size_t n, const int16_t *X,
                               uint64_t *random)
{
    static int16_t w[3 * ISA_MAX_SIZE];
    int64_t a[4] = {0}, b[4] = {0};

    for (size_t i = 0; i < 3 * n; i++)
        w[i] = (int16_t)((int)(test_random(random) % 65345) - 32672);
    smol_kernels_scalar.rows_i16(a, w, 3, n, X);
    k->rows_i16(b, w, 3, n, X);
    cr_assert_arr_eq(a, b, sizeof a, "%s: rows of %zu integer weights", k->name, n);
}

/* Tables of 1..20 rows at an odd address, with 1 and 3 vectors; the rows end with the buffer. */
static void check_rows(const struct smol_kernels *k, size_t n, uint64_t *random)
{
    static int16_t X[3 * ISA_MAX_SIZE];

    for (size_t i = 0; i < 3 * n; i++)
        X[i] = (int16_t)((int)(test_random(random) % 65025) - 32512);
    for (size_t n_rows = 1; n_rows <= 20; n_rows += n_rows < 9 ? 1 : 11)
        for (size_t n_x = 1; n_x <= 3; n_x += 2) {
            check_rows_of(k, SMOL_Q8, n_rows, n, n_x, X, random);
            check_rows_of(k, SMOL_Q4, n_rows, n, n_x, X, random);
        }
    check_integer_rows(k, n, X, random);
}

#define MOST_X 70u
#define ROWS (SMOL_BLOCK_BATCH * 64u + 11u)

/* The sums of n_blocks from block on, taken from those of all but the last one, and of that. */
static void blocks_of(int64_t *sums, int64_t plain[2][MOST_X * SMOL_BLOCK_BATCH * 64],
                      uint32_t block, uint32_t n_blocks, size_t n_x)
{
    for (size_t i = 0; i < n_x; i++)
        for (uint32_t j = block; j < block + n_blocks; j++)
            memcpy(sums + (i * n_blocks + j - block) * 64,
                   j < SMOL_BLOCK_BATCH ? plain[0] + (i * SMOL_BLOCK_BATCH + j) * 64
                                        : plain[1] + i * 64,
                   (j < SMOL_BLOCK_BATCH ? 64 : ROWS - SMOL_BLOCK_BATCH * 64) * sizeof *sums);
}

/* Runs of four row blocks with one vector, and where their streams begin. */
static void check_runs(const struct smol_kernels *k, const struct smol_frozen *f, const int16_t *X,
                       const int64_t *exact, const int64_t *fast)
{
    static uint8_t scratch[SCRATCH] __attribute__((aligned(64)));
    static struct smol_stream streams[SMOL_BLOCK_BATCH * 8 + 1], plain;
    int64_t sums[SMOL_BLOCK_BATCH * 64 + 1];

    for (uint32_t n_rows = 8; n_rows <= 64; n_rows *= 2) {
        const uint32_t of_block = 64 / n_rows, n = SMOL_BLOCK_BATCH * of_block;
        memset(streams, 0x5a, sizeof streams);
        for (uint32_t b = 0; b < SMOL_BLOCK_BATCH; b++)
            k->streams(streams + b * of_block, f, b, n_rows);
        cr_assert_eq(streams[n].word[0], 0x5a5a5a5a);
        smol_stream_init(&plain, f->key, f->tensor, 0, f->purpose, 1);
        cr_assert_arr_eq(&streams[of_block], &plain, sizeof plain);
        for (uint32_t is_fast = 0; is_fast < 2; is_fast++) {
            memset(sums, 0x5a, sizeof sums);
            (is_fast ? k->runs_fast : k->runs)(sums, f, streams, n, n_rows, X, scratch);
            cr_assert_arr_eq(sums, is_fast ? fast : exact, sizeof sums - sizeof *sums,
                             "%s: runs of %u rows of %u columns, approximate %u", k->name, n_rows,
                             f->cols, is_fast);
            cr_assert_eq(sums[SMOL_BLOCK_BATCH * 64], 0x5a5a5a5a5a5a5a5a);
        }
    }
}

/* Numbers that a product gives instead of sums (n_x, n_blocks x 64): those that plain sums stand
 * for, with nothing past the last row. */
static void check_numbers(const struct smol_kernels *k, bool fast, const struct smol_frozen *f,
                          uint32_t block, uint32_t n_blocks, const int16_t *X, size_t n_x,
                          const int64_t *sums, void *scratch)
{
    static float y[MOST_X * (ROWS + 5)], expected[MOST_X * (ROWS + 5)];
    smol_frozen_numbers *numbers = fast ? k->numbers_fast : k->numbers;
    const size_t first = (size_t)block * 64, stride = ROWS + 5, width = (size_t)n_blocks * 64,
                 n_rows = ROWS - first < width ? ROWS - first : width;
    float t[MOST_X];

    for (size_t i = 0; i < n_x; i++)
        t[i] = 0.37f / (float)(i + 1);
    memset(y, 0x5a, sizeof y);
    memset(expected, 0x5a, sizeof expected);
    if (!numbers || !numbers(y, stride, f, block, n_blocks, X, f->cols, n_x, t, scratch))
        return;
    for (size_t i = 0; i < n_x; i++)
        smol_kernels_scalar.scale_sums(expected + i * stride, sums + i * width,
                                       f->scale * (double)t[i], n_rows);
    cr_assert_arr_eq(y, expected, sizeof y,
                     "%s: numbers of %u blocks from %u, %u columns, %zu vectors", k->name, n_blocks,
                     block, f->cols, n_x);
}

/* A tensor of some 270 rows, its blocks one by one and together, with n_x vectors. */
static void check_coefficients(const struct smol_kernels *k, size_t n, enum smol_dist dist,
                               const double *alpha, uint32_t d, size_t n_x, uint64_t *random)
{
    static int16_t table[SMOL_MAX_PLANES * SMOL_TABLE_ENTRIES], X[MOST_X * ISA_MAX_SIZE];
    static uint8_t scratch[SCRATCH] __attribute__((aligned(64)));
    static uint8_t own[2][1u << 20] __attribute__((aligned(64))); /* that nothing else writes to */
    static int64_t a[MOST_X * SMOL_BLOCK_BATCH * 64], b[MOST_X * SMOL_BLOCK_BATCH * 64];
    static int64_t exact[2][MOST_X * SMOL_BLOCK_BATCH * 64],
        fast[2][MOST_X * SMOL_BLOCK_BATCH * 64];
    struct smol_frozen_key key;
    struct smol_frozen f = {
        .key = &key, .tensor = 3, .rows = ROWS, .cols = (uint32_t)n, .table = table};

    for (size_t i = 0; i < n * n_x; i++)
        X[i] = (int16_t)((int)(test_random(random) % 65025) - 32512);
    smol_frozen_key_init(&key, n);
    f.n_planes = smol_frozen_planes(dist, d);
    f.scale = smol_frozen_table(table, dist, alpha, d);
    for (size_t u = 0; u < f.n_planes * SMOL_TABLE_ENTRIES; u++)
        cr_assert_eq(table[u], -table[u ^ 255]);
    cr_assert_leq(k->scratch_bytes(n, n_x, f.n_planes), sizeof own[0]);
    memset(a, 0x5a, sizeof a);
    memset(b, 0x5a, sizeof b);
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t block = SMOL_BLOCK_BATCH * i, n_blocks = i ? 1 : SMOL_BLOCK_BATCH;
        smol_kernels_scalar.frozen(exact[i], &f, block, n_blocks, X, n, n_x, scratch);
        smol_kernels_scalar.frozen_fast(fast[i], &f, block, n_blocks, X, n, n_x, scratch);
    }
    for (uint32_t n_blocks = 1; n_blocks <= SMOL_BLOCK_BATCH; n_blocks++)
        for (uint32_t block = 0; block + n_blocks <= SMOL_BLOCK_BATCH + 1;
             block += n_blocks == SMOL_BLOCK_BATCH ? 1 : n_blocks) {
            blocks_of(a, exact, block, n_blocks, n_x);
            f.is_packed = block > 0;
            f.ahead = block % 2 ? (const uint8_t *)a : NULL; /* which changes no bit */
            f.ahead_bytes = n_blocks * 100;
            k->frozen(b, &f, block, n_blocks, X, n, n_x, own[0]);
            cr_assert_arr_eq(
                a, b, sizeof a,
                "%s: %u frozen blocks from %u, %zu columns, d %u, distribution %d, %zu vectors",
                k->name, n_blocks, block, n, d, (int)dist, n_x);
            check_numbers(k, false, &f, block, n_blocks, X, n_x, a, own[0]);
            blocks_of(a, fast, block, n_blocks, n_x);
            k->frozen_fast(b, &f, block, n_blocks, X, n, n_x, own[1]);
            cr_assert_arr_eq(a, b, sizeof a, "%s: the same, approximate", k->name);
            check_numbers(k, true, &f, block, n_blocks, X, n_x, a, own[1]);
        }
    f.is_packed = false;
    if (k->runs && n_x == 1 && smol_frozen_is_narrow(&f))
        check_runs(k, &f, X, exact[0], fast[0]);
}

static void check_frozen(const struct smol_kernels *k, size_t n, enum smol_dist dist, uint32_t d,
                         size_t n_x, uint64_t *random)
{
    double alpha[64];

    for (uint32_t i = 0; i < d; i++)
        alpha[i] = (double)test_uniform(random);
    check_coefficients(k, n, dist, alpha, d, n_x, random);
}

static void check_products(enum isa_table table)
{
    static const uint32_t bases[] = {1, 5, 6, 7, 8, 9, 17, 64};
    const struct smol_kernels *k = isa_kernels(table, NULL);
    uint64_t random = 3;

    for (size_t i = 0; i < ISA_N_SIZES; i++) {
        check_rows(k, isa_sizes[i], &random);
        /* Each half has one plane without and with the parts of a table, two planes or more. */
        for (size_t d = test_is_sanitized() ? i % 2 : 0; d < 8; d += test_is_sanitized() ? 2 : 1)
            for (size_t n_x = 1; n_x <= 5; n_x += d % 2 && isa_sizes[i] <= 200 ? 1 : 4) {
                check_frozen(k, isa_sizes[i], SMOL_SIGN, bases[d], n_x, &random);
                check_frozen(k, isa_sizes[i], SMOL_GAUSS, bases[d] % 3 + 1, n_x, &random);
            }
    }
}

ISA_CASES(products, check_products)
#ifndef __wasm__
ISA_CASE(products, avxvnni_evex, ISA_AVXVNNI_EVEX, check_products)
#endif

/* As many vectors as a prompt has at a time, and tiles of all sizes. */
static void check_many_vectors(enum isa_table table)
{
    static const uint32_t bases[] = {5, 8, 16};
    static const size_t sizes[] = {33, 300, 832};
    const struct smol_kernels *k = isa_kernels(table, NULL);
    uint64_t random = 6;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t n_x = 6; n_x <= MOST_X; n_x += n_x < 13 && i == 0 ? 1 : 19)
            check_frozen(k, sizes[i], SMOL_SIGN, bases[i], n_x, &random);
    check_frozen(k, sizes[2], SMOL_SIGN, 5, MOST_X, &random);
}

ISA_CASES(many_vectors, check_many_vectors)
#ifndef __wasm__
ISA_CASE(many_vectors, avxvnni_evex, ISA_AVXVNNI_EVEX, check_many_vectors)
#endif

/* What projections are made with, over 64, 128, ... numbers. */
static void check_projections(enum isa_table which)
{
    const struct smol_kernels *k = isa_kernels(which, NULL);
    const struct smol_kernels *p = &smol_kernels_scalar;
    enum { MOST = 4096 };
    static float x[MOST], y[MOST], table[SMOL_TABLE_ENTRIES];
    static uint8_t bytes[MOST], others[MOST];
    struct smol_frozen_key key;
    const struct smol_frozen f = {.key = &key, .tensor = 5, .purpose = SMOL_PURPOSE_PROJECTION};

    uint64_t random = 5;

    smol_frozen_key_init(&key, 3);
    isa_fill(table, SMOL_TABLE_ENTRIES, 1, &random);
    for (size_t n = 64; n <= MOST; n *= 2) {
        isa_fill(x, MOST, 1, &random);
        memcpy(y, x, sizeof y);
        p->hadamard(x, n);
        k->hadamard(y, n);
        cr_assert_arr_eq(x, y, sizeof x, "%s: hadamard of %zu", k->name, n);
        memset(bytes, 1, sizeof bytes);
        memset(others, 1, sizeof others);
        for (uint32_t n_blocks = 1; n_blocks <= 9 && n_blocks * n <= sizeof bytes; n_blocks++) {
            p->stream_bytes(bytes, n, &f, 2, (uint32_t)n, n_blocks);
            k->stream_bytes(others, n, &f, 2, (uint32_t)n, n_blocks);
            cr_assert_arr_eq(bytes, others, sizeof bytes, "%s: %zu bytes of %u streams", k->name, n,
                             n_blocks);
        }
        p->scale_by_bytes(x, bytes, table, n - 16);
        k->scale_by_bytes(y, bytes, table, n - 16);
        cr_assert_arr_eq(x, y, sizeof x, "%s: %zu factors by bytes", k->name, n - 16);
    }
}

ISA_CASES(projections, check_projections)

/* A table of up to eight sign bases is a sum of two parts, of four bits each, and of what their
 * fractions carry: these have parts of all sizes. Only where halves are rounded to even it may be
 * none, as the first one: of such sums, the four entries would differ by one at most. */
static void check_tables(enum isa_table table)
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
    const struct smol_kernels *k = isa_kernels(table, NULL);
    uint64_t random = 4;

    smol_frozen_table(q, SMOL_SIGN, coefficients[0], 8);
    cr_assert_eq(q[1] - q[5] - q[33] + q[37], 2);
    for (size_t n = 1; n <= 1025; n = 3 * n + 62)
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

ISA_CASES(tables_of_every_kind, check_tables)
#ifndef __wasm__
ISA_CASE(tables_of_every_kind, avxvnni_evex, ISA_AVXVNNI_EVEX, check_tables)
#endif

/* Weights of +-q times +-x, for one vector to three, of which the second goes against the weights'
 * signs: largest sums. highs: the product of high bytes. */
static void check_largest(const struct smol_kernels *k, uint32_t cols, int16_t q, int16_t x,
                          int32_t highs)
{
    enum { MOST_COLS = 200000 };
    static int16_t table[SMOL_TABLE_ENTRIES], X[3 * MOST_COLS], row[MOST_COLS];
    static uint8_t scratch[SCRATCH] __attribute__((aligned(64)));
    struct smol_frozen_key key;
    struct smol_frozen f = {.key = &key, .rows = 2, .cols = cols, .n_planes = 1, .table = table};
    const int64_t exact = (int64_t)cols * q * x, approximate = (int64_t)cols * highs * 65536;

    smol_frozen_key_init(&key, 1);
    for (size_t u = 0; u < SMOL_TABLE_ENTRIES; u++)
        table[u] = (int16_t)(u % 2 ? -q : q);
    /* X has the sign of the first row's weight, so that the sum is the largest possible. */
    smol_frozen_weights(row, &f, 0, 1);
    for (size_t i = 0; i < cols; i++) {
        X[2 * cols + i] = X[i] = row[i] < 0 ? (int16_t)-x : x;
        X[cols + i] = (int16_t)-X[i];
    }
    for (size_t n_x = 1; n_x <= 3; n_x++)
        for (unsigned fast = 0; fast < 2; fast++) {
            const int64_t expected = fast ? approximate : exact;
            int64_t a[3 * 64], b[3 * 64];
            (fast ? smol_kernels_scalar.frozen_fast
                  : smol_kernels_scalar.frozen)(a, &f, 0, 1, X, cols, n_x, scratch);
            (fast ? k->frozen_fast : k->frozen)(b, &f, 0, 1, X, cols, n_x, scratch);
            cr_assert_eq(a[0], expected);
            cr_assert_eq(b[0], expected);
            cr_assert_eq(a[1], b[1]);
            cr_assert(n_x == 1 || (b[64] == -expected && b[65] == a[65]));
            cr_assert(n_x < 3 || (b[128] == expected && b[129] == a[129]));
        }
}

/* As many columns as 32 bits can sum, and more. */
static void check_largest_sums(enum isa_table which)
{
    static const uint32_t cols[] = {256, 257, 16384, 16385, 65536, 65537, 200000};

    /* The largest integers there are; and those whose bytes are: in both, one high byte times the
     * other low byte is as large as it gets, on the same side as the rest. */
    for (size_t i = 0; i < sizeof cols / sizeof *cols; i++) {
        check_largest(isa_kernels(which, NULL), cols[i], 32640, 32512, 127 * 127);
        check_largest(isa_kernels(which, NULL), cols[i], 32511, 32383, 127 * 126);
    }
}

ISA_CASES(largest_sums, check_largest_sums)
#ifndef __wasm__
ISA_CASE(largest_sums, avxvnni_evex, ISA_AVXVNNI_EVEX, check_largest_sums)
#endif
