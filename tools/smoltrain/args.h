/* What smoltrain was asked to do. */
#ifndef SMOLTRAIN_ARGS_H
#define SMOLTRAIN_ARGS_H

#include <smol/train.h>

struct train_args {
    struct smol_train_options options;
    /* All owned; only data and output are never NULL. */
    char **data, **valid; /* paths, NULL at the end */
    char *tokenizer, *cache, *output, *log, *sign_key, *password_file;
    unsigned eval_every; /* 0: only at the end */
    unsigned save_every; /* 0: only when stopped */
    unsigned print_every;
    int resume;
    unsigned seed_search; /* seeds to choose from; 0, 1: the one there is */
    bool in_sweep;        /* one of several runs */
};

/* Parses the command line; on --resume, the options that it does not give are the checkpoint's. 0:
 * go on, and free the arguments at the end; else the program ends with *exit_code. */
int train_args_parse(struct train_args *args, int argc, const char **argv, int *exit_code);
void train_args_free(struct train_args *args);

/* The same line when it describes a series of runs: method is one with a d. */
struct train_sweep_args {
    char *method, *folder; /* owned */
    uint32_t *d;           /* (n), in rising order; owned */
    size_t n;
};
int train_sweep_args_parse(struct train_sweep_args *args, int argc, const char **argv,
                           int *exit_code);
void train_sweep_args_free(struct train_sweep_args *args);

/* One run of such a line: its own method, its own files, and a d if it is not 0. */
struct train_sweep_run {
    const char *method, *output, *log;
    uint32_t d;
};
int train_sweep_run_args(struct train_args *args, const struct train_sweep_run *run, int argc,
                         const char **argv, int *exit_code);

#endif
