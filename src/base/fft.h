/* Fourier transforms of real numbers by FFTW, in single precision. The rounding depends on the
 * processor: the results are nearly the same everywhere, but not the same bits. Plans are made one
 * at a time, under a lock; running one is thread-safe. The only memory is FFTW's own. */
#ifndef SMOL_FFT_H
#define SMOL_FFT_H

#include <smol/status.h>

#include <stddef.h>

struct smol_fft;

/* Both directions over n points. Errors: MEMORY; ARGUMENT in a library without FFTW. */
enum smol_status smol_fft_plan(struct smol_fft **fft, size_t n, struct smol_error *error);
void smol_fft_free(struct smol_fft *fft);

/* y (n) = r_0 + (-1)^j r_(n/2) + 2 sum over k = 1..n/2 - 1 of r_k cos(2 pi j k / n) - i_k sin(2 pi
 * j k / n), where x (n + 2) holds r_0, 0, r_1, i_1, ... r_(n/2), 0. x is destroyed. Both at 64-byte
 * boundaries. */
void smol_fft_backward(const struct smol_fft *fft, float *y, float *x);
/* x (n + 2), arranged so, of sums of y_j (n) cos and -y_j sin over j. y is destroyed. */
void smol_fft_forward(const struct smol_fft *fft, float *x, float *y);

#endif
