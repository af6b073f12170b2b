/* A library without FFTW has no transforms. */
#include "base/error.h"
#include "base/fft.h"

enum smol_status smol_fft_plan(struct smol_fft **fft, size_t n, struct smol_error *error)
{
    (void)fft, (void)n;
    return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                     "the model has Fourier projections, and this library is without FFTW");
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
