/* AVX-512 on integers of 8 to 64 bits: the second part of immintrin.h. */
#ifndef EMULATED_INTEGERS_H
#define EMULATED_INTEGERS_H

#define BYTES_OF(name, arguments, value) LANEWISE(__m512i, b, 64, name, arguments, (uint8_t)(value))
#define SHORTS(name, arguments, value) LANEWISE(__m512i, h, 32, name, arguments, (int16_t)(value))
#define LONGS(name, arguments, value) LANEWISE(__m512i, q, 8, name, arguments, value)

/* ---- memory ---- */

#define _MM_HINT_T0 0
#define _mm_prefetch(p, hint) ((void)(p))

BYTES_OF(_mm512_set1_epi8, (char a), a)
SHORTS(_mm512_set1_epi16, (int16_t a), a)
LONGS(_mm512_set1_epi64, (int64_t a), a)
LANEWISE(__m256i, h, 16, _mm256_set1_epi16, (int16_t a), a)
LANEWISE(__m256i, h, 16, _mm256_setzero_si256, (void), 0)
LANEWISE(__m256i, b, 32, _mm256_loadu_si256, (const void *p), ((const uint8_t *)p)[i])
BYTES_OF(_mm512_loadu_si512, (const void *p), ((const uint8_t *)p)[i])
BYTES_OF(_mm512_load_si512, (const void *p), ((const uint8_t *)p)[i])
BYTES_OF(_mm512_maskz_loadu_epi8, (__mmask64 k, const void *p),
         is_set(k, i) ? ((const uint8_t *)p)[i] : 0)
SHORTS(_mm512_maskz_loadu_epi16, (__mmask32 k, const void *p), is_set(k, i) ? int16_at(p, i) : 0)
LONGS(_mm512_maskz_loadu_epi64, (__mmask8 k, const int64_t *p), is_set(k, i) ? p[i] : 0)
LANEWISE(__m128i, b, 16, _mm_maskz_loadu_epi8, (__mmask16 k, const void *p),
         (uint8_t)(is_set(k, i) ? ((const uint8_t *)p)[i] : 0))

static inline __m512i _mm512_setzero_si512(void) { return _mm512_set1_epi8(0); }

static inline void _mm512_storeu_si512(void *p, __m512i a) { memcpy(p, &a, sizeof a); }

/* At a multiple of 64, or else the processor stops. */
static inline void _mm512_store_si512(void *p, __m512i a)
{
    if ((uintptr_t)p % sizeof a)
        abort();
    memcpy(p, &a, sizeof a);
}

static inline void _mm512_mask_storeu_epi16(int16_t *p, __mmask32 k, __m512i a)
{
    for (unsigned i = 0; i < 32; i++)
        if (is_set(k, i))
            p[i] = a.h[i];
}

static inline void _mm512_mask_storeu_epi64(int64_t *p, __mmask8 k, __m512i a)
{
    for (unsigned i = 0; i < 8; i++)
        if (is_set(k, i))
            p[i] = a.q[i];
}

static inline int64_t _mm_cvtsi128_si64(__m128i a) { return (int64_t)smol_le64(a.b); }

/* ---- arithmetic ---- */

BYTES_OF(_mm512_add_epi8, (__m512i a, __m512i b), a.b[i] + b.b[i])
BYTES_OF(_mm512_sub_epi8, (__m512i a, __m512i b), a.b[i] - b.b[i])
SHORTS(_mm512_add_epi16, (__m512i a, __m512i b), a.h[i] + b.h[i])
SHORTS(_mm512_mullo_epi16, (__m512i a, __m512i b),
       (int16_t)(uint16_t)((uint32_t)a.h[i] * (uint32_t)b.h[i]))
LONGS(_mm512_add_epi64, (__m512i a, __m512i b), (int64_t)((uint64_t)a.q[i] + (uint64_t)b.q[i]))
LONGS(_mm512_sub_epi64, (__m512i a, __m512i b), (int64_t)((uint64_t)a.q[i] - (uint64_t)b.q[i]))
LONGS(_mm512_xor_si512, (__m512i a, __m512i b), a.q[i] ^ b.q[i])
LONGS(_mm512_and_si512, (__m512i a, __m512i b), a.q[i] & b.q[i])
LONGS(_mm512_andnot_si512, (__m512i a, __m512i b), ~a.q[i] & b.q[i])

/* A bit of the table for each three bits. */
static inline int32_t logic(int32_t a, int32_t b, int32_t c, unsigned table)
{
    uint32_t result = 0;

    for (unsigned i = 0; i < 32; i++) {
        const unsigned at =
            ((uint32_t)a >> i & 1) << 2 | ((uint32_t)b >> i & 1) << 1 | ((uint32_t)c >> i & 1);
        result |= (table >> at & 1) << i;
    }
    return (int32_t)result;
}

INTEGERS(_mm512_ternarylogic_epi32, (__m512i a, __m512i b, __m512i c, unsigned table),
         logic(a.i[i], b.i[i], c.i[i], table))
INTEGERS(_mm512_srli_epi32, (__m512i a, unsigned n), (int32_t)((uint32_t)a.i[i] >> n))
INTEGERS(_mm512_sub_epi32, (__m512i a, __m512i b), (int32_t)((uint32_t)a.i[i] - (uint32_t)b.i[i]))
SHORTS(_mm512_srlv_epi16, (__m512i a, __m512i n),
       (int16_t)(n.h[i] < 16 ? (uint16_t)a.h[i] >> n.h[i] : 0))
LONGS(_mm512_ror_epi64, (__m512i a, unsigned n),
      (int64_t)((uint64_t)a.q[i] >> n | (uint64_t)a.q[i] << (64 - n)))
LONGS(_mm512_slli_epi64, (__m512i a, unsigned n), (int64_t)((uint64_t)a.q[i] << n))

/* Right shifts take the sign along: floor(a / 2^n). */
SHORTS(_mm512_srai_epi16, (__m512i a, unsigned n), floor(ldexp(a.h[i], -(int)n)))
LONGS(_mm512_srai_epi64, (__m512i a, unsigned n),
      (a.q[i] < 0 ? ~(int64_t)(~(uint64_t)a.q[i] >> n) : (int64_t)((uint64_t)a.q[i] >> n)))

/* u unsigned, x signed. */
static inline int32_t product(__m512i u, __m512i x, unsigned i) { return u.b[i] * (int8_t)x.b[i]; }

static inline int32_t saturated(int32_t a)
{
    return a > INT16_MAX ? INT16_MAX : a < INT16_MIN ? INT16_MIN : a;
}

SHORTS(_mm512_maddubs_epi16, (__m512i u, __m512i x),
       saturated(product(u, x, 2 * i) + product(u, x, 2 * i + 1)))

/* Sums wrap. */
static inline int32_t sum(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }

static inline int32_t two_products(__m512i a, __m512i b, unsigned i)
{
    return sum(a.h[2 * i] * b.h[2 * i], a.h[2 * i + 1] * b.h[2 * i + 1]);
}

INTEGERS(_mm512_madd_epi16, (__m512i a, __m512i b), two_products(a, b, i))
INTEGERS(_mm512_dpwssd_epi32, (__m512i s, __m512i a, __m512i b), sum(s.i[i], two_products(a, b, i)))
INTEGERS(_mm512_dpbusd_epi32, (__m512i s, __m512i u, __m512i x),
         sum(s.i[i], product(u, x, 4 * i) + product(u, x, 4 * i + 1) + product(u, x, 4 * i + 2) +
                         product(u, x, 4 * i + 3)))

static inline int64_t _mm512_reduce_add_epi64(__m512i a)
{
    for (unsigned i = 1; i < 8; i++)
        a.q[0] += a.q[i];
    return a.q[0];
}

static inline int32_t _mm512_reduce_add_epi32(__m512i a)
{
    for (unsigned i = 1; i < 16; i++)
        a.i[0] = sum(a.i[0], a.i[i]);
    return a.i[0];
}

/* ---- masks ---- */

BYTES_OF(_mm512_mask_blend_epi8, (__mmask64 k, __m512i a, __m512i b), (is_set(k, i) ? b : a).b[i])
SHORTS(_mm512_mask_blend_epi16, (__mmask32 k, __m512i a, __m512i b), (is_set(k, i) ? b : a).h[i])
BYTES_OF(_mm512_maskz_mov_epi8, (__mmask64 k, __m512i a), is_set(k, i) ? a.b[i] : 0)
INTEGERS(_mm512_maskz_mov_epi32, (__mmask16 k, __m512i a), is_set(k, i) ? a.i[i] : 0)

static inline __mmask64 _mm512_cmpge_epu8_mask(__m512i a, __m512i b)
{
    __mmask64 k = 0;

    for (unsigned i = 0; i < 64; i++)
        k |= (__mmask64)(a.b[i] >= b.b[i]) << i;
    return k;
}

/* ---- lanes moved, widened and narrowed ---- */

LANEWISE(__m256i, i, 8, _mm512_castsi512_si256, (__m512i a), a.i[i])
LANEWISE(__m256i, i, 8, _mm512_extracti64x4_epi64, (__m512i a, unsigned half), a.i[8 * half + i])
INTEGERS(_mm512_castsi256_si512, (__m256i a), i < 8 ? a.i[i] : -1) /* the upper half is anything */
INTEGERS(_mm512_inserti64x4, (__m512i a, __m256i b, unsigned half),
         i / 8 == half ? b.i[i % 8] : a.i[i])
BYTES_OF(_mm512_castsi128_si512, (__m128i a), i < 16 ? a.b[i] : 0xff) /* anything behind it */
BYTES_OF(_mm512_inserti32x4, (__m512i a, __m128i b, unsigned quarter),
         i / 16 == quarter ? b.b[i % 16] : a.b[i])
LANEWISE(__m512i, b, 64, _mm512_broadcast_i64x4, (__m256i a), a.b[i % 32])
LONGS(_mm512_cvtepi32_epi64, (__m256i a), a.i[i])
SHORTS(_mm512_cvtepi8_epi16, (__m256i a), (int8_t)a.b[i])
LANEWISE(__m256i, b, 32, _mm512_cvtepi16_epi8, (__m512i a), (uint8_t)a.h[i])

/* Of each four lanes of a, then of b, narrowed. */
SHORTS(_mm512_packs_epi32, (__m512i a, __m512i b),
       saturated((i % 8 < 4 ? a : b).i[i / 8 * 4 + i % 4]))

/* Of each four lanes the first or last two of a and b in turns; the same of each two of 64 bits. */
INTEGERS(_mm512_unpacklo_epi32, (__m512i a, __m512i b), (i % 2 ? b : a).i[i / 4 * 4 + i % 4 / 2])
INTEGERS(_mm512_unpackhi_epi32, (__m512i a, __m512i b),
         (i % 2 ? b : a).i[i / 4 * 4 + 2 + i % 4 / 2])
LONGS(_mm512_unpacklo_epi64, (__m512i a, __m512i b), (i % 2 ? b : a).q[i / 2 * 2])
LONGS(_mm512_unpackhi_epi64, (__m512i a, __m512i b), (i % 2 ? b : a).q[i / 2 * 2 + 1])
LONGS(_mm512_shuffle_i64x2, (__m512i a, __m512i b, unsigned order),
      (i < 4 ? a : b).q[2 * (order >> 2 * (i / 2) & 3) + i % 2])
INTEGERS(_mm512_shuffle_i32x4, (__m512i a, __m512i b, unsigned order),
         (i < 8 ? a : b).i[4 * (order >> 2 * (i / 4) & 3) + i % 4])
BYTES_OF(_mm512_shuffle_epi8, (__m512i a, __m512i order),
         order.b[i] & 0x80 ? 0 : a.b[i / 16 * 16 + (order.b[i] & 15)])
BYTES_OF(_mm512_permutexvar_epi8, (__m512i order, __m512i a), a.b[order.b[i] & 63])
INTEGERS(_mm512_permutexvar_epi32, (__m512i order, __m512i a), a.i[order.i[i] & 15])

#endif
