/* The worked examples of SPEC.md, appendix B, of what versions 1.1 and 1.3 added: masks, stored
 * rows, half-shift, slopes, sets of bytes, histories, and a file of architecture 1. */
#include "spec_example.h"

#include "model/history/history.h"

#include <smol/model.h>
#include <smol/sampler.h>
#include <smol/session.h>
#include <smol/tokenizer.h>
#include <smol/weights.h>

static struct smol_frozen mask_of(char *in, struct smol_frozen_key *key)
{
    double matrix[MAX_VALUES];

    cr_assert_eq(values(matrix, in, "matrix"), 3);
    smol_frozen_key_init(key, (uint64_t)value(in, "seed"));
    return (struct smol_frozen){.key = key,
                                .tensor = (uint32_t)matrix[0],
                                .purpose = SMOL_PURPOSE_MASK,
                                .rows = (uint32_t)matrix[1],
                                .cols = (uint32_t)matrix[2]};
}

static void check_signs(const struct smol_kernels *k)
{
    static uint8_t signs[2][SMOL_ROW_BLOCK * 64];
    struct smol_frozen_key key;
    char *in = block("mask");
    const struct smol_frozen mask = mask_of(in, &key);
    const size_t row_bytes = (mask.cols + 7) / 8;
    uint8_t want[MAX_FILE];
    double row[MAX_VALUES];
    const size_t n = values(row, in, "row");

    cr_assert_eq(bytes(want, in, "sign_bytes"), n * row_bytes);
    for (uint32_t b = 0; b < 2; b++)
        smol_mask_signs(signs[b], &mask, b, 1, k->stream_bytes);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *got = signs[(size_t)row[i] / 64] + (size_t)row[i] % 64 * row_bytes;
        for (uint32_t c = 0; c < mask.cols; c++)
            cr_assert_eq(got[c / 8] >> c % 8 & 1, want[i * row_bytes + c / 8] >> c % 8 & 1,
                         "row %g, column %u", row[i], c);
    }
}

Test(spec_smol, signs_of_a_mask) { on_each(check_signs); }

static void check_mask_product(const struct smol_kernels *k)
{
    static _Alignas(64) uint8_t scratch[65536];
    static uint8_t signs[SMOL_ROW_BLOCK * 64];
    struct smol_frozen_key key;
    char *in = block("mask-product");
    const struct smol_frozen mask = mask_of(in, &key);
    float x[MAX_VALUES], y[MAX_VALUES], want_y[MAX_VALUES];
    double want[MAX_VALUES];
    uint8_t data[MAX_FILE];
    int16_t X[MAX_VALUES];
    int64_t sums[MAX_VALUES];
    const size_t n = floats(x, in, "x");

    bytes(data, in, "mask_bytes");
    smol_mask_signs(signs, &mask, 0, 1, k->stream_bytes);
    const float t = k->quantise(X, x, n);
    k->rows_mask(
        sums,
        &(struct smol_rows){.data = data, .signs = signs, .n_rows = mask.rows, .cols = mask.cols},
        X, n, 1, scratch);
    values(want, in, "N");
    for (size_t i = 0; i < mask.rows; i++)
        cr_assert_eq(sums[i], (int64_t)want[i]);
    k->scale_sums(y, sums, value(in, "sigma") * (double)t, mask.rows);
    floats(want_y, in, "y");
    same(y, want_y, mask.rows, "y");
}

Test(spec_smol, mask_product) { on_each(check_mask_product); }

Test(spec_smol, ternary)
{
    double q[MAX_VALUES];
    int8_t trits[MAX_VALUES], back[MAX_VALUES];
    uint8_t want[MAX_FILE], got[MAX_FILE];
    char *in = block("ternary");
    const size_t n = values(q, in, "q"), size = bytes(want, in, "row_bytes");

    for (size_t i = 0; i < n; i++)
        trits[i] = (int8_t)q[i];
    cr_assert_eq(smol_row_bytes(SMOL_TERNARY, (uint32_t)n), size);
    smol_encode_ternary(got, trits, n);
    cr_assert_arr_eq(got, want, size);
    smol_decode_ternary(back, want, n);
    cr_assert_arr_eq(back, trits, n);
}

/* The sum and the product of one stored row of the example. */
static void check_row(const struct smol_kernels *k, smol_rows_product *product,
                      const struct smol_rows *rows, const char *kind)
{
    static _Alignas(64) uint8_t scratch[65536];
    float x[MAX_VALUES], y, want;
    int16_t X[MAX_VALUES];
    int64_t sum;
    char key[32], *in = block("stored-products");
    const size_t n = floats(x, in, "x");
    const float t = k->quantise(X, x, n);

    cr_assert_eq((double)t, value(in, "t"));
    product(&sum, rows, X, n, 1, scratch);
    snprintf(key, sizeof key, "N_%s", kind);
    cr_assert_eq(sum, (int64_t)value(in, key));
    snprintf(key, sizeof key, "%s_scale", kind);
    k->scale_sums(&y, &sum, value(in, key) * (double)t, 1);
    snprintf(key, sizeof key, "y_%s", kind);
    want = (float)value(in, key);
    same(&y, &want, 1, key);
}

static void check_stored(const struct smol_kernels *k)
{
    uint8_t ternary[MAX_FILE], q4[MAX_FILE], multipliers[MAX_FILE];
    float x[MAX_VALUES];
    const size_t cols = floats(x, block("stored-products"), "x");

    bytes(ternary, block("stored-products"), "ternary_bytes");
    bytes(q4, block("stored-products"), "q4_bytes");
    bytes(multipliers, block("stored-products"), "multiplier_bytes");
    check_row(k, k->rows_ternary, &(struct smol_rows){.data = ternary, .n_rows = 1, .cols = cols},
              "ternary");
    check_row(
        k, k->rows_q4,
        &(struct smol_rows){.data = q4, .multipliers = multipliers, .n_rows = 1, .cols = cols},
        "q4");
}

Test(spec_smol, stored_products) { on_each(check_stored); }

Test(spec_smol, half_shift)
{
    double shifted[MAX_VALUES];
    uint8_t got[MAX_VALUES];
    struct smol_frozen_key key;
    char *in = block("half-shift");
    const size_t n = values(shifted, in, "shifted");
    const uint32_t C = (uint32_t)value(in, "width");
    size_t at = 0;

    smol_frozen_key_init(&key, (uint64_t)value(in, "seed"));
    smol_shift_channels(got, &key, (uint32_t)value(in, "tensor"), C);
    for (uint32_t c = 0; c < C; c++)
        if (got[c])
            cr_assert_eq(c, (uint32_t)shifted[at++ % n], "channel %u", c);
    cr_assert_eq(at, n);
}

static void check_attention(const struct smol_kernels *k)
{
    float q[MAX_VALUES], K[MAX_VALUES], V[MAX_VALUES], o[MAX_VALUES], want[MAX_VALUES],
        scores[MAX_VALUES];
    char *in = block("attention");
    const size_t D = floats(q, in, "Q"), n = floats(K, in, "K") / D;

    cr_assert_eq(floats(V, in, "V"), n * D);
    const struct smol_query head = {
        o, q, K, V, n, (float)value(in, "scale"), (float)value(in, "slope")};
    k->attention(&head, 1, D, D, scores, n);
    floats(want, in, "o");
    same(o, want, D, "o");
}

Test(spec_smol, attention) { on_each(check_attention); }

static void check_relu2(const struct smol_kernels *k)
{
    float x[MAX_VALUES], want[MAX_VALUES];
    char *in = block("relu2");
    const size_t n = floats(x, in, "x");

    floats(want, in, "relu2");
    k->relu2(x, n);
    same(x, want, n, "relu2");
}

Test(spec_smol, relu2) { on_each(check_relu2); }

/* ---- a history ---- */

static void check_logarithm(const struct smol_kernels *k)
{
    double x[MAX_VALUES];
    float want[MAX_VALUES], got[MAX_VALUES];
    char *in = block("logarithm");
    const size_t n = values(x, in, "x");

    floats(want, in, "log");
    k->log(got, x, n);
    same(got, want, n, "log");
}

Test(spec_smol, logarithm) { on_each(check_logarithm); }

/* The tokens, those that were chosen marked. */
static void push_example(struct history *h, char *in)
{
    double tokens[MAX_VALUES], chosen[MAX_VALUES];
    const size_t n = values(tokens, in, "tokens"), n_chosen = values(chosen, in, "chosen");

    for (size_t i = 0; i < n; i++) {
        uint32_t mark = 0;
        for (size_t k = 0; k < n_chosen; k++)
            mark = (size_t)chosen[k] == i ? SMOL_WRITTEN : mark;
        smol_history_push(h, (uint32_t)tokens[i] | mark);
    }
}

static void check_history(const struct smol_kernels *k)
{
    static _Alignas(8) uint8_t of_history[4096], of_followers[4096];
    float logits[MAX_VALUES], want[MAX_VALUES], numbers[MAX_VALUES], e[MAX_VALUES], most;
    double strengths[SMOL_HISTORY_LENGTHS], sum = 0;
    char *in = block("history");
    const size_t V = floats(logits, in, "logits");
    struct history h;
    struct followers f;

    cr_assert_leq(smol_history_bytes(64), sizeof of_history);
    smol_history_place(&h, 64, of_history);
    smol_followers_place(&f, (uint32_t)V, of_followers);
    push_example(&h, in);
    cr_assert_eq(floats(numbers, in, "numbers"), SMOL_HISTORY_LENGTHS);
    k->exp(numbers, numbers, SMOL_HISTORY_LENGTHS);
    for (unsigned i = 0; i < SMOL_HISTORY_LENGTHS; i++)
        strengths[i] = (double)numbers[i];
    most = logits[0];
    for (size_t v = 1; v < V; v++)
        most = logits[v] > most ? logits[v] : most;
    for (size_t v = 0; v < V; v++)
        e[v] = logits[v] - most;
    k->exp(e, e, V);
    for (size_t v = 0; v < V; v++)
        sum += (double)e[v];
    smol_history_count(&f, &h, k);
    smol_history_mix(logits, &f, strengths, most, sum, k);
    floats(want, in, "changed");
    same(logits, want, V, "changed");
}

Test(spec_smol, history) { on_each(check_history); }

/* ---- the file ---- */

static void open_example(struct smol_file *file, uint8_t data[MAX_FILE])
{
    struct smol_error error = {0};
    const size_t n = bytes(data, block("smol-file"), "file_bytes");

    cr_assert_eq(smol_file_parse(file, data, n, &error), SMOL_OK, "byte %llu: %s",
                 (unsigned long long)error.offset, error.text);
    cr_assert_eq(smol_file_check_hash(file, &error), SMOL_OK);
}

Test(spec_smol, file)
{
    static uint8_t data[MAX_FILE];
    struct smol_file file;
    uint8_t set[MAX_FILE];
    double conf[MAX_VALUES];
    char *in = block("smol-file");

    open_example(&file, data);
    const struct smol_config *c = &file.config;
    cr_assert_eq(values(conf, in, "conf"), 12);
    cr_assert_eq(file.minor_version, (uint16_t)value(in, "minor"));
    cr_assert_eq(c->architecture, SMOL_ARCH_SMOL);
    cr_assert_eq(c->features, (uint16_t)value(in, "features"));
    const uint64_t got[] = {c->n_layers,    c->n_heads,   c->width,     c->n_ff,
                            c->context,     c->vocab,     c->seed,      c->wte_type,
                            c->output_type, c->head_type, c->n_schemes, c->n_spans};
    for (size_t i = 0; i < 12; i++)
        cr_assert_eq(got[i], (uint64_t)conf[i], "number %zu", i);
    cr_assert_eq(file.tokenizer.size_bytes, bytes(set, in, "set_bytes"));
    cr_assert_arr_eq(file.tokenizer.data, set, file.tokenizer.size_bytes);
}

/* Ten tokens through a context of three, at once and one by one. */
Test(spec_smol, model)
{
    static _Alignas(64) uint8_t memory[1 << 20];
    static uint8_t data[MAX_FILE];
    struct smol_session *session;
    struct smol_file file;
    double tokens[MAX_VALUES];
    float logits[MAX_VALUES];
    uint32_t ids[MAX_VALUES];
    const size_t n = values(tokens, block("smol-model"), "tokens"),
                 V = floats(logits, block("smol-model"), "logits");

    open_example(&file, data);
    cr_assert(n > file.config.context && V == file.config.vocab);
    for (size_t i = 0; i < n; i++)
        ids[i] = (uint32_t)tokens[i];
    for (size_t i = 0; i < 2 * N_SETS; i++) {
        const struct smol_session_options options = {.struct_bytes = sizeof options,
                                                     .isa = sets[i / 2]};
        if (!smol_kernels_select(sets[i / 2]))
            continue;
        cr_assert_eq(smol_session_init(&session, &file, &options, memory, sizeof memory, NULL),
                     SMOL_OK);
        for (size_t t = 0; t < n; t += i % 2 ? 1 : n)
            cr_assert_eq(smol_session_feed(session, ids + t, i % 2 ? 1 : n, NULL), SMOL_OK);
        same(smol_session_logits(session), logits, V, "logit");
        smol_session_finish(session);
    }
}

/* A set of bytes as an example has it. */
static void check_set(const char *name)
{
    static uint8_t data[MAX_FILE];
    uint8_t text[MAX_FILE], back[MAX_FILE], section[MAX_FILE], place[SMOL_MAX_TOKEN_BYTES];
    double want[MAX_VALUES];
    uint32_t tokens[MAX_FILE], end = 0;
    struct smol_file file;
    size_t n, n_text, n_want;
    bool has_end;
    char *in;

    open_example(&file, data); /* with this set in place of one that is as large */
    in = block(name);
    n_text = bytes(text, in, "text_bytes");
    n_want = values(want, in, "tokens");
    has_end = value(in, "end") > 0;
    cr_assert_eq(bytes(section, in, "section_bytes"), file.tokenizer.size_bytes);
    file.tokenizer.data = section;
    file.config.vocab += has_end;
    cr_assert_eq(smol_start_token(&file), (uint32_t)value(in, "start"));
    cr_assert_eq(smol_end_token(&end, &file), has_end);
    cr_assert(!has_end || end == smol_start_token(&file));
    cr_assert_eq(smol_encode_bytes(&n, tokens, &file, text, n_text, NULL), SMOL_OK);
    cr_assert_eq(n, n_want);
    cr_assert_eq(bytes(back, in, "back_bytes"), n);
    for (size_t i = 0; i < n; i++) {
        const struct smol_span b = smol_token_bytes(place, &file, tokens[i]);
        cr_assert_eq(tokens[i], (uint32_t)want[i]);
        cr_assert(b.size_bytes == 1 && b.data[0] == back[i]);
    }
}

Test(spec_smol, byte_set) { check_set("byte-set"); }
Test(spec_smol, byte_set_with_an_end) { check_set("byte-set-end"); }
