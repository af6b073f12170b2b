/* The files that smoltrain writes: the model, and the checkpoint beside it. */
#ifndef SMOLTRAIN_OUTPUT_H
#define SMOLTRAIN_OUTPUT_H

#include "smoltrain/options/args.h"

#include <smol/key.h>
#include <stdbool.h>

struct train_output {
    const char *path;    /* the model */
    char *checkpoint;    /* its path */
    const char *trouble; /* the file that an error is about, NULL if none */
    bool is_saved;       /* the checkpoint is there, of saved_step */
    uint32_t saved_step;
    bool is_tensors; /* the model is safetensors */
    bool is_signed;
    struct smol_secret_key key;
    uint64_t size_bytes, non_embedding_bytes; /* of the model, once it is written */
};

struct train_bases; /* bases.h */

/* What is said of a finished model: its validation loss in windows of the context and, if it has
 * distances, in one stream. */
struct train_result {
    struct smol_train_score score;
    bool has_stream, has_stream_alone;
    double streamed_nats;            /* per token */
    double streamed_alone_nats;      /* without its history, if it has one */
    const struct train_bases *bases; /* of a delta, */
    const double *base_nats;         /* and how well each does alone, in windows as well; 0: not
                                        known */
};

/* Finds out before training whether it can end well: the folder, the checkpoint, the key. 0, or an
 * exit code after a message. */
int train_output_open(struct train_output *output, const struct train_args *args);
void train_output_close(struct train_output *output);

enum smol_status train_output_save(struct train_output *output, const struct smol_trainer *trainer,
                                   struct smol_error *error);
enum smol_status train_output_load(struct train_output *output, struct smol_trainer *trainer,
                                   struct smol_error *error);
/* Writes the model of a finished trainer. *result has the score; the stream's is found here, unless
 * a signal asks for an end. */
enum smol_status train_output_write(struct train_output *output, const struct train_args *args,
                                    struct smol_trainer *trainer, const struct smol_corpus *corpus,
                                    struct train_result *result, struct smol_error *error);
/* The checkpoint goes: after the last step, when the model and the log's last record are written,
 * so that whoever is killed before can still resume. */
void train_output_done(const struct train_output *output);

/* Parameters outside wte, wpe and the output table; a learned logit scale is one of them. */
uint64_t train_non_embedding_numbers(const struct smol_trainer *trainer);

/* Says what went wrong, and with which file; and what is left to go on from. */
void train_output_complain(const struct train_output *output, const struct smol_error *error);

/* The checkpoint's path for a model's, for free(); NULL if there is no memory. */
char *train_checkpoint_path(const char *model);

#endif
