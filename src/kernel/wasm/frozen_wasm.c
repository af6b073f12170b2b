/* Frozen row blocks with WebAssembly's vectors.
 *
 * Times one vector nothing leaves the registers, of which there are few: a row is made four times,
 * each time of another four lanes of its stream, 16 columns of 64, so that what is at hand are four
 * words, a table and two sums. X = 256 h + l is split into integers of 16 bits once; |w h| <= 32672
 * x 128, four of them meet in a lane for each step: 128 x 4 x 32672 x 128 < 2^31. Planes add up.
 * Times several vectors each row exists once, as 16-bit integers. */
#include "kernel/wasm/table_wasm.h"

#define ROWS 1u
#define CHUNK (125u * SMOL_STEP_BYTES) /* columns whose sums fit 32 bits */

/* ---- one vector ---- */

/* 16 columns: the integers h, then l. */
struct split {
    int16_t h[STEP], l[STEP];
};

/* Zeros stand in the columns of the last step that X does not have. */
static void split_vector(struct split *x, const int16_t *X, size_t cols)
{
    for (size_t c = 0; c < smol_round_up(cols, SMOL_STEP_BYTES); c++) {
        const int16_t v = c < cols ? X[c] : 0, h = (int16_t)((v + 128) >> 8);
        x[c / STEP].h[c % STEP] = h;
        x[c / STEP].l[c % STEP] = (int16_t)(v - 256 * h);
    }
}

struct sums {
    v128_t h, l;
};

/* The columns c.. of up to `end` that part k of the stream has, x being where they begin. */
ALWAYS_INLINE struct sums part_sums(struct gen4 *part, const struct table *t, enum lookup lookup,
                                    const struct split *x, size_t n_steps)
{
    struct sums s = {wasm_i32x4_splat(0), wasm_i32x4_splat(0)};

    for (; n_steps > 0; n_steps--, x += PARTS) {
        v128_t w[2];
        look_up_integers(w, t, step_four(part), lookup);
        s.h = add_products(add_products(s.h, w[0], x->h), w[1], x->h + 8);
        s.l = add_products(add_products(s.l, w[0], x->l), w[1], x->l + 8);
    }
    return s;
}

ALWAYS_INLINE int64_t next_row(struct generator *generator, const struct table *t,
                               enum lookup lookup, const struct split *x, size_t n_steps)
{
    v128_t h = wasm_i64x2_splat(0), l = h;

    for (unsigned k = 0; k < PARTS; k++) {
        struct gen4 part = generator->part[k];
        for (size_t first = 0; first < n_steps; first += CHUNK / SMOL_STEP_BYTES) {
            const size_t left = n_steps - first, most = CHUNK / SMOL_STEP_BYTES;
            const struct sums s =
                part_sums(&part, t, lookup, x + first * PARTS + k, left < most ? left : most);
            h = add_wide(h, s.h);
            l = add_wide(l, s.l);
        }
        generator->part[k] = part;
    }
    return 256 * sum_i64(h) + sum_i64(l);
}

/* One plane of a row block. */
ALWAYS_INLINE void plane_of_kind(int64_t *sums, const struct smol_frozen *t, uint32_t plane,
                                 uint32_t block, const struct split *x, const struct table *table,
                                 enum lookup lookup)
{
    const uint32_t left = t->rows - block * SMOL_ROW_BLOCK;
    const size_t n_steps = ((size_t)t->cols + SMOL_STEP_BYTES - 1) / SMOL_STEP_BYTES;
    struct generator s;

    generators_init(&s, t, plane, block, 1);
    for (uint32_t r = 0; r < SMOL_ROW_BLOCK && r < left; r++) {
        const int64_t sum = next_row(&s, table, lookup, x, n_steps);
        sums[r] = sum + (plane ? sums[r] : 0);
    }
}

static void multiply_single(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                            uint32_t n_blocks, const struct split *x)
{
    struct table table;

#define CASE(kind)                                                                                 \
    case kind: plane_of_kind(sums + b * SMOL_ROW_BLOCK, t, p, block + b, x, &table, kind); break;
    for (uint32_t p = 0; p < t->n_planes; p++) {
        table_load(&table, t->table + p * SMOL_TABLE_ENTRIES);
        for (uint32_t b = 0; b < n_blocks; b++)
            switch (table.lookup) {
                LOOKUPS(CASE)
            default: break;
            }
    }
#undef CASE
}

/* ---- several vectors ---- */

ALWAYS_INLINE void row_put(int16_t *w, size_t n, uint32_t r, size_t step, unsigned k, v128_t u,
                           const struct table *table, enum lookup lookup, bool is_first)
{
    v128_t v[2];

    look_up_integers(v, table, u, lookup);
    w += r * n + SMOL_STEP_BYTES * step + STEP * k;
    for (size_t i = 0; i < 2; i++)
        wasm_v128_store(w + 8 * i,
                        is_first ? v[i] : wasm_i16x8_add(v[i], wasm_v128_load(w + 8 * i)));
}

struct vectors {
    const int16_t *X;
    size_t n, cols, stride;
};

static inline void rows_multiply(int64_t *to, size_t stride, const int16_t *w, size_t n,
                                 uint32_t n_rows, const struct vectors *x, bool is_first)
{
    (void)n, (void)n_rows, (void)is_first; /* a row; all planes are in it */
    for (size_t i = 0; i < x->n; i++)
        to[i * stride] = dot_int16(w, x->X + i * x->stride, x->cols);
}

#include "kernel/product_several.h"

void smol_frozen_wasm(int64_t *sums, const struct smol_frozen *t, uint32_t block, uint32_t n_blocks,
                      const int16_t *X, size_t x_stride, size_t n_x, void *scratch)
{
    const struct vectors vectors = {X, n_x, t->cols, x_stride};

    if (n_x > 1) {
        multiply_several(sums, t, block, n_blocks, &vectors, scratch);
    } else {
        split_vector(scratch, X, t->cols);
        multiply_single(sums, t, block, n_blocks, scratch);
    }
}
