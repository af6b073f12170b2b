/* How well a model predicts a text, by several threads: every window is what a session in plain C
 * makes of it, and the sum is theirs in their order. */
#include "make_model.h"

#include <criterion/criterion.h>
#include <smol/model.h>
#include <stdlib.h>
#include <string.h>

#define MOST_TOKENS 700u

static const struct model_recipe gpt2 = {.context = 8, .wte_type = SMOL_Q8, .vocab = 256},
                                 sliding = {.context = 11,
                                            .features = SMOL_ALL_FEATURES,
                                            .source = SMOL_MATRIX_MASK,
                                            .vocab = 256};

struct opened {
    uint8_t *bytes;
    struct smol_model *model;
    char text[MOST_TOKENS];
    uint32_t tokens[MOST_TOKENS];
};

static void open(struct opened *o, const struct model_recipe *recipe)
{
    uint64_t state = 5;
    size_t size;

    o->bytes = model_make(&size, recipe);
    cr_assert_eq(smol_model_open_memory(&o->model, o->bytes, size, 1, NULL), SMOL_OK);
    test_text(o->tokens, MOST_TOKENS, 200, &state);
    for (size_t i = 0; i < MOST_TOKENS; i++)
        o->text[i] = (char)o->tokens[i];
}

static void close(struct opened *o)
{
    smol_model_close(o->model);
    free(o->bytes);
}

/* Of n tokens in windows of a session in plain C. */
static double nats_by_hand(const struct opened *o, size_t n, size_t stride)
{
    const struct smol_session_options options = {
        .struct_bytes = sizeof options, .isa = SMOL_ISA_SCALAR, .is_fixed = true};
    const struct smol_file *file = smol_model_file(o->model);
    struct smol_session *session;
    double sum = 0;
    void *memory;
    size_t size;

    cr_assert_eq(smol_session_size(&size, file, &options, NULL), SMOL_OK);
    memory = aligned_alloc(64, (size + 63) / 64 * 64);
    cr_assert_eq(smol_session_init(&session, file, &options, memory, size, NULL), SMOL_OK);
    for (size_t first = 0, done = 0; done + 1 < n; first += stride) {
        const size_t T = file->config.context, left = n - 1 - first, m = left < T ? left : T;
        double nats[16];
        smol_session_rewind(session, 0);
        cr_assert_eq(
            smol_session_score(session, nats, o->tokens + first, o->tokens + first + 1, m, NULL),
            SMOL_OK);
        for (size_t j = done - first; j < m; j++)
            sum += nats[j];
        done = first + m;
    }
    smol_session_finish(session);
    free(memory);
    return sum;
}

static void check(const struct opened *o, size_t n, uint32_t stride)
{
    const uint32_t context = smol_model_config(o->model)->context;
    const double wanted = nats_by_hand(o, n, stride ? stride : context);

    for (uint32_t n_threads = 1; n_threads <= 5; n_threads++) {
        const struct smol_session_options options = {
            .struct_bytes = sizeof options, .n_threads = n_threads, .is_fixed = true};
        struct smol_score score;
        struct smol_error error = {0};
        cr_assert_eq(smol_model_score_stride(&score, o->model, &options, stride, o->text, n, NULL,
                                             NULL, &error),
                     SMOL_OK, "%s", error.text);
        cr_assert(memcmp(&score.nats, &wanted, sizeof wanted) == 0, "%zu tokens, %u threads", n,
                  n_threads);
        cr_assert_eq(score.n_tokens, n - 1);
        cr_assert_eq(score.n_bytes, n - 1);
    }
}

/* Windows that fill the context, and a last one of one token to all of them; fewer than there are
 * threads, and more than they take at once. */
Test(score, bits_do_not_depend_on_threads)
{
    const struct model_recipe *recipes[] = {&gpt2, &sliding};

    for (size_t i = 0; i < 2; i++) {
        struct opened o;
        open(&o, recipes[i]);
        for (size_t n = 2; n < MOST_TOKENS; n += n < 60 ? 1 : 211)
            check(&o, n, 0);
        for (uint32_t stride = 1; stride <= recipes[i]->context; stride += 3)
            check(&o, 397, stride);
        close(&o);
    }
}

/* One thread each, or all for one session, if memory is limited or the options are those of a
 * program of before. */
Test(score, limits_and_older_options)
{
    struct smol_session_options options = {
        .struct_bytes = sizeof options, .n_threads = 3, .memory_bytes = 1 << 20};
    struct smol_score score;
    struct opened o;
    double wanted;

    open(&o, &gpt2);
    wanted = nats_by_hand(&o, 300, gpt2.context);
    cr_assert_eq(smol_model_score(&score, o.model, &options, o.text, 300, NULL), SMOL_OK);
    cr_assert(memcmp(&score.nats, &wanted, sizeof wanted) == 0);
    options.memory_bytes = 0;
    options.struct_bytes = offsetof(struct smol_session_options, is_fixed);
    cr_assert_eq(smol_model_score(&score, o.model, &options, o.text, 300, NULL), SMOL_OK);
    cr_assert(memcmp(&score.nats, &wanted, sizeof wanted) == 0);
    close(&o);
}

/* A token that leaves the range when it is fed, in one window among good ones. */
Test(score, a_window_that_fails)
{
    const float large = 3e38f;
    const struct smol_session_options options = {
        .struct_bytes = sizeof options, .n_threads = 3, .is_fixed = true};
    struct smol_score score = {.nats = -1};
    struct smol_error error = {0};
    struct opened o;

    open(&o, &sliding);
    memcpy((void *)(uintptr_t)(smol_model_file(o.model)->wte.data + 4 * 250 * 16), &large, 4);
    cr_assert_eq(smol_model_config(o.model)->width, 16);
    for (size_t at = 100; at < 600; at += 41) {
        const char before = o.text[at];
        o.text[at] = (char)250;
        cr_assert_eq(smol_model_score(&score, o.model, &options, o.text, MOST_TOKENS, &error),
                     SMOL_E_NUMERIC);
        cr_assert_str_eq(error.text, "the model's values overflow");
        cr_assert_eq(score.nats, -1);
        o.text[at] = before;
    }
    cr_assert_eq(smol_model_score(&score, o.model, &options, o.text, MOST_TOKENS, &error), SMOL_OK);
    cr_assert_eq(score.nats, nats_by_hand(&o, MOST_TOKENS, sliding.context));
    close(&o);
}

struct heard {
    unsigned n_calls, n_allowed;
    uint64_t n_done;
};

static bool hear(void *context, uint64_t n_done, uint64_t n_tokens)
{
    struct heard *h = context;

    cr_assert_eq(n_tokens, MOST_TOKENS - 1);
    cr_assert_eq(n_done % gpt2.context, 0);
    cr_assert(n_done < n_tokens && (h->n_calls ? n_done > h->n_done : n_done == 0));
    h->n_done = n_done;
    return ++h->n_calls <= h->n_allowed;
}

Test(score, several_threads_tell_how_far_they_are)
{
    const struct smol_session_options options = {.struct_bytes = sizeof options, .n_threads = 2};
    struct heard all = {.n_allowed = 99}, two = {.n_allowed = 2};
    struct smol_score score = {.nats = -1};
    struct opened o;

    open(&o, &gpt2);
    cr_assert_eq(
        smol_model_score_progress(&score, o.model, &options, o.text, MOST_TOKENS, hear, &two, NULL),
        SMOL_E_CANCELLED);
    cr_assert_eq(two.n_calls, 3);
    cr_assert_eq(score.nats, -1);
    cr_assert_eq(
        smol_model_score_progress(&score, o.model, &options, o.text, MOST_TOKENS, hear, &all, NULL),
        SMOL_OK);
    cr_assert(all.n_calls > 3);
    close(&o);
}
