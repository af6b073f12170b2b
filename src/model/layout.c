/* The memory of a session: what lies in its arena, and how much. */
#include "base/bytes.h"
#include "model/apart/apart.h"

#include <smol/params.h>

static uint32_t max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }

static uint32_t max_rank(const struct smol_config *c)
{
    uint32_t rank = 0;

    for (uint32_t i = 0; i < c->n_schemes; i++)
        rank = max_u32(rank, c->schemes[i].rank);
    return rank;
}

/* Numbers of z for each position. */
static uint32_t all_ranks(const struct mixture *m)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < m->n_parts; i++)
        sum += max_rank(&m->files[i]->config);
    return sum;
}

static uint32_t max_dimensions(const struct smol_config *c)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->n_schemes; i++)
        n = max_u32(n, smol_scheme_projects(&c->schemes[i]) ? c->schemes[i].dimensions : 0);
    return n;
}

/* Whether positions have no end: each sees the last ones, wherever it is. */
static bool is_endless(const struct smol_config *c, const struct smol_session_options *o)
{
    return smol_config_has(c, SMOL_FEATURE_DISTANCES) && !o->is_fixed;
}

/* Positions that the positions of a batch can see. */
static uint32_t seen_rows(const struct smol_config *c, const struct smol_session_options *o)
{
    return is_endless(c, o) ? o->context - 1 + o->batch : o->context;
}

/* Rows of the cache for each head: with a quarter of the context to spare, a cache that slides is
 * moved so seldom that the moves cost nothing beside the attention. */
static uint32_t cache_rows(const struct smol_config *c, const struct smol_session_options *o)
{
    return is_endless(c, o) ? o->context - 1 + max_u32(o->batch, (o->context + 3) / 4) : o->context;
}

static bool has_mask(const struct smol_config *c)
{
    for (uint32_t i = 0; i < c->n_schemes; i++)
        if (c->schemes[i].kind == SMOL_MATRIX && c->schemes[i].source == SMOL_MATRIX_MASK)
            return true;
    return false;
}

/* Whether a matrix is made of the seed, so that kernels make weights. */
static bool has_frozen(const struct smol_config *c)
{
    for (uint32_t i = 0; i < c->n_schemes; i++)
        if (c->schemes[i].kind == SMOL_MATRIX && c->schemes[i].source != SMOL_MATRIX_MASK &&
            c->schemes[i].source != SMOL_MATRIX_STORED)
            return true;
    return false;
}

/* Bytes of the signs of a group of row blocks, the widest; 0 without a mask. */
static uint64_t signs_bytes(const struct mixture *m, const struct smol_kernels *k)
{
    const struct smol_config *c = &m->files[0]->config;

    for (uint32_t i = 0; i < m->n_parts; i++)
        if (has_mask(&m->files[i]->config))
            return k->block_batch * smol_mask_signs_bytes(max_u32(c->width, c->n_ff));
    return 0;
}

/* A projector for each part whose tensors have projections. */
static struct projector **place_projectors(struct smol_arena *arena, const struct mixture *m)
{
    struct projector **projectors = smol_arena_take(arena, m->n_parts, sizeof(void *));

    for (uint32_t i = 0; i < m->n_parts; i++) {
        const struct smol_config *c = &m->files[i]->config;
        struct projector *projector = smol_projector_place(
            arena, max_dimensions(c), max_u32(3 * c->width, c->n_ff), max_u32(c->width, c->n_ff));
        if (arena->base)
            projectors[i] = projector;
    }
    return projectors;
}

/* The most planes of a tensor. */
static uint32_t max_planes(const struct smol_config *c)
{
    uint32_t n = 1;

    for (uint32_t i = 0; i < c->n_schemes; i++)
        n = max_u32(n, smol_frozen_planes(c->schemes[i].dist, c->schemes[i].d));
    return n;
}

/* The most numbers of a row of a sparse term. */
static uint32_t max_sparse(const struct smol_config *c)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->n_schemes; i++)
        n = max_u32(n, smol_scheme_sparse(&c->schemes[i]));
    return n;
}

/* Bytes of a worker's scratch: the most that kernels, vectors being made or a sparse term take. */
static uint64_t worker_scratch(const struct mixture *m, const struct smol_kernels *k,
                               uint32_t batch)
{
    const struct smol_config *c = &m->files[0]->config;
    uint64_t most = 0;

    for (uint32_t i = 0; i < m->n_parts; i++) {
        const struct smol_config *part = &m->files[i]->config;
        const uint32_t planes = max_planes(part);
        const uint64_t of_kernels = k->scratch_bytes(max_u32(c->width, c->n_ff), batch,
                                                     has_frozen(part) ? planes : 0),
                       of_vectors = smol_temporary_bytes(c->width, planes),
                       of_sparse = max_sparse(part) * sizeof(float);

        most = of_kernels > most ? of_kernels : most;
        most = of_vectors > most ? of_vectors : most;
        most = of_sparse > most ? of_sparse : most;
    }
    return most;
}

/* Positions times row blocks of a call, at most. */
static uint64_t most_blocks(const struct smol_kernels *k, uint64_t batch)
{
    const uint64_t few = batch < 2 ? batch : 2, of_few = few * smol_blocks_at_once(k, few),
                   of_all = batch * smol_blocks_at_once(k, batch);

    return of_few > of_all ? of_few : of_all;
}

#define LARGE_CACHE 16777216u /* bytes of K and V, of which keys are best fetched ahead */
#define QUERIES 64u           /* of attention for one call, so that they are of most */

/* Rows of the cache, whose bytes are below 2^60. */
static uint64_t all_rows(const struct smol_session *s)
{
    return (uint64_t)s->n_texts * s->config->n_layers * s->config->n_heads * s->most_rows;
}

static uint32_t queries_of(const struct smol_session *s)
{
    const uint64_t bytes =
        2 * all_rows(s) * smol_row_bytes(s->kv_type, s->config->width / s->config->n_heads);

    return s->kernels->queries > 1 && bytes > LARGE_CACHE ? QUERIES : s->kernels->queries;
}

/* Buffers of one worker. */
static void place_worker(struct worker *w, struct smol_arena *arena, const struct mixture *m,
                         const struct smol_kernels *k, uint32_t n_queries,
                         const struct smol_session_options *o)
{
    const struct smol_config *c = &m->files[0]->config;
    const uint64_t blocks = most_blocks(k, o->batch), group = blocks * SMOL_ROW_BLOCK,
                   of_delta = m->n_parts > 1 ? group : 0,
                   head = o->kv_type == SMOL_F32
                              ? 0
                              : (uint64_t)seen_rows(c, o) * (c->width / c->n_heads);
    struct worker made;

    made.scratch = smol_arena_take(arena, worker_scratch(m, k, o->batch), 1);
    made.sums = smol_arena_take(arena, group, sizeof *made.sums);
    made.signs = smol_arena_take(arena, signs_bytes(m, k), 1);
    made.queries = smol_arena_take(arena, n_queries, sizeof *made.queries);
    made.scores = smol_arena_take(arena, k->queries * (uint64_t)o->context, sizeof *made.scores);
    made.product = smol_arena_take(arena, of_delta, sizeof *made.product);
    made.base = smol_arena_take(arena, of_delta, sizeof *made.base);
    made.first = smol_arena_take(arena, m->n_parts > 1 ? k->block_batch * SMOL_ROW_BLOCK : 0,
                                 sizeof *made.first);
    made.projectors = place_projectors(arena, m);
    made.keys = smol_arena_take(arena, head, sizeof *made.keys);
    made.values = smol_arena_take(arena, head, sizeof *made.values);
    made.overflow = false;
    if (arena->base)
        *w = made;
}

static void place_cache(struct smol_session *s, struct smol_arena *arena)
{
    const uint64_t rows = all_rows(s);
    const uint64_t row_bytes = smol_row_bytes(s->kv_type, s->config->width / s->config->n_heads);
    const uint64_t n_scales = s->kv_type == SMOL_Q8 ? rows : 0;

    s->keys = smol_arena_take(arena, rows, row_bytes);
    s->values = smol_arena_take(arena, rows, row_bytes);
    s->key_scales = smol_arena_take(arena, n_scales, sizeof *s->key_scales);
    s->value_scales = smol_arena_take(arena, n_scales, sizeof *s->value_scales);
}

static void place_buffers(struct smol_session *s, struct smol_arena *arena)
{
    const struct smol_config *c = s->config;
    const uint64_t P = s->batch;

    s->x = smol_arena_take(arena, P * c->width, sizeof *s->x);
    s->h = smol_arena_take(arena, P * c->width, sizeof *s->h);
    s->shifted = smol_arena_take(
        arena, smol_config_has(c, SMOL_FEATURE_HALF_SHIFT) ? P * c->width : 0, sizeof *s->shifted);
    s->wide = smol_arena_take(arena, P * max_u32(3 * c->width, c->n_ff), sizeof *s->wide);
    s->n_visited = (uint32_t)(P * max_u32(3 * c->width, c->n_ff) / c->vocab);
    s->z_stride = all_ranks(&s->mixture);
    s->z = smol_arena_take(arena, P * s->z_stride, sizeof *s->z);
    s->x_stride = max_u32(c->width, c->n_ff);
    s->X = smol_arena_take(arena, P * s->x_stride, sizeof *s->X);
    s->t = smol_arena_take(arena, P, sizeof *s->t);
    s->logits = smol_arena_take(arena, (uint64_t)s->n_texts * c->vocab, sizeof *s->logits);
    s->texts = smol_arena_take(arena, s->n_texts, sizeof *s->texts);
    s->rows = smol_arena_take(arena, P, sizeof *s->rows);
    s->heads = smol_arena_take(arena, P, sizeof *s->heads);
    place_cache(s, arena);
}

void smol_session_lay_out(struct smol_session *session, const struct smol_file *file,
                          const struct smol_session_options *o, struct smol_fft *const *ffts,
                          struct smol_arena *arena)
{
    struct worker none, *w = &none;

    smol_arena_take(arena, 1, sizeof *session); /* session, at the arena's start */
    *session = (struct smol_session){
        .file = file,
        .config = &file->config,
        .kernels = smol_kernels_select(o->isa),
        .context = o->context,
        .batch = o->batch,
        .slides = is_endless(&file->config, o),
        .most_rows = cache_rows(&file->config, o),
        .kv_type = o->kv_type,
        .n_texts = (uint32_t)o->n_texts,
        .history_capacity =
            smol_config_history(&file->config) && o->history > 1 ? (uint32_t)o->history : 0};
    session->activation = smol_config_has(&file->config, SMOL_FEATURE_RELU2)
                              ? session->kernels->relu2
                              : session->kernels->gelu;
    session->product = o->is_fast ? session->kernels->frozen_fast : session->kernels->frozen;
    session->runs = o->is_fast ? session->kernels->runs_fast : session->kernels->runs;
    session->numbers = o->is_fast ? session->kernels->numbers_fast : session->kernels->numbers;
    memcpy(session->ffts, ffts, sizeof session->ffts);
    smol_mixture_of(&session->mixture, file);
    session->goes_apart = smol_goes_apart(&session->mixture);
    session->n_queries = queries_of(session);
    session->layers = smol_arena_take(arena, file->config.n_layers, sizeof *session->layers);
    session->pool = smol_arena_take(arena, 1, smol_pool_bytes(o->n_threads));
    session->n_workers = o->n_threads;
    session->workers = smol_arena_take(arena, o->n_threads, sizeof *session->workers);
    for (uint32_t i = 0; i < o->n_threads; i++) {
        if (arena->base)
            w = &session->workers[i];
        place_worker(w, arena, &session->mixture, session->kernels, session->n_queries, o);
    }
    place_buffers(session, arena);
    smol_tensors_set_up(session, arena);
    smol_history_set_up(session, arena);
    if (!o->is_fast) /* as far as a size goes, which may have 32 bits */
        smol_weight_cache_place(session, arena,
                                o->memory_bytes < SIZE_MAX / 2 ? o->memory_bytes : SIZE_MAX / 2);
}
