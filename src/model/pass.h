/* A batch on its way through the layers, and what the files of the forward pass share. SPEC.md 8.
 */
#ifndef SMOL_MODEL_PASS_H
#define SMOL_MODEL_PASS_H

#include "model/model.h"

/* A batch on its way through the layers. */
struct pass {
    struct smol_session *s;
    const uint32_t *tokens;
    uint32_t n; /* positions */
    uint32_t layer;
};

/* Shares work out to the workers, a stage of a pass or something else, unless it is over sooner
 * than they are told: of one item, or of few multiplications. each: those that an item takes, or
 * could be made in its time. */
void smol_pass_run(const struct smol_session *s, smol_work *work, void *arg, uint64_t n_items,
                   uint64_t each);
#define ELEMENT 32u /* a number of a vector that is normalised or rounded, in multiplications */

/* Marks an overflow unless all magnitudes are below 2^50: then no later sum or square can leave the
 * range of a float. */
void smol_pass_check(const struct smol_session *s, uint32_t worker, const float *x, size_t n);

/* Position p's input (n) of a matrix, checked, and its 16 bits. */
void smol_pass_quantise(const struct smol_session *s, uint32_t worker, size_t p, const float *in,
                        size_t n);

/* What is done with each row of a product by the worker that made it: nothing; it becomes GELU, or
 * relu2, of itself; it is added to x (n, C). */
enum smol_then { SMOL_THEN_STAY, SMOL_THEN_ACTIVATE, SMOL_THEN_ADD };

/* out (n, R) = a slot's matrix times in (n, K), whose 16 bits are in X. */
void smol_multiply(const struct pass *pass, float *out, const struct dense *dense, const float *in,
                   enum smol_then then);

/* Heads of all layers. */
static inline size_t all_heads(const struct smol_session *s)
{
    return (size_t)s->config->n_layers * s->config->n_heads;
}

/* n rows of the cache to another place in it. */
void smol_cache_move(const struct smol_session *s, size_t to, size_t from, size_t n);

/* Makes room for the batch in caches that slide. */
void smol_cache_advance(struct pass *pass);

/* The attention of queries, keys and values in `wide`, into h, and its 16 bits. */
void smol_pass_attention(struct pass *pass);

#endif
