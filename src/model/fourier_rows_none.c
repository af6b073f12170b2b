/* See fourier_rows.h. Without room, and never asked for a block: where there is no FFTW, no session
 * of such a model begins. */
#include "model/fourier_rows.h"

struct fourier_rows *smol_fourier_place(struct smol_arena *arena, uint32_t D, uint64_t n_entries,
                                        uint32_t *order, uint8_t *bytes, float *scratch)
{
    (void)arena, (void)D, (void)n_entries, (void)order, (void)bytes, (void)scratch;
    return NULL;
}

void smol_fourier_begin(struct fourier_rows *rows, const struct smol_projection *p,
                        const struct smol_kernels *kernels, uint64_t n_entries,
                        const struct smol_fft *fft)
{
    (void)rows, (void)p, (void)kernels, (void)n_entries, (void)fft;
}

void smol_fourier_block(struct fourier_rows *rows, float *block, const float *theta, uint32_t index)
{
    (void)rows, (void)block, (void)theta, (void)index;
}
