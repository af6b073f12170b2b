/* What is kept in memory where that is faster than to regenerate it: integer weights of frozen
 * matrices with many planes, or in plain C, and the signs of masks. The products are the same exact
 * sums, so no bit changes. */
#include "model/frozen_parts.h"
#include "model/model.h"

/* Bytes that a matrix may take; 0 if there is nothing to keep. */
static uint64_t bytes_to_keep(const struct smol_session *session, const struct smol_config *c,
                              const struct smol_scheme *s, enum smol_slot slot)
{
    const uint32_t bases =
        (s->source == SMOL_MATRIX_NOLA ? 1u : s->d) * (s->dist == SMOL_GAUSS ? 8u : 1u);
    uint32_t rows, cols;

    smol_config_shape(&rows, &cols, c, slot);
    if (s->source == SMOL_MATRIX_MASK)
        return ((uint64_t)rows + SMOL_ROW_BLOCK - 1) / SMOL_ROW_BLOCK * smol_mask_signs_bytes(cols);
    if (s->source == SMOL_MATRIX_STORED || smol_matrix_is_zero(c, s) ||
        bases <= session->kernels->fast_bases)
        return 0;
    return (uint64_t)rows * cols * sizeof(int16_t);
}

/* Of a slot, its matrices in their order. */
static void place_slot(struct smol_session *session, uint32_t layer, enum smol_slot slot,
                       struct smol_arena *arena, uint64_t limit_bytes)
{
    const struct mixture *mix = &session->mixture;
    uint32_t k = 0;

    for (uint32_t i = 0; i < mix->n_parts; i++) {
        const struct smol_config *c = &mix->files[i]->config;
        const struct smol_scheme *s = smol_config_scheme(c, layer, slot);
        const uint64_t n = bytes_to_keep(session, c, s, slot);
        const uint32_t at = k;
        void *kept;

        if (i >= mix->n_models && !smol_delta_has_term(s))
            continue;
        k++;
        if (!n || arena->used + n + 64 > limit_bytes)
            continue;
        kept = smol_arena_take(arena, n, 1);
        if (!arena->base)
            continue;
        struct matrix *m = &dense_of(&session->layers[layer], slot)->matrices[at];
        if (s->source == SMOL_MATRIX_MASK)
            m->signs = kept;
        else
            m->kept = kept;
    }
}

void smol_weight_cache_place(struct smol_session *session, struct smol_arena *arena,
                             uint64_t limit_bytes)
{
    for (uint32_t l = 0; l < session->config->n_layers; l++)
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++)
            if (smol_slot_is_matrix(slot))
                place_slot(session, l, slot, arena, limit_bytes);
}

/* Row blocks of one matrix. */
static void fill_blocks(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct matrix *m = arg;
    const struct smol_frozen *f = &m->frozen;
    const uint64_t end = smol_share(n_blocks(f), worker + 1, n_workers);

    for (uint64_t b = smol_share(n_blocks(f), worker, n_workers); b < end; b++) {
        const uint64_t first = b * SMOL_ROW_BLOCK, left = f->rows - first;
        if (m->signs)
            smol_mask_signs(m->signs + b * smol_mask_signs_bytes(f->cols), f, (uint32_t)b, 1,
                            smol_stream_bytes);
        else
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
            const struct dense *d = dense_of(&session->layers[l], slot);
            for (uint32_t i = 0; i < d->n_models + d->n_terms; i++)
                if (d->matrices[i].kept || d->matrices[i].signs)
                    smol_pool_run(session->pool, fill_blocks, &d->matrices[i]);
        }
}
