/* Rows of P theta for one worker at a time, streaming: it holds a block of D entries, theta, and
 * scratch memory. */
#ifndef SMOL_PROJECTOR_H
#define SMOL_PROJECTOR_H

#include "base/arena.h"
#include "frozen/projection.h"
#include "kernel/kernel.h"

struct smol_fft;
struct projector;

/* Room for projections of up to most parameters in tensors of up to rows x cols; NULL if most is 0,
 * or when only counting. */
struct projector *smol_projector_place(struct smol_arena *arena, uint32_t most, uint32_t rows,
                                       uint32_t cols);

/* One tensor's projection. */
struct projected {
    struct smol_projection p; /* n 0: none */
    const uint8_t *theta;     /* (n) of type, in file encoding */
    enum smol_dtype type;
    float gain; /* of theta, if is_scaled: the layer's */
    bool is_scaled;
    uint32_t rows, cols;
    const struct smol_fft *fft; /* over D, for Fourier */
};

/* The projection of a matrix whose scheme has one; its transform is set later. params: the section
 * LRND. */
struct projected smol_projected(const struct smol_config *config, uint32_t layer,
                                enum smol_slot slot, const struct smol_frozen_key *key,
                                const uint8_t *params);

/* Turns to a tensor. */
void smol_projector_begin(struct projector *projector, const struct projected *tensor,
                          const struct smol_kernels *kernels);

/* The row's entries (cols), until the next call. Rows in order cost one block each D entries. */
const float *smol_projector_row(struct projector *projector, uint32_t row);

#endif
