/* Several texts in one session: each has the logits that a session of plain C alone gives it, to
 * the bit, whatever is fed beside it, by every instruction set. SPEC.md 8. */
#include "model/running.h"

#include <stdio.h>
#include <string.h>

#define N_TEXTS 6u
#define N_STEPS 16u
#define MOST_NEW 3u    /* tokens of a text in one call */
#define MOST_FIRST 27u /* that text i is fed i times before, in a long context */
#define MOST_TOKENS ((N_TEXTS - 1) * MOST_FIRST + N_STEPS * MOST_NEW)

struct setting {
    struct model_recipe recipe;
    struct smol_session_options options;
};

static const struct setting settings[] = {
    {{.features = SMOL_ALL_FEATURES,
      .source = SMOL_MATRIX_MASK,
      .context = 11,
      .width = 140,
      .n_heads = 5,
      .wte_type = SMOL_Q4_ROW,
      .output_type = SMOL_Q4_ROW},
     {.n_threads = 2}},
    {{.features = SMOL_ALL_FEATURES, .context = 5, .output_type = SMOL_F16},
     {.kv_type = SMOL_F16, .batch = 4}},
    {{.features = SMOL_FEATURE_DISTANCES, .context = 7, .wte_type = SMOL_TERNARY},
     {.kv_type = SMOL_Q8, .n_threads = 2}},
    {{.features = SMOL_ALL_FEATURES, .context = 9}, {.is_fixed = true, .kv_type = SMOL_Q8}},
    {{.wte_type = SMOL_Q8, .wpe_type = SMOL_Q8}, {.n_threads = 2, .batch = 5}},
    {{.source = SMOL_MATRIX_FASTFOOD, .dimensions = 90, .width = 33, .n_heads = 3}, {.batch = 7}},
    {{.source = SMOL_MATRIX_STORED, .value_type = SMOL_Q4, .width = 64, .n_heads = 2},
     {.kv_type = SMOL_F16, .n_threads = 3}},
    {{.rank = 3, .value_type = SMOL_F16, .vocab = 300, .wte_type = SMOL_F16}, {.batch = 1}},
    {{.features = SMOL_ALL_FEATURES, .context = 128, .width = 78, .n_heads = 6}, {.n_threads = 2}},
    {{.context = 150, .width = 102, .n_heads = 3}, {.kv_type = SMOL_F16}},
    {{.context = 150, .width = 30, .n_heads = 3}, {.kv_type = SMOL_Q8, .n_threads = 2}},
};
#define N_SETTINGS (sizeof settings / sizeof settings[0])

/* A text: what it was fed since it was empty, and a session that has it alone. */
struct text {
    struct running alone;
    uint32_t tokens[MOST_TOKENS + MOST_NEW];
    size_t n, n_fed; /* n_fed: to the session alone */
};

/* The session alone has it all. */
static const float *expected(struct text *t)
{
    cr_assert_eq(smol_session_feed(t->alone.session, t->tokens + t->n_fed, t->n - t->n_fed, NULL),
                 SMOL_OK);
    t->n_fed = t->n;
    return smol_session_logits(t->alone.session);
}

static void empty(struct text *t, struct smol_session *session, uint32_t text)
{
    smol_session_rewind(t->alone.session, 0);
    cr_assert_eq(smol_session_rewind_text(session, text, 0), 0);
    t->n = t->n_fed = 0;
}

static void copy(struct text *texts, struct smol_session *session, uint32_t to, uint32_t from)
{
    smol_session_copy_text(session, to, from);
    memcpy(texts[to].tokens, texts[from].tokens, texts[from].n * sizeof *texts[from].tokens);
    smol_session_rewind(texts[to].alone.session, 0);
    texts[to].n = texts[from].n;
    texts[to].n_fed = 0;
}

/* Tokens 0 to 2 at random: none to the first text, more to each. */
static void feed_first(struct text *texts, struct smol_session *session, uint64_t *random)
{
    for (uint32_t i = 0; i < N_TEXTS; i++) {
        uint32_t of[MOST_TOKENS];
        for (; texts[i].n < i * MOST_FIRST; texts[i].n++) {
            of[texts[i].n] = i;
            texts[i].tokens[texts[i].n] = test_random(random) % 3;
        }
        cr_assert_eq(smol_session_feed_texts(session, of, texts[i].tokens, texts[i].n, NULL),
                     SMOL_OK);
    }
}

/* A call: some of the texts, from a random one on, each with one to `most` random tokens, half of
 * them of three, so that a history has some. */
static void feed_some(struct text *texts, struct smol_session *session, uint64_t *random,
                      uint32_t most)
{
    uint32_t of[N_TEXTS * MOST_NEW], tokens[N_TEXTS * MOST_NEW], first = test_random(random);
    const uint32_t vocab = texts[0].alone.file.config.vocab,
                   context = smol_session_context(session);
    size_t n = 0;

    for (uint32_t i = 0; i < N_TEXTS; i++) {
        const uint32_t at = (first + i) % N_TEXTS, more = 1 + test_random(random) % most;
        struct text *t = &texts[at];
        if (test_random(random) % (4 * most) == 0)
            continue;
        if (!smol_session_slides(session) && t->n + more > context)
            empty(t, session, at);
        for (uint32_t k = 0; k < more; k++) {
            of[n] = at;
            tokens[n] = test_random(random) % (test_random(random) % 2 ? 3 : vocab);
            t->tokens[t->n++] = tokens[n];
            n++;
        }
    }
    cr_assert_eq(smol_session_feed_texts(session, of, tokens, n, NULL), SMOL_OK);
}

static void compare(struct text *texts, const struct smol_session *session, const char *what)
{
    for (uint32_t i = 0; i < N_TEXTS; i++) {
        const float *logits = smol_session_logits_of(session, i);
        cr_assert_eq(smol_session_position_of(session, i), texts[i].n);
        if (texts[i].n == 0)
            cr_assert_null(logits);
        else
            cr_assert_arr_eq(logits, expected(&texts[i]),
                             texts[0].alone.file.config.vocab * sizeof *logits, "%s text %u", what,
                             i);
    }
}

static void run(const struct setting *setting, enum smol_isa isa, const char *what)
{
    struct smol_session_options several = setting->options, alone;
    struct text texts[N_TEXTS] = {{.n = 0}};
    struct running r;
    uint64_t random = 5;

    model_open(&r.file, &setting->recipe);
    several.struct_bytes = sizeof several;
    alone = several;
    alone.isa = SMOL_ISA_SCALAR;
    alone.n_threads = alone.batch = 1;
    for (uint32_t i = 0; i < N_TEXTS; i++) {
        model_open(&texts[i].alone.file, &setting->recipe);
        begin_options(&texts[i].alone, &alone);
    }
    several.isa = isa;
    several.n_texts = N_TEXTS;
    begin_options(&r, &several);
    if (smol_session_context(r.session) > 100)
        feed_first(texts, r.session, &random);
    compare(texts, r.session, what);
    for (uint32_t step = 0; step < N_STEPS; step++) {
        feed_some(texts, r.session, &random, step % 2 ? 1 : MOST_NEW);
        compare(texts, r.session, what);
        if (step % 5 == 4)
            copy(texts, r.session, step % N_TEXTS, (step + 2) % N_TEXTS);
        if (step % 7 == 6)
            empty(&texts[step % N_TEXTS], r.session, step % N_TEXTS);
    }
    for (uint32_t i = 0; i < N_TEXTS; i++)
        finish(&texts[i].alone);
    finish(&r);
}

Test(texts, each_has_the_logits_that_it_has_alone)
{
    static const enum smol_isa sets[] = {SMOL_ISA_SCALAR, SMOL_ISA_AVX2, SMOL_ISA_AVX512,
                                         SMOL_ISA_NEON};

    for (size_t i = 0; i < N_SETTINGS; i++)
        for (size_t k = 0; k < 4; k++) {
            const struct smol_session_options o = {.struct_bytes = sizeof o, .isa = sets[k]};
            struct smol_file file;
            char what[32];
            size_t size;
            bool is_here;
            model_open(&file, &settings[i].recipe);
            is_here = smol_session_size(&size, &file, &o, NULL) == SMOL_OK;
            free((void *)(uintptr_t)file.bytes.data);
            snprintf(what, sizeof what, "setting %zu set %d", i, (int)sets[k]);
            if (is_here)
                run(&settings[i], sets[k], what);
        }
}

static void begin_texts(struct running *r, const struct model_recipe *recipe, uint64_t n_texts)
{
    const struct smol_session_options options = {
        .struct_bytes = sizeof options, .n_threads = 2, .n_texts = n_texts};

    model_open(&r->file, recipe);
    begin_options(r, &options);
}

/* Nothing is fed of a call that cannot be fed as a whole. */
Test(texts, a_wrong_call_changes_nothing)
{
    static const struct {
        uint32_t texts[4], tokens[4];
        size_t n;
        enum smol_status status;
    } wrong[] = {
        {{0, 3}, {1, 1}, 2, SMOL_E_ARGUMENT},
        {{0, 1, 0}, {1, 1, 1}, 3, SMOL_E_ARGUMENT},
        {{0, 1, 1, 2}, {1, 2, 3, 256}, 4, SMOL_E_TOKEN},
        {{2, 1, 1, 1}, {1, 2, 3, 4}, 4, SMOL_E_CONTEXT},
    };
    uint32_t tokens[10] = {7, 8, 9, 1, 2, 3, 4, 5, 6, 7}, ones[10];
    struct running r;

    for (uint32_t i = 0; i < 10; i++)
        ones[i] = 1;
    begin_texts(&r, &settings[4].recipe, 3);
    cr_assert_eq(smol_session_feed_texts(r.session, ones, tokens, 10, NULL), SMOL_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(
            smol_session_feed_texts(r.session, wrong[i].texts, wrong[i].tokens, wrong[i].n, NULL),
            wrong[i].status, "call %zu", i);
        for (uint32_t t = 0; t < 3; t++)
            cr_assert_eq(smol_session_position_of(r.session, t), t == 1 ? 10 : 0);
    }
    cr_assert_eq(smol_session_feed_texts(r.session, NULL, NULL, 0, NULL), SMOL_OK);
    finish(&r);
}

/* All texts of the call are where they were; the others have lost nothing. Of n texts, as few as
 * all threads work on together and as many as each takes some of. */
static void check_overflow(uint32_t n)
{
    const struct model_recipe recipe = {
        .features = SMOL_FEATURE_OUTPUT_TABLE, .width = 16, .n_heads = 2};
    const uint32_t bad = 40, of[] = {0, 1, 2, 3}, tokens[] = {4, bad, 5, 6};
    const float much = 3e38f;
    struct running r, alone;

    begin_texts(&r, &recipe, n + 1);
    memcpy((void *)(uintptr_t)(r.file.wte.data + bad * 16 * 4), &much, 4);
    for (uint32_t t = 0; t <= n; t++)
        cr_assert_eq(
            smol_session_feed_texts(r.session, (uint32_t[]){t, t}, (uint32_t[]){t + 1, 3}, 2, NULL),
            SMOL_OK);
    cr_assert_eq(smol_session_feed_texts(r.session, of, tokens, n, NULL), SMOL_E_NUMERIC);
    for (uint32_t t = 0; t <= n; t++) {
        cr_assert_eq(smol_session_position_of(r.session, t), 2);
        cr_assert_eq(smol_session_logits_of(r.session, t) != NULL, t == n);
        cr_assert_eq(smol_session_feed_texts(r.session, &t, &(uint32_t){9}, 1, NULL), SMOL_OK);
        start(&alone, &recipe, 1, 0);
        cr_assert_eq(smol_session_feed(alone.session, (uint32_t[]){t + 1, 3, 9}, 3, NULL), SMOL_OK);
        cr_assert_arr_eq(smol_session_logits_of(r.session, t), smol_session_logits(alone.session),
                         r.file.config.vocab * sizeof(float));
        finish(&alone);
    }
    finish(&r);
}

Test(texts, an_overflow_is_undone)
{
    check_overflow(3);
    check_overflow(4);
}

Test(texts, their_number_is_checked)
{
    struct smol_session_options options = {.struct_bytes = sizeof options, .n_texts = 4097};
    struct smol_file file;
    size_t size, one;

    model_open(&file, &settings[4].recipe);
    cr_assert_eq(smol_session_size(&size, &file, &options, NULL), SMOL_E_ARGUMENT);
    options.n_texts = 4096;
    cr_assert_eq(smol_session_size(&size, &file, &options, NULL), SMOL_OK);
    cr_assert_eq(smol_session_size(&one, &file, NULL, NULL), SMOL_OK);
    cr_assert_gt(size - one, 4095 * file.config.n_layers * 2 * 12 * file.config.width * 4);
    free((void *)(uintptr_t)file.bytes.data);
}
