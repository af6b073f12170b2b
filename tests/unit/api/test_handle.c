/* A model behind one handle and texts that grow: what is fed when the context is full, failures
 * that leave the text as it was, and files that are refused. The expected tokens come from sessions
 * that are fed by hand. */
#include "make_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <smol/io.h>
#include <smol/model.h>
#include <smol/tokenizer.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT 8u
#define N_NEW 21u

static const struct model_recipe recipe = {.context = CONTEXT, .wte_type = SMOL_Q8};
static const struct smol_sampler_options greedy = {
    .struct_bytes = sizeof greedy, .top_p = 1, .repeat_penalty = 1};

static struct smol_model *open_recipe(uint8_t **bytes, size_t *size)
{
    struct smol_model *model;
    struct smol_error error = {0};

    *bytes = model_make(size, &recipe);
    cr_assert_eq(smol_model_open_memory(&model, *bytes, *size, 2, &error), SMOL_OK, "%s",
                 error.text);
    return model;
}

static struct smol_text *begin(const struct smol_model *model,
                               const struct smol_sampler_options *sampler)
{
    struct smol_text *text;
    struct smol_error error = {0};

    cr_assert_eq(smol_text_create(&text, model, NULL, sampler, &error), SMOL_OK, "%s", error.text);
    return text;
}

/* The most likely token after n tokens in a session of their own. */
static uint32_t best_after(const struct smol_file *file, const uint32_t *tokens, size_t n)
{
    const struct smol_session_options options = {.struct_bytes = sizeof options, .n_threads = 1};
    struct smol_session *session;
    const float *logits;
    uint32_t best = 0;
    size_t size;
    void *memory;

    cr_assert_eq(smol_session_size(&size, file, &options, NULL), SMOL_OK);
    memory = aligned_alloc(64, (size + 63) / 64 * 64);
    cr_assert_eq(smol_session_init(&session, file, &options, memory, size, NULL), SMOL_OK);
    cr_assert_eq(smol_session_feed(session, tokens, n, NULL), SMOL_OK);
    logits = smol_session_logits(session);
    for (uint32_t v = 1; v < file->config.vocab; v++)
        best = logits[v] > logits[best] ? v : best;
    smol_session_finish(session);
    free(memory);
    return best;
}

Test(handle, a_text_outgrows_its_context)
{
    uint8_t *bytes;
    size_t size;
    struct smol_model *model = open_recipe(&bytes, &size);
    struct smol_text *text = begin(model, &greedy);
    uint32_t tokens[3 + N_NEW] = {5, 17, 101}, token;
    size_t first = 0; /* of the tokens that the context holds */

    cr_assert_null(smol_text_logits(text));
    cr_assert_eq(smol_text_append(text, tokens, 3, NULL), SMOL_OK);
    for (size_t n = 3; n < 3 + N_NEW; n++) {
        cr_assert_eq(smol_text_is_full(text), n - first > CONTEXT);
        if (n - first > CONTEXT)
            first = n - CONTEXT / 2;
        tokens[n] = best_after(smol_model_file(model), tokens + first, n - first);
        cr_assert_eq(smol_text_next(&token, text, NULL), SMOL_OK);
        cr_assert_eq(token, tokens[n], "token %zu", n);
    }
    cr_assert_eq(smol_text_count(text), 3 + N_NEW);
    cr_assert_arr_eq(smol_text_tokens(text), tokens, sizeof tokens);
    smol_text_destroy(text);
    smol_model_close(model);
    free(bytes);
}

Test(handle, what_cannot_be_fed_is_gone)
{
    uint8_t *bytes;
    size_t size;
    struct smol_model *model = open_recipe(&bytes, &size);
    struct smol_text *text = begin(model, &greedy);
    const uint32_t good[4] = {1, 2, 3, 4}, bad[1] = {1u << 30}, many[CONTEXT + 1] = {0};
    uint32_t token = 77, five[5];
    struct smol_error error;

    cr_assert_eq(smol_text_next(&token, text, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_text_append(text, good, 4, NULL), SMOL_OK);
    cr_assert_eq(smol_text_feed(text, &error), SMOL_OK);
    cr_assert_eq(smol_text_append(text, bad, 1, NULL), SMOL_OK);
    cr_assert_eq(smol_text_feed(text, &error), SMOL_E_TOKEN);
    cr_assert_eq(smol_text_append(text, many, CONTEXT + 1, NULL), SMOL_OK);
    cr_assert_eq(smol_text_next(&token, text, &error), SMOL_E_CONTEXT);
    cr_assert_eq(token, 77);
    cr_assert_eq(smol_text_count(text), 4);
    cr_assert_eq(smol_text_next(&token, text, &error), SMOL_OK);
    cr_assert_eq(token, best_after(smol_model_file(model), good, 4));
    /* A picked token, though not computed yet, is not among what is gone. */
    memcpy(five, good, sizeof good);
    five[4] = token;
    cr_assert_eq(smol_text_append(text, bad, 1, NULL), SMOL_OK);
    cr_assert_eq(smol_text_feed(text, &error), SMOL_E_TOKEN);
    cr_assert_eq(smol_text_count(text), 5);
    cr_assert_eq(smol_text_next(&token, text, &error), SMOL_OK);
    cr_assert_eq(token, best_after(smol_model_file(model), five, 5));
    smol_text_destroy(text);
    smol_text_destroy(NULL);
    smol_model_close(model);
    free(bytes);
}

Test(handle, facts_are_the_files)
{
    uint8_t *bytes;
    size_t size;
    struct smol_model *model = open_recipe(&bytes, &size);
    const struct smol_config *c = smol_model_config(model);
    struct smol_model_facts facts;

    smol_model_describe(&facts, sizeof facts, model);
    cr_assert_eq(facts.context, CONTEXT);
    cr_assert_eq(facts.n_layers, c->n_layers);
    cr_assert_eq(facts.vocab, c->vocab);
    cr_assert_eq(facts.seed, c->seed);
    cr_assert_eq(facts.file_bytes, size);
    cr_assert_eq(facts.is_signed, 0);
    cr_assert_arr_eq(facts.hash, bytes + size - SMOL_HASH_BYTES, SMOL_HASH_BYTES);
    cr_assert_eq(smol_model_check(model, NULL), SMOL_OK);
    smol_model_close(model);
    free(bytes);
}

Test(handle, damaged_files_are_refused)
{
    uint8_t *bytes;
    size_t size;
    struct smol_model *model = open_recipe(&bytes, &size), *none = NULL;
    struct smol_error error;

    smol_model_close(model);
    smol_model_close(NULL);
    bytes[size - 1] ^= 1; /* of the hash */
    cr_assert_eq(smol_model_open_memory(&none, bytes, size, 1, &error), SMOL_E_HASH);
    cr_assert_eq(smol_model_open_memory(&none, bytes, size - 1, 1, &error), SMOL_E_TRUNCATED);
    cr_assert_eq(smol_model_open(&none, "/nonexistent/model.smol", 1, &error), SMOL_E_IO);
    cr_assert_null(none);
    free(bytes);
}

Test(handle, options_are_checked)
{
    const struct smol_session_options too_long = {.struct_bytes = sizeof too_long,
                                                  .context = CONTEXT + 1};
    struct smol_sampler_options endless = greedy;
    uint8_t *bytes;
    size_t size;
    struct smol_model *model = open_recipe(&bytes, &size);
    struct smol_text *none = NULL;
    struct smol_error error;

    endless.top_p = -1;
    cr_assert_eq(smol_text_create(&none, model, &too_long, NULL, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_text_create(&none, model, NULL, &endless, &error), SMOL_E_ARGUMENT);
    cr_assert_null(none);
    cr_assert_str_eq(smol_version(), "0.1.0");
    smol_model_close(model);
    free(bytes);
}

/* What a program has that was compiled before is_fixed, or before n_texts; nothing after it is
 * read. */
Test(handle, the_sizes_that_a_structure_had_once_are_good)
{
    const size_t sizes[] = {offsetof(struct smol_session_options, is_fixed),
                            offsetof(struct smol_session_options, n_texts)};
    struct smol_session_options session;
    uint8_t *bytes;
    size_t size;
    struct smol_model *model = open_recipe(&bytes, &size);
    struct smol_score score, older;
    struct smol_error error = {0};

    cr_assert_eq(smol_model_score(&score, model, NULL, "abc", 3, NULL), SMOL_OK);
    for (size_t i = 0; i < 2; i++) {
        memset(&session, 0xff, sizeof session);
        memset(&session, 0, sizes[i]);
        session.struct_bytes = sizes[i];
        cr_assert_eq(smol_model_score(&older, model, &session, "abc", 3, &error), SMOL_OK, "%s",
                     error.text);
        cr_assert_eq(older.nats, score.nats);
    }
    smol_model_close(model);
    free(bytes);
}

/* 0 is what a program that does not know of sizes would give, more what a newer one would. */
Test(handle, structures_of_other_sizes_are_refused)
{
    const size_t sizes[] = {0, sizeof(struct smol_session_options) + 8, SIZE_MAX};
    uint8_t *bytes;
    size_t size;
    struct smol_model *model = open_recipe(&bytes, &size);
    struct smol_text *none = NULL;
    struct smol_score score;
    struct smol_error error = {0};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const struct smol_session_options session = {.struct_bytes = sizes[i]};
        struct smol_sampler_options sampler = greedy;
        sampler.struct_bytes = sizes[i] == 0 ? 0 : sizes[i] + 1;
        cr_assert_eq(smol_text_create(&none, model, &session, NULL, &error), SMOL_E_ARGUMENT);
        cr_assert_not_null(strstr(error.text, "sizeof(struct smol_session_options)"));
        cr_assert_eq(smol_model_score(&score, model, &session, "abc", 3, &error), SMOL_E_ARGUMENT);
        cr_assert_eq(smol_text_create(&none, model, NULL, &sampler, &error), SMOL_E_ARGUMENT);
        cr_assert_not_null(strstr(error.text, "sizeof(struct smol_sampler_options)"));
    }
    cr_assert_null(none);
    smol_model_close(model);
    free(bytes);
}

/* What the library fills in, it fills as far as the caller's structure goes. */
Test(handle, structures_are_filled_as_far_as_they_go)
{
    union {
        struct smol_model_facts facts;
        struct smol_sampler_options sampling;
        uint8_t bytes[sizeof(struct smol_model_facts) + 16];
    } all, some;
    const size_t part = offsetof(struct smol_model_facts, seed);
    uint8_t *bytes;
    size_t size;
    struct smol_model *model = open_recipe(&bytes, &size);

    memset(&all, 0xaa, sizeof all);
    memset(&some, 0xaa, sizeof some);
    smol_model_describe(&all.facts, sizeof all.bytes - 1, model);
    smol_model_describe(&some.facts, part, model);
    cr_assert_eq(memcmp(&all, &some, part), 0);
    for (size_t i = part; i < sizeof some.bytes; i++)
        cr_assert_eq(some.bytes[i], 0xaa, "byte %zu", i);
    for (size_t i = sizeof(struct smol_model_facts); i < sizeof all.bytes; i++)
        cr_assert_eq(all.bytes[i], i + 1 < sizeof all.bytes ? 0 : 0xaa, "byte %zu", i);
    memset(&some, 0xaa, sizeof some);
    smol_sampler_defaults(&some.sampling, offsetof(struct smol_sampler_options, temperature));
    cr_assert_eq(some.sampling.struct_bytes, offsetof(struct smol_sampler_options, temperature));
    cr_assert_eq(some.bytes[offsetof(struct smol_sampler_options, temperature)], 0xaa);
    smol_model_close(model);
    free(bytes);
}

Test(handle, bytes_are_encoded_and_decoded)
{
    uint8_t *bytes;
    size_t size;
    struct smol_model *model = open_recipe(&bytes, &size);
    const uint32_t past[2] = {65, smol_model_config(model)->vocab};
    uint32_t tokens[4] = {0};
    char text[4] = "....";
    struct smol_error error;
    size_t n = 77;

    cr_assert_eq(smol_model_encode(&n, tokens, model, "a\0\xff", 3, &error), SMOL_OK);
    cr_assert_eq(n, 3);
    cr_assert_arr_eq(tokens, ((uint32_t[4]){'a', 0, 255, 0}), sizeof tokens);
    cr_assert_eq(smol_model_decode(&n, NULL, 0, model, tokens, 2, &error), SMOL_OK);
    cr_assert_eq(n, 2);
    cr_assert_eq(smol_model_decode(&n, text, 3, model, tokens, 3, &error), SMOL_OK);
    cr_assert_eq(n, 3);
    cr_assert_arr_eq(text, "a\0\xff.", 4);
    cr_assert_eq(smol_model_decode(&n, text, 2, model, tokens, 3, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_model_decode(&n, text, 4, model, past, 2, &error), SMOL_E_TOKEN);
    cr_assert_eq(n, 3);
    cr_assert_eq(smol_model_encode(&n, NULL, model, NULL, 0, &error), SMOL_OK);
    cr_assert_eq(n, 0);
    smol_model_close(model);
    free(bytes);
}

Test(handle, an_empty_prompt_is_the_start_token)
{
    uint8_t *bytes;
    size_t size;
    struct smol_model *model = open_recipe(&bytes, &size);
    struct smol_text *text = begin(model, &greedy);
    struct smol_model_facts facts;

    smol_model_describe(&facts, sizeof facts, model);
    cr_assert_eq(facts.start_token, 10); /* SPEC.md 9: a line feed, of byte tokens */
    cr_assert_eq(facts.end_token, SMOL_NO_TOKEN);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(smol_text_append_bytes(text, NULL, 0, NULL), SMOL_OK);
        cr_assert_eq(smol_text_count(text), 1);
    }
    cr_assert_eq(smol_text_append_bytes(text, "xy", 2, NULL), SMOL_OK);
    cr_assert_eq(smol_text_count(text), 3);
    cr_assert_arr_eq(smol_text_tokens(text), ((uint32_t[3]){10, 'x', 'y'}), 12);
    smol_text_destroy(text);
    smol_model_close(model);
    free(bytes);
}

/* Against sessions that are fed window by window, by hand. */
Test(handle, a_text_is_scored_in_windows)
{
    static const char text[] = "a text of more than two windows";
    const size_t n = sizeof text - 1;
    uint8_t *bytes;
    size_t size;
    struct smol_model *model = open_recipe(&bytes, &size);
    struct smol_score score;
    struct smol_error error;
    double wanted = 0;

    for (size_t i = 0; i + 1 < n; i++) {
        struct smol_text *window = begin(model, &greedy);
        const size_t first = i / CONTEXT * CONTEXT;
        double sum = 0, max = -1e9;
        cr_assert_eq(smol_text_append_bytes(window, text + first, i + 1 - first, NULL), SMOL_OK);
        cr_assert_eq(smol_text_feed(window, NULL), SMOL_OK);
        for (uint32_t v = 0; v < 256; v++)
            max = fmax(max, (double)smol_text_logits(window)[v]);
        for (uint32_t v = 0; v < 256; v++)
            sum += exp((double)smol_text_logits(window)[v] - max);
        wanted += log(sum) + max - (double)smol_text_logits(window)[(uint8_t)text[i + 1]];
        smol_text_destroy(window);
    }
    cr_assert_eq(smol_model_score(&score, model, NULL, text, n, &error), SMOL_OK);
    cr_assert_float_eq(score.nats, wanted, 1e-4);
    cr_assert_eq(score.n_tokens, n - 1);
    cr_assert_eq(score.n_bytes, n - 1);
    cr_assert_float_eq(score.nats_per_token, score.nats / 30, 1e-12);
    cr_assert_float_eq(score.bits_per_byte, score.nats / 30 / log(2), 1e-12);
    cr_assert_float_eq(score.perplexity, exp(score.nats / 30), 1e-9);
    cr_assert_eq(smol_model_score(&score, model, NULL, text, 1, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_model_score(&score, model, NULL, NULL, 0, &error), SMOL_E_ARGUMENT);
    smol_model_close(model);
    free(bytes);
}

struct heard {
    unsigned n_calls, n_allowed;
    uint64_t n_done, n_tokens;
};

static bool hear(void *context, uint64_t n_done, uint64_t n_tokens)
{
    struct heard *h = context;

    cr_assert_eq(n_done, h->n_calls * (uint64_t)CONTEXT);
    h->n_tokens = n_tokens;
    return ++h->n_calls <= h->n_allowed;
}

/* Once before each window; a caller that has enough stops it. */
Test(handle, a_score_tells_how_far_it_is)
{
    enum { N = 3 * CONTEXT + 2 };
    struct heard all = {.n_allowed = 99}, two = {.n_allowed = 2};
    struct smol_score score, want;
    struct smol_error error;
    uint8_t *bytes;
    size_t size;
    struct smol_model *model = open_recipe(&bytes, &size);
    char text[N];

    memset(text, 'a', N);
    cr_assert_eq(smol_model_score(&want, model, NULL, text, N, &error), SMOL_OK);
    cr_assert_eq(smol_model_score_progress(&score, model, NULL, text, N, hear, &all, &error),
                 SMOL_OK);
    cr_assert_eq(all.n_calls, 4);
    cr_assert_eq(all.n_tokens, N - 1);
    cr_assert_eq(memcmp(&score.nats, &want.nats, sizeof want.nats), 0);
    score.nats = -1;
    cr_assert_eq(smol_model_score_progress(&score, model, NULL, text, N, hear, &two, &error),
                 SMOL_E_CANCELLED);
    cr_assert_eq(two.n_calls, 3);
    cr_assert(score.nats < 0);
    smol_model_close(model);
    free(bytes);
}

/* Not checked again: what the caller left out stays left out. */
Test(handle, a_file_that_was_parsed_is_a_model)
{
    uint8_t *bytes;
    size_t size;
    struct smol_model *model = open_recipe(&bytes, &size);
    struct smol_score want, got;
    struct smol_file file;

    cr_assert_eq(smol_model_score(&want, model, NULL, "KING:", 5, NULL), SMOL_OK);
    smol_model_close(model);
    bytes[size - 1] ^= 1; /* of the hash */
    cr_assert_eq(smol_file_parse(&file, bytes, size, NULL), SMOL_OK);
    cr_assert_eq(smol_model_open_file(&model, &file, NULL), SMOL_OK);
    memset(&file, 0, sizeof file); /* it may go */
    cr_assert_eq(smol_model_score(&got, model, NULL, "KING:", 5, NULL), SMOL_OK);
    cr_assert_eq(memcmp(&got.nats, &want.nats, sizeof want.nats), 0);
    cr_assert_eq(smol_model_check(model, NULL), SMOL_OK);
    smol_model_close(model);
    free(bytes);
}

struct job {
    const struct smol_model *model;
    struct smol_encoder *own;
    int n_wrong;
};

static void *encode_often(void *argument)
{
    static const char text[] = "the model's one encoder, and one of its own";
    struct job *job = argument;

    for (int i = 0; i < 200; i++) {
        uint32_t tokens[sizeof text], wanted[sizeof text];
        size_t n = 0, n_wanted = 0;
        smol_model_encode(&n, tokens, job->model, text, sizeof text - 1, NULL);
        smol_encode(&n_wanted, wanted, job->own, (const uint8_t *)text, sizeof text - 1, NULL);
        job->n_wrong += n != n_wanted || memcmp(tokens, wanted, n * sizeof *tokens) != 0;
    }
    return NULL;
}

Test(handle, threads_share_the_encoder)
{
    const struct model_recipe bpe = {.vocab = 300, .n_merges = 40};
    struct job jobs[4] = {{.n_wrong = 0}};
    pthread_t threads[4];
    struct smol_model_facts facts;
    struct smol_model *model;
    size_t size;
    uint8_t *bytes = model_make(&size, &bpe);

    cr_assert_eq(smol_model_open_memory(&model, bytes, size, 0, NULL), SMOL_OK);
    smol_model_describe(&facts, sizeof facts, model);
    cr_assert_eq(facts.end_token, 256 + 40);
    cr_assert_eq(facts.start_token, facts.end_token);
    for (int i = 0; i < 4; i++) {
        jobs[i].model = model;
        cr_assert_eq(smol_encoder_create(&jobs[i].own, smol_model_file(model), NULL), SMOL_OK);
    }
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, encode_often, &jobs[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(jobs[i].n_wrong, 0);
        smol_encoder_destroy(jobs[i].own);
    }
    smol_model_close(model);
    free(bytes);
}
