/* Matrix products by the BLAS. The rows are cut here and not by the library, in pieces that
 * depend on the shape alone: so any number of threads gives the same bits. */
#include "train/ops.h"

#define PIECE_ROWS 128u

void smol_gemm_small(real *c, size_t c_stride, struct smol_operand a, struct smol_operand b, size_t m,
                     size_t n, size_t k, real scale, real keep)
{
	SMOL_REAL_GEMM(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
	               b.transposed ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, scale, a.data,
	               (blasint)a.stride, b.data, (blasint)b.stride, keep, c, (blasint)c_stride);
}

void smol_gemm(real *c, size_t c_stride, struct smol_operand a, struct smol_operand b, size_t m, size_t n,
               size_t k, real scale, real keep)
{
	const size_t n_pieces = (m + PIECE_ROWS - 1) / PIECE_ROWS;

#pragma omp parallel for schedule(static)
	for (size_t i = 0; i < n_pieces; i++) {
		const size_t row = i * PIECE_ROWS;
		const size_t rows = m - row < PIECE_ROWS ? m - row : PIECE_ROWS;
		struct smol_operand part = a;

		part.data += a.transposed ? row : row * a.stride;
		smol_gemm_small(c + row * c_stride, c_stride, part, b, rows, n, k, scale, keep);
	}
}
