/* A build without FFTW has no transforms. */
#include "base/fft.h"

struct smol_fft *smol_fft_plan(size_t n)
{
    (void)n;
    return NULL;
}

void smol_fft_free(struct smol_fft *fft) { (void)fft; }

void smol_fft_backward(const struct smol_fft *fft, float *y, float *x)
{
    (void)fft, (void)y, (void)x;
}

void smol_fft_forward(const struct smol_fft *fft, float *x, float *y)
{
    (void)fft, (void)y, (void)x;
}
