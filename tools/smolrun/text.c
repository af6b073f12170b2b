/* See text.h. SPEC.md 9 and 10. */
#include "smolrun/text.h"
#include "cli/cli.h"

#include <smol/tokenizer.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stop_asked, is_caught_again;

static void on_interrupt(int number)
{
    stop_asked = 1;
    if (!is_caught_again)
        signal(number, SIG_DFL);
}

void run_catch_interrupts(bool again)
{
    struct sigaction action = {.sa_handler = on_interrupt};

    is_caught_again = again;
    stop_asked = 0;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, NULL);
}

bool run_is_interrupted(void) { return stop_asked; }

/* ---- showing ---- */

struct run_stream run_stream_begin(const struct run *run)
{
    return (struct run_stream){.terminal = isatty(STDOUT_FILENO) == 1,
                               .colour = cli_has_colour(STDOUT_FILENO),
                               .quiet = run->args->json};
}

/* Whole characters. A terminal is not to obey a model: of its control characters only line feed and
 * tab pass. */
static void put(struct run_stream *s, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0, control; i < n; i += control ? control : 1) {
        const bool passes = !s->terminal || bytes[i] == '\n' || bytes[i] == '\t';

        control = passes ? 0 : cli_control_bytes(bytes + i, n - i);
        putchar(control ? '?' : bytes[i]);
    }
    if (n)
        s->in_line = bytes[n - 1] != '\n';
}

void run_stream_bytes(struct run_stream *s, struct smol_span bytes)
{
    if (s->quiet)
        return;
    for (size_t i = 0; i < bytes.size_bytes; i++) {
        size_t wait;
        s->held[s->n_held++] = bytes.data[i];
        wait = smol_utf8_incomplete(s->held, s->n_held);
        put(s, s->held, s->n_held - wait);
        memmove(s->held, s->held + s->n_held - wait, wait);
        s->n_held = wait;
    }
}

enum smol_status run_stream_flush(struct run_stream *s, bool is_end, struct smol_error *error)
{
    if (is_end) {
        put(s, s->held, s->n_held);
        s->n_held = 0;
    }
    if (fflush(stdout) == 0 && !ferror(stdout))
        return SMOL_OK;
    *error = (struct smol_error){SMOL_E_IO, SMOL_NO_OFFSET, "standard output cannot be written"};
    return SMOL_E_IO;
}

void run_stream_given(struct run_stream *s, struct smol_span bytes)
{
    if (s->colour && !s->quiet)
        fputs(CLI_BOLD, stdout);
    run_stream_bytes(s, bytes);
    if (s->colour && !s->quiet)
        fputs(CLI_PLAIN, stdout);
}

/* ---- growing ---- */

/* Whether the context is full and the text is to end with it. */
static bool is_full(const struct run_text *t)
{
    return t->run->args->n_predict < 0 && smol_text_is_full(t->text);
}

int run_most_tokens(const struct run *run)
{
    const int n = run->args->n_predict;

    return n < 0 && run_slides(run) ? (int)run_context(run) : n;
}

uint32_t run_end_token(const struct run *run)
{
    uint32_t end = SMOL_NO_TOKEN;

    if (!run->args->ignore_eos)
        smol_end_token(&end, run->file);
    return end;
}

/* One more token of a turn that has n, if they are kept. */
static bool keep(struct run_text *t, size_t n, uint32_t token)
{
    if (!t->run->args->json)
        return true;
    if (n == t->capacity) {
        const size_t larger = 2 * n + 64;
        uint32_t *tokens = realloc(t->tokens, larger * sizeof *tokens);
        if (!tokens)
            return false;
        t->tokens = tokens;
        t->capacity = larger;
    }
    t->tokens[n] = token;
    return true;
}

/* The next token, of a turn that has n; *is_end if it ends the text, and then it is not shown. */
static enum smol_status pick(bool *is_end, struct run_text *t, size_t n_tokens,
                             struct smol_error *error)
{
    uint8_t bytes[SMOL_MAX_TOKEN_BYTES];
    enum smol_status status;
    uint32_t token;
    size_t n;

    if ((status = smol_text_next(&token, t->text, error)) ||
        (status = smol_model_decode(&n, bytes, sizeof bytes, t->run->model, &token, 1, error)))
        return status;
    if (!keep(t, n_tokens, token))
        return cli_error_memory(error);
    *is_end = token == t->end;
    if (!*is_end)
        run_stream_bytes(&t->stream, (struct smol_span){bytes, n});
    return run_stream_flush(&t->stream, false, error);
}

/* Tokens one by one until one of the four ends. */
static enum smol_status go_on(struct run_result *r, struct run_text *t, struct smol_error *error)
{
    const int most = run_most_tokens(t->run);
    enum smol_status status;
    bool is_end = false;

    r->finish = "length";
    for (int i = 0; (most < 0 || i < most) && !is_end; i++) {
        if (stop_asked || is_full(t)) {
            r->finish = stop_asked ? "interrupted" : "context";
            break;
        }
        if ((status = pick(&is_end, t, r->n_tokens, error)))
            return status;
        r->n_tokens++;
    }
    if (is_end)
        r->finish = "end";
    r->n_shown = r->n_tokens - is_end;
    return run_stream_flush(&t->stream, true, error);
}

enum smol_status run_prompt_tokens(uint32_t **tokens, size_t *n, const struct run *run,
                                   struct smol_span bytes, bool begins, struct smol_error *error)
{
    enum smol_status status;

    if (!(*tokens = malloc((bytes.size_bytes + 1) * sizeof **tokens)))
        return cli_error_memory(error);
    status = smol_model_encode(n, *tokens, run->model, bytes.data, bytes.size_bytes, error);
    if (status == SMOL_OK && bytes.size_bytes == 0 && begins)
        (*tokens)[(*n)++] = smol_start_token(run->file);
    if (status)
        free(*tokens);
    return status;
}

/* Appends what a turn is given; *n: its tokens. */
static enum smol_status append(size_t *n, struct run_text *t, struct smol_span bytes,
                               struct smol_error *error)
{
    uint32_t *tokens;
    enum smol_status status =
        run_prompt_tokens(&tokens, n, t->run, bytes, smol_text_count(t->text) == 0, error);

    if (status)
        return status;
    status = smol_text_append(t->text, tokens, *n, error);
    for (size_t i = 0; status == SMOL_OK && i < *n; i++)
        if (!keep(t, i, tokens[i]))
            status = cli_error_memory(error);
    free(tokens);
    return status;
}

enum smol_status run_text_turn(struct run_result *result, struct run_text *t,
                               struct smol_span bytes, bool is_shown, struct smol_error *error)
{
    const double start = cli_seconds();
    struct run_result r = {.seed = t->run->args->sampler.seed};
    enum smol_status status;

    stop_asked = 0;
    if ((status = append(&r.n_prompt, t, bytes, error)))
        return status;
    if (is_shown)
        run_stream_given(&t->stream, bytes);
    r.n_tokens = r.n_prompt;
    if ((status = smol_text_feed(t->text, error)))
        return status;
    r.prompt_seconds = cli_seconds() - start;
    status = go_on(&r, t, error);
    r.generate_seconds = cli_seconds() - start - r.prompt_seconds;
    r.tokens = t->tokens;
    if (status == SMOL_OK)
        *result = r;
    return status;
}

enum smol_status run_text_open(struct run_text *text, const struct run *run,
                               struct smol_error *error)
{
    struct run_text t = {.run = run, .end = run_end_token(run), .stream = run_stream_begin(run)};
    enum smol_status status;
    size_t n;

    /* Nothing is encoded, but the encoder is made, whose time is not the prompt's. */
    if ((status = smol_model_encode(&n, NULL, run->model, NULL, 0, error)) ||
        (status = smol_text_create(&t.text, run->model, &run->session, &run->args->sampler, error)))
        return status;
    *text = t;
    return SMOL_OK;
}

void run_text_close(struct run_text *text)
{
    smol_text_destroy(text->text);
    free(text->tokens);
}
