/* The worked examples of SPEC.md, appendix B, bit for bit, on every instruction set that this
 * machine has. Those of version 1.1 are in test_spec_smol.c. */
#include "spec_example.h"

#include <math.h>
#include <smol/initial.h>
#include <smol/primitives.h>
#include <smol/sampler.h>
#include <smol/session.h>
#include <smol/tokenizer.h>

Test(spec, f16)
{
    float x[MAX_VALUES];
    double bits[MAX_VALUES];
    char *in = block("f16");
    const size_t n = floats(x, in, "x");

    cr_assert_eq(values(bits, in, "bits"), n);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(smol_f32_to_f16(x[i]), (uint16_t)bits[i]);
}

Test(spec, q8)
{
    float x[MAX_VALUES];
    double q[MAX_VALUES];
    uint8_t got[MAX_VALUES];
    char *in = block("q8");
    const size_t n = floats(x, in, "x");

    values(q, in, "q");
    cr_assert_eq((double)smol_encode_q8(got, x, n), value(in, "scale"));
    for (size_t i = 0; i < n; i++)
        cr_assert_eq((int8_t)got[i], (int)q[i]);
}

Test(spec, q8_blocks)
{
    float x[MAX_VALUES], back[MAX_VALUES], x8[MAX_VALUES];
    double q[MAX_VALUES], scales[MAX_VALUES];
    uint8_t got[2 * MAX_VALUES];
    char *in = block("q8-blocks");
    const size_t n = floats(x, in, "x"), n_blocks = values(scales, in, "scales");

    values(q, in, "q");
    floats(x8, in, "x8");
    cr_assert(n == 66 && n_blocks == 2);
    smol_encode_numbers(got, SMOL_Q8_BLOCKS, x, n);
    for (size_t b = 0; b < n_blocks; b++)
        cr_assert_eq(smol_le16(got + 66 * b), (uint16_t)scales[b]);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq((int8_t)got[66 * (i / 64) + 2 + i % 64], (int)q[i]);
    smol_decode_numbers(back, SMOL_Q8_BLOCKS, got, n);
    cr_assert_arr_eq(back, x8, n * sizeof *back);
}

Test(spec, q4)
{
    float x[MAX_VALUES];
    double q[MAX_VALUES], multipliers[MAX_VALUES];
    uint8_t got[MAX_VALUES], got_multipliers[MAX_VALUES];
    char *in = block("q4");
    const size_t n = floats(x, in, "x");

    values(q, in, "q");
    cr_assert_eq((double)smol_encode_q4(got, got_multipliers, x, n), value(in, "scale"));
    for (size_t i = 0; i < values(multipliers, in, "multipliers"); i++)
        cr_assert_eq(got_multipliers[i], (int)multipliers[i]);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(smol_q4(got, i), (int)q[i]);
}

Test(spec, q4_row)
{
    float x[MAX_VALUES], scale = 0;
    double q[MAX_VALUES], multipliers[MAX_VALUES];
    uint8_t want[MAX_FILE], row[MAX_VALUES];
    char *in = block("q4-row");
    const size_t n = floats(x, in, "x"), cols = (size_t)value(in, "width"), n_rows = n / cols,
                 row_bytes = smol_row_bytes(SMOL_Q4_ROW, (uint32_t)cols);

    cr_assert_eq(values(q, in, "q"), n);
    cr_assert_eq(values(multipliers, in, "multipliers"), n_rows);
    cr_assert_eq(bytes(want, in, "table_bytes"), 4 + n_rows + n_rows * row_bytes);
    for (size_t r = 0; r < n_rows; r++)
        scale = fmaxf(scale, smol_q4_row_scale(x + r * cols, cols));
    cr_assert_eq((double)scale, value(in, "scale"));
    cr_assert_eq(smol_load_f32(want), scale);
    for (size_t r = 0; r < n_rows; r++) {
        cr_assert_eq(smol_encode_q4_row(row, scale, x + r * cols, cols), (int)multipliers[r]);
        cr_assert_eq(want[4 + r], (int)multipliers[r]);
        cr_assert_arr_eq(row, want + 4 + n_rows + r * row_bytes, row_bytes);
        for (size_t c = 0; c < cols; c++)
            cr_assert_eq(smol_q4_row(row, row_bytes, c), (int)q[r * cols + c]);
    }
}

static void check_quantisation(const struct smol_kernels *k)
{
    float x[MAX_VALUES];
    double X[MAX_VALUES];
    int16_t got[MAX_VALUES];
    char *in = block("quantisation");
    const size_t n = floats(x, in, "x");

    values(X, in, "X");
    cr_assert_eq((double)k->quantise(got, x, n), value(in, "t"));
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(got[i], (int)X[i]);
}

Test(spec, quantisation) { on_each(check_quantisation); }

static void check_functions(const struct smol_kernels *k)
{
    float x[MAX_VALUES], want[MAX_VALUES], got[MAX_VALUES];
    char *in = block("exp-and-gelu");
    const size_t n = floats(x, in, "x");

    floats(want, in, "exp");
    k->exp(got, x, n);
    same(got, want, n, "exp");
    floats(want, in, "gelu");
    k->gelu(x, n);
    same(x, want, n, "gelu");
}

Test(spec, exp_and_gelu) { on_each(check_functions); }

static void check_dot(const struct smol_kernels *k)
{
    static const char *const names[] = {"lanes", "one-rounding"};

    for (size_t i = 0; i < 2; i++) {
        float x[MAX_VALUES], y[MAX_VALUES], want[MAX_VALUES], got;
        uint8_t row[4 * MAX_VALUES];
        char *in = block(names[i]);
        const size_t n = floats(x, in, "x");
        cr_assert_eq(floats(y, in, "y"), n);
        floats(want, in, "dot16");
        smol_encode_numbers(row, SMOL_F32, x, n);
        got = k->dot_f32(row, y, n);
        same(&got, want, 1, names[i]);
    }
}

Test(spec, dot16) { on_each(check_dot); }

static void check_layernorm(const struct smol_kernels *k)
{
    float x[MAX_VALUES], gain[MAX_VALUES], bias[MAX_VALUES], want[MAX_VALUES], got[MAX_VALUES];
    char *in = block("layernorm");
    const size_t n = floats(x, in, "x");
    const float epsilon = (float)value(in, "epsilon");

    floats(gain, in, "gain");
    floats(bias, in, "bias");
    floats(want, in, "z");
    k->layernorm(got, x, NULL, NULL, epsilon, n);
    same(got, want, n, "z");
    floats(want, in, "out");
    k->layernorm(got, x, gain, bias, epsilon, n);
    same(got, want, n, "out");
}

Test(spec, layernorm) { on_each(check_layernorm); }

/* Of the matrix of the example, w, s, t, X and N; the model below has the rest of the product. */
static void check_product(const struct smol_kernels *k)
{
    double alpha[MAX_VALUES], matrix[MAX_VALUES], want[MAX_VALUES];
    float x[MAX_VALUES];
    int16_t table[2 * SMOL_TABLE_ENTRIES], w[MAX_VALUES], X[MAX_VALUES];
    _Alignas(64) uint8_t scratch[4096];
    int64_t sums[SMOL_ROW_BLOCK];
    struct smol_frozen_key key;
    struct smol_frozen f = {.key = &key, .table = table};
    char *in = block("exact-product");
    const size_t d = values(alpha, in, "alpha"), n = floats(x, in, "x");

    cr_assert_eq(values(matrix, in, "matrix"), 5);
    smol_frozen_key_init(&key, (uint64_t)value(in, "seed"));
    f.tensor = (uint32_t)matrix[0];
    f.purpose = (enum smol_purpose)matrix[1];
    f.rows = (uint32_t)matrix[2];
    f.cols = (uint32_t)matrix[3];
    f.n_planes = smol_frozen_planes((enum smol_dist)matrix[4], (uint32_t)d);
    cr_assert_eq(smol_frozen_table(table, (enum smol_dist)matrix[4], alpha, (uint32_t)d),
                 value(in, "s"));
    smol_frozen_weights(w, &f, 0, f.rows);
    values(want, in, "w");
    for (size_t i = 0; i < (size_t)f.rows * f.cols; i++)
        cr_assert_eq(w[i], (int)want[i]);
    cr_assert_eq((double)k->quantise(X, x, n), value(in, "t"));
    k->frozen(sums, &f, 0, 1, X, n, 1, scratch);
    values(want, in, "N");
    for (size_t i = 0; i < f.rows; i++)
        cr_assert_eq(sums[i], (int64_t)want[i]);
}

Test(spec, exact_product) { on_each(check_product); }

static void check_approximate_product(const struct smol_kernels *k)
{
    double alpha[MAX_VALUES], matrix[MAX_VALUES], want[MAX_VALUES], x[MAX_VALUES];
    static _Alignas(64) uint8_t scratch[65536];
    int16_t X[MAX_VALUES], table[SMOL_MAX_PLANES * SMOL_TABLE_ENTRIES];
    int64_t sums[SMOL_ROW_BLOCK];
    struct smol_frozen_key key;
    struct smol_frozen f = {.key = &key, .table = table};
    char *in = block("approximate-product");
    const size_t d = values(alpha, in, "alpha"), n = values(x, in, "X");

    cr_assert_eq(values(matrix, in, "matrix"), 5);
    smol_frozen_key_init(&key, (uint64_t)value(in, "seed"));
    f.tensor = (uint32_t)matrix[0];
    f.purpose = (enum smol_purpose)matrix[1];
    f.rows = (uint32_t)matrix[2];
    f.cols = (uint32_t)matrix[3];
    f.n_planes = smol_frozen_planes((enum smol_dist)matrix[4], (uint32_t)d);
    smol_frozen_table(table, (enum smol_dist)matrix[4], alpha, (uint32_t)d);
    for (size_t i = 0; i < n; i++)
        X[i] = (int16_t)x[i];
    k->frozen_fast(sums, &f, 0, 1, X, n, 1, scratch);
    values(want, in, "N");
    for (size_t i = 0; i < f.rows; i++)
        cr_assert_eq(sums[i], (int64_t)want[i]);
}

Test(spec, approximate_product) { on_each(check_approximate_product); }

static void open_example(struct smol_file *file, uint8_t data[MAX_FILE])
{
    struct smol_error error = {0};
    const size_t n = bytes(data, block("file"), "file_bytes");

    cr_assert_eq(smol_file_parse(file, data, n, &error), SMOL_OK, "byte %llu: %s",
                 (unsigned long long)error.offset, error.text);
    cr_assert_eq(smol_file_check_hash(file, &error), SMOL_OK);
    cr_assert(file->is_signed);
    cr_assert_eq(smol_file_check_signature(file, &error), SMOL_OK);
}

/* The logits after the last token of the model example. */
Test(spec, model)
{
    _Alignas(64) static uint8_t memory[1 << 20];
    static uint8_t data[MAX_FILE];
    struct smol_session *session;
    struct smol_file file;
    double tokens[MAX_VALUES];
    float logits[MAX_VALUES];
    uint32_t ids[MAX_VALUES];

    open_example(&file, data);
    for (size_t i = 0; i < N_SETS; i++) {
        const struct smol_session_options options = {.struct_bytes = sizeof options,
                                                     .isa = sets[i]};
        char *in = block("model");
        const size_t n = values(tokens, in, "tokens"), V = floats(logits, in, "logits");
        if (!smol_kernels_select(sets[i]))
            continue;
        for (size_t t = 0; t < n; t++)
            ids[t] = (uint32_t)tokens[t];
        cr_assert_eq(V, file.config.vocab);
        cr_assert_eq(smol_session_init(&session, &file, &options, memory, sizeof memory, NULL),
                     SMOL_OK);
        cr_assert_eq(smol_session_feed(session, ids, n, NULL), SMOL_OK);
        same(smol_session_logits(session), logits, V, "logit");
        smol_session_finish(session);
    }
}

Test(spec, draws)
{
    double want[MAX_VALUES], got[MAX_VALUES];
    char *in = block("draws");
    const size_t n = values(want, in, "number");

    smol_primitive_draws(got, (uint64_t)value(in, "seed"), n);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(got[i], want[i]);
}

Test(spec, pick)
{
    _Alignas(64) static uint8_t memory[1 << 16];
    float logits[MAX_VALUES];
    double text[MAX_VALUES], picks[MAX_VALUES];
    struct smol_sampler *sampler;
    char *in = block("pick");
    const struct smol_sampler_options o = {
        .struct_bytes = sizeof o,
        .seed = (uint64_t)value(in, "seed"),
        .temperature = (float)value(in, "temperature"),
        .top_k = (uint32_t)value(in, "top_k"),
        .top_p = value(in, "top_p"),
        .min_p = (float)value(in, "min_p"),
        .repeat_penalty = (float)value(in, "penalty"),
        .repeat_last_n = (int32_t)value(in, "last_n"),
    };
    const size_t V = floats(logits, in, "logits"), n_text = values(text, in, "text"),
                 n = values(picks, in, "picks");

    /* Each pick is from the same text, with the next draw: a new sampler for each, as many draws
     * on. */
    for (size_t i = 0; i < n; i++) {
        uint32_t token = 0;
        cr_assert_eq(smol_sampler_init(&sampler, (uint32_t)V, &o, memory, sizeof memory, NULL),
                     SMOL_OK);
        for (size_t skipped = 0; skipped < i; skipped++)
            smol_sampler_pick(&token, sampler, logits, NULL);
        for (size_t j = 0; j < n_text; j++)
            smol_sampler_accept(sampler, (uint32_t)text[j]);
        cr_assert_eq(smol_sampler_pick(&token, sampler, logits, NULL), SMOL_OK);
        cr_assert_eq(token, (uint32_t)picks[i], "pick %zu: %u, expected %u", i, token,
                     (unsigned)picks[i]);
    }
}

Test(spec, tokenizer)
{
    uint8_t section[MAX_FILE], special[MAX_FILE], counted[MAX_FILE + 1], text[MAX_FILE], *file;
    double numbers[MAX_VALUES], want[MAX_VALUES];
    struct smol_merge merges[MAX_VALUES / 2];
    uint32_t tokens[MAX_FILE];
    struct smol_encoder *encoder;
    struct smol_file tokenizer;
    char *in = block("tokenizer");
    const size_t n_numbers = values(numbers, in, "merges"), n_want = values(want, in, "tokens");
    const size_t n_section = bytes(section, in, "section_bytes"),
                 n_text = bytes(text, in, "text_bytes");
    const size_t n_special = bytes(special, in, "special_bytes");
    size_t size, n;

    for (size_t i = 0; i < n_numbers / 2; i++)
        merges[i] = (struct smol_merge){(uint32_t)numbers[2 * i], (uint32_t)numbers[2 * i + 1]};
    counted[0] = (uint8_t)n_special;
    memcpy(counted + 1, special, n_special);
    const struct smol_tokenizer_parts parts = {merges,
                                               (uint32_t)(n_numbers / 2),
                                               {counted, n_special + 1},
                                               1,
                                               (uint32_t)value(in, "before")};
    cr_assert_eq(smol_tokenizer_write(&file, &size, &parts, NULL), SMOL_OK);
    cr_assert_eq(size, n_section + 16);
    cr_assert_arr_eq(file + 16, section, n_section);
    cr_assert_eq(smol_tokenizer_parse(&tokenizer, file, size, NULL), SMOL_OK);
    cr_assert_eq(smol_encoder_create(&encoder, &tokenizer, NULL), SMOL_OK);
    cr_assert_eq(smol_encode(&n, tokens, encoder, text, n_text, NULL), SMOL_OK);
    cr_assert_eq(n, n_want);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(tokens[i], (uint32_t)want[i], "token %zu: %u", i, tokens[i]);
    smol_encoder_destroy(encoder);
    free(file);
}
