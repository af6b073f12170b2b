/* Keys, streams, tables and integer weights, against vectors from an independent generator. */
#include "frozen/frozen.h"
#include "guard.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <string.h>

static void check_normal(struct vector *v)
{
    size_t n;
    const double *g = vector_f64s(v, "g", &n);

    cr_assert_eq(n, SMOL_TABLE_ENTRIES);
    vector_same_f64(v, smol_gauss_table, g, n);
}

Test(frozen, normal_table) { vectors_each("normal", check_normal); }

static void check_key(struct vector *v)
{
    struct smol_frozen_key *key = guard_take(sizeof *key, 1);

    smol_frozen_key_init(key, vector_u64(v, "seed"));
    cr_assert_arr_eq(key->bytes, vector_bytes(v, "key", NULL), 32, "line %u", v->number);
    guard_give(key);
}

Test(frozen, keys) { vectors_each("key", check_key); }

static void check_stream(struct vector *v)
{
    struct smol_stream *stream = guard_take(sizeof *stream, 64);
    uint8_t *bytes = guard_take(SMOL_STEP_BYTES, 1);
    struct smol_frozen_key key;
    size_t n;

    smol_frozen_key_init(&key, vector_u64(v, "seed"));
    smol_stream_init(stream, &key, vector_u32(v, "tensor"), vector_u32(v, "plane"),
                     (enum smol_purpose)vector_u32(v, "purpose"), vector_u32(v, "block"));
    cr_assert_arr_eq(stream->word, vector_u32s(v, "words", NULL), sizeof stream->word, "line %u",
                     v->number);
    const uint8_t *emitted = vector_bytes(v, "steps", &n);
    for (size_t step = 0; step < n / SMOL_STEP_BYTES; step++) {
        smol_stream_step(stream, bytes);
        cr_assert_arr_eq(bytes, emitted + step * SMOL_STEP_BYTES, SMOL_STEP_BYTES,
                         "line %u, step %zu", v->number, step);
    }
    guard_give(bytes);
    guard_give(stream);
}

Test(frozen, streams) { vectors_each("stream", check_stream); }

/* The bytes of the stream of plane 0 and a row block, step by step. */
static void steps(uint8_t *bytes, size_t n, const struct smol_frozen_key *key, uint32_t tensor,
                  enum smol_purpose purpose, uint32_t block)
{
    struct smol_stream stream;

    smol_stream_init(&stream, key, tensor, 0, purpose, block);
    for (size_t i = 0; i < n; i += SMOL_STEP_BYTES)
        smol_stream_step(&stream, bytes + i);
}

/* Two blocks of 64 rows and one of 3, of 77 columns: 10 bytes of signs a row. */
Test(frozen, signs_of_masks)
{
    struct smol_frozen_key key;
    const struct smol_frozen t = {
        .key = &key, .tensor = 6, .purpose = SMOL_PURPOSE_MASK, .rows = 131, .cols = 77};

    smol_frozen_key_init(&key, 42);
    cr_assert_eq(smol_mask_signs_bytes(77), 640);
    for (uint32_t block = 0; block < 3; block++) {
        const size_t n = block < 2 ? 640 : 64; /* 3 rows are 30 bytes, of one step */
        uint8_t *signs = guard_take(n, 1), expected[640];
        steps(expected, 640, &key, 6, SMOL_PURPOSE_MASK, block);
        smol_mask_signs(signs, &t, block, 1, smol_stream_bytes);
        cr_assert_arr_eq(signs, expected, n, "block %u", block);
        guard_give(signs);
    }
    for (uint32_t block = 0; block < 3; block++) {
        const size_t n = 640 * (2 - block) + 64;
        uint8_t *signs = guard_take(n, 1), expected[640];
        smol_mask_signs(signs, &t, block, 3 - block, smol_stream_bytes);
        for (uint32_t b = block; b < 3; b++) {
            steps(expected, 640, &key, 6, SMOL_PURPOSE_MASK, b);
            cr_assert_arr_eq(signs + 640 * (b - block), expected, b < 2 ? 640 : 64,
                             "block %u of those from %u", b, block);
        }
        guard_give(signs);
    }
}

Test(frozen, channels_of_a_half_shift)
{
    static const uint32_t widths[] = {1, 2, 7, 96, 1025, 1030, 4099};
    uint8_t bytes[320];
    struct smol_frozen_key key;

    smol_frozen_key_init(&key, 5);
    steps(bytes, sizeof bytes, &key, 14, SMOL_PURPOSE_SHIFT, 0);
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        const uint32_t C = widths[w];
        uint8_t *is_shifted = guard_take(C, 1);
        smol_shift_channels(is_shifted, &key, 14, C);
        for (uint32_t c = 0; c < C; c++) {
            const uint32_t k = c / 2, is_second = bytes[k / 8] >> k % 8 & 1;
            cr_assert_eq(is_shifted[c], k < C / 2 && is_second == c % 2, "%u of %u", c, C);
        }
        guard_give(is_shifted);
    }
}

static void check_table(struct vector *v)
{
    const enum smol_dist dist = (enum smol_dist)vector_u32(v, "dist");
    size_t d;
    const double *alpha = vector_f64s(v, "alpha", &d);
    const uint32_t n_planes = smol_frozen_planes(dist, (uint32_t)d);

    cr_assert_eq(n_planes, vector_u32(v, "planes"), "line %u", v->number);
    int16_t *table = guard_take(n_planes * SMOL_TABLE_ENTRIES * sizeof *table, sizeof *table);
    const double s = smol_frozen_table(table, dist, alpha, (uint32_t)d),
                 expected = vector_f64(v, "s");
    vector_same_f64(v, &s, &expected, 1);
    vector_same_i16(v, table + vector_u32(v, "plane") * SMOL_TABLE_ENTRIES,
                    vector_i16s(v, "Q", NULL), SMOL_TABLE_ENTRIES);
    guard_give(table);
}

Test(frozen, tables) { vectors_each("table", check_table); }

/* A tensor as a line gives it; dist, d and the table are added where they matter. */
static struct smol_frozen tensor_of(const struct vector *v, struct smol_frozen_key *key)
{
    smol_frozen_key_init(key, vector_u64(v, "seed"));
    return (struct smol_frozen){
        .key = key,
        .tensor = vector_u32(v, "tensor"),
        .purpose = (enum smol_purpose)vector_u32(v, "purpose"),
        .rows = vector_u32(v, "rows"),
        .cols = vector_u32(v, "cols"),
        .n_planes = 1,
    };
}

static void check_weights(struct vector *v)
{
    static int16_t table[SMOL_MAX_PLANES * SMOL_TABLE_ENTRIES];
    const enum smol_dist dist = (enum smol_dist)vector_u32(v, "dist");
    const uint32_t begin = vector_u32(v, "begin"), count = vector_u32(v, "count");
    struct smol_frozen_key key;
    struct smol_frozen t = tensor_of(v, &key);
    size_t d, n;
    const double *alpha = vector_f64s(v, "alpha", &d);
    const int16_t *expected = vector_i16s(v, "w", &n);

    t.scale = smol_frozen_table(table, dist, alpha, (uint32_t)d);
    t.table = table;
    t.n_planes = smol_frozen_planes(dist, (uint32_t)d);
    cr_assert_eq(n, (size_t)count * t.cols);
    int16_t *w = guard_take(n * sizeof *w, sizeof *w);
    smol_frozen_weights(w, &t, begin, count);
    vector_same_i16(v, w, expected, n);
    /* The same rows, one at a time. */
    memset(w, 0, n * sizeof *w);
    for (uint32_t r = 0; r < count; r++)
        smol_frozen_weights(w + (size_t)r * t.cols, &t, begin + r, 1);
    vector_same_i16(v, w, expected, n);
    guard_give(w);
}

Test(frozen, integer_weights) { vectors_each("weights", check_weights); }

static void check_bytes(struct vector *v)
{
    const uint32_t begin = vector_u32(v, "begin"), count = vector_u32(v, "count");
    struct smol_frozen_key key;
    const struct smol_frozen t = tensor_of(v, &key);
    size_t n;
    const uint8_t *u = vector_bytes(v, "u", &n);
    uint8_t *bytes = guard_take(n, 1);
    float *values = guard_take(n * sizeof *values, sizeof *values);

    cr_assert_eq(n, (size_t)count * t.cols);
    smol_frozen_bytes(bytes, &t, 0, begin, count);
    cr_assert_arr_eq(bytes, u, n, "line %u", v->number);
    smol_frozen_gauss_rows(values, &t, vector_f64(v, "std"), begin, count);
    vector_same_f32(v, values, vector_f32s(v, "gauss", NULL), n);
    guard_give(values);
    guard_give(bytes);
}

Test(frozen, bytes_and_initial_numbers) { vectors_each("bytes", check_bytes); }

/* Nothing to do is no reason to write. */
Test(frozen, no_rows)
{
    static const int16_t table[SMOL_TABLE_ENTRIES];
    struct smol_frozen_key key;
    const struct smol_frozen t = {
        .key = &key, .rows = 64, .cols = 3, .n_planes = 1, .table = table};
    int16_t *w = guard_take(0, sizeof *w);

    smol_frozen_key_init(&key, 1);
    smol_frozen_weights(w, &t, 5, 0);
    smol_frozen_bytes((uint8_t *)w, &t, 0, 5, 0);
    guard_give(w);
}

/* SPEC.md 6: the table of numbers. */
Test(frozen, tensor_numbers)
{
    const struct smol_config config = {.n_layers = 12};

    cr_assert_eq(smol_frozen_number(&config, 0, SMOL_ATTN_C_ATTN), 0);
    cr_assert_eq(smol_frozen_number(&config, 0, SMOL_ATTN_C_PROJ), 1);
    cr_assert_eq(smol_frozen_number(&config, 0, SMOL_MLP_C_FC), 2);
    cr_assert_eq(smol_frozen_number(&config, 0, SMOL_MLP_C_PROJ), 3);
    cr_assert_eq(smol_frozen_number(&config, 11, SMOL_ATTN_C_ATTN), 44);
    cr_assert_eq(smol_frozen_number(&config, 11, SMOL_MLP_C_PROJ), 47);
    cr_assert_eq(smol_frozen_number(&config, 0, SMOL_LN_1), 0);
    cr_assert_eq(smol_frozen_number(&config, 0, SMOL_LN_2), 2);
    cr_assert_eq(smol_frozen_number(&config, 11, SMOL_LN_2), 46);
    cr_assert_eq(smol_frozen_number(&config, 7, SMOL_LN_F), 48);
}

/* SPEC.md 5.5: ceil(d / 8) for sign, d for gauss. */
Test(frozen, planes)
{
    static const struct {
        uint32_t d, n_planes;
    } sign[] = {{1, 1}, {7, 1}, {8, 1}, {9, 2}, {16, 2}, {17, 3}, {63, 8}, {64, 8}};

    for (size_t i = 0; i < sizeof sign / sizeof *sign; i++) {
        cr_assert_eq(smol_frozen_planes(SMOL_SIGN, sign[i].d), sign[i].n_planes);
        cr_assert_eq(smol_frozen_planes(SMOL_GAUSS, sign[i].d), sign[i].d);
    }
}
