/* Eight pieces side by side, AVX-512 (F). */
#include "base/bytes.h"
#include "hash/leaves.h"

#include <immintrin.h>

typedef __m512i vec;
#define LANES 8

static inline vec vec_all(uint64_t x) { return _mm512_set1_epi64((long long)x); }
static inline vec vec_add(vec a, vec b) { return _mm512_add_epi64(a, b); }
static inline vec vec_xor(vec a, vec b) { return _mm512_xor_si512(a, b); }
static inline void vec_store(uint64_t *to, vec a) { _mm512_storeu_si512(to, a); }

#define VEC_ROTATE(x, n) _mm512_ror_epi64(x, n)

/* Eight words of eight rows, transposed: pairs of words, then of pairs, then of these. */
static inline void transpose(vec to[8], const vec rows[8])
{
    vec pairs[8], fours[8];

    for (int i = 0; i < 8; i += 2) {
        pairs[i] = _mm512_unpacklo_epi64(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_epi64(rows[i], rows[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int odd = 0; odd < 2; odd++) {
            fours[i + odd] = _mm512_shuffle_i64x2(pairs[i + odd], pairs[i + 2 + odd], 0x88);
            fours[i + 2 + odd] = _mm512_shuffle_i64x2(pairs[i + odd], pairs[i + 2 + odd], 0xdd);
        }
    for (int i = 0; i < 4; i++) {
        to[i] = _mm512_shuffle_i64x2(fours[i], fours[4 + i], 0x88);
        to[4 + i] = _mm512_shuffle_i64x2(fours[i], fours[4 + i], 0xdd);
    }
}

/* Word i of the block of each piece to m[i]. */
static inline void load_words(vec m[16], const uint8_t *const *pieces, size_t at)
{
    vec rows[8];

    for (size_t half = 0; half < 2; half++) {
        for (size_t lane = 0; lane < 8; lane++)
            rows[lane] = _mm512_loadu_si512(pieces[lane] + at + 64 * half);
        transpose(m + 8 * half, rows);
    }
}

#include "hash/blake2b.inc"

void smol_leaves_avx512bw(uint8_t *leaves, const uint8_t *const *pieces, size_t piece_bytes)
{
    hash_pieces(leaves, pieces, piece_bytes);
}
