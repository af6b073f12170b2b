/* The networks that fit into a file. */
#ifndef SMOLTRAIN_SHAPES_H
#define SMOLTRAIN_SHAPES_H

#include "smoltrain/options/args.h"
#include "smoltrain/plan/estimate.h"

#include <smol/file.h>

/* What is chosen among, and for what. */
struct plan_search {
    const struct train_args *args; /* the line */
    const struct smol_file *tokenizer;
    uint64_t n_train, n_validation; /* tokens */
    /* The training's time: seconds, and how much work is done in one. 0: as long as it pays. */
    double seconds, work_per_second;
};

struct plan_choice {
    struct train_args args; /* with all that was chosen */
    uint64_t file_bytes;    /* unsigned, without a card */
    uint64_t least_bytes;   /* of all that were looked at */
    uint32_t n_fitting;     /* networks; 0: none fits, and of args nothing was chosen */
    uint32_t n_slow;        /* networks that the time does not suffice for */
    double loss;            /* plan_estimate's */
};

/* 0, or an exit code after a message. */
int plan_choose(struct plan_choice *choice, const struct plan_search *search);

/* The steps that a network gets; 0 if there is no time for some. */
uint32_t plan_steps(const struct smol_train_options *options, const struct plan_search *search);

#endif
