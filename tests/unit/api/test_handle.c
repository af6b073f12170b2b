/* A model behind one handle and texts that grow: what is fed when the context is full, failures
 * that leave the text as it was, and files that are refused. The expected tokens come from sessions
 * that are fed by hand. */
#include "make_model.h"

#include <criterion/criterion.h>
#include <smol/io.h>
#include <smol/model.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT 8u
#define N_NEW 21u

static const struct model_recipe recipe = {.context = CONTEXT, .wte_type = SMOL_Q8};
static const struct smol_sampler_options greedy = {.top_p = 1, .repeat_penalty = 1};

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

    cr_assert_eq(smol_model_text(&text, model, NULL, sampler, &error), SMOL_OK, "%s", error.text);
    return text;
}

/* The most likely token after n tokens in a session of their own. */
static uint32_t best_after(const struct smol_file *file, const uint32_t *tokens, size_t n)
{
    const struct smol_session_options options = {.n_threads = 1};
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

    smol_model_describe(&facts, model);
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
    const struct smol_session_options too_long = {.context = CONTEXT + 1};
    struct smol_sampler_options endless = greedy;
    uint8_t *bytes;
    size_t size;
    struct smol_model *model = open_recipe(&bytes, &size);
    struct smol_text *none = NULL;
    struct smol_error error;

    endless.top_p = -1;
    cr_assert_eq(smol_model_text(&none, model, &too_long, NULL, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_model_text(&none, model, NULL, &endless, &error), SMOL_E_ARGUMENT);
    cr_assert_null(none);
    cr_assert_str_eq(smol_version(), "0.1.0");
    smol_model_close(model);
    free(bytes);
}
