/* Rows of few bits times vectors, with WebAssembly's vectors: masks and ternary numbers.
 *
 * Their weights w are -1, 0 and 1, 16 of them a step. Times one vector they become bytes in
 * registers, and then the integers of 16 bits that i32x4.dot_i16x8_s takes, beside X, which is put
 * in their order once. Times several vectors, rows are made integers of 16 bits once. Either way
 * a lane of 32 bits holds the products of all columns: a quarter of 262,144 x 32,512. */
#include "kernel/rows.h"
#include "kernel/wasm/registers_wasm.h"

#define MOST_COLS 262144u

static __attribute__((noinline)) void multiply_pairs(int64_t sums[4], const int16_t *const w[2],
                                                     const int16_t *const X[2], size_t cols,
                                                     size_t chunk)
{
    v128_t v[4] = {wasm_i32x4_splat(0), wasm_i32x4_splat(0), wasm_i32x4_splat(0),
                   wasm_i32x4_splat(0)};
    size_t c = 0;

    (void)chunk; /* all columns */
    for (; c + 8 <= cols; c += 8)
        for (unsigned i = 0; i < 4; i++)
            v[i] = add_products(v[i], wasm_v128_load(w[i / 2] + c), X[i % 2] + c);
    for (unsigned i = 0; i < 4; i++)
        sums[i] = sum_i32(v[i]);
    for (; c < cols; c++)
        for (unsigned i = 0; i < 4; i++)
            sums[i] += (int32_t)w[i / 2][c] * X[i % 2][c];
}

/* 16 columns of X, or some of them behind `skipped` ones; the others are 0. */
static inline void load_some(v128_t x[2], const int16_t *X, size_t skipped, size_t n)
{
    int16_t some[STEP] = {0};

    if (n < STEP) {
        memcpy(some + skipped, X, n * sizeof *X);
        X = some;
    }
    x[0] = wasm_v128_load(X);
    x[1] = wasm_v128_load(X + 8);
}

/* ---- masks ---- */

#define STEP_BYTES (STEP / 8)

/* A step's two bytes of bits stand in all pairs of lanes, of which pair i looks at bit i: byte 2 i
 * + j of what it gives is column 8 j + i. */
ALWAYS_INLINE v128_t are_set(const uint8_t *bytes)
{
    const v128_t bits = wasm_u8x16_const(1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 32, 32, 64, 64, 128, 128);
    v128_t set = wasm_v128_and(wasm_v128_load16_splat(bytes), bits);

    HIDE(set);
    set = wasm_i8x16_eq(set, bits);
    HIDE(set);
    return set;
}

ALWAYS_INLINE v128_t mask_weights(const uint8_t *mask, const uint8_t *signs)
{
    return wasm_v128_and(are_set(mask), wasm_v128_or(are_set(signs), wasm_i8x16_splat(1)));
}

static void prepare_mask(void *prepared, const int16_t *X, size_t cols)
{
    const size_t n = mask_row_bytes(cols);
    int16_t *to = prepared;

    for (size_t i = 0; i < n; i += STEP_BYTES, to += STEP) {
        const size_t left = cols - 8 * i;
        v128_t x[2];
        load_some(x, X + 8 * i, 8 * (i - read_at(i, STEP_BYTES, n)), left < STEP ? left : STEP);
        wasm_v128_store(to, wasm_i16x8_shuffle(x[0], x[1], 0, 8, 1, 9, 2, 10, 3, 11));
        wasm_v128_store(to + 8, wasm_i16x8_shuffle(x[0], x[1], 4, 12, 5, 13, 6, 14, 7, 15));
    }
}

static int64_t dot_mask(const struct row *row, const void *prepared, size_t cols)
{
    const size_t n = mask_row_bytes(cols);
    uint8_t copy[2][STEP_BYTES];
    const uint8_t *mask = readable(copy[0], row->data, n, STEP_BYTES, row),
                  *signs = readable(copy[1], row->signs, n, STEP_BYTES, row);
    const int16_t *x = prepared;
    v128_t sum = wasm_i32x4_splat(0);
    size_t i = 0;

    for (; i + 2 * STEP_BYTES <= n; i += 2 * STEP_BYTES, x += 2 * STEP) {
        HIDE(x);
        for (unsigned k = 0; k < 2; k++)
            sum =
                add_bytes(sum, mask_weights(mask + i + k * STEP_BYTES, signs + i + k * STEP_BYTES),
                          x + k * STEP);
    }
    for (; i < n; i += STEP_BYTES, x += STEP) {
        const size_t at = read_at(i, STEP_BYTES, n);
        sum = add_bytes(sum, mask_weights(mask + at, signs + at), x);
    }
    return sum_i32(sum);
}

static void expand_mask(int16_t *w, const struct row *row, size_t cols)
{
    const v128_t bits = wasm_i16x8_const(1, 2, 4, 8, 16, 32, 64, 128);
    const size_t n = mask_row_bytes(cols);

    for (size_t i = 0; i < n; i++) {
        const v128_t m = wasm_v128_and(wasm_i16x8_splat(row->data[i]), bits),
                     s = wasm_v128_and(wasm_i16x8_splat(row->signs[i]), bits),
                     sign = wasm_v128_or(wasm_i16x8_eq(s, bits), wasm_i16x8_splat(1));
        wasm_v128_store(w + 8 * i, wasm_v128_and(wasm_i16x8_eq(m, bits), sign));
    }
}

void smol_rows_mask_wasm(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                         size_t x_stride, size_t n_x, void *scratch)
{
    const struct row_strides strides = mask_strides(rows);

    if (n_x > 1)
        rows_several(sums, rows, strides, X, x_stride, n_x, scratch, expand_mask, multiply_pairs,
                     MOST_COLS);
    else
        multiply_rows(sums, rows, strides, X, x_stride, 1, scratch, prepare_mask, dot_mask);
}

/* ---- ternary numbers ---- */

#define DIGITS 5u /* of a byte: it has a column of each of five planes */

/* Bytes are b - 128, for comparisons are of signed ones. */
ALWAYS_INLINE v128_t load_digits(const uint8_t *data)
{
    return wasm_v128_xor(wasm_v128_load(data), wasm_i8x16_splat((int8_t)-128));
}

/* The first digit is q of 3 b / 256 - 1: -1, 0 and 1 begin at b = 0, 86 and 171. */
ALWAYS_INLINE v128_t first_digit(v128_t b)
{
    return wasm_i8x16_sub(wasm_i8x16_gt(wasm_i8x16_splat(86 - 128), b),
                          wasm_i8x16_gt(b, wasm_i8x16_splat(170 - 128)));
}

/* 3 b modulo 256, of b - 128 too: 3 x 128 is 128. The compiler must not see that, for there is no
 * product of bytes, and it would take them one by one. */
ALWAYS_INLINE v128_t without_first(v128_t b)
{
    v128_t twice = wasm_i8x16_add(b, b);

    HIDE(twice);
    return wasm_i8x16_add(b, twice);
}

/* The columns of 16 bytes, plane by plane. */
static void prepare_ternary(void *prepared, const int16_t *X, size_t cols)
{
    const size_t n = ternary_row_bytes(cols);
    int16_t *to = prepared;

    for (size_t i = 0; i < n; i += STEP)
        for (size_t k = 0; k < DIGITS; k++, to += STEP) {
            const size_t c = k * n + i, end = (k + 1) * n < cols ? (k + 1) * n : cols,
                         left = c < end ? end - c : 0;
            v128_t x[2];
            load_some(x, X + (left ? c : 0), i - read_at(i, STEP, n), left < STEP ? left : STEP);
            wasm_v128_store(to, x[0]);
            wasm_v128_store(to + 8, x[1]);
        }
}

static int64_t dot_ternary(const struct row *row, const void *prepared, size_t cols)
{
    const size_t n = ternary_row_bytes(cols);
    uint8_t copy[STEP];
    const uint8_t *data = readable(copy, row->data, n, STEP, row);
    const int16_t *x = prepared;
    v128_t sum = wasm_i32x4_splat(0);

    for (size_t i = 0; i < n; i += STEP) {
        v128_t b = load_digits(data + read_at(i, STEP, n));
        for (unsigned k = 0; k < DIGITS; k++, b = without_first(b), x += STEP)
            sum = add_bytes(sum, first_digit(b), x);
    }
    return sum_i32(sum);
}

/* The columns of 16 bytes of a row of n; what is written past a plane's end is overwritten by the
 * next one. */
ALWAYS_INLINE void expand_group(int16_t *w, v128_t b, size_t n)
{
    for (unsigned k = 0; k < DIGITS; k++, w += n, b = without_first(b)) {
        const v128_t q = first_digit(b);
        wasm_v128_store(w, wasm_i16x8_extend_low_i8x16(q));
        wasm_v128_store(w + 8, wasm_i16x8_extend_high_i8x16(q));
    }
}

static void expand_ternary(int16_t *w, const struct row *row, size_t cols)
{
    const size_t n = ternary_row_bytes(cols);
    uint8_t copy[STEP];
    const uint8_t *data = readable(copy, row->data, n, STEP, row);

    for (size_t i = 0; i < n; i += STEP) {
        const size_t at = read_at(i, STEP, n);
        expand_group(w + at, load_digits(data + at), n);
    }
}

void smol_rows_ternary_wasm(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                            size_t x_stride, size_t n_x, void *scratch)
{
    const struct row_strides strides = row_strides(rows, SMOL_TERNARY);

    if (n_x > 1)
        rows_several(sums, rows, strides, X, x_stride, n_x, scratch, expand_ternary, multiply_pairs,
                     MOST_COLS);
    else
        multiply_rows(sums, rows, strides, X, x_stride, 1, scratch, prepare_ternary, dot_ternary);
}
