/* The products and functions of the forward pass, as a table of kernels: plain C is the
 * definition, other instruction sets give the same bits. SPEC.md 7. Nothing here fails,
 * allocates or knows of threads; arguments are preconditions. */
#ifndef SMOL_KERNEL_H
#define SMOL_KERNEL_H

#include "base/number.h"
#include "frozen/frozen.h"

#include <smol/session.h>

#define SMOL_BLOCK_BATCH 4u /* row blocks that one call multiplies, at most */

/* The product of some row blocks with some vectors: sums (n_x, n_blocks x 64), N of each row; of
 * rows past the tensor's end nothing is written. n_blocks <= SMOL_BLOCK_BATCH. X (n_x, x_stride),
 * x_stride >= cols. The weights are regenerated and never kept; scratch has
 * scratch_bytes(cols, n_x, n_planes) bytes, 64-byte aligned. */
typedef void smol_frozen_product(int64_t *sums, const struct smol_frozen *tensor, uint32_t block,
                                 uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                                 void *scratch);

/* The same of n runs of n_rows rows each with one vector, of a tensor whose weight six bits of a
 * byte say (smol_frozen_is_narrow): sums (n, n_rows). Each has its stream, as it is before its
 * first row. n a multiple of SMOL_RUNS, n_rows one of 8, up to 64. */
typedef void smol_frozen_runs(int64_t *sums, const struct smol_frozen *tensor,
                              const struct smol_stream *streams, uint32_t n, uint32_t n_rows,
                              const int16_t *X, void *scratch);
#define SMOL_RUNS 4u

/* streams (64 / n_rows): as they are before each n_rows rows of a row block. */
typedef void smol_frozen_streams(struct smol_stream *streams, const struct smol_frozen *tensor,
                                 uint32_t block, uint32_t n_rows);

/* The same as numbers: y (n_x, y_stride), of row r and vector i (float)(scale x t[i] x (double)N),
 * as scale_sums makes them of the tensor's scale times t (n_x). Returns whether it did that, which
 * depends on the tensor and n_x alone. */
typedef bool smol_frozen_numbers(float *y, size_t y_stride, const struct smol_frozen *tensor,
                                 uint32_t block, uint32_t n_blocks, const int16_t *X,
                                 size_t x_stride, size_t n_x, const float *t, void *scratch);

/* Rows packed as in a file, one behind the other: stored numbers (SPEC.md 3.3) or masks (3.2). */
struct smol_rows {
    const uint8_t *data;
    const uint8_t *multipliers; /* of 4-bit rows */
    const uint8_t *signs;       /* of masks, in their layout: smol_mask_signs */
    size_t n_rows, cols;
    bool is_packed; /* the call before was of such rows and the same vectors, and its scratch is as
                       it was left */
};

/* sums (n_x, n_rows), exact, of rows with X (n_x, x_stride), |X| <= 32512: of q x X for 8 bits and
 * for ternary numbers, of multiplier x q x X for 4 bits, of sign x bit x X for masks; scratch as
 * above. Nothing is read past the last row's last byte. cols <= 262144. */
typedef void smol_rows_product(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                               size_t x_stride, size_t n_x, void *scratch);

/* y (n_x, y_stride): dot16 of each of n_rows rows of n numbers, packed as in a file, with each of
 * x (n_x, x_stride). */
typedef void smol_rows_floats(float *y, size_t y_stride, const uint8_t *rows, size_t n_rows,
                              const float *x, size_t x_stride, size_t n_x, size_t n);

/* One head of one position: o (D) from q (D) and n_keys rows of K and V (n_keys, stride), 1 to 2^24
 * of them, the last one that of the position itself. Key j's score is its product with q x scale +
 * slope x (j - (n_keys - 1)): slope 0 is attention without distances, to the bit. */
struct smol_query {
    float *o;
    const float *q, *K, *V;
    size_t n_keys;
    float scale, slope;
};

/* Bytes of scratch that a product of so many columns and vectors takes; n_planes of a frozen one,
 * else 0. */
typedef size_t smol_scratch_bytes(size_t cols, size_t n_x, uint32_t n_planes);

struct smol_kernels {
    const char *name; /* "scalar" */

    smol_scratch_bytes *scratch_bytes;
    uint32_t block_batch;      /* row blocks that are best multiplied by one call */
    uint32_t block_batch_wide; /* the same of tables of seven bases or more; not more than those */

    /* X (n) and the returned t of x (n), rounded to 16 bits. */
    float (*quantise)(int16_t *X, const float *x, size_t n);

    smol_frozen_product *frozen;
    smol_frozen_product *frozen_fast;   /* the approximate one: N is 65536 x the sum of the high
                                           bytes' products */
    smol_frozen_runs *runs, *runs_fast; /* or NULL: streams that are kept gain nothing */
    smol_frozen_streams *streams;
    smol_frozen_numbers *numbers, *numbers_fast; /* of both, or NULL */

    /* sums (n_rows) of w x X, exact, of rows of integer weights (n_rows, cols): |w| <= 32672. */
    void (*rows_i16)(int64_t *sums, const int16_t *w, size_t n_rows, size_t cols, const int16_t *X);
    uint32_t fast_bases; /* regenerating so many sign bases is faster than reading such rows; gauss
                            counts as 8 (docs/kernels.md) */

    bool streams_floats; /* rows of floats are read faster by themselves than fetched while weights
                            are made (docs/kernels.md) */

    /* y (n) = (float)(scale x (double)sums). */
    void (*scale_sums)(float *y, const int64_t *sums, double scale, size_t n);
    /* The same with each row's scale (n), F32 as in a file, times step. */
    void (*scale_rows)(float *y, const int64_t *sums, const uint8_t *scales, double step, size_t n);

    /* dot16 of x (n) with n floats as they are in memory; with n numbers in file encoding. */
    float (*dot)(const float *y, const float *x, size_t n);
    float (*dot_f32)(const uint8_t *row, const float *x, size_t n);
    float (*dot_f16)(const uint8_t *row, const float *x, size_t n);
    smol_rows_floats *rows_f32, *rows_f16;
    smol_rows_product *rows_q8, *rows_q4, *rows_ternary, *rows_mask;

    smol_stream_function *stream_bytes;

    /* x (n) = H x, n a power of two from 64 on: for h = 1, 2, 4, ... n / 2 each pair (x_j, x_(j +
     * h)), bit h of j clear, becomes its sum and its difference. */
    void (*hadamard)(float *x, size_t n);

    /* x_i *= table[bytes_i] for n numbers, n a multiple of 16. */
    void (*scale_by_bytes)(float *x, const uint8_t *bytes, const float table[SMOL_TABLE_ENTRIES],
                           size_t n);

    /* y (n) = numbers of 16 bits in file encoding. */
    void (*from_f16)(float *y, const uint8_t *data, size_t n);

    /* y (n) = fma(a, x, y), one a or each its own: of sums over models and deltas (SPEC.md 16). */
    void (*add_scaled)(float *y, float a, const float *x, size_t n);
    void (*add_each_scaled)(float *y, const float *a, const float *x, size_t n);

    /* y (n) = LayerNorm of x; gain and bias (n), or both NULL for 1 and 0. */
    void (*layernorm)(float *y, const float *x, const float *gain, const float *bias, float epsilon,
                      size_t n);

    /* x (n) = GELU(x), in place. */
    void (*gelu)(float *x, size_t n);

    /* x (n) = relu2(x), in place: +0 of what is not above 0. */
    void (*relu2)(float *x, size_t n);

    /* n queries, of which `queries` are worked on side by side; the keys of the next ones are
     * fetched meanwhile. scores (min(n, queries), scores_stride) is scratch, scores_stride >=
     * n_keys of each. */
    void (*attention)(const struct smol_query *queries, size_t n, size_t stride, size_t D,
                      float *scores, size_t scores_stride);
    uint32_t queries;

    /* y (n) = exp(x). */
    void (*exp)(float *y, const float *x, size_t n);

    /* y (n) = log(x), x at least 1. */
    void (*log)(float *y, const double *x, size_t n);

    /* Whether all magnitudes of x (n) are at most limit; not-a-number is not. */
    bool (*within)(const float *x, size_t n, float limit);

    /* The places of those of n tokens, SMOL_FIND_TOKENS at most, that are `last` after `before`, of
     * which only the bits of mask count; tokens[-1] is there. In ascending order into places
     * (n, rounded up to 8); returns how many. */
    size_t (*find)(uint16_t *places, const uint16_t *tokens, size_t n, uint16_t last,
                   uint16_t before, uint16_t mask);
};
#define SMOL_FIND_TOKENS 1024u

/* That, of which the compiler of each set makes vectors. */
static inline bool smol_within(const float *x, size_t n, float limit)
{
    const uint32_t most = smol_f32_bits(limit);
    uint32_t differences = 0; /* of which one that is negative has bit 31 */

    for (size_t i = 0; i < n; i++)
        differences |= most - (smol_f32_bits(x[i]) & 0x7fffffffu);
    return differences >> 31 == 0;
}

/* The same of this one: bytes that say where a token is, which come eight at a time. */
static inline size_t smol_find(uint16_t *places, const uint16_t *tokens, size_t n, uint16_t last,
                               uint16_t before, uint16_t mask)
{
    const uint16_t *const previous = tokens - 1;
    uint8_t is_there[SMOL_FIND_TOKENS + 8];
    size_t found = 0;
    uint64_t eight;

    for (size_t i = 0; i < n; i++)
        is_there[i] = ((tokens[i] ^ last) | ((previous[i] ^ before) & mask)) == 0;
    memset(is_there + n, 0, 8);
    for (size_t i = 0; i < n; i += 8) {
        memcpy(&eight, is_there + i, 8);
        if (eight == 0)
            continue;
        for (size_t j = i; j < i + 8; j++) {
            places[found] = (uint16_t)j;
            found += is_there[j];
        }
    }
    return found;
}

static inline void smol_scale_rows(float *y, const int64_t *sums, const uint8_t *scales,
                                   double step, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (float)((double)smol_load_f32(scales + 4 * i) * step * (double)sums[i]);
}

/* What a table says of the functions on floats, in a file that has one of each of these names, and
 * VEC_QUERIES. */
#define SMOL_FLOAT_KERNELS                                                                         \
    .quantise = quantise, .scale_sums = scale_sums, .scale_rows = smol_scale_rows, .dot = dot,     \
    .dot_f32 = dot_f32, .dot_f16 = dot_f16, .rows_f32 = rows_f32, .rows_f16 = rows_f16,            \
    .from_f16 = from_f16, .add_scaled = add_scaled, .add_each_scaled = add_each_scaled,            \
    .layernorm = layernorm, .gelu = gelu, .relu2 = relu2, .attention = attention,                  \
    .queries = VEC_QUERIES, .exp = exp_all, .within = smol_within

extern const struct smol_kernels smol_kernels_scalar; /* the definition */
extern const struct smol_kernels smol_kernels_avx2;   /* on x86-64 with the bundles of cpu.h */
extern const struct smol_kernels smol_kernels_avxvnni;
extern const struct smol_kernels smol_kernels_avx512bw;
extern const struct smol_kernels smol_kernels_avx512;
extern const struct smol_kernels smol_kernels_neon; /* on AArch64 */
extern const struct smol_kernels smol_kernels_neon_dotprod;
extern const struct smol_kernels smol_kernels_wasm; /* in WebAssembly with vectors */

/* The kernels of an instruction set, or the fastest ones here; NULL if this machine lacks it. */
const struct smol_kernels *smol_kernels_select(enum smol_isa isa);

/* Of wide instruction sets: some rows of integers, and each vector packed, three bytes a number. */
static inline size_t smol_scratch_wide(size_t cols, size_t n_x, uint32_t n_planes)
{
    const size_t row = (cols + 63) / 64 * 64;

    (void)n_planes;
    return 16 * row + (n_x + 1) * (3 * row + (row + 1023) / 1024 * 64);
}

#endif
