/* Fastfood: entries of P theta, P = S H G Pi H B, block by block, and the transpose. SPEC.md 5.8.
 * The number type is of the file that includes this: it defines SMOL_NUMBER, SMOL_HADAMARD(f, x, n)
 * for the transform of D numbers, and SMOL_SCALE(f, x, bytes, table, n) as in kernel.h. */
#ifndef SMOL_FASTFOOD_H
#define SMOL_FASTFOOD_H

#include "frozen/projection.h"
#include "kernel/kernel.h"

/* A tensor's projection made ready. Memory: smol_fastfood_bytes(D, sizeof of a number). */
struct fastfood {
    const struct smol_projection *projection;
    const struct smol_kernels *kernels;
    uint32_t *order;      /* (D) Pi */
    SMOL_NUMBER *scratch; /* (D) */
    uint8_t *bytes;       /* (3 D): of B, G and S */
    SMOL_NUMBER g[SMOL_TABLE_ENTRIES], s[SMOL_TABLE_ENTRIES];
};

/* order (D), scratch (D), bytes (3 D). */
static inline void fastfood_init(struct fastfood *f, const struct smol_projection *p,
                                 const struct smol_kernels *kernels, uint32_t *order,
                                 SMOL_NUMBER *scratch, uint8_t *bytes)
{
    struct smol_fastfood_tables tables;
    struct smol_order o;
    uint32_t bits = 0;

    while (1u << bits < p->size)
        bits++;
    smol_order_init(&o, p, 1, bits);
    smol_fastfood_tables(&tables, p);
    f->projection = p;
    f->kernels = kernels;
    f->order = order;
    f->scratch = scratch;
    f->bytes = bytes;
    for (uint32_t i = 0; i < p->size; i++)
        order[i] = smol_order_at(&o, i);
    for (unsigned u = 0; u < SMOL_TABLE_ENTRIES; u++) {
        f->g[u] = (SMOL_NUMBER)tables.g[u];
        f->s[u] = (SMOL_NUMBER)tables.s[u];
    }
}

static inline void fastfood_bytes(const struct fastfood *f, uint32_t block)
{
    const struct smol_projection *p = f->projection;
    const struct smol_frozen t = {
        .key = p->key, .tensor = p->tensor, .purpose = SMOL_PURPOSE_PROJECTION};

    f->kernels->stream_bytes(f->bytes, (size_t)3 * p->size, &t, 0, block, 1);
}

/* out (D) = a block of P theta, theta (n). */
static inline void fastfood_block(SMOL_NUMBER *out, const struct fastfood *f,
                                  const SMOL_NUMBER *theta, uint32_t block)
{
    const size_t D = f->projection->size, n = f->projection->n;
    const uint8_t *b = f->bytes, *g = b + D, *s = g + D;
    SMOL_NUMBER *x = f->scratch;

    fastfood_bytes(f, block);
    for (size_t k = 0; k < n; k++)
        x[k] = b[k] & 0x80 ? -theta[k] : theta[k];
    for (size_t k = n; k < D; k++)
        x[k] = 0;
    SMOL_HADAMARD(f, x, D);
    for (size_t i = 0; i < D; i++)
        out[i] = x[f->order[i]];
    SMOL_SCALE(f, out, g, f->g, D);
    SMOL_HADAMARD(f, out, D);
    SMOL_SCALE(f, out, s, f->s, D);
}

/* grad (n) += P's block, transposed, times g (D), which is destroyed. */
static inline void fastfood_transpose(SMOL_NUMBER *grad, const struct fastfood *f, SMOL_NUMBER *g,
                                      uint32_t block)
{
    const size_t D = f->projection->size, n = f->projection->n;
    const uint8_t *b = f->bytes, *gauss = b + D, *s = gauss + D;
    SMOL_NUMBER *x = f->scratch;

    fastfood_bytes(f, block);
    SMOL_SCALE(f, g, s, f->s, D);
    SMOL_HADAMARD(f, g, D);
    SMOL_SCALE(f, g, gauss, f->g, D);
    for (size_t i = 0; i < D; i++)
        x[f->order[i]] = g[i];
    SMOL_HADAMARD(f, x, D);
    for (size_t k = 0; k < n; k++)
        grad[k] += b[k] & 0x80 ? -x[k] : x[k];
}

#endif
