/* smolrun -np: several texts from one prompt, side by side, each what its seed alone would give.
 * They are printed in the order of their seeds: the first that is not complete while it comes, the
 * others, which are kept until then, at once. */
#include "cli/cli.h"
#include "smolrun/smolrun.h"
#include "smolrun/text.h"

#include <smol/params.h>
#include <smol/text.h>
#include <smol/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_BY_SIDE 64u
#define FEW 16u                 /* fewer multiply matrices too slowly */
#define AT_HAND_BYTES 13631488u /* of keys and values that the last cache holds beside the rest */
#define BETWEEN "\n" SMOL_END_OF_TEXT "\n" /* two texts: what separates documents to train on */

/* A text from its beginning until it is printed. */
struct made {
    uint32_t *tokens; /* (capacity) the prompt, and what came after it */
    size_t n_tokens, n_printed, capacity;
    const char *finish; /* NULL: not complete */
    double start, seconds;
};

struct parallel {
    const struct run *run;
    struct smol_span prompt;
    uint32_t *prompt_tokens; /* (n_prompt) */
    size_t n_prompt;
    double prompt_seconds, prompt_end;
    uint32_t n_slots, end;
    int most;                   /* tokens of a text, or -1 */
    struct smol_text **texts;   /* (1 + n_slots) the prompt, then those that are being written */
    struct smol_text **active;  /* (n_active) of these */
    uint32_t *numbers, *tokens; /* of active: which texts they are, and what comes next */
    size_t n_active;
    struct made *made; /* (args->n_texts) */
    uint32_t n_begun, n_printed;
    size_t n_tokens; /* generated, of all texts */
    bool has_complained;
    struct run_stream stream;
};

uint32_t run_texts_side_by_side(const struct run *run)
{
    const struct run_args *args = run->args;
    const struct smol_config *c = &run->file->config;
    const uint32_t context = run_context(run), n = (uint32_t)args->n_predict,
                   held = args->n_predict < 0 || n > context ? context : n;
    const uint64_t C = c->width, weights = c->n_layers * C * (4 * C + 2 * (uint64_t)c->n_ff),
                   of_one = 2 * c->n_layers * (held + UINT64_C(1)) *
                            smol_row_bytes(args->session.kv_type, c->width),
                   at_hand = AT_HAND_BYTES / of_one;
    uint32_t most = args->session.batch ? args->session.batch : SIDE_BY_SIDE;

    if (!args->session.batch && of_one > weights / 16 && at_hand >= FEW && at_hand < most)
        most = (uint32_t)at_hand;
    return args->n_texts < most ? args->n_texts : most;
}

/* ---- printing ---- */

static enum smol_status print_json(struct parallel *p, uint32_t number, struct smol_error *error)
{
    const struct made *m = &p->made[number];
    const bool has_end = m->n_tokens > p->n_prompt && m->tokens[m->n_tokens - 1] == p->end;
    const struct run_result r = {.seed = p->run->args->sampler.seed + number,
                                 .tokens = m->tokens,
                                 .n_prompt = p->n_prompt,
                                 .n_tokens = m->n_tokens,
                                 .n_shown = m->n_tokens - has_end,
                                 .prompt_seconds = p->prompt_seconds,
                                 .generate_seconds = m->seconds,
                                 .finish = m->finish};

    p->has_complained = run_print_json(p->run, &r) != 0;
    if (p->has_complained)
        return SMOL_E_MEMORY;
    return run_stream_flush(&p->stream, false, error);
}

/* What there is of a text that has not been printed, without the end of text. */
static enum smol_status print_tokens(struct parallel *p, struct made *m, struct smol_error *error)
{
    uint8_t bytes[SMOL_MAX_TOKEN_BYTES];
    enum smol_status status = SMOL_OK;
    size_t n;

    for (; m->n_printed < m->n_tokens && !status; m->n_printed++) {
        const uint32_t token = m->tokens[m->n_printed];
        if (token == p->end && m->n_printed >= p->n_prompt)
            continue;
        status = smol_model_decode(&n, bytes, sizeof bytes, p->run->model, &token, 1, error);
        if (!status)
            run_stream_bytes(&p->stream, (struct smol_span){bytes, n});
    }
    return status ? status : run_stream_flush(&p->stream, m->finish != NULL, error);
}

static enum smol_status print_text(struct parallel *p, uint32_t number, struct smol_error *error)
{
    struct made *m = &p->made[number];

    if (m->n_printed == 0) {
        if (number)
            fputs(BETWEEN, stdout);
        if (!p->run->args->no_display_prompt)
            run_stream_given(&p->stream, p->prompt);
        m->n_printed = p->n_prompt;
    }
    return print_tokens(p, m, error);
}

/* What can be printed in order. */
static enum smol_status print_begun(struct parallel *p, struct smol_error *error)
{
    const bool is_json = p->run->args->json;
    enum smol_status status = SMOL_OK;

    while (p->n_printed < p->n_begun && !status) {
        struct made *m = &p->made[p->n_printed];
        if (!is_json)
            status = print_text(p, p->n_printed, error);
        if (!m->finish)
            break;
        if (is_json)
            status = print_json(p, p->n_printed, error);
        free(m->tokens);
        m->tokens = NULL;
        p->n_printed++;
    }
    return status;
}

/* ---- writing ---- */

static bool keep(struct made *m, const uint32_t *tokens, size_t n)
{
    if (m->n_tokens + n > m->capacity) {
        const size_t capacity = 2 * (m->n_tokens + n) + 64;
        uint32_t *larger = realloc(m->tokens, capacity * sizeof *larger);
        if (!larger)
            return false;
        m->tokens = larger;
        m->capacity = capacity;
    }
    memcpy(m->tokens + m->n_tokens, tokens, n * sizeof *tokens);
    m->n_tokens += n;
    return true;
}

/* Why a text goes no further, or NULL; after the token that is given, if it is one. */
static const char *finish_of(const struct parallel *p, const struct smol_text *text,
                             const struct made *m, uint32_t token)
{
    if (token != SMOL_NO_TOKEN && token == p->end)
        return "end";
    if (p->most >= 0 && m->n_tokens - p->n_prompt == (size_t)p->most)
        return "length";
    if (run_is_interrupted())
        return "interrupted";
    return p->run->args->n_predict < 0 && smol_text_is_full(text) ? "context" : NULL;
}

/* Begins texts in a place of the active ones, until one goes on. false if none is left; then the
 * last of the active takes its place. */
static enum smol_status refill(bool *is_there, struct parallel *p, size_t place,
                               struct smol_error *error)
{
    enum smol_status status;

    *is_there = false;
    while (p->n_begun < p->run->args->n_texts && !run_is_interrupted()) {
        struct made *m = &p->made[p->n_begun];
        m->start = cli_seconds();
        if (!keep(m, p->prompt_tokens, p->n_prompt))
            return cli_error_memory(error);
        if ((status = smol_text_copy(p->active[place], p->texts[0],
                                     p->run->args->sampler.seed + p->n_begun, error)))
            return status;
        p->numbers[place] = p->n_begun++;
        m->finish = finish_of(p, p->active[place], m, SMOL_NO_TOKEN);
        *is_there = !m->finish;
        if (*is_there)
            return SMOL_OK;
    }
    p->n_active--;
    p->active[place] = p->active[p->n_active];
    p->numbers[place] = p->numbers[p->n_active];
    p->tokens[place] = p->tokens[p->n_active];
    return SMOL_OK;
}

/* One more token of each active text; those that end give their places to others. */
static enum smol_status step(struct parallel *p, struct smol_error *error)
{
    enum smol_status status = smol_texts_next(p->tokens, p->active, p->n_active, error);

    for (size_t i = 0; i < p->n_active && !status;) {
        struct made *m = &p->made[p->numbers[i]];
        bool is_there = true;
        if (!keep(m, &p->tokens[i], 1))
            return cli_error_memory(error);
        p->n_tokens++;
        m->finish = finish_of(p, p->active[i], m, p->tokens[i]);
        if (m->finish) {
            m->seconds = cli_seconds() - m->start;
            status = refill(&is_there, p, i, error);
        }
        i += is_there;
    }
    return status;
}

/* The prompt, once, for all texts. */
static enum smol_status feed_prompt(struct parallel *p, struct smol_error *error)
{
    const double start = cli_seconds();
    enum smol_status status;

    if ((status =
             run_prompt_tokens(&p->prompt_tokens, &p->n_prompt, p->run, p->prompt, true, error)) ||
        (status = smol_text_append(p->texts[0], p->prompt_tokens, p->n_prompt, error)) ||
        (status = smol_text_feed(p->texts[0], error)))
        return status;
    p->prompt_end = cli_seconds();
    p->prompt_seconds = p->prompt_end - start;
    return SMOL_OK;
}

static enum smol_status write_texts(struct parallel *p, struct smol_error *error)
{
    enum smol_status status;
    bool is_there;

    run_catch_interrupts(false);
    status = feed_prompt(p, error);
    for (size_t i = 0; i < p->n_slots && !status; i++) {
        p->active[p->n_active++] = p->texts[1 + i];
        status = refill(&is_there, p, p->n_active - 1, error);
    }
    if (!status)
        status = print_begun(p, error);
    while (p->n_active && !status)
        if (!(status = step(p, error)))
            status = print_begun(p, error);
    return status;
}

/* ---- all of it ---- */

static enum smol_status open_texts(struct parallel *p, struct smol_error *error)
{
    const struct run *run = p->run;
    enum smol_status status;
    size_t n;

    p->texts = calloc(1 + p->n_slots, sizeof(struct smol_text *));
    p->active = calloc(p->n_slots, sizeof(struct smol_text *));
    p->numbers = calloc(p->n_slots, sizeof *p->numbers);
    p->tokens = calloc(p->n_slots, sizeof *p->tokens);
    p->made = calloc(run->args->n_texts, sizeof *p->made);
    if (!p->texts || !p->active || !p->numbers || !p->tokens || !p->made)
        return cli_error_memory(error);
    /* Nothing is encoded, but the encoder is made, whose time is not the prompt's. */
    if ((status = smol_model_encode(&n, NULL, run->model, NULL, 0, error)))
        return status;
    return smol_texts_create(p->texts, 1 + p->n_slots, run->model, &run->session,
                             &run->args->sampler, error);
}

static void close_texts(struct parallel *p)
{
    for (size_t i = 0; p->texts && i < 1 + p->n_slots; i++)
        smol_text_destroy(p->texts[i]);
    for (uint32_t i = p->n_printed; p->made && i < p->n_begun; i++)
        free(p->made[i].tokens);
    free(p->prompt_tokens);
    free(p->made);
    free(p->tokens);
    free(p->numbers);
    free(p->active);
    free(p->texts);
}

static void print_statistics(const struct parallel *p)
{
    const struct run_result r = {.n_prompt = p->n_prompt,
                                 .n_tokens = p->n_prompt + p->n_tokens,
                                 .prompt_seconds = p->prompt_seconds,
                                 .generate_seconds = cli_seconds() - p->prompt_end,
                                 .n_texts = p->n_begun};

    run_print_statistics(p->run, &r);
}

int run_parallel(const struct run *run, struct smol_span prompt)
{
    struct parallel p = {.run = run,
                         .prompt = prompt,
                         .n_slots = run_texts_side_by_side(run),
                         .end = run_end_token(run),
                         .most = run_most_tokens(run),
                         .stream = run_stream_begin(run)};
    struct smol_error error;
    int code = 0;

    if (open_texts(&p, &error))
        code = cli_complain(run->args->model, &error);
    else if (write_texts(&p, &error))
        code = p.has_complained ? CLI_FAILED : cli_complain(run_blamed(run, error.code), &error);
    else if (!run->args->json)
        print_statistics(&p);
    close_texts(&p);
    return code;
}
