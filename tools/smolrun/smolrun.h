/* What smolrun was asked to do, and what it found out. */
#ifndef SMOLRUN_H
#define SMOLRUN_H

#include "cli/perplexity.h"
#include "cli/trust.h"

#include <smol/io.h>
#include <smol/sampler.h>
#include <smol/session.h>

struct run_args {
    char *model; /* owned, like the other strings */
    char *prompt, *prompt_file, *perplexity_file;
    char *trust;   /* a public key: its file, or its base64 */
    int trusted;   /* those of the trust folder */
    int n_predict; /* -1: until the context is full */
    struct smol_session_options session;
    struct smol_sampler_options sampler;
    int no_display_prompt, json, interactive, ignore_eos;
    bool check_fast; /* no hash, no signature */
};

/* 0: go on. Else the program ends with *exit_code. */
int run_args_parse(struct run_args *args, int argc, const char **argv, int *exit_code);
void run_args_free(struct run_args *args);

/* smolrun --bench, with arguments of its own. Returns the exit code. */
int run_bench(int argc, const char **argv);

/* A model that is open and trusted, and a session of it. */
struct run {
    const struct run_args *args;
    struct smol_mapping mapping;
    struct smol_file file;
    struct trust_proof proof; /* of a signature that was demanded; signature_path NULL: it is in the
                                 file, or none was */
    struct smol_session *session;
    void *memory;
    size_t memory_bytes;
    double open_seconds;
};

/* What a generation took and gave. */
struct run_result {
    const uint32_t *tokens; /* prompt, then what was generated; not owned */
    size_t n_prompt, n_tokens;
    size_t n_shown; /* n_tokens, without the end of text */
    double prompt_seconds, generate_seconds;
    const char *finish; /* "end", "length", "context" or "interrupted" */
};

/* smolrun -i: continues the prompt, if there is one, and then line after line of the standard
 * input. Returns the exit code. */
int run_interactive(struct run *run, struct smol_span prompt);

void run_print_statistics(const struct run *run, const struct run_result *result);
/* On one line, if it is one of several turns. false if memory is out. */
bool run_print_json(const struct run *run, const struct run_result *result);
bool run_print_perplexity(const struct run *run, const struct perplexity *result);

#endif
