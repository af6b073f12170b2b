/* Inside a trainer: what a step reads and changes. */
#ifndef SMOL_TRAIN_TRAINER_H
#define SMOL_TRAIN_TRAINER_H

#include "base/fpenv.h"
#include "base/threads/pace.h"
#include "train/batch.h"
#include "train/documents.h"
#include "train/net/net.h"

#include <smol/train.h>

/* Of a thread of OpenMP's, while the trainer computes. */
struct smol_thread_env {
    struct smol_fpenv host;
    bool is_set;
};

struct smol_trainer {
    struct smol_train_options options;
    struct smol_corpus corpus;
    struct smol_file tokenizer;                    /* nothing else of it */
    struct smol_part_link models[SMOL_MAX_MODELS]; /* of a delta, with the factors of a file */
    uint32_t *rows;              /* tokens whose rows of a delta's tables learn; NULL: none */
    uint16_t *token_bytes;       /* (V) what each token stands for */
    uint64_t n_train;            /* tokens to train on; the rest validate */
    struct smol_train_comm comm; /* of the options, or of one process */
    uint32_t share;              /* windows of a batch that this process computes */
    struct smol_net *net;
    real *m, *v;   /* (n_values): AdamW's moments */
    uint32_t step; /* steps done */
    struct smol_pace pace;
    uint8_t batch_key[32];
    uint32_t *tokens;                        /* (share x context) */
    int32_t *targets;                        /* (share x context) */
    uint32_t *begins;                        /* (share x context) for documents (net.h), or NULL */
    struct smol_document_windows train, val; /* the same */
    uint16_t *soft; /* (smol_trainer_rows(), V) what teachers predict after each token; or NULL */
    const uint16_t **soft_rows; /* (share x context) those of a batch; NULL without teachers */
    struct smol_soft_targets soft_targets;
    struct smol_dropout dropout;
    real *best;       /* (n_values), NULL unless keep_best */
    double best_nats; /* infinite before the first evaluation */
    bool finished;
    uint8_t *params, *embeddings; /* sections of the file, once finished; NULL if nothing was
                                     rounded */
    uint64_t params_bytes, embedding_bytes;
    struct smol_thread_env *environments; /* (n_threads + 1), the last of the caller */
};

/* Around all that computes with several threads: sets how many, of OpenMP's and OpenBLAS's, and the
 * floating-point environment of each, which may be other code's too; then gives those back, and
 * returns status. */
void smol_trainer_enter(const struct smol_trainer *trainer);
enum smol_status smol_trainer_leave(const struct smol_trainer *trainer, enum smol_status status);

/* After loading: whether the forward pass rounds already. */
void smol_trainer_resume_rounding(struct smol_trainer *trainer);

/* The factors of lr and alpha_lr at a step, counted from 0. */
double smol_schedule(const struct smol_train_options *options, uint32_t step);
double smol_alpha_schedule(const struct smol_train_options *options, uint32_t step);

/* Places of the training text that have something to predict: tokens, or positions of documents
 * (documents.h; perhaps one more). */
uint64_t smol_trainer_rows(const struct smol_trainer *trainer);

/* The n most frequent tokens of the text to train on, in t->rows; of equal ones the lower. MEMORY.
 */
enum smol_status smol_trainer_choose_rows(struct smol_trainer *trainer, uint32_t n,
                                          struct smol_error *error);

/* Fills the batch with the windows of the next step. */
void smol_trainer_load_batch(struct smol_trainer *trainer);
/* Validation takes so many batches. Fills the batch with i's; returns how many tokens it predicts,
 * and adds what they stand for. */
uint64_t smol_trainer_validations(const struct smol_trainer *trainer);
size_t smol_trainer_load_validation(struct smol_trainer *trainer, uint64_t i, uint64_t *n_bytes);

/* One step of AdamW from net->grad, already scaled. lr: by enum smol_param_group. */
void smol_adamw(struct smol_trainer *trainer, const double *lr, double grad_scale);
/* The Euclidean norm of net->grad. */
double smol_gradient_norm(const struct smol_net *net);

#endif
