/* Of a projector what is for Fourier projections alone, which the minimal library has none of: it
 * refuses their models, without FFTW (base/fft.h), and does without sines. SPEC.md 5.8. */
#ifndef SMOL_FOURIER_ROWS_H
#define SMOL_FOURIER_ROWS_H

#include "base/arena.h"
#include "frozen/projection.h"
#include "kernel/kernel.h"

struct smol_fft;
struct fourier_rows;

/* Room for blocks of up to D entries of tensors of up to n_entries; NULL when only counting.
 * order (D), bytes (D) and scratch (D + 2) are shared with other projections. */
struct fourier_rows *smol_fourier_place(struct smol_arena *arena, uint32_t D, uint64_t n_entries,
                                        uint32_t *order, uint8_t *bytes, float *scratch);

/* Turns to a tensor of n_entries. */
void smol_fourier_begin(struct fourier_rows *rows, const struct smol_projection *p,
                        const struct smol_kernels *kernels, uint64_t n_entries,
                        const struct smol_fft *fft);

/* block (D) = a block of P theta, theta (n). */
void smol_fourier_block(struct fourier_rows *rows, float *block, const float *theta,
                        uint32_t index);

#endif
