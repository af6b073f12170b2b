/* Rows of stored numbers times vectors, with WebAssembly's vectors: embeddings of 8 and 4 bits, and
 * integer weights of 16. */
#include "kernel/rows.h"
#include "kernel/wasm/registers_wasm.h"

#define CHUNK 2048u /* columns of 8 bits: 512 products of less than 2^22 fit a lane */

static int64_t dot_q8(const struct row *row, const void *vector, size_t n)
{
    const int16_t *X = vector;
    v128_t sum = wasm_i64x2_splat(0);
    int64_t rest = 0;
    size_t i = 0;

    while (i + 16 <= n) {
        const size_t end = n - i < CHUNK ? n : i + CHUNK;
        v128_t part = wasm_i32x4_splat(0);
        for (; i + 16 <= end; i += 16) {
            part = add_products(part, wasm_i16x8_load8x8(row->data + i), X + i);
            part = add_products(part, wasm_i16x8_load8x8(row->data + i + 8), X + i + 8);
        }
        sum = add_wide(sum, part);
    }
    for (; i < n; i++)
        rest += (int32_t)(int8_t)row->data[i] * X[i];
    return sum_i64(sum) + rest;
}

ROWS_PRODUCT(smol_rows_q8_wasm, SMOL_Q8, NULL, dot_q8)

/* ---- 4 bits ---- */

/* A byte's low or high half in two's complement. */
ALWAYS_INLINE v128_t signed_half(v128_t half)
{
    return wasm_i8x16_sub(wasm_v128_xor(half, wasm_i8x16_splat(8)), wasm_i8x16_splat(8));
}

/* 32 columns of one multiplier: at most 2^18 x 8 in a lane, and fits 32 bits with it. */
ALWAYS_INLINE v128_t group(v128_t first, v128_t second, const int16_t *X, uint8_t multiplier)
{
    const v128_t part = add_bytes(wasm_i32x4_splat(0), signed_half(first), X);

    return wasm_i32x4_mul(add_bytes(part, signed_half(second), X + 16),
                          wasm_i32x4_splat(multiplier));
}

/* With zeros in the columns of the last 64 that it does not have. */
static void prepare_q4(void *vector, const int16_t *X, size_t cols)
{
    memset(vector, 0, (cols + 63) / 64 * 64 * sizeof *X);
    memcpy(vector, X, cols * sizeof *X);
}

static int64_t dot_q4(const struct row *row, const void *vector, size_t cols)
{
    const int16_t *X = vector;
    const v128_t low = wasm_i8x16_splat(15);
    v128_t sum = wasm_i64x2_splat(0);

    for (size_t i = 0; i < cols; i += 64) {
        const v128_t a = wasm_v128_load(row->data + i / 2),
                     b = wasm_v128_load(row->data + i / 2 + 16),
                     first = group(wasm_v128_and(a, low), wasm_v128_and(b, low), X + i,
                                   row->multipliers[i / 32]),
                     second = group(wasm_u8x16_shr(a, 4), wasm_u8x16_shr(b, 4), X + i + 32,
                                    row->multipliers[i / 32 + 1]);
        sum = add_wide(sum, wasm_i32x4_add(first, second)); /* each below 2^29 */
    }
    return sum_i64(sum);
}

ROWS_PRODUCT(smol_rows_q4_wasm, SMOL_Q4, prepare_q4, dot_q4)

/* ---- integer weights ---- */

void smol_rows_i16_wasm(int64_t *sums, const int16_t *w, size_t n_rows, size_t cols,
                        const int16_t *X)
{
    for (size_t r = 0; r < n_rows; r++)
        sums[r] = dot_int16(w + r * cols, X, cols);
}
