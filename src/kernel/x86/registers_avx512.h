/* What the kernels for AVX-512 with VBMI and VNNI share: bytes of vectors, tables of weights. */
#ifndef SMOL_REGISTERS_AVX512_H
#define SMOL_REGISTERS_AVX512_H

#include "kernel/x86/registers_avx512bw.h"
#include "kernel/x86/split_avx512.h"

void smol_stream_bytes_avx512(uint8_t *bytes, size_t n, const struct smol_frozen *t, uint32_t plane,
                              uint32_t block, uint32_t n_blocks);
void smol_hadamard_avx512(float *x, size_t n);
void smol_scale_by_bytes_avx512(float *x, const uint8_t *bytes, const float *table, size_t n);
smol_frozen_product smol_frozen_avx512, smol_frozen_fast_avx512;

smol_frozen_runs smol_runs_avx512, smol_runs_fast_avx512;
smol_frozen_streams smol_streams_avx512;

/* Some row blocks times several vectors, and what that takes of scratch. */
smol_frozen_product smol_frozen_batch_avx512, smol_frozen_fast_batch_avx512;
smol_frozen_numbers smol_numbers_batch_avx512, smol_numbers_fast_batch_avx512;
size_t smol_frozen_batch_scratch_avx512(size_t cols, size_t n_x, uint32_t n_planes);
size_t smol_frozen_fast_batch_scratch_avx512(size_t cols, size_t n_x);

/* What is made of one vector, in the scratch: one after the other they take ALONE_BYTES(cols). */
struct alone {
    int64_t sum;                  /* of its integers, or of their high bytes */
    _Alignas(64) uint8_t bytes[]; /* high ones, then low ones, each padded to whole registers */
};
#define ALONE_BYTES(cols) (sizeof(struct alone) + 2 * smol_round_up(cols, BYTES))

/* sum + the products of bytes u, unsigned, and x, signed, four to a lane. In assembly, since with
 * the intrinsic the compilers move each sum to another register and back. */
ALWAYS_INLINE void add_products(__m512i *sum, __m512i u, __m512i x)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sum) : "v"(u), "v"(x));
}

/* Half of 16 integers, wide. */
ALWAYS_INLINE __m512i eight(__m512i v, unsigned half)
{
    return _mm512_cvtepi32_epi64(half ? _mm512_extracti64x4_epi64(v, 1)
                                      : _mm512_castsi512_si256(v));
}

/* v, which is half of 16 rows' sums, of which n_rows are there, added to those that are there
 * unless is_first. */
ALWAYS_INLINE void add_eight(int64_t *sums, unsigned half, uint32_t n_rows, bool is_first,
                             __m512i v)
{
    const __mmask8 mask = (__mmask8)(tail16(n_rows) >> 8 * half);
    const __m512i before = _mm512_maskz_loadu_epi64(is_first ? 0 : mask, sums + 8 * half);

    _mm512_mask_storeu_epi64(sums + 8 * half, mask, _mm512_add_epi64(before, v));
}

/* ---- tables ---- */

/* The bytes of a table of 256 16-bit integers, low and high, 64 to a register. */
struct table {
    __m512i low[4], high[4];
    enum lookup lookup;
};

#define LOOKUPS(X) X(LOOKUP_64) X(LOOKUP_256)

static inline void table_load_flipped(struct table *t, const int16_t *q, uint16_t flip)
{
    uint8_t low[256], high[256];

    for (unsigned u = 0; u < 256; u++) {
        low[u] = (uint8_t)((uint16_t)q[u] ^ flip);
        high[u] = (uint8_t)(((uint16_t)q[u] ^ flip) >> 8);
    }
    for (unsigned i = 0; i < 4; i++) {
        t->low[i] = _mm512_loadu_si512(low + 64 * i);
        t->high[i] = _mm512_loadu_si512(high + 64 * i);
    }
    t->lookup = repeats(q, 64) ? LOOKUP_64 : LOOKUP_256;
}

/* The same of a table that repeats after 64 entries. */
static inline void table_load_narrow(struct table *t, const int16_t *q, uint16_t flip)
{
    const __m512i flips = _mm512_set1_epi16((int16_t)flip),
                  a = _mm512_xor_si512(_mm512_loadu_si512(q), flips),
                  b = _mm512_xor_si512(_mm512_loadu_si512(q + 32), flips);

    t->low[0] = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi16_epi8(a)),
                                   _mm512_cvtepi16_epi8(b), 1);
    t->high[0] =
        _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi16_epi8(_mm512_srli_epi16(a, 8))),
                           _mm512_cvtepi16_epi8(_mm512_srli_epi16(b, 8)), 1);
    t->lookup = LOOKUP_64;
}

ALWAYS_INLINE __m512i look_up(const __m512i entries[4], __m512i u, enum lookup lookup)
{
    if (lookup == LOOKUP_64)
        return _mm512_permutexvar_epi8(u, entries[0]);
    const __m512i first = _mm512_permutex2var_epi8(entries[0], u, entries[1]);
    const __m512i second = _mm512_permutex2var_epi8(entries[2], u, entries[3]);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(u), first, second);
}

#endif
