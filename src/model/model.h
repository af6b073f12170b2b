/* What a session is made of: the tensors of a file, ready to multiply with, the KV cache and the
 * buffers of a batch, all in one block of memory. SPEC.md 7 and 8. */
#ifndef SMOL_MODEL_MODEL_H
#define SMOL_MODEL_MODEL_H

#include "base/arena.h"
#include "base/threads/pool.h"
#include "frozen/frozen.h"
#include "kernel/kernel.h"
#include "model/history/history.h"
#include "model/mixture.h"
#include "model/projector.h"

#include <smol/sampler.h>
#include <smol/session.h>

/* What a matrix is, before factors and the like are added. */
enum matrix_kind { FROZEN, MASKED, STORED, ZERO };

/* One dense matrix, of a model or a term of a delta, and, if rank > 0, the factors, in file
 * encoding. */
struct matrix {
    enum matrix_kind kind;
    uint32_t part; /* of the mixture */
    float factor;  /* of its products: F or g */
    uint32_t rank;
    struct smol_frozen frozen; /* of every kind the shape; of a mask its signs and sigma */
    struct smol_table_view stored;
    const uint8_t *mask; /* (R, ceil(K / 8)) */
    uint8_t *signs;      /* the same for whole row blocks, or NULL: regenerated */
    uint32_t z_at;       /* where in a row of z its rank numbers are */
    enum smol_dtype type;
    const uint8_t *a;            /* (r, K) */
    const uint8_t *b;            /* (R, r) */
    int16_t *kept;               /* (R, K) integer weights, or NULL: regenerated */
    struct smol_stream *streams; /* of its runs, or NULL (products/runs.h) */
    struct projected projected;
    uint32_t n_sparse; /* numbers of a row of the sparse term, or 0 */
    enum smol_dtype sparse_type;
    const uint8_t *sparse;    /* (R, n_sparse) in file encoding */
    const uint32_t *columns;  /* (R, n_sparse) of them */
    const float *gain, *bias; /* (R), or NULL */
};

/* What a matrix slot multiplies with: models' matrices, then terms of deltas; of a model one matrix
 * alone. */
struct dense {
    struct matrix *matrices; /* (n_models + n_terms) */
    uint32_t n_models, n_terms;
    bool has_gains; /* of terms */
};

/* Gain and bias (C) of a LayerNorm; both NULL for 1 and 0. */
struct norm {
    const float *gain, *bias;
};

/* A half-shift before one of a layer's matrices. */
struct shift {
    uint8_t *is_shifted; /* (C), or NULL: none */
    float *before;       /* (n_texts, C) the input of each text's last position, unshifted */
};

struct layer {
    struct norm norms[2];
    struct shift shifts[2];       /* of c_attn, of c_fc */
    const float *scales, *slopes; /* (H) of attention; NULL: 1 / sqrt(D) and 0 */
    struct dense dense[SMOL_N_SLOTS - 2];
};

/* What a layer has in a slot, which smol_slot_is_matrix tells apart. */
static inline struct norm *norm_of(struct layer *layer, enum smol_slot slot)
{
    return &layer->norms[slot == SMOL_LN_2];
}

static inline struct dense *dense_of(struct layer *layer, enum smol_slot slot)
{
    return &layer->dense[slot - (slot < SMOL_LN_2 ? 1u : 2u)];
}

static inline uint64_t n_blocks(const struct smol_frozen *f)
{
    return (f->rows + SMOL_ROW_BLOCK - 1) / SMOL_ROW_BLOCK;
}

/* Row blocks that one call multiplies with n positions, at most: more of them are no faster with
 * several positions, and their sums take memory. */
static inline uint32_t smol_blocks_at_once(const struct smol_kernels *k, uint64_t n)
{
    return n > 2 && k->block_batch > 2 ? 2 : k->block_batch;
}

/* What each worker has for itself; B is smol_blocks_at_once. */
struct worker {
    void *scratch;                 /* of the kernels, and what is needed only for a moment */
    int64_t *sums;                 /* of a product: (P, B x 64) */
    uint8_t *signs;                /* of a group of row blocks, if a tensor has a mask */
    struct smol_query *queries;    /* (n_queries) */
    float *scores;                 /* (the kernels' queries, T') */
    float *product, *base;         /* (P, B x 64) of a delta: rows of one product, and
                                      of what the models alone give */
    float *first;                  /* (B x 64), of one position: rows of the first term */
    struct projector **projectors; /* of each part, NULL if no tensor of it has a projection */
    float *keys, *values;       /* (seen, D) of one head as floats, unless the cache holds floats:
                                   seen are the positions that a batch can see */
    struct followers followers; /* if there is a history */
    bool overflow;              /* a value left the range of SPEC.md 8 */
};

/* What logits are made of: a model's table, or rows that a delta adds. */
struct output {
    struct smol_table_view table;      /* the file's, or q4 of q4-row */
    const struct smol_rows_view *rows; /* NULL: all */
    float scale;
};

/* What one of the texts of a session is at. */
struct sequence {
    uint32_t position; /* tokens fed, or UINT32_MAX if more */
    uint32_t held;     /* rows of its cache that are used */
    uint32_t start;    /* position before the present call */
    size_t n_new;      /* tokens of the present call */
    bool has_logits;
    struct history history; /* if there is one */
};

/* A position of a batch: those of one text lie together. */
struct row {
    uint32_t text;
    uint32_t at, n; /* it is number `at` of the n of its text */
};

struct smol_session {
    const struct smol_file *file;
    const struct smol_config *config; /* of a delta its own: the shape is the models' */
    struct mixture mixture;
    const struct smol_kernels *kernels;
    smol_frozen_product *product; /* exact or approximate */
    smol_frozen_runs *runs;       /* the same of runs, or NULL */
    smol_frozen_numbers *numbers; /* the same, or NULL */
    uint32_t context;             /* T' */
    uint32_t batch;               /* P, positions side by side */
    bool slides;                  /* without end: positions see the last T' */
    bool goes_apart;              /* workers take texts of their own through all layers */
    uint32_t capacity;            /* rows of the cache for each head */
    uint32_t most_rows;           /* that there is memory for: T' unless it slides */
    uint32_t n_texts;
    struct sequence *texts; /* (n_texts) */
    struct row *rows;       /* (P) of the present batch */
    uint32_t *heads;        /* (P) positions of the batch whose logits are made */
    uint32_t n_visited;     /* so many positions' logits fit into `wide`; 0: none */
    enum smol_dtype kv_type;
    void (*activation)(float *x, size_t n); /* GELU or relu2 */
    struct layer *layers;                   /* (L) */
    struct norm ln_f;
    struct output outputs[MAX_PARTS];
    uint32_t n_outputs;
    uint32_t history_capacity; /* tokens of each text's history; 0: there is none */
    uint8_t *history_memory;   /* (n_texts, smol_history_bytes rounded up to be even) */
    double strengths[SMOL_HISTORY_LENGTHS];
    uint8_t *keys, *values; /* (n_texts, L, H, capacity, D) of kv_type: the rows of a head lie
                               together, and so do all of them as long as they are few */
    float *key_scales, *value_scales; /* (n_texts, L, H, capacity) of Q8 */
    uint32_t n_queries;               /* of attention for one call */
    float *x;                         /* (P, C) the residual stream */
    float *h;       /* (P, C) normalised, or an attention's or projection's output */
    float *shifted; /* (P, C) of a half-shift, if there is one */
    float *wide;    /* (P, max(3C, F)) queries, keys and values, or hidden units, or a projection's
                       output */
    float *z;       /* (P, z_stride) A x of the factors of a slot's matrices */
    uint32_t z_stride;
    int16_t *X;             /* (P, x_stride) quantised inputs of a matrix */
    size_t x_stride;        /* max(C, F) */
    float *t;               /* (P) their steps */
    float *logits;          /* (n_texts, V) */
    struct worker *workers; /* (n_workers) */
    struct smol_pool *pool;
    uint32_t n_workers;
    struct smol_fft *ffts[SMOL_N_BLOCK_SIZES]; /* by block size; NULL where no tensor takes one */
};

/* The options of a session without zeros. Errors: those of smol_session_size but MEMORY. */
enum smol_status smol_session_resolve(struct smol_session_options *o, const struct smol_file *file,
                                      const struct smol_session_options *asked,
                                      struct smol_error *error);

/* Lays a session out in the arena, which it begins; with no memory behind it, only counts. o:
 * without zeros. ffts: its transforms, by block size. */
void smol_session_lay_out(struct smol_session *session, const struct smol_file *file,
                          const struct smol_session_options *o, struct smol_fft *const *ffts,
                          struct smol_arena *arena);

/* Of a worker's scratch, bytes of what vectors are made with: n floats, as many integers, and
 * behind these a table of n_planes. */
static inline uint64_t smol_temporary_bytes(uint64_t n, uint32_t n_planes)
{
    return n * (sizeof(float) + sizeof(int16_t)) + n_planes * SMOL_TABLE_ENTRIES * sizeof(int16_t);
}

/* Tables, vectors and factors of every tensor; when counting, nothing is written. */
void smol_tensors_set_up(struct smol_session *session, struct smol_arena *arena);

/* Room for integer weights, layer by layer, of the matrices that are read faster than regenerated,
 * as long as the arena stays within limit_bytes; then, with memory and threads there, the weights
 * themselves. */
void smol_weight_cache_place(struct smol_session *session, struct smol_arena *arena,
                             uint64_t limit_bytes);
void smol_weight_cache_fill(struct smol_session *session);

/* Appends n <= P tokens at the positions of their texts, or all to text 0 if texts is NULL; leaves
 * their x after the last layer. */
void smol_forward(struct smol_session *session, const uint32_t *texts, const uint32_t *tokens,
                  uint32_t n);

/* Positions of the batch that smol_forward left, whose logits are made. */
struct heads {
    const uint32_t *positions; /* (n) */
    uint32_t n;
    float *logits;                /* (n, V), of text 0; NULL: each of another text, with its own */
    const struct history *before; /* of text 0, to which the tokens of the n positions were pushed
                                     since; NULL: each has the history of its text */
};
/* Of the network alone, and with the history. */
void smol_head(struct smol_session *session, const struct heads *heads);
void smol_logits(struct smol_session *session, const struct heads *heads);

/* nats (n): the losses of predicting targets (n) from logits (n, V). SPEC.md 11. */
void smol_losses(const struct smol_session *session, double *nats, const float *logits,
                 const uint32_t *targets, uint32_t n);

/* Memory of the history, and the strengths of its numbers; then, with the texts there, theirs. */
void smol_history_set_up(struct smol_session *session, struct smol_arena *arena);
void smol_history_begin(struct smol_session *session);

/* The logits (V) of position i. */
static inline float *head_logits(const struct smol_session *s, const struct heads *h, uint32_t i)
{
    const size_t row = h->logits ? i : s->rows[h->positions[i]].text;

    return (h->logits ? h->logits : s->logits) + row * s->config->vocab;
}

/* The logits (V) of a text. */
static inline float *logits_of(const struct smol_session *s, uint32_t text)
{
    return s->logits + (size_t)text * s->config->vocab;
}

/* What is done with the logits (n, V) after each of n tokens, the next ones. */
typedef void smol_session_visit(void *arg, const float *logits, uint32_t n);
/* smol_session_feed, which visits the logits after token `first` and each one behind it; visit may
 * be NULL. */
enum smol_status smol_session_feed_each(struct smol_session *session, const uint32_t *tokens,
                                        size_t n, size_t first, smol_session_visit *visit,
                                        void *arg, struct smol_error *error);

/* Makes room in the KV cache for the new tokens of the texts of a call, which has n in all, or for
 * as many as it has memory for. texts: (n), or NULL: all of text 0. */
void smol_cache_reserve(struct smol_session *session, const uint32_t *texts, size_t n);

/* Makes what the cache has of text `to` what it has of text `from`. */
void smol_cache_copy(const struct smol_session *session, uint32_t to, uint32_t from);

/* smol_sampler_pick in an environment that its caller has set (base/fpenv.h). */
enum smol_status smol_sampler_choose(uint32_t *token, struct smol_sampler *sampler,
                                     const float *logits, struct smol_error *error);

/* Whether a value has left the range of SPEC.md 8 since the last call. */
bool smol_overflowed(struct smol_session *session);

#endif
