/* From a file's schemes and parameters to tensors ready to multiply with. SPEC.md 5 and 6. */
#include "base/bytes.h"
#include "model/frozen_parts.h"
#include "model/model.h"

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
        smol_params_to_f32(floats, type, data, 0, n);
        smol_put_floats(floats, n);
    }
    return (const uint8_t *)floats;
}

static enum smol_dtype product_type(enum smol_dtype type)
{
    return type == SMOL_Q8_BLOCKS ? SMOL_F32 : type;
}

/* Nola's, made from their alphas once. */
static void make_factors(struct smol_session *session, struct matrix *m, uint32_t layer,
                         enum smol_slot slot, struct smol_arena *arena)
{
    int16_t table[SMOL_MAX_PLANES * SMOL_TABLE_ENTRIES];
    float *a = smol_arena_take(arena, (uint64_t)m->rank * m->frozen.cols, sizeof *a);
    float *b = smol_arena_take(arena, (uint64_t)m->rank * m->frozen.rows, sizeof *b);
    struct smol_frozen f;

    m->type = SMOL_F32;
    m->a = (const uint8_t *)a;
    m->b = (const uint8_t *)b;
    if (!arena->base)
        return;
    smol_factor_frozen(&f, table, session->config, layer, slot, false, &session->key,
                       session->file->params.data);
    smol_factor_values(a, &f);
    smol_factor_frozen(&f, table, session->config, layer, slot, true, &session->key,
                       session->file->params.data);
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
static void set_up_sparse(struct smol_session *session, struct matrix *m,
                          const struct smol_scheme *s, const uint8_t *data,
                          struct smol_arena *arena)
{
    const uint64_t n = (uint64_t)smol_scheme_sparse(s) * m->frozen.rows;
    uint32_t *columns = smol_arena_take(arena, n, sizeof *columns);
    struct smol_frozen places = m->frozen;

    m->n_sparse = smol_scheme_sparse(s);
    m->sparse_type = product_type(s->value_type);
    m->columns = columns;
    places.key = &session->key;
    places.purpose = SMOL_PURPOSE_SPARSE;
    if (columns)
        smol_sparse_columns(columns, &places, m->n_sparse, 0, places.rows);
    m->sparse = set_up_stored(s->value_type, data, n, arena);
}

static void set_up_matrix(struct smol_session *session, struct matrix *m, uint32_t layer,
                          enum smol_slot slot, struct smol_arena *arena)
{
    const struct smol_config *c = session->config;
    const struct smol_scheme *s = smol_config_scheme(c, layer, slot);
    const uint8_t *params = session->file->params.data;
    struct matrix made = {.rank = s->rank, .type = product_type(s->value_type)};
    struct smol_frozen *f = &made.frozen;
    struct smol_params_place at;
    int16_t *table;

    made.kind = s->source == SMOL_MATRIX_MASK     ? MASKED
                : s->source == SMOL_MATRIX_STORED ? STORED
                                                  : FROZEN;

    smol_params_at(&at, c, layer, slot);
    smol_matrix_frozen(f, NULL, c, layer, slot, &session->key, params);
    table = smol_arena_take(arena, f->n_planes * SMOL_TABLE_ENTRIES, sizeof *table);
    if (table)
        smol_matrix_frozen(f, table, c, layer, slot, &session->key, params);
    if (made.kind == MASKED)
        made.mask = params + at.mask;
    else if (made.kind == STORED)
        made.stored = smol_stored_view(s, &at, f->rows, f->cols, params);
    if (smol_scheme_projects(s)) {
        made.projected = smol_projected(c, layer, slot, &session->key, params);
        made.projected.fft = session->ffts[smol_block_size_index(made.projected.p.size)];
    }
    if (s->source == SMOL_MATRIX_NOLA) {
        make_factors(session, &made, layer, slot, arena);
    } else if (s->rank) {
        made.a =
            set_up_stored(s->value_type, params + at.factor_a, (uint64_t)s->rank * f->cols, arena);
        made.b =
            set_up_stored(s->value_type, params + at.factor_b, (uint64_t)s->rank * f->rows, arena);
    }
    if (smol_scheme_has(s, SMOL_TERM_SPARSE))
        set_up_sparse(session, &made, s, params + at.sparse, arena);
    made.gain = set_up_vector(s, SMOL_TERM_GAINS, params, at.gain, f->rows, arena);
    made.bias = set_up_vector(s, SMOL_TERM_BIASES, params, at.bias, f->rows, arena);
    if (arena->base)
        *m = made;
}

static void set_up_norm(struct smol_session *session, struct norm *norm, uint32_t layer,
                        enum smol_slot slot, struct smol_arena *arena)
{
    const bool is_frozen =
        smol_config_scheme(session->config, layer, slot)->source == SMOL_NORM_FROZEN;
    const uint32_t C = is_frozen ? 0 : session->config->width;
    float *gain = smol_arena_take(arena, C, sizeof *gain),
          *bias = smol_arena_take(arena, C, sizeof *bias);

    if (!arena->base)
        return;
    *norm = is_frozen ? (struct norm){NULL, NULL} : (struct norm){gain, bias};
    if (is_frozen)
        return;
    smol_norm_vector(gain, session->workers[0].scratch, session->file, &session->key, layer, slot,
                     true);
    smol_norm_vector(bias, session->workers[0].scratch, session->file, &session->key, layer, slot,
                     false);
}

/* A half-shift before the first matrix of a sublayer. */
static void set_up_shift(struct smol_session *session, struct shift *shift, uint32_t layer,
                         enum smol_slot slot, struct smol_arena *arena)
{
    const uint32_t C = session->config->width;
    uint8_t *is_shifted = smol_arena_take(arena, C, 1);
    float *before = smol_arena_take(arena, C, sizeof *before);

    if (!arena->base)
        return;
    smol_shift_channels(is_shifted, &session->key, smol_frozen_number(session->config, layer, slot),
                        C);
    *shift = (struct shift){is_shifted, before};
}

/* One of the heads' factors as floats, from a place among the parameters (which may be none,
 * without it); NULL without, or when only counting. */
static float *set_up_heads(const struct smol_config *c, enum smol_feature feature,
                           const uint8_t *params, uint64_t at, struct smol_arena *arena)
{
    float *v;

    if (!smol_config_has(c, feature))
        return NULL;
    v = smol_arena_take(arena, c->n_heads, sizeof *v);
    if (v)
        smol_params_to_f32(v, c->head_type, params + at, 0, c->n_heads);
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
    const uint8_t *params = session->file->params.data;
    const bool has_factors = smol_config_has(c, SMOL_FEATURE_SLOPE_FACTORS);
    struct smol_params_place at;
    float *scales, *slopes;

    smol_params_at(&at, c, l, SMOL_LN_1);
    scales = set_up_heads(c, SMOL_FEATURE_TEMPERATURES, params, at.temperatures, arena);
    slopes = set_up_heads(c, SMOL_FEATURE_SLOPE_FACTORS, params, at.slope_factors, arena);
    if (!has_factors && smol_config_has(c, SMOL_FEATURE_DISTANCES))
        slopes = smol_arena_take(arena, c->n_heads, sizeof *slopes);
    for (uint32_t h = 0; scales && h < c->n_heads; h++)
        scales[h] = 1.0f / sqrtf((float)(c->width / c->n_heads)) * scales[h];
    for (uint32_t h = 0; slopes && h < c->n_heads; h++)
        slopes[h] = slope(session->kernels, h, c->n_heads) * (has_factors ? slopes[h] : 1.0f);
    layer->scales = scales;
    layer->slopes = slopes;
}

/* The table of the head, in place but for q4-row: its few bytes become q4, which kernels have. */
static void set_up_head(struct smol_session *session, struct smol_arena *arena)
{
    const struct smol_table_view *t = &session->file->output;
    struct smol_table_view *unpacked;
    uint8_t *data, *multipliers, *scales;

    session->head = t;
    if (t->type != SMOL_Q4_ROW)
        return;
    unpacked = smol_arena_take(arena, 1, sizeof *unpacked);
    data = smol_arena_take(arena, t->rows, smol_row_bytes(SMOL_Q4, t->cols));
    multipliers = smol_arena_take(arena, t->rows, smol_row_multipliers(t->cols));
    scales = smol_arena_take(arena, t->rows, 4);
    if (!arena->base)
        return;
    *unpacked = (struct smol_table_view){SMOL_Q4, t->rows, t->cols, data, multipliers, scales};
    smol_q4_row_unpack(t, data, multipliers, scales);
    session->head = unpacked;
}

void smol_tensors_set_up(struct smol_session *session, struct smol_arena *arena)
{
    struct layer none, *layer = &none;

    for (uint32_t l = 0; l < session->config->n_layers; l++) {
        if (arena->base)
            layer = &session->layers[l];
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++)
            if (smol_slot_is_matrix(slot))
                set_up_matrix(session, matrix_of(layer, slot), l, slot, arena);
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
    set_up_head(session, arena);
}
