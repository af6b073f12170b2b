/* The floating-point environment that a host program has changed nothing, and it is the host's
 * again afterwards: everything public that computes is run in each, and compared with what it gives
 * in the environment that a program starts with. The model's embeddings are subnormal. SPEC.md 7.
 */
#include "make_model.h"

#include <criterion/criterion.h>
#include <fenv.h>
#include <math.h>
#include <smol/initial.h>
#include <smol/model.h>
#include <smol/pack.h>
#include <smol/params.h>
#include <smol/primitives.h>
#include <smol/weights.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

/* ---- what a host may have set ---- */

enum host { DEFAULT, UPWARD, DOWNWARD, TOWARD_ZERO, FLUSHED, TRAPPING, N_HOSTS };

static const int roundings[N_HOSTS] = {[UPWARD] = FE_UPWARD,
                                       [DOWNWARD] = FE_DOWNWARD,
                                       [TOWARD_ZERO] = FE_TOWARDZERO,
                                       [FLUSHED] = FE_TONEAREST,
                                       [TRAPPING] = FE_TONEAREST};

#ifdef __x86_64__
static uint64_t control(void) { return _mm_getcsr(); }
static void flush_subnormals(void) { _mm_setcsr(_mm_getcsr() | 0x8040); } /* FTZ and DAZ */
static void trap(void) { _mm_setcsr(_mm_getcsr() & ~0xf80u); }            /* all but PM */
#elif defined __aarch64__
static uint64_t control(void)
{
    uint64_t fpcr;

    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
}
static void trap(void) {}
static void flush_subnormals(void)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(control() | 1u << 24)); /* FZ */
}
#else
static uint64_t control(void) { return (uint64_t)fegetround(); }
static void flush_subnormals(void) {}
static void trap(void) {}
#endif

static void become(enum host host)
{
    fesetenv(FE_DFL_ENV);
    if (host == FLUSHED)
        flush_subnormals();
    else if (host == TRAPPING)
        trap();
    else if (host != DEFAULT)
        cr_assert_eq(fesetround(roundings[host]), 0);
}

/* The environments do differ, or the test would compare nothing. */
static bool differs(void)
{
    volatile float least = 0x1p-149f, one = 1, above = 1 + 0x1p-23f, half = 0x1p-24f, sum[3];

    sum[0] = least + least;
    sum[1] = one + half;
    sum[2] = above + half;
    return !(sum[0] > 0) || sum[1] != 1 || sum[2] != 1 + 0x1p-22f;
}

/* The test's own numbers, the same in each. */
static void fill(float *values, size_t n, float scale)
{
    uint64_t random = 11;
    fenv_t host;

    fegetenv(&host);
    fesetenv(FE_DFL_ENV);
    for (size_t i = 0; i < n; i++)
        values[i] = scale * test_uniform(&random);
    fesetenv(&host);
}

/* ---- everything that computes ---- */

#define MAX_RESULT (1u << 20)

struct result {
    size_t n;
    uint8_t bytes[MAX_RESULT];
};

static uint64_t expected_control;

/* One more piece of the result; each comes after a call, which has to have left the environment
 * alone. */
static void add(struct result *r, const void *piece, size_t n, const char *what)
{
    const uint64_t now = control();

    cr_assert_eq(now, expected_control, "after %s the environment is %llx, not %llx", what,
                 (unsigned long long)now, (unsigned long long)expected_control);
    cr_assert_leq(n, sizeof r->bytes - r->n);
    memcpy(r->bytes + r->n, piece, n);
    r->n += n;
}

static void add_session(struct result *r, const struct smol_file *file, uint32_t n_threads,
                        enum smol_dtype kv_type, enum host maker)
{
    const struct smol_session_options options = {
        .struct_bytes = sizeof options, .n_threads = n_threads, .kv_type = kv_type};
    static const uint32_t tokens[] = {7, 200, 31, 9}, targets[] = {200, 31, 9, 4};
    const uint64_t kept = expected_control;
    struct smol_session *session;
    double nats[4];
    fenv_t host;
    size_t size;
    void *memory;

    fegetenv(&host);
    become(maker); /* the threads begin with this one */
    expected_control = control();
    cr_assert_eq(smol_session_size(&size, file, &options, NULL), SMOL_OK);
    memory = aligned_alloc(64, (size + 63) / 64 * 64);
    cr_assert_eq(smol_session_init(&session, file, &options, memory, size, NULL), SMOL_OK);
    add(r, &size, sizeof size, "smol_session_init");
    fesetenv(&host);
    expected_control = kept;
    cr_assert_eq(smol_session_feed(session, tokens, 4, NULL), SMOL_OK);
    add(r, smol_session_logits(session), file->config.vocab * sizeof(float), "smol_session_feed");
    cr_assert_eq(smol_session_score(session, nats, tokens, targets, 4, NULL), SMOL_OK);
    add(r, nats, sizeof nats, "smol_session_score");
    smol_session_finish(session);
    free(memory);
}

/* A temperature that is a subnormal float is no 0. */
static void add_sampler(struct result *r, float temperature)
{
    struct smol_sampler_options options;
    struct smol_sampler *sampler;
    float logits[300];
    uint32_t token;
    size_t size;
    void *memory;

    smol_sampler_defaults(&options, sizeof options);
    options.temperature = temperature;
    options.repeat_penalty = 1.1f;
    options.top_k = 0;
    fill(logits, 300, 1);
    cr_assert_eq(smol_sampler_size(&size, 300, &options, NULL), SMOL_OK);
    add(r, &size, sizeof size, "smol_sampler_size");
    memory = aligned_alloc(64, (size + 63) / 64 * 64);
    cr_assert_eq(smol_sampler_init(&sampler, 300, &options, memory, size, NULL), SMOL_OK);
    add(r, &size, sizeof size, "smol_sampler_init");
    for (unsigned i = 0; i < 40; i++) {
        cr_assert_eq(smol_sampler_pick(&token, sampler, logits, NULL), SMOL_OK);
        add(r, &token, sizeof token, "smol_sampler_pick");
    }
    free(memory);
}

static void add_model(struct result *r, const uint8_t *bytes, size_t size)
{
    const struct smol_session_options options = {.struct_bytes = sizeof options, .n_threads = 2};
    struct smol_model *model;
    struct smol_text *text;
    struct smol_score score;
    uint32_t token;

    cr_assert_eq(smol_model_open_memory(&model, bytes, size, 1, NULL), SMOL_OK);
    cr_assert_eq(smol_text_create(&text, model, &options, NULL, NULL), SMOL_OK);
    cr_assert_eq(smol_text_append_bytes(text, "abc", 3, NULL), SMOL_OK);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(smol_text_next(&token, text, NULL), SMOL_OK);
        add(r, &token, sizeof token, "smol_text_next");
    }
    cr_assert_eq(smol_model_score(&score, model, &options, "a little text", 13, NULL), SMOL_OK);
    add(r, &score.nats, sizeof score.nats, "smol_model_score");
    add(r, &score.perplexity, sizeof score.perplexity, "smol_model_score");
    smol_text_destroy(text);
    smol_model_close(model);
}

/* A text of half a byte a character, or less. */
static void add_packed(struct result *r)
{
    static const struct model_recipe recipe = {.source = SMOL_MATRIX_OWN,
                                               .vocab = 17,
                                               .has_set = true,
                                               .has_end = true,
                                               .embedding_scale = 0.1f};
    struct smol_model *model;
    struct smol_file file;
    uint8_t text[30], packed[SMOL_PACKED_BOUND(sizeof text)];
    size_t n;
    fenv_t host;

    fegetenv(&host);
    fesetenv(FE_DFL_ENV);
    model_open(&file, &recipe);
    fesetenv(&host);
    cr_assert_eq(smol_model_open_file(&model, &file, NULL), SMOL_OK);
    for (uint32_t i = 0; i < sizeof text; i++)
        text[i] = model_byte(i * i % 16);
    cr_assert_eq(smol_pack(&n, packed, model, NULL, text, sizeof text, NULL), SMOL_OK);
    cr_assert_lt(n, 25);
    add(r, packed, n, "smol_pack");
    cr_assert_eq(smol_unpack(&n, text, sizeof text, model, NULL, packed, n, NULL), SMOL_OK);
    add(r, text, n, "smol_unpack");
    smol_model_close(model);
    free((void *)(uintptr_t)file.bytes.data);
}

static void add_weights(struct result *r, const struct smol_file *file)
{
    const uint32_t n = smol_tensor_count(&file->config);

    for (uint32_t i = 0; i < n; i++) {
        struct smol_tensor t;
        double *values;
        void *scratch;
        size_t size;

        smol_tensor_at(&t, &file->config, i);
        size = smol_tensor_scratch_bytes(file, &t);
        scratch = aligned_alloc(64, (size + 63) / 64 * 64);
        values = calloc((size_t)t.rows * t.cols, sizeof *values);
        cr_assert_eq(smol_tensor_read(values, file, &t, 0, t.rows, scratch, NULL), SMOL_OK);
        add(r, values, (size_t)t.rows * t.cols * sizeof *values, "smol_tensor_read");
        free(values);
        free(scratch);
    }
}

static void add_initial(struct result *r, const struct smol_config *of)
{
    const struct smol_scheme matrix = {.kind = SMOL_MATRIX, .source = SMOL_MATRIX_OWN, .d = 3},
                             norm = {.kind = SMOL_NORM};
    struct smol_config config = *of;
    float values[16 * 12];
    uint8_t mask[48 * 2];
    uint32_t n;

    smol_config_fill(&config, &matrix, &norm, 0.7);
    add(r, &config.schemes[0].sigma, sizeof(float), "smol_config_fill");
    add(r, &config.schemes[2].sigma, sizeof(float), "smol_config_fill");
    smol_initial_wte(values, of, 0.02, 3, 12);
    add(r, values, sizeof values, "smol_initial_wte");
    smol_initial_wpe(values, of, 1e-39, 0, 12);
    add(r, values, sizeof values, "smol_initial_wpe");
    smol_initial_factor(values, of, 1, SMOL_ATTN_C_ATTN, 5);
    add(r, values, sizeof(float) * 5 * 16, "smol_initial_factor");
    smol_initial_output(values, of, 0.02, 3, 12);
    add(r, values, sizeof values, "smol_initial_output");
    smol_initial_mask(mask, of, 1, SMOL_ATTN_C_ATTN);
    add(r, mask, sizeof mask, "smol_initial_mask");
    n = smol_sparse_parameters(0.02, 75);
    add(r, &n, sizeof n, "smol_sparse_parameters");
}

/* Numbers in the encoding of files, subnormal ones too. */
static void add_numbers(struct result *r, float scale)
{
    uint8_t bytes[300] = {0}, multipliers[8] = {0};
    float values[64], row_scale;

    fill(values, 64, scale);
    smol_encode_numbers(bytes, SMOL_F16, values, 64);
    add(r, bytes, 128, "smol_encode_numbers");
    smol_encode_numbers(bytes, SMOL_Q8_BLOCKS, values, 64);
    add(r, bytes, SMOL_Q8_BLOCK_BYTES, "smol_encode_numbers");
    smol_decode_numbers(values, SMOL_Q8_BLOCKS, bytes, 64);
    add(r, values, sizeof values, "smol_decode_numbers");
    row_scale = smol_encode_q8(bytes, values, 64);
    add(r, &row_scale, sizeof row_scale, "smol_encode_q8");
    add(r, bytes, 64, "smol_encode_q8");
    row_scale = smol_encode_q4(bytes, multipliers, values, 64);
    add(r, &row_scale, sizeof row_scale, "smol_encode_q4");
    add(r, bytes, 32, "smol_encode_q4");
    row_scale = smol_q4_row_scale(values, 64);
    add(r, &row_scale, sizeof row_scale, "smol_q4_row_scale");
    *multipliers = smol_encode_q4_row(bytes, row_scale, values, 64);
    add(r, multipliers, 1, "smol_encode_q4_row");
    add(r, bytes, 32, "smol_encode_q4_row");
}

static void add_primitives(struct result *r)
{
    static const double alpha[3] = {0.3, -0.2, 1e-39};
    int16_t table[256 * 3], X[20];
    float x[20], y[20], one;
    double two, draws[5];

    fill(x, 20, 1);
    x[3] = 0x1p-140f;
    memset(table, 0, sizeof table);
    two = smol_primitive_table(table, SMOL_GAUSS, alpha, 3);
    add(r, &two, sizeof two, "smol_primitive_table");
    add(r, table, sizeof table, "smol_primitive_table");
    for (unsigned i = 0; i < 20; i++) {
        one = smol_primitive_exp(x[i]);
        add(r, &one, sizeof one, "smol_primitive_exp");
        one = smol_primitive_gelu(x[i]);
        add(r, &one, sizeof one, "smol_primitive_gelu");
    }
    one = smol_primitive_quantise(X, x, 20);
    add(r, &one, sizeof one, "smol_primitive_quantise");
    add(r, X, sizeof X, "smol_primitive_quantise");
    smol_primitive_layernorm(y, x, 1e-5f, 20);
    add(r, y, sizeof y, "smol_primitive_layernorm");
    one = smol_primitive_dot(x, x, 20);
    add(r, &one, sizeof one, "smol_primitive_dot");
    smol_primitive_draws(draws, 4, 5);
    add(r, draws, sizeof draws, "smol_primitive_draws");
}

static const struct model_recipe recipes[] = {
    {.source = SMOL_MATRIX_OWN, .rank = 3, .norms = SMOL_NORM_OWN, .embedding_scale = 1e-39f},
    {.source = SMOL_MATRIX_FASTFOOD,
     .dimensions = 90,
     .value_type = SMOL_Q8_BLOCKS,
     .terms = SMOL_TERM_GAINS,
     .wte_type = SMOL_Q8},
    {.features = SMOL_ALL_FEATURES,
     .source = SMOL_MATRIX_MASK,
     .head_type = SMOL_F16,
     .terms = SMOL_TERM_GAINS,
     .output_type = SMOL_Q4,
     .context = 5},
    {.features = SMOL_FEATURE_DISTANCES | SMOL_FEATURE_HALF_SHIFT | SMOL_FEATURE_RELU2,
     .source = SMOL_MATRIX_STORED,
     .alpha_type = SMOL_TERNARY,
     .embedding_scale = 1e-39f},
};

/* A number that is none is refused, whatever the host does with such. */
static void add_refusals(struct result *r, const struct smol_config *of)
{
    struct smol_config config = *of;
    enum smol_status status;

    config.logit_scale = NAN;
    status = smol_config_check(&config, NULL);
    cr_assert_eq(status, SMOL_E_RANGE);
    add(r, &status, sizeof status, "smol_config_check");
}

static void add_everything(struct result *r, enum host maker)
{
    for (unsigned i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        struct smol_file file;
        fenv_t host;

        fegetenv(&host); /* the test's own numbers do not depend on the host's */
        fesetenv(FE_DFL_ENV);
        model_open(&file, &recipes[i]);
        fesetenv(&host);
        add_session(r, &file, 1, SMOL_F32, maker);
        add_session(r, &file, 3, SMOL_F32, maker);
        add_session(r, &file, 2, SMOL_Q8, maker);
        add_model(r, file.bytes.data, file.bytes.size_bytes);
        add_weights(r, &file);
        add_initial(r, &file.config);
        add_refusals(r, &file.config);
        free((void *)(uintptr_t)file.bytes.data);
    }
    add_sampler(r, 0.8f);
    add_sampler(r, 0);
    add_sampler(r, 1e-40f);
    add_numbers(r, 1);
    add_numbers(r, 1e-38f);
    add_primitives(r);
    add_packed(r);
}

static void compare(enum host host, enum host maker)
{
    static struct result wanted, got;

    wanted.n = got.n = 0;
    become(DEFAULT);
    cr_assert(!differs());
    expected_control = control(); /* with the flags that differs() raised */
    add_everything(&wanted, DEFAULT);
    become(host);
    if (host != DEFAULT && host != TRAPPING && !differs())
        cr_skip_test("this processor has no such environment");
    expected_control = control();
    add_everything(&got, maker);
    fesetenv(FE_DFL_ENV);
    cr_assert_eq(got.n, wanted.n);
    for (size_t i = 0; i < got.n; i++)
        cr_assert_eq(got.bytes[i], wanted.bytes[i], "byte %zu of %zu of the results", i, got.n);
}

Test(fpenv, upward) { compare(UPWARD, UPWARD); }

Test(fpenv, downward) { compare(DOWNWARD, DOWNWARD); }

Test(fpenv, toward_zero) { compare(TOWARD_ZERO, TOWARD_ZERO); }

Test(fpenv, subnormals_flushed) { compare(FLUSHED, FLUSHED); }

Test(fpenv, trapping) { compare(TRAPPING, TRAPPING); }

/* Threads that began in another one than that of the caller later. */
Test(fpenv, threads_of_another_time)
{
    compare(DEFAULT, UPWARD);
    compare(FLUSHED, UPWARD);
    compare(UPWARD, FLUSHED);
}
