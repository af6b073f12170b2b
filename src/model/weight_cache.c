/* Integer weights kept in memory where reading them is faster than regenerating them: many planes,
 * or plain C. The products are the same exact sums, so no bit changes. */
#include "model/model.h"

void smol_weight_cache_place(struct smol_session *session, struct smol_arena *arena,
                             uint64_t limit_bytes)
{
    for (uint32_t l = 0; l < session->config->n_layers; l++)
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++) {
            const struct smol_scheme *s = smol_config_scheme(session->config, l, slot);
            uint32_t rows, cols;
            uint64_t n;
            int16_t *w;

            smol_config_shape(&rows, &cols, session->config, slot);
            n = (uint64_t)rows * cols;
            if (!smol_slot_is_matrix(slot) ||
                (s->source == SMOL_MATRIX_NOLA ? 1 : s->d) * (s->dist == SMOL_GAUSS ? 8u : 1u) <=
                    session->kernels->fast_bases ||
                arena->used + n * sizeof *w + 64 > limit_bytes)
                continue;
            w = smol_arena_take(arena, n, sizeof *w);
            if (arena->base)
                matrix_of(&session->layers[l], slot)->kept = w;
        }
}

/* Row blocks of one matrix. */
static void fill_blocks(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct matrix *m = arg;
    const struct smol_frozen *f = &m->frozen;
    const uint64_t end = smol_share(n_blocks(f), worker + 1, n_workers);

    for (uint64_t b = smol_share(n_blocks(f), worker, n_workers); b < end; b++) {
        const uint64_t first = b * SMOL_ROW_BLOCK, left = f->rows - first;
        smol_frozen_weights(m->kept + first * f->cols, f, (uint32_t)first,
                            (uint32_t)(left < SMOL_ROW_BLOCK ? left : SMOL_ROW_BLOCK));
    }
}

void smol_weight_cache_fill(struct smol_session *session)
{
    for (uint32_t l = 0; l < session->config->n_layers; l++)
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++) {
            if (!smol_slot_is_matrix(slot))
                continue;
            struct matrix *m = matrix_of(&session->layers[l], slot);
            if (m->kept)
                smol_pool_run(session->pool, fill_blocks, m);
        }
}
