/* What smoltrain was asked to do. */
#ifndef SMOLTRAIN_ARGS_H
#define SMOLTRAIN_ARGS_H

#include "cli/tokenizer_file.h"

#include <smol/train.h>

/* What a file of data holds: what its name says, or text, or JSON lines. */
enum train_format { TRAIN_FORMAT_AUTO, TRAIN_FORMAT_TEXT, TRAIN_FORMAT_JSONL };

/* The tokens of text that is not for a tokenizer: all bytes, or a set of those that are used. */
struct train_vocab {
    bool is_used;
    bool may_end; /* the set gets an end of text if there are several documents */
    struct tokenizer_of of;
};

/* Paths are the command line's, which lives as long as the program. */
struct train_args {
    struct smol_train_options options;
    char **data, **valid; /* NULL at the end; data and output are there, the others may be NULL */
    char **teacher;       /* the same */
    char *bases[SMOL_MAX_MODELS]; /* (n_bases) that a delta changes, and with which factors; NaN:
                                     any */
    float factors[SMOL_MAX_MODELS];
    size_t n_bases;
    enum train_format format;
    struct train_vocab vocab; /* all bytes with a tokenizer */
    const char *output, *tokenizer, *cache, *log, *note, *sign_key, *password_file;
    unsigned eval_every; /* 0: only at the end */
    unsigned save_every; /* 0: only when stopped */
    unsigned print_every;
    int resume, no_card;
    unsigned seed_search; /* seeds to choose from; 0, 1: the one there is */
    bool in_sweep;        /* one of several runs */
    /* Of a planned training. */
    uint64_t size_bytes; /* the whole file's, with its signature; 0: any */
    double minutes;      /* the training's; 0: any */
    int plan_only;       /* then output may be NULL */
};

/* Whether something is left to be chosen; a resumed training was planned. */
bool train_args_plans(const struct train_args *args);

/* Reads the command line; on --resume, the options that it does not give are the checkpoint's. 0,
 * or an exit code after a message. */
int train_args_parse(struct train_args *args, int argc, const char **argv);

/* The same line with a method in place of the default, if it names none: what a plan chooses among.
 * 0, or an exit code after a message. */
int train_args_of_method(struct train_args *args, const char *method);

/* The same line when it describes a series of runs: method is one with a d. */
struct train_sweep_args {
    const char *method, *folder;
    enum smol_architecture architecture;
    uint32_t *d; /* (n), in rising order; for free() */
    size_t n;
};
int train_sweep_args_parse(struct train_sweep_args *args, int argc, const char **argv);

/* One run of that line: its own method, its own files, which must outlive args, and a d if it is
 * not 0. */
struct train_sweep_run {
    const char *method, *output, *log;
    uint32_t d;
};
int train_sweep_run_args(struct train_args *args, const struct train_sweep_run *run);

#endif
