/* The kernels in plain C: the definition that every other instruction set must match bit for bit.
 * SPEC.md 7. Every smol_fmaf is one fused operation; nothing else is contracted. */
#include "base/number.h"
#include "kernel/kernel.h"
#include "kernel/scalar/log.h"
#include "kernel/scalar/single.h"

#include <math.h>
#include <string.h>

#define LANES 16u

/* The halving tree of lanes16. */
static float reduce_tree(float lane[LANES])
{
    for (unsigned h = LANES / 2; h > 0; h /= 2)
        for (unsigned j = 0; j < h; j++)
            lane[j] += lane[j + h];
    return lane[0];
}

static float sum16(const float *x, size_t n)
{
    float lane[LANES] = {0};

    for (size_t i = 0; i < n; i++)
        lane[i % LANES] += x[i];
    return reduce_tree(lane);
}

/* Half to even: adding 1.5 x 2^23 leaves no room for a fraction. |x| < 2^22. */
static float round_half_even(float x)
{
    const float magic = 0x1.8p23f;
    const float sum = x + magic;

    return sum - magic;
}

/* Magnitudes are in the order of their bits; what is not a number is passed over. */
static float max_magnitude(const float *x, size_t n)
{
    uint32_t m = 0;

    for (size_t i = 0; i < n; i++) {
        const uint32_t a = smol_f32_bits(x[i]) & 0x7fffffffu;
        m = a > m && a <= 0x7f800000u ? a : m;
    }
    return smol_bits_f32(m);
}

/* The comparison keeps a quotient that is not a number (of an input that is not finite, which the
 * forward pass reports later) out of the conversion, where it would be undefined. */
static int16_t to_int16(float quotient)
{
    const float q = round_half_even(quotient);

    return q >= -32512.0f && q <= 32512.0f ? (int16_t)q : 0;
}

static float quantise(int16_t *X, const float *x, size_t n)
{
    const float t = max_magnitude(x, n) / 32512.0f;

    if (!(t >= 0x1p-126f)) {
        memset(X, 0, n * sizeof *X);
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        X[i] = to_int16(x[i] / t);
    return t;
}

/* Exact: |w X| < 2^30, so that two terms fit 32 bits and the rest is summed in 64. */
static int64_t dot_int16(const int16_t *w, const int16_t *X, size_t n)
{
    int64_t sum = 0;
    size_t i = 0;

    for (; i + 2 <= n; i += 2)
        sum += (int32_t)w[i] * X[i] + (int32_t)w[i + 1] * X[i + 1];
    if (i < n)
        sum += (int32_t)w[i] * X[i];
    return sum;
}

/* One row of integer weights from the streams of its planes. */
static void next_row(int16_t *row, const struct smol_frozen *t, struct smol_stream *streams)
{
    uint8_t bytes[SMOL_STEP_BYTES];

    for (uint32_t p = 0; p < t->n_planes; p++) {
        const int16_t *table = t->table + p * SMOL_TABLE_ENTRIES;
        for (uint32_t col = 0; col < t->cols; col += SMOL_STEP_BYTES) {
            const uint32_t n = t->cols - col < SMOL_STEP_BYTES ? t->cols - col : SMOL_STEP_BYTES;
            smol_stream_step(&streams[p], bytes);
            for (uint32_t j = 0; j < n; j++) {
                const int16_t q = table[bytes[j]];
                row[col + j] = p == 0 ? q : (int16_t)(row[col + j] + q);
            }
        }
    }
}

/* A row of integers, with up to 7 past its last column, and a stream for each plane. */
static size_t row_bytes_of(size_t cols) { return (cols + 7 + 63) / 64 * 64 * sizeof(int16_t); }

static size_t scratch_bytes(size_t cols, size_t n_x, uint32_t n_planes)
{
    (void)n_x;
    return row_bytes_of(cols) + n_planes * sizeof(struct smol_stream);
}

static void frozen_block(int64_t *sums, size_t sums_stride, const struct smol_frozen *tensor,
                         uint32_t block, const int16_t *X, size_t x_stride, size_t n_x,
                         void *scratch)
{
    const uint32_t left = tensor->rows - block * SMOL_ROW_BLOCK;
    const uint32_t rows = left < SMOL_ROW_BLOCK ? left : SMOL_ROW_BLOCK;
    int16_t *row = scratch;
    struct smol_stream *streams = (void *)((uint8_t *)scratch + row_bytes_of(tensor->cols));

    for (uint32_t p = 0; p < tensor->n_planes; p++)
        smol_stream_init(&streams[p], tensor->key, tensor->tensor, p, tensor->purpose, block);
    for (uint32_t r = 0; r < rows; r++) {
        if (SMOL_SINGLE && n_x == 1 && tensor->n_planes == 1) {
            sums[r] = next_product(tensor, streams, X);
            continue;
        }
        next_row(row, tensor, streams);
        for (size_t i = 0; i < n_x; i++)
            sums[i * sums_stride + r] = dot_int16(row, X + i * x_stride, tensor->cols);
    }
}

static void frozen(int64_t *sums, const struct smol_frozen *tensor, uint32_t block,
                   uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x, void *scratch)
{
    for (uint32_t b = 0; b < n_blocks; b++)
        frozen_block(sums + b * SMOL_ROW_BLOCK, (size_t)n_blocks * SMOL_ROW_BLOCK, tensor,
                     block + b, X, x_stride, n_x, scratch);
}

/* The integer in units of 256, to nearest, within -127..127. */
static int32_t high_byte(int16_t v)
{
    const int32_t h = (v + 32768 + 128) / 256 - 128; /* never a shift of a negative number */

    return h > 127 ? 127 : h < -127 ? -127 : h;
}

/* The sums of a row block and one plane, added to sums; bytes: a row's. */
static void fast_plane(int64_t *sums, size_t sums_stride, const struct smol_frozen *t,
                       uint32_t block, uint32_t plane, const int16_t *X, size_t x_stride,
                       size_t n_x, int16_t *row)
{
    const uint32_t left = t->rows - block * SMOL_ROW_BLOCK;
    const uint32_t rows = left < SMOL_ROW_BLOCK ? left : SMOL_ROW_BLOCK;
    struct smol_frozen one = *t;
    struct smol_stream stream;

    one.n_planes = 1;
    one.table += plane * SMOL_TABLE_ENTRIES;
    smol_stream_init(&stream, t->key, t->tensor, plane, t->purpose, block);
    for (uint32_t r = 0; r < rows; r++) {
        next_row(row, &one, &stream);
        for (size_t i = 0; i < n_x; i++) {
            int64_t sum = 0;
            for (size_t c = 0; c < t->cols; c++)
                sum += high_byte(row[c]) * high_byte(X[i * x_stride + c]);
            sums[i * sums_stride + r] = 65536 * sum + (plane ? sums[i * sums_stride + r] : 0);
        }
    }
}

static void frozen_fast(int64_t *sums, const struct smol_frozen *tensor, uint32_t block,
                        uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                        void *scratch)
{
    for (uint32_t b = 0; b < n_blocks; b++)
        for (uint32_t p = 0; p < tensor->n_planes; p++)
            fast_plane(sums + b * SMOL_ROW_BLOCK, (size_t)n_blocks * SMOL_ROW_BLOCK, tensor,
                       block + b, p, X, x_stride, n_x, scratch);
}

static void rows_i16(int64_t *sums, const int16_t *w, size_t n_rows, size_t cols, const int16_t *X)
{
    for (size_t r = 0; r < n_rows; r++)
        sums[r] = dot_int16(w + r * cols, X, cols);
}

static void scale_sums(float *y, const int64_t *sums, double scale, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (float)(scale * (double)sums[i]);
}

static float dot(const float *y, const float *x, size_t n)
{
    float lane[LANES] = {0};

    for (size_t i = 0; i < n; i++)
        lane[i % LANES] = smol_fmaf(y[i], x[i], lane[i % LANES]);
    return reduce_tree(lane);
}

static float dot_f32(const uint8_t *row, const float *x, size_t n)
{
    float lane[LANES] = {0};

    for (size_t i = 0; i < n; i++)
        lane[i % LANES] = smol_fmaf(smol_load_f32(row + 4 * i), x[i], lane[i % LANES]);
    return reduce_tree(lane);
}

static float dot_f16(const uint8_t *row, const float *x, size_t n)
{
    float lane[LANES] = {0};

    for (size_t i = 0; i < n; i++)
        lane[i % LANES] = smol_fmaf(smol_load_f16(row + 2 * i), x[i], lane[i % LANES]);
    return reduce_tree(lane);
}

static void rows_f32(float *y, size_t y_stride, const uint8_t *rows, size_t n_rows, const float *x,
                     size_t x_stride, size_t n_x, size_t n)
{
    for (size_t i = 0; i < n_x; i++)
        for (size_t r = 0; r < n_rows; r++)
            y[i * y_stride + r] = dot_f32(rows + r * n * 4, x + i * x_stride, n);
}

static void rows_f16(float *y, size_t y_stride, const uint8_t *rows, size_t n_rows, const float *x,
                     size_t x_stride, size_t n_x, size_t n)
{
    for (size_t i = 0; i < n_x; i++)
        for (size_t r = 0; r < n_rows; r++)
            y[i * y_stride + r] = dot_f16(rows + r * n * 2, x + i * x_stride, n);
}

/* |q X| < 2^22: 256 terms fit 32 bits. */
static int64_t dot_q8(const uint8_t *row, const int16_t *X, size_t n)
{
    int64_t sum = 0;

    for (size_t i = 0; i < n; i += 256) {
        const size_t end = n - i < 256 ? n : i + 256;
        int32_t part = 0;
        for (size_t j = i; j < end; j++)
            part += (int32_t)(int8_t)row[j] * X[j];
        sum += part;
    }
    return sum;
}

static void rows_q8(int64_t *sums, const struct smol_rows *rows, const int16_t *X, size_t x_stride,
                    size_t n_x, void *scratch)
{
    (void)scratch;
    for (size_t r = 0; r < rows->n_rows; r++)
        for (size_t i = 0; i < n_x; i++)
            sums[i * rows->n_rows + r] =
                dot_q8(rows->data + r * rows->cols, X + i * x_stride, rows->cols);
}

/* ---- rows that are made integers, and then multiplied with all vectors ---- */

static void multiply_row(int64_t *sums, size_t stride, const int16_t *w, size_t cols,
                         const int16_t *X, size_t x_stride, size_t n_x)
{
    for (size_t i = 0; i < n_x; i++)
        sums[i * stride] = dot_int16(w, X + i * x_stride, cols);
}

/* SPEC.md 3.3: four bits in two's complement times their group's multiplier, whole blocks of 64
 * columns. */
static void q4_row(int16_t *w, const uint8_t *row, const uint8_t *multipliers, size_t row_bytes)
{
    for (size_t i = 0; i < row_bytes; i += 32, w += 64, row += 32, multipliers += 2)
        for (size_t j = 0; j < 32; j++) {
            w[j] = (int16_t)((((row[j] & 15) ^ 8) - 8) * multipliers[0]);
            w[32 + j] = (int16_t)((((row[j] >> 4) ^ 8) - 8) * multipliers[1]);
        }
}

static void rows_q4(int64_t *sums, const struct smol_rows *rows, const int16_t *X, size_t x_stride,
                    size_t n_x, void *scratch)
{
    const size_t row_bytes = (size_t)smol_row_bytes(SMOL_Q4, (uint32_t)rows->cols),
                 n = smol_row_multipliers((uint32_t)rows->cols);

    for (size_t r = 0; r < rows->n_rows; r++) {
        q4_row(scratch, rows->data + r * row_bytes, rows->multipliers + r * n, row_bytes);
        multiply_row(sums + r, rows->n_rows, scratch, rows->cols, X, x_stride, n_x);
    }
}

/* SPEC.md 3.3: digit k of byte i is of column k x row_bytes + i, of which up to 4 may be past the
 * last one. It grows where three times what is left of the byte passes 256 and 512. */
static void ternary_row(int16_t *w, const uint8_t *row, size_t row_bytes)
{
    static const uint8_t powers[] = {1, 3, 9, 27, 81};

    for (size_t k = 0; k < 5; k++)
        for (size_t i = 0; i < row_bytes; i++) {
            const uint8_t left = (uint8_t)(row[i] * powers[k]);
            w[k * row_bytes + i] = (int16_t)((left >= 86) + (left >= 171) - 1);
        }
}

static void rows_ternary(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                         size_t x_stride, size_t n_x, void *scratch)
{
    const size_t row_bytes = (size_t)smol_row_bytes(SMOL_TERNARY, (uint32_t)rows->cols);

    if (SMOL_SINGLE && n_x == 1) {
        single_ternary(sums, rows->data, rows->n_rows, row_bytes, X, rows->cols);
        return;
    }
    for (size_t r = 0; r < rows->n_rows; r++) {
        ternary_row(scratch, rows->data + r * row_bytes, row_bytes);
        multiply_row(sums + r, rows->n_rows, scratch, rows->cols, X, x_stride, n_x);
    }
}

/* SPEC.md 5.10: sign x bit, eight columns for a byte of both, up to 7 past the last one. */
static void mask_row(int16_t *w, const uint8_t *bits, const uint8_t *signs, size_t row_bytes)
{
    static const int16_t bit[] = {1, 2, 4, 8, 16, 32, 64, 128};

    for (size_t i = 0; i < row_bytes; i++)
        for (size_t j = 0; j < 8; j++)
            w[8 * i + j] =
                (int16_t)(((bits[i] & bit[j]) != 0) - 2 * ((bits[i] & signs[i] & bit[j]) != 0));
}

static void rows_mask(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                      size_t x_stride, size_t n_x, void *scratch)
{
    const size_t row_bytes = (size_t)smol_mask_row_bytes((uint32_t)rows->cols);

    for (size_t r = 0; r < rows->n_rows; r++) {
        const uint8_t *bits = rows->data + r * row_bytes, *signs = rows->signs + r * row_bytes;
        if (SMOL_SINGLE && n_x == 1) {
            sums[r] = dot_mask(bits, signs, X, rows->cols);
            continue;
        }
        mask_row(scratch, bits, signs, row_bytes);
        multiply_row(sums + r, rows->n_rows, scratch, rows->cols, X, x_stride, n_x);
    }
}

static void from_f16(float *y, const uint8_t *data, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = smol_load_f16(data + 2 * i);
}

static void layernorm(float *y, const float *x, const float *gain, const float *bias, float epsilon,
                      size_t n)
{
    const float mean = sum16(x, n) / (float)n;
    float lane[LANES] = {0};

    for (size_t i = 0; i < n; i++) {
        const float c = x[i] - mean;
        lane[i % LANES] = smol_fmaf(c, c, lane[i % LANES]);
    }
    const float var = reduce_tree(lane) / (float)n;
    const float rs = 1.0f / sqrtf(var + epsilon);
    for (size_t i = 0; i < n; i++) {
        const float z = (x[i] - mean) * rs;
        y[i] = gain ? smol_fmaf(z, gain[i], bias[i]) : z;
    }
}

static float exp_one(float x)
{
    x = x > 88.0f ? 88.0f : x;
    x = x > -87.0f ? x : -87.0f; /* so written, not-a-number becomes -87 */
    const float n = round_half_even(x * 0x1.715476p+0f);
    float r = smol_fmaf(n, -0x1.63p-1f, x);
    r = smol_fmaf(n, 0x1.bd0106p-13f, r);
    float p = 0x1.a0d2cep-13f;
    p = smol_fmaf(p, r, 0x1.6e879cp-10f);
    p = smol_fmaf(p, r, 0x1.11121p-7f);
    p = smol_fmaf(p, r, 0x1.555382p-5f);
    p = smol_fmaf(p, r, 0x1.555554p-3f);
    p = smol_fmaf(p, r, 0x1p-1f);
    p = smol_fmaf(p, r * r, r);
    p = p + 1.0f;
    return p * smol_bits_f32((uint32_t)((int32_t)n + 127) << 23);
}

static void exp_all(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = exp_one(x[i]);
}

static void gelu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float v = x[i] * x[i];
        v = smol_fmaf(v, -0x1.2444f2p-4f, -0x1.988454p+0f);
        v = v * x[i];
        x[i] = x[i] / (1.0f + exp_one(v));
    }
}

static void add_scaled(float *y, float a, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = smol_fmaf(a, x[i], y[i]);
}

static void add_each_scaled(float *y, const float *a, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = smol_fmaf(a[i], x[i], y[i]);
}

static void relu2(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] > 0 ? x[i] * x[i] : 0;
}

#define VEC_QUERIES 1u /* of attention, one after the other */

static void attend(const struct smol_query *head, size_t stride, size_t D, float *scores)
{
    const size_t n_keys = head->n_keys;
    float max = -INFINITY, *o = head->o;

    for (size_t j = 0; j < n_keys; j++) {
        const float distance = (float)j - (float)(n_keys - 1);
        const float e = dot(head->K + j * stride, head->q, D) * head->scale;
        scores[j] = smol_fmaf(head->slope, distance, e);
        max = scores[j] > max ? scores[j] : max;
    }
    for (size_t j = 0; j < n_keys; j++)
        scores[j] = exp_one(scores[j] - max);
    const float inverse = 1.0f / sum16(scores, n_keys);
    memset(o, 0, D * sizeof *o);
    for (size_t j = 0; j < n_keys; j++)
        for (size_t i = 0; i < D; i++)
            o[i] = smol_fmaf(scores[j], head->V[j * stride + i], o[i]);
    for (size_t i = 0; i < D; i++)
        o[i] *= inverse;
}

static void attention(const struct smol_query *heads, size_t n, size_t stride, size_t D,
                      float *scores, size_t scores_stride)
{
    (void)scores_stride;
    for (size_t i = 0; i < n; i++)
        attend(&heads[i], stride, D, scores);
}

/* ---- projections ---- */

static void hadamard(float *x, size_t n)
{
    for (size_t h = 1; h < n; h *= 2)
        for (size_t i = 0; i < n; i += 2 * h)
            for (size_t j = i; j < i + h; j++) {
                const float a = x[j], b = x[j + h];
                x[j] = a + b;
                x[j + h] = a - b;
            }
}

static void scale_by_bytes(float *x, const uint8_t *bytes, const float *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= table[bytes[i]];
}

const struct smol_kernels smol_kernels_scalar = {
    .name = "scalar",
    .scratch_bytes = scratch_bytes,
    .block_batch = 1,
    .block_batch_wide = 1,
    .frozen = frozen,
    .frozen_fast = frozen_fast,
    .rows_i16 = rows_i16,
    .fast_bases = 0,
    .rows_q8 = rows_q8,
    .rows_q4 = rows_q4,
    .rows_ternary = rows_ternary,
    .rows_mask = rows_mask,
    .stream_bytes = smol_stream_bytes,
    .hadamard = hadamard,
    .scale_by_bytes = scale_by_bytes,
    .log = smol_log_all,
    .find = smol_find,
    SMOL_FLOAT_KERNELS,
};
