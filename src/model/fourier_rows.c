/* See fourier_rows.h. */
#include "model/fourier_rows.h"

#define SMOL_NUMBER float
#define SMOL_FFT_BACKWARD(f, y, x) smol_fft_backward((f)->fft, y, x)
#define SMOL_FFT_FORWARD(f, x, y) smol_fft_forward((f)->fft, x, y)
#include "kernel/fourier.h"

struct fourier_rows {
    struct fourier fourier;
    float *more; /* (D) */
};

struct fourier_rows *smol_fourier_place(struct smol_arena *arena, uint32_t D, uint64_t n_entries,
                                        uint32_t *order, uint8_t *bytes, float *scratch)
{
    const size_t n_roots = fourier_roots(n_entries, D);
    struct fourier_rows *rows = smol_arena_take(arena, 1, sizeof *rows), made;
    struct fourier *f = &made.fourier;

    f->p = smol_arena_take(arena, D, sizeof *f->p);
    f->q = smol_arena_take(arena, D, sizeof *f->q);
    f->coarse = smol_arena_take(arena, n_roots, sizeof *f->coarse);
    f->fine = smol_arena_take(arena, n_roots, sizeof *f->fine);
    made.more = smol_arena_take(arena, D, sizeof *made.more);
    f->order = order;
    f->bytes = bytes;
    f->x = scratch;
    if (arena->base)
        *rows = made;
    return rows;
}

void smol_fourier_begin(struct fourier_rows *rows, const struct smol_projection *p,
                        const struct smol_kernels *kernels, uint64_t n_entries,
                        const struct smol_fft *fft)
{
    fourier_init(&rows->fourier, p, kernels, n_entries, fft);
}

void smol_fourier_block(struct fourier_rows *rows, float *block, const float *theta, uint32_t index)
{
    fourier_block(block, rows->more, &rows->fourier, theta, index);
}
