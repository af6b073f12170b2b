/* What the AVX2 kernels share. */
#ifndef SMOL_REGISTERS_AVX2_H
#define SMOL_REGISTERS_AVX2_H

#include "base/bytes.h"
#include "kernel/kernel.h"

#include <immintrin.h>

smol_frozen_product smol_frozen_avx2, smol_frozen_fast_avx2;
smol_frozen_product smol_frozen_avxvnni, smol_frozen_avx512bw;
smol_rows_product smol_rows_q8_avx2, smol_rows_q4_avx2, smol_rows_q8_avxvnni;
smol_rows_product smol_rows_mask_avx2, smol_rows_ternary_avx2;
void smol_stream_bytes_avx2(uint8_t *bytes, size_t n, const struct smol_frozen *t, uint32_t plane,
                            uint32_t block);
void smol_hadamard_avx2(float *x, size_t n);
void smol_scale_by_bytes_avx2(float *x, const uint8_t *bytes, const float *table, size_t n);
void smol_rows_i16_avx2(int64_t *sums, const int16_t *w, size_t n_rows, size_t cols,
                        const int16_t *X);

static inline __m256i load(const void *p) { return _mm256_loadu_si256(p); }

static inline __m256i add_wide(__m256i sum, __m256i v)
{
    sum = _mm256_add_epi64(sum, _mm256_cvtepi32_epi64(_mm256_castsi256_si128(v)));
    return _mm256_add_epi64(sum, _mm256_cvtepi32_epi64(_mm256_extracti128_si256(v, 1)));
}

static inline int64_t sum_i64(__m256i v)
{
    int64_t lane[4];

    _mm256_storeu_si256((__m256i *)(void *)lane, v);
    return lane[0] + lane[1] + lane[2] + lane[3];
}

/* Two products of |w X| < 2^30 fit 32 bits. */
static inline int64_t dot_int16(const int16_t *w, const int16_t *X, size_t n)
{
    __m256i sum = _mm256_setzero_si256();
    int64_t rest = 0;
    size_t i = 0;

    for (; i + 16 <= n; i += 16)
        sum = add_wide(sum, _mm256_madd_epi16(load(w + i), load(X + i)));
    for (; i < n; i++)
        rest += (int32_t)w[i] * X[i];
    return sum_i64(sum) + rest;
}

static inline void store(void *p, __m256i v) { _mm256_storeu_si256(p, v); }

/* ---- the generator: words a, b, c, d of 16 lanes, two registers each ---- */

struct gen8 {
    __m256i a, b, c, d;
};

struct generator {
    struct gen8 part[2];
};

#define PARTS 2u /* registers of a step's bytes */
#define STEP 32u /* columns of such a register */

static inline __m256i rotl(__m256i x, int k)
{
    return _mm256_or_si256(_mm256_slli_epi32(x, k), _mm256_srli_epi32(x, 32 - k));
}

static inline void generators_init(struct generator *s, const struct smol_frozen *t, uint32_t plane,
                                   uint32_t block, uint32_t n_blocks)
{
    for (uint32_t b = 0; b < n_blocks; b++) {
        struct smol_stream stream;
        smol_stream_init(&stream, t->key, t->tensor, plane, t->purpose, block + b);
        for (unsigned i = 0; i < PARTS; i++)
            s[b].part[i] =
                (struct gen8){load(stream.word + 8 * i), load(stream.word + 16 + 8 * i),
                              load(stream.word + 32 + 8 * i), load(stream.word + 48 + 8 * i)};
    }
}

/* One step of eight lanes, part k of 16; the emitted 32 bytes are the new d. */
static inline __m256i generator_step(struct generator *generator, unsigned k)
{
    struct gen8 *s = &generator->part[k];
    const __m256i e = _mm256_sub_epi32(s->a, rotl(s->b, 27));

    s->a = _mm256_xor_si256(s->b, rotl(s->c, 17));
    s->b = _mm256_add_epi32(s->c, s->d);
    s->c = _mm256_add_epi32(s->d, e);
    s->d = _mm256_add_epi32(e, s->a);
    return s->d;
}

#endif
