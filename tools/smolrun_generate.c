/* Continuing a prompt, and measuring a text. SPEC.md 9 to 11. */
#include "cli.h"
#include "smolrun.h"

#include <smol/tokenizer.h>

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stop_asked;

/* The first Ctrl-C ends the text; a second one ends the program. */
static void on_interrupt(int number)
{
	stop_asked = 1;
	signal(number, SIG_DFL);
}

static enum smol_status fail(struct smol_error *error, enum smol_status code, const char *text)
{
	*error = (struct smol_error){.code = code, .offset = SMOL_NO_OFFSET};
	snprintf(error->text, sizeof error->text, "%s", text);
	return code;
}

/* Text on its way out: bytes that may still become a whole character are held back. */
struct stream {
	uint8_t held[8];
	size_t n_held;
	bool terminal, quiet;
};

/* A terminal is not to obey a model: of its control characters only line feed and tab pass. */
static void put(const struct stream *s, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const bool control = (bytes[i] < 0x20 && bytes[i] != '\n' && bytes[i] != '\t') || bytes[i] == 0x7f;
		putchar(s->terminal && control ? '?' : bytes[i]);
	}
}

static void stream_bytes(struct stream *s, struct smol_span bytes)
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

static bool stream_flush(struct stream *s, bool is_end)
{
	if (is_end)
		put(s, s->held, s->n_held);
	return fflush(stdout) == 0 && !ferror(stdout);
}

static bool append_token(struct run_result *r, size_t *capacity, uint32_t token)
{
	if (r->n_tokens == *capacity) {
		const size_t n = *capacity * 2 + 256;
		uint32_t *larger = realloc(r->tokens, n * sizeof *larger);
		if (!larger)
			return false;
		r->tokens = larger;
		*capacity = n;
	}
	r->tokens[r->n_tokens++] = token;
	return true;
}

/* Room for one more token: when the context is full, the last half of it is fed again from the start. */
static enum smol_status make_room(struct run *run, const struct run_result *r, struct smol_error *error)
{
	const uint32_t context = smol_session_context(run->session);
	const size_t kept = context / 2 ? context / 2 : 1;

	if (smol_session_position(run->session) < context)
		return SMOL_OK;
	smol_session_rewind(run->session, 0);
	/* The newest token has not been fed yet. */
	return smol_session_feed(run->session, r->tokens + r->n_tokens - 1 - (kept - 1), kept - 1, error);
}

/* Tokens one by one until one of the three ends. */
static enum smol_status generate(struct run_result *r, struct run *run, struct smol_sampler *sampler,
                                 struct stream *stream, size_t *capacity, struct smol_error *error)
{
	const int n_predict = run->args->n_predict;
	enum smol_status status;
	uint32_t token;

	r->finish = "length";
	for (int i = 0; n_predict < 0 || i < n_predict; i++) {
		if (stop_asked) {
			r->finish = "interrupted";
			break;
		}
		if (i > 0) {
			if (n_predict < 0 && smol_session_position(run->session) == smol_session_context(run->session)) {
				r->finish = "context";
				break;
			}
			if ((status = make_room(run, r, error)) ||
			    (status = smol_session_feed(run->session, &r->tokens[r->n_tokens - 1], 1, error)))
				return status;
		}
		if ((status = smol_sampler_pick(&token, sampler, smol_session_logits(run->session), error)))
			return status;
		if (!append_token(r, capacity, token))
			return fail(error, SMOL_E_MEMORY, "out of memory");
		stream_bytes(stream, smol_token_bytes(&run->file, token));
		if (!stream_flush(stream, false))
			return fail(error, SMOL_E_IO, "standard output cannot be written");
	}
	return stream_flush(stream, true) ? SMOL_OK : fail(error, SMOL_E_IO, "standard output cannot be written");
}

static enum smol_status encode_prompt(struct run_result *r, size_t *capacity, const struct run *run,
                                      const uint8_t *prompt, size_t prompt_bytes, struct smol_error *error)
{
	*capacity = smol_encode_bound(&run->file, prompt_bytes) + 256;
	r->tokens = malloc(*capacity * sizeof *r->tokens);
	if (!r->tokens)
		return fail(error, SMOL_E_MEMORY, "out of memory");
	if (prompt_bytes == 0) {
		r->tokens[0] = smol_start_token(&run->file);
		r->n_tokens = r->n_prompt = 1;
		return SMOL_OK;
	}
	const enum smol_status status = smol_encode(&r->n_prompt, r->tokens, &run->file, prompt, prompt_bytes, error);
	r->n_tokens = r->n_prompt;
	return status;
}

static enum smol_status run_sampler(struct run_result *r, struct run *run, void *memory, size_t memory_bytes,
                                    struct stream *stream, size_t *capacity, struct smol_error *error)
{
	struct smol_sampler *sampler;
	const double start = cli_seconds();
	enum smol_status status;

	if ((status = smol_sampler_create(&sampler, run->file.config.vocab, &run->args->sampler, memory, memory_bytes,
	                                  error)))
		return status;
	for (size_t i = 0; i < r->n_prompt; i++)
		smol_sampler_accept(sampler, r->tokens[i]);
	if ((status = smol_session_feed(run->session, r->tokens, r->n_prompt, error)))
		return status;
	r->prompt_seconds = cli_seconds() - start;
	status = generate(r, run, sampler, stream, capacity, error);
	r->generate_seconds = cli_seconds() - start - r->prompt_seconds;
	return status;
}

enum smol_status run_generate(struct run_result *result, struct run *run, const uint8_t *prompt, size_t prompt_bytes,
                              struct smol_error *error)
{
	struct stream stream = {.terminal = isatty(STDOUT_FILENO) == 1, .quiet = run->args->json};
	size_t capacity, memory_bytes;
	enum smol_status status;
	void *memory;

	if ((status = encode_prompt(result, &capacity, run, prompt, prompt_bytes, error)) ||
	    (status = smol_sampler_size(&memory_bytes, run->file.config.vocab, &run->args->sampler, error)))
		return status;
	memory = cli_memory(memory_bytes);
	if (!memory)
		return fail(error, SMOL_E_MEMORY, "out of memory");
	if (!run->args->no_display_prompt)
		stream_bytes(&stream, (struct smol_span){prompt, prompt_bytes});
	signal(SIGINT, on_interrupt);
	status = run_sampler(result, run, memory, memory_bytes, &stream, &capacity, error);
	cli_memory_free(memory, memory_bytes);
	return status;
}

static enum smol_status score_windows(struct run_perplexity *result, struct run *run, const uint32_t *tokens,
                                      size_t n_tokens, double *nats, struct smol_error *error)
{
	const size_t context = smol_session_context(run->session);
	uint64_t n_bytes = 0;

	for (size_t i = 0; i + 1 < n_tokens; i += context) {
		const size_t n = n_tokens - 1 - i < context ? n_tokens - 1 - i : context;
		enum smol_status status;
		smol_session_rewind(run->session, 0);
		if ((status = smol_session_score(run->session, nats, tokens + i, tokens + i + 1, n, error)))
			return status;
		for (size_t j = 0; j < n; j++) {
			result->nats += nats[j];
			n_bytes += smol_token_bytes(&run->file, tokens[i + 1 + j]).size_bytes;
		}
		result->n_predicted += n;
	}
	result->nats_per_token = result->nats / (double)result->n_predicted;
	result->bits_per_byte = result->nats / log(2.0) / (double)n_bytes;
	return SMOL_OK;
}

enum smol_status run_perplexity(struct run_perplexity *result, struct run *run, struct smol_span text,
                                struct smol_error *error)
{
	uint32_t *tokens = malloc(smol_encode_bound(&run->file, text.size_bytes) * sizeof *tokens);
	double *nats = malloc(smol_session_context(run->session) * sizeof *nats);
	enum smol_status status;
	size_t n;

	*result = (struct run_perplexity){0};
	if (!tokens || !nats)
		status = fail(error, SMOL_E_MEMORY, "out of memory");
	else if (!(status = smol_encode(&n, tokens, &run->file, text.data, text.size_bytes, error)))
		status = n < 2 ? fail(error, SMOL_E_ARGUMENT, "a text of one token predicts nothing")
		               : score_windows(result, run, tokens, n, nats, error);
	free(nats);
	free(tokens);
	return status;
}
