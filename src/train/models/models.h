/* The models that a delta changes, in training (SPEC.md 16): frozen numbers, to which what is
 * learned is added where weights are made. Their gradient exists only as far as numbers that mix
 * them, or factors of their rows, need it. */
#ifndef SMOL_TRAIN_MODELS_H
#define SMOL_TRAIN_MODELS_H

#include "train/net/net.h"

struct smol_arena;       /* base/arena.h */
struct smol_net_options; /* train/net/build.h */

/* Takes the models of the options into a network that has none of its parameters yet. */
void smol_models_begin(struct smol_net *net, const struct smol_net_options *options);

/* Whether a model has biases beside a matrix, or one has a norm that is not frozen. */
bool smol_models_have_bias(const struct smol_net *net, uint32_t layer, enum smol_slot slot);
bool smol_models_have_norm(const struct smol_net *net, uint32_t layer, enum smol_slot slot);

/* Memory for a tensor's numbers; nothing if it has no size. */
void smol_base_place(struct smol_arena *arena, const struct smol_net *net,
                     struct smol_net_base *base);
/* The same for the tables and their rows. */
void smol_models_place(struct smol_arena *arena, struct smol_net *net);

/* Reads all numbers from the models' files, which are not needed later. MEMORY. */
enum smol_status smol_models_load(struct smol_net *net, struct smol_error *error);

/* Brings a sum, or those of the tables, up to date with the numbers that mix it. */
void smol_base_mix(const struct smol_net *net, const struct smol_net_base *base);
void smol_models_mix(const struct smol_net *net);

/* Adds to the gradient of what mixes a tensor, from that of its sum: d (rows, size / rows). gain:
 * (rows), row r counts 1 + gain_r times; or NULL. */
void smol_base_gradient(struct smol_net *net, const struct smol_net_base *base, const real *d,
                        const real *gain, size_t rows);
/* The same of the embeddings, from net->x, and of the output table, from models.d_output. */
void smol_models_embed_gradient(struct smol_net *net, const uint32_t *tokens);
void smol_models_output_gradient(struct smol_net *net);

/* The factor of logits: the first model's, and its difference. */
real smol_models_logit_scale(const struct smol_net *net);
/* What model m's, with the same difference, is of that. */
double smol_models_logit_ratio(const struct smol_net *net, uint32_t m);

/* ---- matrices ---- */

/* Whether a matrix is its models' sum and nothing else, so that it needs no weights of its own. */
bool smol_models_alone(const struct smol_net_matrix *m);
/* m's weights = their sum, each row with its gain; add: added to what is there. */
void smol_models_weights(const struct smol_net *net, const struct smol_net_matrix *m, bool add);
/* m->bias_sum, if it has one. */
void smol_models_bias(const struct smol_net *net, const struct smol_net_matrix *m);
/* Whether gains or numbers that mix need the gradient of the whole matrix. */
bool smol_models_need_whole(const struct smol_net_matrix *m);
/* Their gradient, from that of the weights (rows, cols) and, with bias_sum, net->d_bias. */
void smol_models_matrix_gradient(struct smol_net *net, const struct smol_net_matrix *m,
                                 const real *d_weight);

/* ---- rows of the tables that learn ---- */

/* net->x += those of the tokens, and their gradient. */
void smol_rows_embed(struct smol_net *net, const uint32_t *tokens);
void smol_rows_embed_gradient(struct smol_net *net, const uint32_t *tokens);
/* Adds to the logits of m tokens with the outputs a (m, C). */
void smol_rows_logits(struct smol_net *net, const real *a, size_t m, real scale);
/* From the gradient of logits (m, V) to those of the rows, and adds to d_a (m, C). */
void smol_rows_logits_gradient(struct smol_net *net, real *d_a, const real *a, size_t m,
                               real scale);

#endif
