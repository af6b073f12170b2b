/* Sparse terms: a few parameters per row, in places that the seed has chosen. Each entry belongs to
 * one thread, so every sum has one order. */
#include "train/net/sparse.h"

#define TOKENS 128u /* at a time */
#define ROWS 16u    /* that a thread takes at a time: a cache line of d_y for each token */
/* Fewer than one entry in this many: with more, the whole gradient takes less time. */
#define FEW 8u

void smol_sparse_add(const struct smol_net *net, const struct smol_net_matrix *m)
{
    const size_t q = smol_scheme_sparse(m->scheme);
    const real *values = smol_net_used(net, m->sparse);

#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < m->rows; r++)
        for (size_t k = 0; k < q; k++)
            m->weight[r * m->cols + m->columns[r * q + k]] += values[r * q + k];
}

void smol_sparse_pick(struct smol_net *net, const struct smol_net_matrix *m, const real *d_weight)
{
    const size_t q = smol_scheme_sparse(m->scheme);
    real *grad = smol_net_grad(net, m->sparse);

#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < m->rows; r++)
        for (size_t k = 0; k < q; k++)
            grad[r * q + k] = d_weight[r * m->cols + m->columns[r * q + k]];
}

bool smol_sparse_is_direct(const struct smol_net_matrix *m)
{
    return m->sparse != SMOL_NO_PARAM && m->alpha == SMOL_NO_PARAM && m->score == SMOL_NO_PARAM &&
           m->full == SMOL_NO_PARAM && (size_t)smol_scheme_sparse(m->scheme) * FEW < m->cols;
}

size_t smol_sparse_turned(size_t cols) { return cols * TOKENS; }

/* turned (n_columns, TOKENS) = columns from..from + n_columns - 1 of x (n, stride). */
static void turn(real *turned, const real *x, size_t stride, size_t from, size_t n_columns,
                 size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < n_columns; c++)
            turned[c * TOKENS + i] = x[i * stride + from + c];
}

/* The gradients of ROWS rows or fewer, from `row` on, += those of n tokens. */
static void block_gradient(struct smol_net *net, const struct smol_net_matrix *m, const real *d_y,
                           size_t row, size_t n)
{
    const size_t q = smol_scheme_sparse(m->scheme),
                 n_rows = m->rows - row < ROWS ? m->rows - row : ROWS;
    const uint32_t *columns = m->columns + row * q;
    real *grad = smol_net_grad(net, m->sparse) + row * q;
    real turned[ROWS * TOKENS];

    turn(turned, d_y, m->rows, row, n_rows, n);
    for (size_t i = 0; i < n_rows * q; i++)
        grad[i] += SMOL_REAL_DOT((blasint)n, turned + i / q * TOKENS, 1,
                                 net->x_turned + (size_t)columns[i] * TOKENS, 1);
}

/* d_W[r, c] = sum of d_y[i, r] x[i, c]: with both turned, a product of vectors. */
void smol_sparse_gradient(struct smol_net *net, const struct smol_net_matrix *m, const real *x,
                          const real *d_y)
{
    for (size_t first = 0; first < net->n_tokens; first += TOKENS) {
        const size_t n = net->n_tokens - first < TOKENS ? net->n_tokens - first : TOKENS;

#pragma omp parallel
        {
#pragma omp for schedule(static)
            for (size_t c = 0; c < m->cols; c += ROWS)
                turn(net->x_turned + c * TOKENS, x + first * m->cols, m->cols, c,
                     m->cols - c < ROWS ? m->cols - c : ROWS, n);
#pragma omp for schedule(static)
            for (size_t row = 0; row < m->rows; row += ROWS)
                block_gradient(net, m, d_y + first * m->rows, row, n);
        }
    }
}
