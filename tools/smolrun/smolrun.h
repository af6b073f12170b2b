/* What smolrun was asked to do, and what it found out. */
#ifndef SMOLRUN_H
#define SMOLRUN_H

#include "cli/delta/parts.h"
#include "cli/trust.h"

#include <smol/model.h>

#include <jansson.h>

struct run_args {
    const char *model;
    char *prompt, *prompt_file, *perplexity_file;
    char *trust;   /* a public key: its file, or its base64 */
    int trusted;   /* those of the trust folder */
    int n_predict; /* -1: until the context is full, or as many as it has if the text slides */
    struct parts_words parts;
    struct smol_session_options session;
    struct smol_sampler_options sampler;
    int no_display_prompt, json, interactive, ignore_eos;
    bool check_fast;  /* no hash, no signature */
    uint32_t stride;  /* of windows that overlap; 0: they do not */
    uint32_t n_texts; /* -np; 0: not given */
};
#define RUN_MAX_TEXTS 1000000

/* Reads the command line, and runs with what it says. Returns the exit code. */
typedef int run_with(const struct run_args *args);
int run_args_read(int argc, const char **argv, run_with *run);

/* MODEL.smol, or what -m says: one of both. 0, or CLI_USAGE after a message. */
int run_model_name(const char **model, const char *option, const char *argument);

/* smolrun --bench, with arguments of its own. Returns the exit code. */
int run_bench(int argc, const char **argv);

/* A model that is open and trusted. */
struct run {
    const struct run_args *args;
    struct smol_session_options session; /* args' own, without what --mem has for others */
    struct smol_files files;
    struct smol_model *model;
    const struct smol_file *file;       /* what runs: the model, or a delta joined with its parts */
    const struct smol_open_file *named; /* of the files the one that runs: the others are its parts
                                         */
    struct trust_proof proof; /* of a signature that was demanded; signature_path NULL: it is in the
                                 file, or none was */
    double open_seconds;
};

/* The context in use; and whether texts slide, so that they have no end. */
uint32_t run_context(const struct run *run);
bool run_slides(const struct run *run);
/* Tokens of the history in use; 0 without. */
uint32_t run_history(const struct run *run);

/* What an error of a generation is about; NULL: nothing to name. */
const char *run_blamed(const struct run *run, enum smol_status code);

/* smolrun --perplexity. Returns the exit code. */
int run_perplexity(const struct run *run);

/* How many of the texts of -np are computed side by side: as many as have their keys and values in
 * a cache together, unless those are few or the matrices take most time. */
uint32_t run_texts_side_by_side(const struct run *run);
/* smolrun -np: texts from one prompt. Returns the exit code. */
int run_parallel(const struct run *run, struct smol_span prompt);

/* What a generation took and gave. */
struct run_result {
    uint64_t seed;
    const uint32_t *tokens; /* prompt, then what was generated; not owned; NULL unless for JSON */
    size_t n_prompt, n_tokens; /* of several texts n_prompt of each, and n_tokens of them all */
    size_t n_shown;            /* n_tokens, without the end of text */
    double prompt_seconds, generate_seconds;
    const char *finish; /* "end", "length", "context" or "interrupted" */
    uint32_t n_texts;   /* of -np, as many as were begun; 0: it was not given */
};

void run_print_statistics(const struct run *run, const struct run_result *result);
/* On one line, if it is one of several turns or texts. Returns the exit code. */
int run_print_json(const struct run *run, const struct run_result *result);
/* What JSON says of the model; NULL if memory is out. */
json_t *run_model_json(const struct run *run);

#endif
