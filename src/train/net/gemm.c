/* Matrix products by the BLAS. The rows are cut here and not by the library, in pieces that
 * depend on the shape alone: so any number of threads gives the same bits. */
#include "train/net/ops.h"

#define PIECE 128u
#define FEW_PIECES 4u

void smol_gemm_small(real *c, size_t c_stride, struct smol_operand a, struct smol_operand b,
                     size_t m, size_t n, size_t k, real scale, real beta)
{
    SMOL_REAL_GEMM(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
                   b.transposed ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k,
                   scale, a.data, (blasint)a.stride, b.data, (blasint)b.stride, beta, c,
                   (blasint)c_stride);
}

/* Pieces of rows are best, since each piece packs all of b; a low product is cut into columns as
 * well. */
void smol_gemm(real *c, size_t c_stride, struct smol_operand a, struct smol_operand b, size_t m,
               size_t n, size_t k, real scale, real beta)
{
    const size_t n_down = (m + PIECE - 1) / PIECE;
    const size_t width = n_down < FEW_PIECES ? PIECE : n;
    const size_t n_across = (n + width - 1) / width;

#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n_down * n_across; i++) {
        const size_t row = i / n_across * PIECE, col = i % n_across * width;
        struct smol_operand left = a, right = b;

        left.data += a.transposed ? row : row * a.stride;
        right.data += b.transposed ? col * b.stride : col;
        smol_gemm_small(c + row * c_stride + col, c_stride, left, right,
                        m - row < PIECE ? m - row : PIECE, n - col < width ? n - col : width, k,
                        scale, beta);
    }
}
