/* Stored rows of every kind times vectors, with every table of kernels: exact sums, against a loop
 * over weights that this test encodes by SPEC.md 3.2 and 3.3. Rows, signs and vectors end where
 * their page does, and the next one may not be read. */
#define _DEFAULT_SOURCE
#include "isa.h"

#include "../unit/make_model.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MOST_COLS 262144u
#define MOST_ROWS 70u
#define MOST_X 70u
#define FEW_X 6u

enum kind { MASK, TERNARY, Q4, Q8, N_KINDS };
static const char *const names[N_KINDS] = {"mask", "ternary", "q4", "q8"};

/* Memory whose last byte is the last of a page. */
struct paged {
    uint8_t *map, *data;
    size_t size;
};

static void *paged_take(struct paged *p, size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (size + page - 1) / page * page;

    p->size = pages + page;
    p->map = mmap(NULL, p->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(p->map != MAP_FAILED);
    cr_assert_eq(mprotect(p->map + pages, page, PROT_NONE), 0);
    p->data = p->map + pages - size;
    return p->data;
}

static void paged_give(const struct paged *p) { munmap(p->map, p->size); }

struct sample {
    enum kind kind;
    struct smol_rows rows;
    struct paged data, multipliers, signs, vectors;
    int32_t *w; /* (n_rows, cols) */
    int16_t *X; /* (n_x, cols) */
    size_t n_x;
};

static size_t bytes_of(enum kind kind, size_t cols)
{
    return kind == MASK      ? (cols + 7) / 8
           : kind == TERNARY ? (cols + 4) / 5
           : kind == Q4      ? (cols + 63) / 64 * 32
                             : cols;
}

/* Weights of row r as the row's bytes. Bits of signs where the mask has none are anything. */
static void encode(struct sample *s, size_t r, bool is_random, uint64_t *random)
{
    const size_t cols = s->rows.cols, n = bytes_of(s->kind, cols), groups = (cols + 63) / 64 * 2;
    uint8_t *data = s->data.data + r * n, *signs = s->signs.data + r * n;
    uint8_t *multipliers = s->multipliers.data + r * groups;
    int32_t *w = s->w + r * cols;

    for (size_t g = 0; s->kind == Q4 && g < groups; g++)
        multipliers[g] = (uint8_t)(g * 32 >= cols ? 0
                                   : is_random    ? 255 - test_random(random) % 3 * 100
                                                  : 255);
    for (size_t i = 0; s->kind == MASK && i < n; i++)
        signs[i] = (uint8_t)test_random(random);
    for (size_t c = 0; c < cols; c++) {
        if (s->kind == MASK) {
            data[c / 8] |= (uint8_t)((w[c] != 0) << c % 8);
            if (w[c])
                signs[c / 8] =
                    (uint8_t)((signs[c / 8] & ~(1u << c % 8)) | (unsigned)(w[c] < 0) << c % 8);
        } else if (s->kind == Q4) {
            data[c / 64 * 32 + c % 32] |= (uint8_t)((w[c] & 15) << (c % 64 < 32 ? 0 : 4));
            w[c] *= multipliers[c / 32];
        } else if (s->kind == Q8) {
            data[c] = (uint8_t)w[c];
        }
    }
    for (size_t i = 0; s->kind == TERNARY && i < n; i++) {
        unsigned v = 0;
        for (size_t k = 0; k < 5; k++)
            v = 3 * v + (unsigned)((k * n + i < cols ? w[k * n + i] : 0) + 1);
        data[i] = (uint8_t)((256 * v + 242) / 243);
    }
}

/* A weight at random. */
static int32_t weight(enum kind kind, uint64_t *random)
{
    const uint64_t v = test_random(random);

    return kind == Q4   ? (int32_t)(v % 16) - 8
           : kind == Q8 ? (int32_t)(v % 256) - 128
                        : (int32_t)(v % 3) - 1;
}

/* The least weight, or the largest. */
static int32_t extreme(enum kind kind, bool is_least)
{
    const int32_t least = kind == Q4 ? -8 : kind == Q8 ? -128 : -1;

    return is_least ? least : kind == MASK || kind == TERNARY ? 1 : -least - 1;
}

/* At random; or, of a magnitude other than 0, rows of the least and of the largest weights in
 * turns, and vectors of this number and its negative. */
static void sample_make(struct sample *s, enum kind kind, size_t n_rows, size_t cols, size_t n_x,
                        int16_t magnitude, uint64_t *random)
{
    const size_t n = bytes_of(kind, cols);

    s->kind = kind;
    s->n_x = n_x;
    s->w = calloc(n_rows * cols, sizeof *s->w);
    s->rows = (struct smol_rows){.n_rows = n_rows, .cols = cols};
    s->rows.data = paged_take(&s->data, n_rows * n);
    s->rows.multipliers = paged_take(&s->multipliers, n_rows * ((cols + 63) / 64 * 2));
    s->rows.signs = paged_take(&s->signs, n_rows * n);
    s->X = paged_take(&s->vectors, n_x * cols * sizeof *s->X);
    for (size_t i = 0; i < n_rows * cols; i++)
        s->w[i] = magnitude ? extreme(kind, i / cols % 2 == 0) : weight(kind, random);
    for (size_t i = 0; i < n_x * cols; i++)
        s->X[i] = !magnitude          ? (int16_t)((int)(test_random(random) % 65025) - 32512)
                  : i / cols % 2 == 0 ? magnitude
                                      : (int16_t)-magnitude;
    for (size_t r = 0; r < n_rows; r++)
        encode(s, r, magnitude == 0, random);
}

static void sample_free(struct sample *s)
{
    paged_give(&s->data);
    paged_give(&s->multipliers);
    paged_give(&s->signs);
    paged_give(&s->vectors);
    free(s->w);
}

static int64_t expected(const struct sample *s, size_t row, size_t vector)
{
    const size_t cols = s->rows.cols;
    int64_t sum = 0;

    for (size_t c = 0; c < cols; c++)
        sum += (int64_t)s->w[row * cols + c] * s->X[vector * cols + c];
    return sum;
}

/* The sums of the rows from `first` on; of those behind others whose vectors were packed. */
static void check_from(const struct smol_kernels *k, const struct sample *s, size_t first,
                       uint8_t *scratch)
{
    smol_rows_product *const products[N_KINDS] = {k->rows_mask, k->rows_ternary, k->rows_q4,
                                                  k->rows_q8};
    static int64_t sums[MOST_ROWS * MOST_X + 1];
    const size_t cols = s->rows.cols, n_rows = s->rows.n_rows - first, n = n_rows * s->n_x;
    struct smol_rows rows = s->rows;

    rows.data += first * bytes_of(s->kind, cols);
    rows.multipliers += first * ((cols + 63) / 64 * 2);
    rows.signs += first * bytes_of(s->kind, cols);
    rows.n_rows = n_rows;
    rows.is_packed = first > 0;
    memset(sums, 0x5a, sizeof sums);
    products[s->kind](sums, &rows, s->X, cols, s->n_x, scratch);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(sums[i], expected(s, first + i % n_rows, i / n_rows),
                     "%s: %s, row %zu of %zu from %zu, %zu columns, vector %zu of %zu", k->name,
                     names[s->kind], i % n_rows, n_rows, first, cols, i / n_rows, s->n_x);
    cr_assert_eq(sums[n], 0x5a5a5a5a5a5a5a5a);
}

static void check(const struct smol_kernels *k, enum kind kind, size_t n_rows, size_t cols,
                  size_t n_x, int16_t magnitude, uint64_t *random)
{
    const bool is_there[N_KINDS] = {k->rows_mask, k->rows_ternary, k->rows_q4, k->rows_q8};
    struct sample s = {0};
    struct paged paged;
    uint8_t *scratch;

    if (!is_there[kind])
        return;
    scratch = paged_take(&paged, k->scratch_bytes(cols, n_x, 0));
    cr_assert_eq((uintptr_t)scratch % 64, 0);
    sample_make(&s, kind, n_rows, cols, n_x, magnitude, random);
    check_from(k, &s, 0, scratch);
    if (n_rows > 1)
        check_from(k, &s, n_rows - n_rows / 3 - 1, scratch);
    sample_free(&s);
    paged_give(&paged);
}

static void check_kernels(const struct smol_kernels *k)
{
    /* Around what registers hold: 5 x 32 and 5 x 64 ternary columns and their multiples too. */
    static const size_t more[] = {5,   11,  155, 156, 159, 160, 161, 165,  315,  316,  319,  320,
                                  321, 325, 640, 641, 645, 960, 965, 2000, 2047, 2048, 2049, 4200};
    static const size_t rows[] = {1, 2, 3, 4, 5, 8, 13};
    uint64_t random = 3;

    for (size_t i = 0; i < ISA_N_SIZES + sizeof more / sizeof *more; i++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            for (int kind = 0; kind < N_KINDS; kind++)
                check(k, (enum kind)kind, rows[r],
                      i < ISA_N_SIZES ? isa_sizes[i] : more[i - ISA_N_SIZES], 1 + (i + r) % FEW_X,
                      0, &random);
}

/* Numbers of rows and of vectors around what registers and tiles hold, at the ends of chunks of 480
 * and of 512 columns. */
static void check_several(const struct smol_kernels *k)
{
    static const size_t rows[] = {15, 16, 17, 31, 32, 33, 47, 64, MOST_ROWS},
                        cols[] = {66, 128, 479, 481, 513, 1030};
    uint64_t random = 7;
    size_t n_x = 1;

    for (size_t i = 0; i < sizeof cols / sizeof *cols; i++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            for (int kind = 0; kind < N_KINDS; kind++, n_x = n_x % MOST_X + 1)
                check(k, (enum kind)kind, rows[r], cols[i], n_x, 0, &random);
}

static void check_rows(enum isa_table table) { check_kernels(isa_kernels(table, NULL)); }

static void check_several_rows(enum isa_table table) { check_several(isa_kernels(table, NULL)); }

ISA_CASES(several_stored_rows, check_several_rows)
#ifndef __wasm__
ISA_CASE(several_stored_rows, avxvnni_evex, ISA_AVXVNNI_EVEX, check_several_rows)
#endif
#ifdef ISA_EMULATED
ISA_CASE(several_stored_rows, rows_avx512, ISA_ROWS_AVX512, check_several_rows)
ISA_CASE(several_stored_rows, rows_avx512bw, ISA_ROWS_AVX512BW, check_several_rows)
#endif
Test(several_stored_rows, scalar) { check_several(&smol_kernels_scalar); }

ISA_CASES(stored_rows, check_rows)
#ifndef __wasm__
ISA_CASE(stored_rows, avxvnni_evex, ISA_AVXVNNI_EVEX, check_rows)
#endif
#ifdef ISA_EMULATED
ISA_CASE(stored_rows, rows_avx512, ISA_ROWS_AVX512, check_rows)
ISA_CASE(stored_rows, rows_avx512bw, ISA_ROWS_AVX512BW, check_rows)
#endif
Test(stored_rows, scalar) { check_kernels(&smol_kernels_scalar); }

/* The largest sums there are: 262,144 columns of the largest products, and of the numbers whose
 * bytes are the largest; and the largest that AVX2 takes to fit 32 bits. */
static void check_extremes_of(const struct smol_kernels *k)
{
    static const size_t sizes[] = {1, 32, 64, 512, 4100, 32768, 65536, MOST_COLS};
    static const int16_t magnitudes[7] = {32512, -32512, 32511, 32384, -32384, 255, 128};
    static const size_t n_x[] = {1, 2, 17}; /* AVX-512 takes 16 wide vectors one by one */
    uint64_t random = 5;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t m = test_is_sanitized() ? i % 2 : 0; m < (sizes[i] < MOST_COLS ? 7 : 2);
             m += test_is_sanitized() ? 2 : 1)
            for (int kind = 0; kind < N_KINDS; kind++)
                for (size_t v = 0; v < (sizes[i] < 65536 ? 3 : 2); v++)
                    check(k, (enum kind)kind, 2, sizes[i], n_x[v], magnitudes[m], &random);
}

static void check_extremes(enum isa_table table) { check_extremes_of(isa_kernels(table, NULL)); }

ISA_CASES(largest_stored_rows, check_extremes)
#ifndef __wasm__
ISA_CASE(largest_stored_rows, avxvnni_evex, ISA_AVXVNNI_EVEX, check_extremes)
#endif
#ifdef ISA_EMULATED
ISA_CASE(largest_stored_rows, rows_avx512, ISA_ROWS_AVX512, check_extremes)
ISA_CASE(largest_stored_rows, rows_avx512bw, ISA_ROWS_AVX512BW, check_extremes)
#endif
Test(largest_stored_rows, scalar) { check_extremes_of(&smol_kernels_scalar); }
