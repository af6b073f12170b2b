/* The Fourier projection: entries of P theta, P = Pi F B, slice by slice, and the transpose.
 * SPEC.md 5.8. The number type is of the file that includes this: it defines SMOL_NUMBER, and
 * SMOL_FFT_BACKWARD(f, y, x), SMOL_FFT_FORWARD(f, x, y) as in base/fft.h. Entry n1 + L n2 is sum
 * over k of c_k cas(2 pi (n1 + L n2) k / (L D)): a twiddle of c by n1, then a transform over D. */
#ifndef SMOL_FOURIER_H
#define SMOL_FOURIER_H

#include "base/fft.h"
#include "frozen/projection.h"
#include "kernel/kernel.h"

#include <math.h>

#define FOURIER_STRETCH 64u /* twiddles that come from two factors each */

struct smol_root {
    double cosine, sine;
};

/* A tensor's projection made ready. */
struct fourier {
    const struct smol_projection *projection;
    const void *fft;
    uint64_t n_slices, period; /* L, L D */
    struct smol_order slices;
    uint32_t *order;                 /* (D) Pi within a slice */
    SMOL_NUMBER *p, *q;              /* (D) */
    SMOL_NUMBER *x;                  /* (D + 2) half of a spectrum, at a 64-byte boundary */
    uint8_t *bytes;                  /* (D) of B */
    struct smol_root *coarse, *fine; /* roots of unity of order L D: steps of 2^shift, and of 1 */
    uint32_t shift;
    SMOL_NUMBER scale;
};

static inline uint32_t fourier_bits(uint64_t n)
{
    uint32_t bits = 0;

    while ((uint64_t)1 << bits < n)
        bits++;
    return bits;
}

/* Roots in each table, at most, for tensors of up to n_entries in slices of up to D. */
static inline size_t fourier_roots(uint64_t n_entries, uint32_t D)
{
    return ((size_t)1 << (fourier_bits(n_entries + D) + 1) / 2) + 1;
}

static inline void fourier_fill_roots(struct smol_root *roots, size_t n, double turn)
{
    for (size_t i = 0; i < n; i++)
        roots[i] = (struct smol_root){cos(turn * (double)i), sin(turn * (double)i)};
}

/* The memory is the caller's, and has been put into *f. */
static inline void fourier_init(struct fourier *f, const struct smol_projection *p,
                                const struct smol_kernels *kernels, uint64_t n_entries,
                                const void *fft)
{
    const double whole = 0x1.921fb54442d18p+2; /* 2 pi */
    const struct smol_frozen t = {
        .key = p->key, .tensor = p->tensor, .purpose = SMOL_PURPOSE_PROJECTION};
    struct smol_order positions;

    f->projection = p;
    f->fft = fft;
    f->n_slices = (n_entries + p->size - 1) / p->size;
    f->period = f->n_slices * p->size;
    f->shift = (fourier_bits(f->period) + 1) / 2;
    fourier_fill_roots(f->fine, (size_t)1 << f->shift, whole / (double)f->period);
    fourier_fill_roots(f->coarse, (size_t)(f->period >> f->shift) + 1,
                       whole * (double)((uint64_t)1 << f->shift) / (double)f->period);
    smol_order_init(&positions, p, 1, fourier_bits(p->size));
    smol_order_init(&f->slices, p, 2, fourier_bits(f->n_slices));
    for (uint32_t i = 0; i < p->size; i++)
        f->order[i] = smol_order_at(&positions, i);
    kernels->stream_bytes(f->bytes, p->size, &t, 0, 0, 1);
    f->scale = (SMOL_NUMBER)(p->sigma / sqrt((double)p->size));
}

/* The slice that block holds: the order goes over a power of two, and on until it meets one that
 * exists. */
static inline uint64_t fourier_slice(const struct fourier *f, uint32_t block)
{
    uint32_t i = block;

    do
        i = smol_order_at(&f->slices, i);
    while (i >= f->n_slices);
    return i;
}

/* The m-th, m below the period, as the product of a slice's number and a k is. */
static inline struct smol_root fourier_root(const struct fourier *f, uint64_t m)
{
    const struct smol_root a = f->coarse[m >> f->shift],
                           b = f->fine[m & (((uint64_t)1 << f->shift) - 1)];

    return (struct smol_root){a.cosine * b.cosine - a.sine * b.sine,
                              a.cosine * b.sine + a.sine * b.cosine};
}

/* cosine, sine (FOURIER_STRETCH) of the slice's turns for k from first on. */
struct fourier_twiddles {
    SMOL_NUMBER near_cosine[FOURIER_STRETCH], near_sine[FOURIER_STRETCH];
    SMOL_NUMBER cosine[FOURIER_STRETCH], sine[FOURIER_STRETCH];
};

static inline void fourier_begin(struct fourier_twiddles *w, const struct fourier *f,
                                 uint64_t slice)
{
    for (unsigned i = 0; i < FOURIER_STRETCH; i++) {
        const struct smol_root r = fourier_root(f, slice * i);
        w->near_cosine[i] = (SMOL_NUMBER)r.cosine;
        w->near_sine[i] = (SMOL_NUMBER)r.sine;
    }
}

static inline void fourier_advance(struct fourier_twiddles *w, const struct fourier *f,
                                   uint64_t slice, uint64_t first)
{
    const struct smol_root far = fourier_root(f, slice * first);
    const SMOL_NUMBER c = (SMOL_NUMBER)far.cosine, s = (SMOL_NUMBER)far.sine;

    for (unsigned i = 0; i < FOURIER_STRETCH; i++) {
        w->cosine[i] = c * w->near_cosine[i] - s * w->near_sine[i];
        w->sine[i] = c * w->near_sine[i] + s * w->near_cosine[i];
    }
}

/* out (D) = a block of P theta, theta (n). out is used on the way, at a 64-byte boundary. */
static inline void fourier_block(SMOL_NUMBER *out, SMOL_NUMBER *y, const struct fourier *f,
                                 const SMOL_NUMBER *theta, uint32_t block)
{
    const uint64_t slice = fourier_slice(f, block);
    const size_t D = f->projection->size, n = f->projection->n;
    const SMOL_NUMBER half = (SMOL_NUMBER)0.5;
    struct fourier_twiddles w;

    fourier_begin(&w, f, slice);
    for (size_t first = 0; first < D; first += FOURIER_STRETCH) {
        SMOL_NUMBER c[FOURIER_STRETCH];
        fourier_advance(&w, f, slice, first);
        for (size_t i = 0; i < FOURIER_STRETCH; i++) {
            const size_t k = first + i;
            c[i] = k < n ? (f->bytes[k] & 0x80 ? -theta[k] : theta[k]) : 0;
        }
        for (size_t i = 0; i < FOURIER_STRETCH; i++) {
            f->p[first + i] = c[i] * (w.cosine[i] + w.sine[i]);
            f->q[first + i] = c[i] * (w.cosine[i] - w.sine[i]);
        }
    }
    f->x[0] = f->p[0];
    f->x[D] = f->p[D / 2];
    f->x[1] = f->x[D + 1] = 0;
    for (size_t k = 1; k < D / 2; k++) {
        f->x[2 * k] = half * (f->p[k] + f->p[D - k]);
        f->x[2 * k + 1] = half * (f->q[D - k] - f->q[k]);
    }
    SMOL_FFT_BACKWARD(f, y, f->x);
    for (size_t i = 0; i < D; i++)
        out[i] = f->scale * y[f->order[i]];
}

/* grad (n) += P's block, transposed, times g (D); y (D) at a 64-byte boundary. */
static inline void fourier_transpose(SMOL_NUMBER *grad, SMOL_NUMBER *y, const struct fourier *f,
                                     const SMOL_NUMBER *g, uint32_t block)
{
    const uint64_t slice = fourier_slice(f, block);
    const size_t D = f->projection->size, n = f->projection->n;
    struct fourier_twiddles w;

    for (size_t i = 0; i < D; i++)
        y[f->order[i]] = f->scale * g[i];
    SMOL_FFT_FORWARD(f, f->x, y);
    f->p[0] = f->x[0];
    f->p[D / 2] = f->x[D];
    f->q[0] = f->q[D / 2] = 0;
    for (size_t k = 1; k < D / 2; k++) {
        f->p[k] = f->p[D - k] = f->x[2 * k];
        f->q[k] = -f->x[2 * k + 1];
        f->q[D - k] = f->x[2 * k + 1];
    }
    fourier_begin(&w, f, slice);
    for (size_t first = 0; first < n; first += FOURIER_STRETCH) {
        fourier_advance(&w, f, slice, first);
        for (size_t i = 0; i < FOURIER_STRETCH && first + i < n; i++) {
            const size_t k = first + i;
            const SMOL_NUMBER d =
                (w.cosine[i] + w.sine[i]) * f->p[k] + (w.cosine[i] - w.sine[i]) * f->q[k];
            grad[k] += f->bytes[k] & 0x80 ? -d : d;
        }
    }
}

#endif
