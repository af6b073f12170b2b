/* See projector.h. SPEC.md 5.8. */
#include "model/projector.h"

#define SMOL_NUMBER float
#define SMOL_HADAMARD(f, x, n) (f)->kernels->hadamard(x, n)
#define SMOL_SCALE(f, x, bytes, table, n) (f)->kernels->scale_by_bytes(x, bytes, table, n)
#include "kernel/fastfood.h"
#include "model/fourier_rows.h"

#include <smol/params.h>
#include <string.h>

#define NO_BLOCK UINT64_MAX

struct projector {
    struct smol_projection projection;
    struct fastfood fastfood;
    struct fourier_rows *fourier;
    float *theta, *block; /* (D) */
    float *scratch;       /* (D + 2) */
    uint32_t *order;      /* (D) */
    uint8_t *bytes;       /* (3 D) */
    float *row;           /* (cols) */
    uint64_t held;        /* which block, or NO_BLOCK */
    uint32_t cols;
};

struct projected smol_projected(const struct smol_config *config, uint32_t layer,
                                enum smol_slot slot, const struct smol_frozen_key *key,
                                const uint8_t *params)
{
    const struct smol_scheme *s = smol_config_scheme(config, layer, slot);
    struct projected made = {.type = s->alpha_type,
                             .is_scaled = smol_scheme_has(s, SMOL_TERM_LAYER_GAIN)};
    struct smol_params_place at;

    smol_params_at(&at, config, layer, slot);
    smol_config_shape(&made.rows, &made.cols, config, slot);
    made.p = smol_projection_of(s, key, smol_frozen_number(config, layer, slot));
    made.theta = params + at.alphas;
    if (made.is_scaled)
        smol_params_to_f32(&made.gain, made.type, params + at.layer_gain, 0, 1);
    return made;
}

struct projector *smol_projector_place(struct smol_arena *arena, uint32_t most, uint32_t rows,
                                       uint32_t cols)
{
    const uint64_t D = smol_projection_size(most);
    struct projector *j;
    struct fourier_rows *fourier;
    float *theta, *block, *scratch, *row;
    uint32_t *order;
    uint8_t *bytes;

    if (most == 0)
        return NULL;
    j = smol_arena_take(arena, 1, sizeof *j);
    theta = smol_arena_take(arena, D, sizeof *theta);
    block = smol_arena_take(arena, D, sizeof *block);
    scratch = smol_arena_take(arena, D + 2, sizeof *scratch);
    order = smol_arena_take(arena, D, sizeof *order);
    bytes = smol_arena_take(arena, 3 * D, sizeof *bytes);
    row = smol_arena_take(arena, cols, sizeof *row);
    fourier = smol_fourier_place(arena, (uint32_t)D, (uint64_t)rows * cols, order, bytes, scratch);
    if (!arena->base)
        return NULL;
    j->theta = theta; /* one by one: on the stack the whole would take 2 kB */
    j->block = block;
    j->scratch = scratch;
    j->order = order;
    j->bytes = bytes;
    j->row = row;
    j->fourier = fourier;
    j->held = NO_BLOCK;
    return j;
}

void smol_projector_begin(struct projector *j, const struct projected *t,
                          const struct smol_kernels *kernels)
{
    j->projection = t->p;
    j->cols = t->cols;
    j->held = NO_BLOCK;
    if (t->type == SMOL_F16)
        kernels->from_f16(j->theta, t->theta, t->p.n);
    else
        smol_params_to_f32(j->theta, t->type, t->theta, 0, t->p.n);
    for (uint32_t k = 0; t->is_scaled && k < t->p.n; k++)
        j->theta[k] *= t->gain;
    if (t->p.is_fourier)
        smol_fourier_begin(j->fourier, &j->projection, kernels, (uint64_t)t->rows * t->cols,
                           t->fft);
    else
        fastfood_init(&j->fastfood, &j->projection, kernels, j->order, j->scratch, j->bytes);
}

static void make_block(struct projector *j, uint64_t block)
{
    if (j->projection.is_fourier)
        smol_fourier_block(j->fourier, j->block, j->theta, (uint32_t)block);
    else
        fastfood_block(j->block, &j->fastfood, j->theta, (uint32_t)block);
    j->held = block;
}

const float *smol_projector_row(struct projector *j, uint32_t row)
{
    const uint64_t D = j->projection.size, begin = (uint64_t)row * j->cols, end = begin + j->cols;

    for (uint64_t at = begin, n; at < end; at += n) {
        const uint64_t in_block = at % D, left = D - in_block;
        n = end - at < left ? end - at : left;
        if (at / D != j->held)
            make_block(j, at / D);
        memcpy(j->row + (at - begin), j->block + in_block, (size_t)n * sizeof *j->row);
    }
    return j->row;
}
