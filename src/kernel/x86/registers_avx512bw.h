/* What the kernels for AVX-512 share that needs no more of it than F, BW, DQ and VL: the generator
 * in registers, and sums_avx512.h. */
#ifndef SMOL_REGISTERS_AVX512BW_H
#define SMOL_REGISTERS_AVX512BW_H

#include "kernel/x86/sums_avx512.h"

smol_frozen_product smol_frozen_avx512bw, smol_frozen_avx2;

/* Words a, b, c, d of 16 lanes. */
struct generator {
    __m512i a, b, c, d;
};

#define PARTS 1u /* registers of a step's bytes */

/* ---- ChaCha20: the states in which streams start ----
 *
 * Four blocks to a register and three row blocks at once, instead of one call of libsodium after
 * the other: with that, one vector times 3,072 x 768 weights of five bases went from 20.9 to 24.2
 * Gweights/s, times 768 x 3,072 from 26.1 to 27.1 (one thread at 3.63 GHz). */

/* A quarter round of four columns, in each of the four blocks that lie side by side. */
static inline void quarter_rounds(struct generator *s)
{
    s->a = _mm512_add_epi32(s->a, s->b);
    s->d = _mm512_rol_epi32(_mm512_xor_si512(s->d, s->a), 16);
    s->c = _mm512_add_epi32(s->c, s->d);
    s->b = _mm512_rol_epi32(_mm512_xor_si512(s->b, s->c), 12);
    s->a = _mm512_add_epi32(s->a, s->b);
    s->d = _mm512_rol_epi32(_mm512_xor_si512(s->d, s->a), 8);
    s->c = _mm512_add_epi32(s->c, s->d);
    s->b = _mm512_rol_epi32(_mm512_xor_si512(s->b, s->c), 7);
}

static inline void double_round(struct generator *s)
{
    quarter_rounds(s);
    s->b = _mm512_shuffle_epi32(s->b, _MM_PERM_ADCB);
    s->c = _mm512_shuffle_epi32(s->c, _MM_PERM_BADC);
    s->d = _mm512_shuffle_epi32(s->d, _MM_PERM_CBAD);
    quarter_rounds(s);
    s->b = _mm512_shuffle_epi32(s->b, _MM_PERM_CBAD);
    s->c = _mm512_shuffle_epi32(s->c, _MM_PERM_BADC);
    s->d = _mm512_shuffle_epi32(s->d, _MM_PERM_ADCB);
}

/* Rows of four blocks, side by side, to the four blocks, which are the words a, b, c, d of the
 * lanes. */
static inline void blocks_apart(struct generator *s)
{
    const __m512i ab = _mm512_shuffle_i32x4(s->a, s->b, 0x44),
                  cd = _mm512_shuffle_i32x4(s->c, s->d, 0x44);
    const __m512i AB = _mm512_shuffle_i32x4(s->a, s->b, 0xee),
                  CD = _mm512_shuffle_i32x4(s->c, s->d, 0xee);

    s->a = _mm512_shuffle_i32x4(ab, cd, 0x88);
    s->b = _mm512_shuffle_i32x4(ab, cd, 0xdd);
    s->c = _mm512_shuffle_i32x4(AB, CD, 0x88);
    s->d = _mm512_shuffle_i32x4(AB, CD, 0xdd);
}

/* The streams of some row blocks at their start, SPEC.md 5.2; side by side, since a round waits for
 * the one before it. */
ALWAYS_INLINE void generators_init(struct generator *s, const struct smol_frozen *t, uint32_t plane,
                                   uint32_t block, uint32_t n_blocks)
{
    const __m512i counters = _mm512_set_epi32(0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0);
    struct generator first[SMOL_BLOCK_BATCH];

    for (uint32_t i = 0; i < n_blocks; i++) {
        const __m128i tail =
            _mm_set_epi32((int)t->purpose, (int)plane, (int)t->tensor, (int)(4 * (block + i)));
        first[i].a =
            _mm512_broadcast_i32x4(_mm_set_epi32(0x6b206574, 0x79622d32, 0x3320646e, 0x61707865));
        first[i].b =
            _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)t->key->bytes));
        first[i].c = _mm512_broadcast_i32x4(
            _mm_loadu_si128((const __m128i *)(const void *)(t->key->bytes + 16)));
        first[i].d = _mm512_add_epi32(_mm512_broadcast_i32x4(tail), counters);
        s[i] = first[i];
    }
    for (unsigned round = 0; round < 20; round += 2)
        for (uint32_t i = 0; i < n_blocks; i++)
            double_round(&s[i]);
    for (uint32_t i = 0; i < n_blocks; i++) {
        s[i].a = _mm512_add_epi32(s[i].a, first[i].a);
        s[i].b = _mm512_add_epi32(s[i].b, first[i].b);
        s[i].c = _mm512_add_epi32(s[i].c, first[i].c);
        s[i].d = _mm512_add_epi32(s[i].d, first[i].d);
        blocks_apart(&s[i]);
    }
}

/* ---- the generator ---- */

/* One step; the emitted bytes are the new d. In assembly, since the compilers move what they could
 * leave where it is. */
static inline __m512i generator_step(struct generator *s, unsigned k)
{
    __m512i e, rolled;

    (void)k;
    __asm__("vprold $27, %[b], %[r]\n\t"
            "vpsubd %[r], %[a], %[e]\n\t"
            "vprold $17, %[c], %[r]\n\t"
            "vpxord %[r], %[b], %[a]\n\t"
            "vpaddd %[d], %[c], %[b]\n\t"
            "vpaddd %[e], %[d], %[c]\n\t"
            "vpaddd %[a], %[e], %[d]"
            : [a] "+v"(s->a), [b] "+v"(s->b), [c] "+v"(s->c), [d] "+v"(s->d), [e] "=&v"(e),
              [r] "=&v"(rolled));
    return s->d;
}

#endif
