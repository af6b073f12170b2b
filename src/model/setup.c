/* From a file's schemes and parameters to tensors ready to multiply with. SPEC.md 5 and 6. */
#include "base/bytes.h"
#include "model/frozen_parts.h"
#include "model/model.h"
#include "model/products/runs.h"

#include <smol/params.h>

#include <math.h>

/* n stored parameters as the products read them: in place, except 8-bit ones, which become floats
 * in the arena. Their type is then product_type(type). */
static const uint8_t *set_up_stored(enum smol_dtype type, const uint8_t *data, uint64_t n,
                                    struct smol_arena *arena)
{
    float *floats;

    if (type != SMOL_Q8_BLOCKS)
        return data;
    floats = smol_arena_take(arena, n, sizeof *floats);
    if (floats) {
        smol_params_to_f32(floats, type, data, 0, (size_t)n);
        smol_put_floats(floats, n);
    }
    return (const uint8_t *)floats;
}

static enum smol_dtype product_type(enum smol_dtype type)
{
    return type == SMOL_Q8_BLOCKS ? SMOL_F32 : type;
}

/* Where a matrix comes from: a slot of a layer of a part. */
struct place {
    const struct smol_file *file;
    const struct smol_frozen_key *key;
    const struct smol_scheme *scheme;
    struct smol_params_place at; /* in params */
    const uint8_t *params;
    uint32_t layer;
    enum smol_slot slot;
};

static struct place place_of(const struct mixture *mixture, uint32_t part, uint32_t layer,
                             enum smol_slot slot)
{
    const struct smol_file *file = mixture->files[part];
    struct place p = {.file = file,
                      .key = &mixture->keys[part],
                      .scheme = smol_config_scheme(&file->config, layer, slot),
                      .params = file->params.data,
                      .layer = layer,
                      .slot = slot};

    smol_params_at(&p.at, &file->config, layer, slot);
    return p;
}

/* Temporary numbers of the calling thread (smol_temporary_bytes): floats, and integers behind them.
 */
static float *temporary(const struct smol_session *session, size_t n, int16_t **integers)
{
    float *floats = session->workers[0].scratch;

    *integers = (int16_t *)(void *)(floats + n);
    return floats;
}

/* Nola's, made from their alphas once. */
static void make_factors(const struct smol_session *session, struct matrix *m,
                         const struct place *p, struct smol_arena *arena)
{
    float *a = smol_arena_take(arena, (uint64_t)m->rank * m->frozen.cols, sizeof *a);
    float *b = smol_arena_take(arena, (uint64_t)m->rank * m->frozen.rows, sizeof *b);
    struct smol_frozen f;
    int16_t *table;

    m->type = SMOL_F32;
    m->a = (const uint8_t *)a;
    m->b = (const uint8_t *)b;
    if (!arena->base)
        return;
    temporary(session, 0, &table);
    smol_factor_frozen(&f, table, &p->file->config, p->layer, p->slot, false, p->key, p->params);
    smol_factor_values(a, &f);
    smol_factor_frozen(&f, table, &p->file->config, p->layer, p->slot, true, p->key, p->params);
    smol_factor_values(b, &f);
    smol_put_floats(a, (uint64_t)m->rank * m->frozen.cols);
    smol_put_floats(b, (uint64_t)m->rank * m->frozen.rows);
}

/* n stored parameters as floats in the arena; NULL without the term, or when only counting. */
static const float *set_up_vector(const struct smol_scheme *s, enum smol_term term,
                                  const uint8_t *params, uint64_t at, uint32_t n,
                                  struct smol_arena *arena)
{
    float *v;

    if (!smol_scheme_has(s, term))
        return NULL;
    v = smol_arena_take(arena, n, sizeof *v);
    if (v)
        smol_params_to_f32(v, s->value_type, params + at, 0, n);
    return v;
}

/* The sparse term: its columns and its parameters. */
static void set_up_sparse(struct matrix *m, const struct place *p, struct smol_arena *arena)
{
    const struct smol_scheme *s = p->scheme;
    const uint64_t n = (uint64_t)smol_scheme_sparse(s) * m->frozen.rows;
    uint32_t *columns = smol_arena_take(arena, n, sizeof *columns);
    struct smol_frozen places = m->frozen;

    m->n_sparse = smol_scheme_sparse(s);
    m->sparse_type = product_type(s->value_type);
    m->columns = columns;
    places.key = p->key;
    places.purpose = SMOL_PURPOSE_SPARSE;
    if (columns)
        smol_sparse_columns(columns, &places, m->n_sparse, 0, places.rows);
    m->sparse = set_up_stored(s->value_type, p->params + p->at.sparse, n, arena);
}

static enum matrix_kind kind_of(const struct place *p)
{
    if (smol_matrix_is_zero(&p->file->config, p->scheme))
        return ZERO;
    return p->scheme->source == SMOL_MATRIX_MASK     ? MASKED
           : p->scheme->source == SMOL_MATRIX_STORED ? STORED
                                                     : FROZEN;
}

/* *m, unless only counting, is what a place has; its part, factor and place in z are there. */
static void set_up_matrix(struct smol_session *session, struct matrix *m, const struct place *p,
                          struct smol_arena *arena)
{
    const struct smol_scheme *s = p->scheme;
    const struct smol_config *c = &p->file->config;
    struct smol_frozen *f = &m->frozen;
    int16_t *table;

    m->kind = kind_of(p);
    m->rank = s->rank;
    m->type = product_type(s->value_type);
    smol_matrix_frozen(f, NULL, c, p->layer, p->slot, p->key, p->params);
    table = smol_arena_take(arena, f->n_planes * SMOL_TABLE_ENTRIES, sizeof *table);
    if (table)
        smol_matrix_frozen(f, table, c, p->layer, p->slot, p->key, p->params);
    if (m->kind == FROZEN)
        smol_runs_place(session, m, s, arena);
    if (m->kind == MASKED)
        m->mask = p->params + p->at.mask;
    else if (m->kind == STORED)
        m->stored = smol_stored_view(s, &p->at, f->rows, f->cols, p->params);
    if (smol_scheme_projects(s)) {
        m->projected = smol_projected(c, p->layer, p->slot, p->key, p->params);
        m->projected.fft = session->ffts[smol_block_size_index(m->projected.p.size)];
    }
    if (s->source == SMOL_MATRIX_NOLA) {
        make_factors(session, m, p, arena);
    } else if (s->rank) {
        m->a = set_up_stored(s->value_type, p->params + p->at.factor_a, (uint64_t)s->rank * f->cols,
                             arena);
        m->b = set_up_stored(s->value_type, p->params + p->at.factor_b, (uint64_t)s->rank * f->rows,
                             arena);
    }
    if (smol_scheme_has(s, SMOL_TERM_SPARSE))
        set_up_sparse(m, p, arena);
    m->gain = set_up_vector(s, SMOL_TERM_GAINS, p->params, p->at.gain, f->rows, arena);
    m->bias = set_up_vector(s, SMOL_TERM_BIASES, p->params, p->at.bias, f->rows, arena);
}

/* A slot: the models' matrices, then the deltas' terms. */
static void set_up_dense(struct smol_session *session, struct dense *dense, uint32_t layer,
                         enum smol_slot slot, struct smol_arena *arena)
{
    const struct mixture *mix = &session->mixture;
    struct dense made = {.n_models = mix->n_models};
    uint32_t n = 0, z = 0;

    for (uint32_t i = mix->n_models; i < mix->n_parts; i++)
        made.n_terms +=
            smol_delta_has_term(smol_config_scheme(&mix->files[i]->config, layer, slot));
    made.matrices = smol_arena_take(arena, made.n_models + made.n_terms, sizeof *made.matrices);
    for (uint32_t i = 0; i < mix->n_parts; i++) {
        const struct place p = place_of(mix, i, layer, slot);
        struct matrix m = {.part = i, .z_at = z, .factor = mix->factors[i]};
        if (i >= mix->n_models && !smol_delta_has_term(p.scheme))
            continue;
        if (i < mix->n_models)
            m.factor = smol_mixture_factor(mix, i, layer, slot);
        set_up_matrix(session, &m, &p, arena);
        z += m.rank;
        made.has_gains = made.has_gains || (i >= mix->n_models && m.gain);
        if (arena->base)
            made.matrices[n++] = m;
    }
    if (arena->base)
        *dense = made;
}

static void set_up_norm(struct smol_session *session, struct norm *norm, uint32_t layer,
                        enum smol_slot slot, struct smol_arena *arena)
{
    const bool is_frozen = smol_mixture_norm_is_frozen(&session->mixture, layer, slot);
    const uint32_t C = is_frozen ? 0 : session->config->width;
    float *gain = smol_arena_take(arena, C, sizeof *gain),
          *bias = smol_arena_take(arena, C, sizeof *bias), *more;
    int16_t *integers;

    if (!arena->base)
        return;
    *norm = is_frozen ? (struct norm){NULL, NULL} : (struct norm){gain, bias};
    if (is_frozen)
        return;
    more = temporary(session, C, &integers);
    smol_mixture_norm(gain, more, integers, &session->mixture, layer, slot, true);
    smol_mixture_norm(bias, more, integers, &session->mixture, layer, slot, false);
}

/* A half-shift before the first matrix of a sublayer. */
static void set_up_shift(struct smol_session *session, struct shift *shift, uint32_t layer,
                         enum smol_slot slot, struct smol_arena *arena)
{
    const uint32_t C = session->config->width;
    uint8_t *is_shifted = smol_arena_take(arena, C, 1);
    float *before = smol_arena_take(arena, (uint64_t)session->n_texts * C, sizeof *before);

    if (!arena->base)
        return;
    smol_shift_channels(is_shifted, &session->mixture.keys[0],
                        smol_frozen_number(session->config, layer, slot), C);
    *shift = (struct shift){is_shifted, before};
}

/* One of the heads' factors as floats; NULL without it, or when only counting. */
static float *set_up_heads(struct smol_session *session, enum smol_feature feature, uint32_t layer,
                           enum smol_part which, struct smol_arena *arena)
{
    const uint32_t H = session->config->n_heads;
    int16_t *integers;
    float *v;

    if (!smol_config_has(session->config, feature))
        return NULL;
    v = smol_arena_take(arena, H, sizeof *v);
    if (v)
        smol_mixture_heads(v, temporary(session, H, &integers), &session->mixture, layer, which);
    return v;
}

/* The slope of a head without its factor, SPEC.md 8: from 2 down to 2^-5. */
static float slope(const struct smol_kernels *kernels, uint32_t head, uint32_t n_heads)
{
    const double n = (double)n_heads - 1, y = n_heads == 1 ? -1.0 : (n - 6.0 * head) / n;
    float x = (float)(y * 0x1.62e42fefa39efp-1);

    kernels->exp(&x, &x, 1);
    return x;
}

/* What scores are multiplied with, and what is added for each position's distance. */
static void set_up_attention(struct smol_session *session, struct layer *layer, uint32_t l,
                             struct smol_arena *arena)
{
    const struct smol_config *c = session->config;
    const bool has_factors = smol_config_has(c, SMOL_FEATURE_SLOPE_FACTORS);
    float *scales =
              set_up_heads(session, SMOL_FEATURE_TEMPERATURES, l, SMOL_PART_TEMPERATURE, arena),
          *slopes =
              set_up_heads(session, SMOL_FEATURE_SLOPE_FACTORS, l, SMOL_PART_SLOPE_FACTOR, arena);

    if (!has_factors && smol_config_has(c, SMOL_FEATURE_DISTANCES))
        slopes = smol_arena_take(arena, c->n_heads, sizeof *slopes);
    for (uint32_t h = 0; scales && h < c->n_heads; h++)
        scales[h] = 1.0f / sqrtf((float)(c->width / c->n_heads)) * scales[h];
    for (uint32_t h = 0; slopes && h < c->n_heads; h++)
        slopes[h] = slope(session->kernels, h, c->n_heads) * (has_factors ? slopes[h] : 1.0f);
    layer->scales = scales;
    layer->slopes = slopes;
}

/* A table that logits are made of, in place but for q4-row: its few bytes become q4, which kernels
 * have. */
static void add_output(struct smol_session *session, const struct smol_table_view *t,
                       const struct smol_rows_view *rows, float scale, struct smol_arena *arena)
{
    struct output *o = &session->outputs[session->n_outputs++];
    uint8_t *data, *multipliers, *scales;

    *o = (struct output){*t, rows, scale};
    if (t->type != SMOL_Q4_ROW)
        return;
    data = smol_arena_take(arena, t->rows, smol_row_bytes(SMOL_Q4, t->cols));
    multipliers = smol_arena_take(arena, t->rows, smol_row_multipliers(t->cols));
    scales = smol_arena_take(arena, t->rows, 4);
    o->table = (struct smol_table_view){SMOL_Q4, t->rows, t->cols, data, multipliers, scales};
    if (arena->base)
        smol_q4_row_unpack(t, data, multipliers, scales);
}

/* The models' tables, then the rows that deltas add: of the output table, or else of wte. */
static void set_up_outputs(struct smol_session *session, struct smol_arena *arena)
{
    const struct mixture *m = &session->mixture;
    const bool has_output = smol_config_has(session->config, SMOL_FEATURE_OUTPUT_TABLE);
    const float scale = smol_mixture_logit_scale(m, 0);

    session->n_outputs = 0;
    for (uint32_t i = 0; i < m->n_models; i++)
        add_output(session, &m->files[i]->output, NULL,
                   m->factors[i] * smol_mixture_logit_scale(m, i), arena);
    for (uint32_t d = m->n_models; d < m->n_parts; d++) {
        const struct smol_rows_view *rows =
            has_output ? &m->files[d]->output_rows : &m->files[d]->input_rows;
        if (rows->n)
            add_output(session, &rows->table, rows, m->factors[d] * scale, arena);
    }
}

void smol_tensors_set_up(struct smol_session *session, struct smol_arena *arena)
{
    struct layer none, *layer = &none;

    for (uint32_t l = 0; l < session->config->n_layers; l++) {
        if (arena->base)
            layer = &session->layers[l];
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++)
            if (smol_slot_is_matrix(slot))
                set_up_dense(session, dense_of(layer, slot), l, slot, arena);
            else
                set_up_norm(session, norm_of(layer, slot), l, slot, arena);
        layer->shifts[0] = layer->shifts[1] = (struct shift){NULL, NULL};
        if (smol_config_has(session->config, SMOL_FEATURE_HALF_SHIFT)) {
            set_up_shift(session, &layer->shifts[0], l, SMOL_ATTN_C_ATTN, arena);
            set_up_shift(session, &layer->shifts[1], l, SMOL_MLP_C_FC, arena);
        }
        set_up_attention(session, layer, l, arena);
    }
    set_up_norm(session, &session->ln_f, 0, SMOL_LN_F, arena);
    set_up_outputs(session, arena);
}
