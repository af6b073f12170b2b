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

/* What lies behind a projector in the arena. */
struct buffers {
    float *theta, *block; /* (D) */
    float *scratch;       /* (D + 2) */
    uint32_t *order;      /* (D) */
    uint8_t *bytes;       /* (3 D) */
    float *row;           /* (cols) */
    struct fourier_rows *fourier;
};

struct projector {
    struct smol_projection projection;
    struct fastfood fastfood; /* 2 kB, too much for the stack */
    struct buffers buffers;
    uint64_t held; /* which block, or NO_BLOCK */
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
    struct buffers b;

    if (most == 0)
        return NULL;
    j = smol_arena_take(arena, 1, sizeof *j);
    b.theta = smol_arena_take(arena, D, sizeof *b.theta);
    b.block = smol_arena_take(arena, D, sizeof *b.block);
    b.scratch = smol_arena_take(arena, D + 2, sizeof *b.scratch);
    b.order = smol_arena_take(arena, D, sizeof *b.order);
    b.bytes = smol_arena_take(arena, 3 * D, sizeof *b.bytes);
    b.row = smol_arena_take(arena, cols, sizeof *b.row);
    b.fourier =
        smol_fourier_place(arena, (uint32_t)D, (uint64_t)rows * cols, b.order, b.bytes, b.scratch);
    if (arena->base) {
        j->buffers = b;
        j->held = NO_BLOCK;
    }
    return j;
}

void smol_projector_begin(struct projector *j, const struct projected *t,
                          const struct smol_kernels *kernels)
{
    j->projection = t->p;
    j->cols = t->cols;
    j->held = NO_BLOCK;
    if (t->type == SMOL_F16)
        kernels->from_f16(j->buffers.theta, t->theta, t->p.n);
    else
        smol_params_to_f32(j->buffers.theta, t->type, t->theta, 0, t->p.n);
    for (uint32_t k = 0; t->is_scaled && k < t->p.n; k++)
        j->buffers.theta[k] *= t->gain;
    if (t->p.is_fourier)
        smol_fourier_begin(j->buffers.fourier, &j->projection, kernels, (uint64_t)t->rows * t->cols,
                           t->fft);
    else
        fastfood_init(&j->fastfood, &j->projection, kernels, j->buffers.order, j->buffers.scratch,
                      j->buffers.bytes);
}

static void make_block(struct projector *j, uint64_t block)
{
    if (j->projection.is_fourier)
        smol_fourier_block(j->buffers.fourier, j->buffers.block, j->buffers.theta, (uint32_t)block);
    else
        fastfood_block(j->buffers.block, &j->fastfood, j->buffers.theta, (uint32_t)block);
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
        memcpy(j->buffers.row + (at - begin), j->buffers.block + in_block,
               (size_t)n * sizeof *j->buffers.row);
    }
    return j->buffers.row;
}
