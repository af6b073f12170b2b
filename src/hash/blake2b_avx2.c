/* Four pieces side by side, AVX2. */
#include "base/bytes.h"
#include "hash/leaves.h"

#include <immintrin.h>

typedef __m256i vec;
#define LANES 4

static inline vec vec_all(uint64_t x) { return _mm256_set1_epi64x((long long)x); }
static inline vec vec_add(vec a, vec b) { return _mm256_add_epi64(a, b); }
static inline vec vec_xor(vec a, vec b) { return _mm256_xor_si256(a, b); }
static inline void vec_store(uint64_t *to, vec a) { _mm256_storeu_si256((__m256i *)to, a); }

/* By bytes but for 63, which is one to the left. */
#define VEC_ROTATE(x, n) rotate_##n(x)

static inline vec rotate_32(vec x) { return _mm256_shuffle_epi32(x, 0xb1); }

static inline vec rotate_24(vec x)
{
    const vec order = _mm256_setr_epi8(3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10, 3, 4,
                                       5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10);

    return _mm256_shuffle_epi8(x, order);
}

static inline vec rotate_16(vec x)
{
    const vec order = _mm256_setr_epi8(2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9, 2, 3,
                                       4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9);

    return _mm256_shuffle_epi8(x, order);
}

static inline vec rotate_63(vec x)
{
    return _mm256_xor_si256(_mm256_srli_epi64(x, 63), _mm256_add_epi64(x, x));
}

/* Two words of each of two pieces. */
static inline vec load_two(const uint8_t *low, const uint8_t *high)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low)),
                                   _mm_loadu_si128((const __m128i *)high), 1);
}

/* Word i of the block of each piece to m[i]. */
static inline void load_words(vec m[16], const uint8_t *const *pieces, size_t at)
{
    for (size_t i = 0; i < 16; i += 2) {
        const size_t here = at + 8 * i;
        const vec even = load_two(pieces[0] + here, pieces[2] + here),
                  odd = load_two(pieces[1] + here, pieces[3] + here);
        m[i] = _mm256_unpacklo_epi64(even, odd);
        m[i + 1] = _mm256_unpackhi_epi64(even, odd);
    }
}

#include "hash/blake2b.inc"

void smol_leaves_avx2(uint8_t *leaves, const uint8_t *const *pieces, size_t piece_bytes)
{
    hash_pieces(leaves, pieces, piece_bytes);
}
