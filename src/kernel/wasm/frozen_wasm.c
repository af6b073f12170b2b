/* Frozen row blocks with WebAssembly's vectors.
 *
 * Times one vector nothing leaves the registers, of which there are few: a row is made four times,
 * each time of another four lanes of its stream, 16 columns of 64, so that what is at hand are four
 * words, a table and two sums. X = 256 h + l is split into integers of 16 bits once; |w h| <= 32672
 * x 128, four of them meet in a lane for each step: 125 x 4 x 32672 x 128 < 2^31. Planes add up.
 * Times several vectors each row exists once, as 16-bit integers. */
#include "kernel/wasm/table_wasm.h"

#define CHUNK (125u * SMOL_STEP_BYTES) /* columns whose sums fit 32 bits */

#define ROLLED _Pragma("clang loop unroll(disable)") /* four times as long, and no faster */

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

/* The next steps of a part of the stream, times its columns of X, of which x has the first. */
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

    ROLLED
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

    generator_init(&s, t, plane, block);
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

ALWAYS_INLINE void row_of_kind(int16_t *w, size_t n_steps, struct generator *generator,
                               const struct table *t, enum lookup lookup, bool is_first)
{
    ROLLED
    for (unsigned k = 0; k < PARTS; k++, w += STEP) {
        struct gen4 part = generator->part[k];
        for (size_t step = 0; step < n_steps; step++) {
            int16_t *to = w + step * SMOL_STEP_BYTES;
            v128_t v[2];
            look_up_integers(v, t, step_four(&part), lookup);
            for (unsigned i = 0; i < 2; i++, to += 8)
                wasm_v128_store(to, is_first ? v[i] : wasm_i16x8_add(v[i], wasm_v128_load(to)));
        }
        generator->part[k] = part;
    }
}

/* The next row of one plane, added to w unless it is the first. */
static void row_put(int16_t *w, size_t n_steps, struct generator *s, const struct table *table,
                    bool is_first)
{
#define CASE(kind)                                                                                 \
    case kind: row_of_kind(w, n_steps, s, table, kind, is_first); break;
    switch (table->lookup) {
        LOOKUPS(CASE)
    default: break;
    }
#undef CASE
}

/* A row block times vectors X (n_x, x_stride): sums to sums + i x stride. */
static void block_several(int64_t *sums, size_t stride, const struct smol_frozen *t, uint32_t block,
                          const int16_t *X, size_t x_stride, size_t n_x, struct table *table,
                          int16_t *w)
{
    const size_t n_steps = ((size_t)t->cols + SMOL_STEP_BYTES - 1) / SMOL_STEP_BYTES;
    const uint32_t left = t->rows - block * SMOL_ROW_BLOCK;
    struct generator s[SMOL_MAX_PLANES];

    for (uint32_t p = 0; p < t->n_planes; p++)
        generator_init(&s[p], t, p, block);
    for (uint32_t r = 0; r < SMOL_ROW_BLOCK && r < left; r++) {
        for (uint32_t p = 0; p < t->n_planes; p++) {
            if (t->n_planes > 1)
                table_load(table, t->table + p * SMOL_TABLE_ENTRIES);
            row_put(w, n_steps, &s[p], table, p == 0);
        }
        for (size_t i = 0; i < n_x; i++)
            sums[i * stride + r] = dot_int16(w, X + i * x_stride, t->cols);
    }
}

void smol_frozen_wasm(int64_t *sums, const struct smol_frozen *t, uint32_t block, uint32_t n_blocks,
                      const int16_t *X, size_t x_stride, size_t n_x, void *scratch)
{
    struct table table;

    if (n_x == 1) {
        split_vector(scratch, X, t->cols);
        multiply_single(sums, t, block, n_blocks, scratch);
        return;
    }
    table_load(&table, t->table);
    for (uint32_t b = 0; b < n_blocks; b++)
        block_several(sums + b * SMOL_ROW_BLOCK, (size_t)n_blocks * SMOL_ROW_BLOCK, t, block + b, X,
                      x_stride, n_x, &table, scratch);
}

/* ---- the approximate product, as in plain C: no page has asked for it ---- */

/* The high bytes of the next row of a plane. */
static void high_row(int16_t *w, const int16_t *q, size_t cols, struct smol_stream *stream)
{
    uint8_t bytes[SMOL_STEP_BYTES];

    for (size_t c = 0; c < cols; c++) {
        if (c % SMOL_STEP_BYTES == 0)
            smol_stream_step(stream, bytes);
        w[c] = (int16_t)high_byte(q[bytes[c % SMOL_STEP_BYTES]]);
    }
}

static void fast_plane(int64_t *sums, size_t stride, const struct smol_frozen *t, uint32_t plane,
                       uint32_t block, const int16_t *X, size_t x_stride, size_t n_x, int16_t *w)
{
    const uint32_t left = t->rows - block * SMOL_ROW_BLOCK;
    struct smol_stream stream;

    smol_stream_init(&stream, t->key, t->tensor, plane, t->purpose, block);
    for (uint32_t r = 0; r < SMOL_ROW_BLOCK && r < left; r++) {
        high_row(w, t->table + plane * SMOL_TABLE_ENTRIES, t->cols, &stream);
        for (size_t i = 0; i < n_x; i++) {
            int64_t sum = 0;
            for (size_t c = 0; c < t->cols; c++)
                sum += w[c] * high_byte(X[i * x_stride + c]);
            sums[i * stride + r] = 65536 * sum + (plane ? sums[i * stride + r] : 0);
        }
    }
}

void smol_frozen_fast_wasm(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                           uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                           void *scratch)
{
    for (uint32_t b = 0; b < n_blocks; b++)
        for (uint32_t p = 0; p < t->n_planes; p++)
            fast_plane(sums + b * SMOL_ROW_BLOCK, (size_t)n_blocks * SMOL_ROW_BLOCK, t, p,
                       block + b, X, x_stride, n_x, scratch);
}
