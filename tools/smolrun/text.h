/* A text that grows: what it is given, and what the model goes on with, shown while it comes. */
#ifndef SMOLRUN_TEXT_H
#define SMOLRUN_TEXT_H

#include "smolrun/smolrun.h"

/* Text on its way out: bytes that may still become a whole character are held back. */
struct run_stream {
    uint8_t held[8];
    size_t n_held;
    bool terminal, colour, quiet;
    bool in_line; /* what was shown last is no line feed */
};

/* For the standard output, or for nothing if the output is JSON. */
struct run_stream run_stream_begin(const struct run *run);
/* What was given, in bold if there are colours; and what the model adds. */
void run_stream_given(struct run_stream *stream, struct smol_span bytes);
void run_stream_bytes(struct run_stream *stream, struct smol_span bytes);
/* Passes on what was shown; at the end of a text what was held back too. */
enum smol_status run_stream_flush(struct run_stream *stream, bool is_end, struct smol_error *error);

/* The tokens of a prompt, for free(): the start token if it begins a text and there are no bytes.
 */
enum smol_status run_prompt_tokens(uint32_t **tokens, size_t *n, const struct run *run,
                                   struct smol_span bytes, bool begins, struct smol_error *error);
/* How many tokens a text may have; -1: as many as fit. */
int run_most_tokens(const struct run *run);
/* The token that ends a text, or SMOL_NO_TOKEN. */
uint32_t run_end_token(const struct run *run);
/* Whether Ctrl-C was pressed since it was last asked to be caught. */
bool run_is_interrupted(void);

struct run_text {
    const struct run *run;
    struct smol_text *text; /* owned */
    uint32_t end;           /* the token that ends the text, or SMOL_NO_TOKEN */
    struct run_stream stream;
    uint32_t *tokens; /* (capacity) of the turn, for JSON; owned */
    size_t capacity;
};

enum smol_status run_text_open(struct run_text *text, const struct run *run,
                               struct smol_error *error);
void run_text_close(struct run_text *text);

/* A turn: bytes are added (none at the very start are the start token), and fed; then the model
 * goes on, to the end of text if it chooses that. What does not fit moves the context on to its
 * last half, unless the text slides. Errors: TOKEN and CONTEXT (a turn longer than the context)
 * leave the text as it was. *result is the turn's; it has tokens for JSON only, until the next
 * turn. */
enum smol_status run_text_turn(struct run_result *result, struct run_text *text,
                               struct smol_span bytes, bool is_shown, struct smol_error *error);

/* smolrun -i: continues the prompt, if there is one, and then line after line of the standard
 * input. Returns the exit code. */
int run_interactive(struct run_text *text, struct smol_span prompt);

/* Ctrl-C ends the text that is being written. Unless it is caught again and again, a second one
 * ends the program. */
void run_catch_interrupts(bool again);

#endif
