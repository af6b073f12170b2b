/* The products and functions of the forward pass, as a table of kernels: plain C is the
 * definition, other instruction sets give the same bits. SPEC.md 7. Nothing here fails,
 * allocates or knows of threads; arguments are preconditions. */
#ifndef SMOL_KERNEL_H
#define SMOL_KERNEL_H

#include "frozen/frozen.h"

#include <smol/session.h>

struct smol_kernels {
	const char *name; /* "scalar" */

	/* X (n) and the returned t of x (n), rounded to 16 bits. */
	float (*quantise)(int16_t *X, const float *x, size_t n);

	/* sums (n_x, 64): N of each row of one row block (rows past the tensor's end are not written) with each of n_x
	 * quantised inputs X (n_x, x_stride), x_stride >= cols. The weights exist one row at a time: row (cols rounded up to 64) is scratch. */
	void (*frozen_block)(int64_t *sums, const struct smol_frozen *tensor, uint32_t row_block,
	                     const int16_t *X, size_t x_stride, size_t n_x, int16_t *row);

	/* dot16 of x (n) with n numbers in file encoding. */
	float (*dot_f32)(const uint8_t *row, const float *x, size_t n);
	float (*dot_f16)(const uint8_t *row, const float *x, size_t n);
	/* sum of q x X, exact. */
	int64_t (*dot_q8)(const uint8_t *row, const int16_t *X, size_t n);

	/* y (n) = LayerNorm of x; gain and bias (n), or both NULL for 1 and 0. */
	void (*layernorm)(float *y, const float *x, const float *gain, const float *bias, float epsilon,
	                  size_t n);

	/* x (n) = GELU(x), in place. */
	void (*gelu)(float *x, size_t n);

	/* One head, one position: o (D) from q (D) and n_keys rows of K and V (n_keys, stride);
	 * scores (n_keys) is scratch. */
	void (*attention)(float *o, const float *q, const float *K, const float *V, size_t stride,
	                  size_t n_keys, size_t D, float *scores);

	/* y (n) = exp(x). */
	void (*exp)(float *y, const float *x, size_t n);
};

extern const struct smol_kernels smol_kernels_scalar; /* the definition */
extern const struct smol_kernels smol_kernels_avx512; /* on x86-64 with the bundle of cpu.h */

/* The kernels of an instruction set, or the fastest ones here; NULL if this machine lacks it. */
const struct smol_kernels *smol_kernels_select(enum smol_isa isa);

/* Numbers in file encoding as floats; scale is used by q8 only. */
void smol_numbers_to_f32(float *values, enum smol_number type, const uint8_t *data, float scale,
                         size_t n);

#endif
