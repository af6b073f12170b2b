/* From a file's schemes and parameters to tensors ready to multiply with. SPEC.md 5 and 6. */
#include "base/bytes.h"
#include "model/factors.h"
#include "model/model.h"

#include <smol/params.h>

/* Factors as the products read them: in place, except 8-bit ones, which become floats in the
 * arena. */
static void set_up_factors(struct matrix *m, const struct smol_scheme *s,
                           const struct smol_params_place *at, const uint8_t *learned,
                           struct smol_arena *arena)
{
    const uint64_t n_a = (uint64_t)s->rank * m->frozen.cols,
                   n_b = (uint64_t)s->rank * m->frozen.rows;
    float *a, *b;

    m->a = learned + at->factor_a;
    m->b = learned + at->factor_b;
    if (m->type != SMOL_Q8_BLOCKS)
        return;
    a = smol_arena_take(arena, n_a, sizeof *a);
    b = smol_arena_take(arena, n_b, sizeof *b);
    if (arena->base) {
        smol_params_to_f32(a, m->type, m->a, 0, n_a);
        smol_params_to_f32(b, m->type, m->b, 0, n_b);
    }
    m->type = SMOL_F32;
    m->a = (const uint8_t *)a;
    m->b = (const uint8_t *)b;
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
                       session->file->learned.data);
    smol_factor_values(a, &f);
    smol_factor_frozen(&f, table, session->config, layer, slot, true, &session->key,
                       session->file->learned.data);
    smol_factor_values(b, &f);
}

/* n stored parameters as floats in the arena; NULL without the term, or when only counting. */
static const float *set_up_vector(const struct smol_scheme *s, enum smol_term term,
                                  const uint8_t *learned, uint64_t at, uint32_t n,
                                  struct smol_arena *arena)
{
    float *v;

    if (!smol_scheme_has(s, term))
        return NULL;
    v = smol_arena_take(arena, n, sizeof *v);
    if (v)
        smol_params_to_f32(v, s->value_type, learned + at, 0, n);
    return v;
}

/* The sparse term: its columns, and its parameters in place, except 8-bit ones, which become
 * floats. */
static void set_up_sparse(struct smol_session *session, struct matrix *m,
                          const struct smol_scheme *s, const uint8_t *data,
                          struct smol_arena *arena)
{
    const uint64_t n = (uint64_t)smol_scheme_sparse(s) * m->frozen.rows;
    uint32_t *columns = smol_arena_take(arena, n, sizeof *columns);
    struct smol_frozen places = m->frozen;
    float *values;

    m->n_sparse = smol_scheme_sparse(s);
    m->sparse_type = s->value_type;
    m->sparse = data;
    m->columns = columns;
    places.key = &session->key;
    places.purpose = SMOL_PURPOSE_SPARSE;
    if (arena->base)
        smol_sparse_columns(columns, &places, m->n_sparse, 0, places.rows);
    if (m->sparse_type != SMOL_Q8_BLOCKS)
        return;
    values = smol_arena_take(arena, n, sizeof *values);
    if (arena->base)
        smol_params_to_f32(values, m->sparse_type, data, 0, n);
    m->sparse_type = SMOL_F32;
    m->sparse = (const uint8_t *)values;
}

static void set_up_matrix(struct smol_session *session, struct matrix *m, uint32_t layer,
                          enum smol_slot slot, struct smol_arena *arena)
{
    const struct smol_scheme *s = smol_config_scheme(session->config, layer, slot);
    const uint8_t *learned = session->file->learned.data;
    struct matrix made = {.rank = s->rank, .type = s->value_type};
    const bool has_alphas = s->source == SMOL_MATRIX_OWN || s->source == SMOL_MATRIX_SHARED;
    struct smol_params_place at;

    smol_params_at(&at, session->config, layer, slot);
    made.frozen.key = &session->key;
    made.frozen.tensor = smol_frozen_number(session->config, layer, slot);
    made.frozen.purpose = SMOL_PURPOSE_MATRIX;
    smol_config_shape(&made.frozen.rows, &made.frozen.cols, session->config, slot);
    smol_frozen_fill(
        &made.frozen,
        smol_arena_take(arena,
                        smol_frozen_planes(s->dist, has_alphas ? s->d : 1) * SMOL_TABLE_ENTRIES,
                        sizeof *made.frozen.table),
        s, s->sigma, has_alphas ? learned + at.alphas : NULL);
    if (smol_scheme_projects(s)) {
        made.projected = smol_projected(session->config, layer, slot, &session->key, learned);
        made.projected.fft = session->ffts[smol_fft_index(made.projected.p.size)];
    }
    if (s->source == SMOL_MATRIX_NOLA)
        make_factors(session, &made, layer, slot, arena);
    else if (s->rank)
        set_up_factors(&made, s, &at, learned, arena);
    if (smol_scheme_has(s, SMOL_TERM_SPARSE))
        set_up_sparse(session, &made, s, learned + at.sparse, arena);
    made.gain = set_up_vector(s, SMOL_TERM_GAINS, learned, at.gain, made.frozen.rows, arena);
    made.bias = set_up_vector(s, SMOL_TERM_BIASES, learned, at.bias, made.frozen.rows, arena);
    if (arena->base)
        *m = made;
}

/* A gain, 1 plus a combination of frozen bases, or a bias, one without the 1. */
static void frozen_vector(float *v, struct smol_session *session, const struct smol_scheme *s,
                          uint64_t alphas_at, uint32_t number, bool is_gain)
{
    int16_t table[SMOL_MAX_PLANES * SMOL_TABLE_ENTRIES];
    struct smol_frozen f = {
        .key = &session->key, .tensor = number, .purpose = SMOL_PURPOSE_VECTOR, .rows = 1};
    int16_t *w = session->workers[0].scratch;

    f.cols = session->config->width;
    smol_frozen_fill(&f, table, s, s->sigma, session->file->learned.data + alphas_at);
    smol_frozen_weights(w, &f, 0, 1);
    for (uint32_t c = 0; c < f.cols; c++) {
        const float value = (float)(f.scale * (double)w[c]);
        v[c] = is_gain ? 1.0f + value : value;
    }
}

static void set_up_norm(struct smol_session *session, struct norm *norm, uint32_t layer,
                        enum smol_slot slot, struct smol_arena *arena)
{
    const struct smol_scheme *s = smol_config_scheme(session->config, layer, slot);
    const uint32_t C = session->config->width;
    struct smol_params_place at;
    float *gain, *bias;

    if (s->source == SMOL_NORM_FROZEN) {
        if (arena->base)
            *norm = (struct norm){NULL, NULL};
        return;
    }
    gain = smol_arena_take(arena, C, sizeof *gain);
    bias = smol_arena_take(arena, C, sizeof *bias);
    if (!arena->base)
        return;
    smol_params_at(&at, session->config, layer, slot);
    if (s->source == SMOL_NORM_STORED) {
        smol_params_to_f32(gain, s->value_type, session->file->learned.data + at.gain, 0, C);
        smol_params_to_f32(bias, s->value_type, session->file->learned.data + at.bias, 0, C);
    } else {
        const uint32_t number = smol_frozen_number(session->config, layer, slot);
        frozen_vector(gain, session, s, at.alphas, number, true);
        frozen_vector(bias, session, s, at.bias_alphas, number + 1, false);
    }
    *norm = (struct norm){gain, bias};
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
    }
    set_up_norm(session, &session->ln_f, 0, SMOL_LN_F, arena);
}
