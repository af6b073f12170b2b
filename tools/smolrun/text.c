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
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, NULL);
}

static enum smol_status fail(struct smol_error *error, enum smol_status code, const char *text)
{
    *error = (struct smol_error){.code = code, .offset = SMOL_NO_OFFSET};
    snprintf(error->text, sizeof error->text, "%s", text);
    return code;
}

/* ---- showing ---- */

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

static void stream_bytes(struct run_stream *s, struct smol_span bytes)
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

static bool stream_flush(struct run_stream *s, bool is_end)
{
    if (is_end) {
        put(s, s->held, s->n_held);
        s->n_held = 0;
    }
    return fflush(stdout) == 0 && !ferror(stdout);
}

/* What was given stands out from what the model adds. */
static void show_given(struct run_stream *s, struct smol_span bytes)
{
    if (s->colour && !s->quiet)
        fputs(CLI_BOLD, stdout);
    stream_bytes(s, bytes);
    if (s->colour && !s->quiet)
        fputs(CLI_PLAIN, stdout);
}

/* ---- growing ---- */

static enum smol_status add(struct run_text *t, struct smol_span bytes, struct smol_error *error)
{
    uint32_t *tokens = malloc((bytes.size_bytes + 1) * sizeof *tokens);
    enum smol_status status = SMOL_OK;
    size_t n = 0;

    if (!tokens)
        return fail(error, SMOL_E_MEMORY, "out of memory");
    if (bytes.size_bytes)
        status = smol_encode(&n, tokens, t->encoder, bytes.data, bytes.size_bytes, error);
    else if (smol_text_count(t->text) == 0)
        tokens[n++] = smol_start_token(&t->run->file);
    if (!status)
        status = smol_text_append(t->text, tokens, n, error);
    free(tokens);
    return status;
}

/* Whether the context is full and the text is to end with it. */
static bool is_full(const struct run_text *t)
{
    return t->run->args->n_predict < 0 && smol_text_is_full(t->text);
}

/* The next token; *is_end if it ends the text, and then it is not shown. */
static enum smol_status pick(bool *is_end, struct run_text *t, struct smol_error *error)
{
    uint8_t bytes[SMOL_MAX_TOKEN_BYTES];
    enum smol_status status;
    uint32_t token;

    if ((status = smol_text_next(&token, t->text, error)))
        return status;
    *is_end = t->has_end && token == t->end;
    if (!*is_end)
        stream_bytes(&t->stream, smol_token_bytes(bytes, &t->run->file, token));
    return stream_flush(&t->stream, false)
               ? SMOL_OK
               : fail(error, SMOL_E_IO, "standard output cannot be written");
}

/* Tokens one by one until one of the four ends. */
static enum smol_status go_on(const char **finish, struct run_text *t, struct smol_error *error)
{
    const int n_predict = t->run->args->n_predict;
    enum smol_status status;
    bool is_end = false;

    *finish = "length";
    for (int i = 0; (n_predict < 0 || i < n_predict) && !is_end; i++) {
        if (stop_asked || is_full(t)) {
            *finish = stop_asked ? "interrupted" : "context";
            break;
        }
        if ((status = pick(&is_end, t, error)))
            return status;
    }
    if (is_end)
        *finish = "end";
    return stream_flush(&t->stream, true)
               ? SMOL_OK
               : fail(error, SMOL_E_IO, "standard output cannot be written");
}

enum smol_status run_text_turn(struct run_result *result, struct run_text *t,
                               struct smol_span bytes, bool is_shown, struct smol_error *error)
{
    const size_t turn = smol_text_count(t->text);
    const double start = cli_seconds();
    struct run_result r = {0};
    enum smol_status status;

    stop_asked = 0;
    if ((status = add(t, bytes, error)))
        return status;
    if (is_shown)
        show_given(&t->stream, bytes);
    r.n_prompt = smol_text_count(t->text) - turn;
    if ((status = smol_text_feed(t->text, error)))
        return status;
    r.prompt_seconds = cli_seconds() - start;
    status = go_on(&r.finish, t, error);
    r.generate_seconds = cli_seconds() - start - r.prompt_seconds;
    r.tokens = smol_text_tokens(t->text) + turn;
    r.n_tokens = smol_text_count(t->text) - turn;
    r.n_shown = r.n_tokens - (status == SMOL_OK && strcmp(r.finish, "end") == 0);
    if (status == SMOL_OK)
        *result = r;
    return status;
}

enum smol_status run_text_open(struct run_text *text, const struct run *run,
                               struct smol_error *error)
{
    const uint32_t vocab = run->file.config.vocab;
    struct run_text t = {.run = run};
    struct smol_sampler *sampler;
    enum smol_status status = smol_sampler_size(&t.memory_bytes, vocab, &run->args->sampler, error);

    if (status)
        return status;
    t.stream.terminal = isatty(STDOUT_FILENO) == 1;
    t.stream.colour = cli_has_colour(STDOUT_FILENO);
    t.stream.quiet = run->args->json;
    t.memory = cli_memory(t.memory_bytes);
    if (!t.memory)
        return fail(error, SMOL_E_MEMORY, "out of memory");
    t.has_end = !run->args->ignore_eos && smol_end_token(&t.end, &run->file);
    status =
        smol_sampler_init(&sampler, vocab, &run->args->sampler, t.memory, t.memory_bytes, error);
    if (!status)
        status = smol_encoder_create(&t.encoder, &run->file, error);
    if (!status)
        status = smol_text_create(&t.text, run->session, sampler, error);
    if (status)
        run_text_close(&t);
    else
        *text = t;
    return status;
}

void run_text_close(struct run_text *text)
{
    smol_text_destroy(text->text);
    smol_encoder_destroy(text->encoder);
    cli_memory_free(text->memory, text->memory_bytes);
}
