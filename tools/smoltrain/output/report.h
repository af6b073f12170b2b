/* What smoltrain says while it trains: a line on the terminal, a log of JSON lines. */
#ifndef SMOLTRAIN_REPORT_H
#define SMOLTRAIN_REPORT_H

#include "smoltrain/output/output.h"
#include "smoltrain/plan/rivals.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct train_report {
    const struct train_args *args;
    FILE *log;             /* NULL: none */
    bool log_failed;       /* a record is missing or cut */
    bool terminal, quiet;  /* quiet: another process of the group reports */
    double began, shown;   /* seconds of the monotonic clock */
    unsigned first_step;   /* steps done before this run */
    double loss, smoothed; /* of training: the last step's, and smoothed; negative: none yet */
    double val;            /* the last validation's; negative: none yet */
    double base_nats[SMOL_MAX_MODELS]; /* of each model that a delta changes; 0: not known */
};

/* Opens the log, if one is asked for; a resumed run adds to what it says of the steps before.
 * False, with a message, if it cannot be written. */
bool train_report_open(struct train_report *report, const struct train_args *args,
                       const struct smol_trainer *trainer, const struct smol_corpus *corpus,
                       const struct train_bases *bases);
void train_report_step(struct train_report *report, const struct smol_trainer *trainer,
                       const struct smol_train_step *step);
/* stored: of the numbers as the file holds them. */
void train_report_score(struct train_report *report, const struct smol_trainer *trainer,
                        const struct smol_train_score *score, bool stored);
/* How well the models of a delta do by themselves: base_nats. */
void train_report_bases(struct train_report *report, const struct train_bases *bases);
/* The model that was written. */
void train_report_model(struct train_report *report, const struct smol_trainer *trainer,
                        const struct train_output *output, const struct train_result *result);
/* What others reach in the size that was asked for; the model's own line came before. */
void train_report_rivals(struct train_report *report, const struct plan_rivals *rivals);
/* False if the log could not be written whole. */
bool train_report_close(struct train_report *report);

#endif
