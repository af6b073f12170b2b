/* The parts of Fastfood that take time, with AVX-512: bytes of a stream, factors by bytes, and
 * Hadamard's transform, of which seven stages and then three at a time keep eight registers. */
#include "kernel/x86/registers_avx512.h"

ALWAYS_INLINE void streams_beside(uint8_t *bytes, size_t n, const struct smol_frozen *t,
                                  uint32_t plane, uint32_t block, uint32_t n_blocks)
{
    struct generator s[SMOL_BLOCK_BATCH];

    generators_init(s, t, plane, block, n_blocks);
    for (size_t i = 0; i < n; i += BYTES)
        for (uint32_t b = 0; b < n_blocks; b++)
            _mm512_storeu_si512(bytes + b * n + i, generator_step(&s[b], 0));
}

void smol_stream_bytes_avx512(uint8_t *bytes, size_t n, const struct smol_frozen *t, uint32_t plane,
                              uint32_t block, uint32_t n_blocks)
{
    for (uint32_t b = 0; b < n_blocks; b += SMOL_BLOCK_BATCH) {
        uint8_t *to = bytes + b * n;
        switch (n_blocks - b) {
        case 1: streams_beside(to, n, t, plane, block + b, 1); break;
        case 2: streams_beside(to, n, t, plane, block + b, 2); break;
        case 3: streams_beside(to, n, t, plane, block + b, 3); break;
        default: streams_beside(to, n, t, plane, block + b, SMOL_BLOCK_BATCH); break;
        }
    }
}

typedef __m512 vector;

static inline vector add(vector a, vector b) { return _mm512_add_ps(a, b); }

static inline vector subtract(vector a, vector b) { return _mm512_sub_ps(a, b); }

static inline vector load_vector(const float *p) { return _mm512_loadu_ps(p); }

static inline void store_vector(float *p, vector v) { _mm512_storeu_ps(p, v); }

/* A stage over lanes whose numbers differ in one bit; where it is set, which mask says, the
 * difference. */
static inline vector stage_within(vector x, vector other, __mmask16 mask)
{
    return _mm512_mask_sub_ps(_mm512_add_ps(x, other), mask, other, x);
}

static inline vector stages_within(vector x)
{
    x = stage_within(x, _mm512_permute_ps(x, 0xb1), 0xaaaa);
    x = stage_within(x, _mm512_permute_ps(x, 0x4e), 0xcccc);
    x = stage_within(x, _mm512_shuffle_f32x4(x, x, 0xb1), 0xf0f0);
    return stage_within(x, _mm512_shuffle_f32x4(x, x, 0x4e), 0xff00);
}

#include "kernel/registers_hadamard.h"

void smol_hadamard_avx512(float *x, size_t n) { hadamard(x, n); }

/* The five low bits of an index choose from a pair of registers, the three others the pair. */
static inline __m512 look_up_float(const __m512 entries[16], __m512i index)
{
    const __mmask16 bit5 = _mm512_test_epi32_mask(index, _mm512_set1_epi32(32));
    const __mmask16 bit6 = _mm512_test_epi32_mask(index, _mm512_set1_epi32(64));
    const __mmask16 bit7 = _mm512_test_epi32_mask(index, _mm512_set1_epi32(128));
    __m512 v[8];

    for (unsigned i = 0; i < 8; i++)
        v[i] = _mm512_permutex2var_ps(entries[2 * i], index, entries[2 * i + 1]);
    for (unsigned i = 0; i < 4; i++)
        v[i] = _mm512_mask_blend_ps(bit5, v[2 * i], v[2 * i + 1]);
    for (unsigned i = 0; i < 2; i++)
        v[i] = _mm512_mask_blend_ps(bit6, v[2 * i], v[2 * i + 1]);
    return _mm512_mask_blend_ps(bit7, v[0], v[1]);
}

void smol_scale_by_bytes_avx512(float *x, const uint8_t *bytes, const float *table, size_t n)
{
    __m512 entries[16];

    for (unsigned i = 0; i < 16; i++)
        entries[i] = _mm512_loadu_ps(table + LANES * i);
    for (size_t i = 0; i < n; i += LANES) {
        const __m512i index =
            _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(bytes + i)));
        _mm512_storeu_ps(x + i,
                         _mm512_mul_ps(_mm512_loadu_ps(x + i), look_up_float(entries, index)));
    }
}
