/* Tables of 256 integers in registers, and the look-ups of 32 bytes at once: what the AVX2 kernels
 * share. */
#ifndef SMOL_TABLE_AVX2_H
#define SMOL_TABLE_AVX2_H

#include "kernel/product.h"
#include "kernel/x86/registers_avx2.h"

/* LOOKUP_32 if the entries repeat. A table of up to eight bases is a sum, Q[16 i + j] = a_i + b_j,
 * and 1 more where the fractions that a_i and b_j have lost add up to that: where rank_j > bound_i,
 * for only their order matters: LOOKUP_SUM. Tables of normal quantiles are none, nor are a few of
 * sign bases where halves were rounded to even; but every table is odd, so that half of it is
 * enough: LOOKUP_ODD. Tables of high bytes are not odd, and looked up whole: LOOKUP_256. */

/* The low and high bytes of entries, 16 to a register, twice; of sums, a and b. */
struct table {
    __m256i low[16], high[8];
    __m256i bound, rank;
    enum lookup lookup;
};

/* offset is added to every entry: 0 or 32768. The look-up is never LOOKUP_256. */
void smol_table_load_avx2(struct table *t, const int16_t q[SMOL_TABLE_ENTRIES], int offset);

/* The entries' high bytes, for the approximate product, as low. The look-up is never LOOKUP_ODD. */
void smol_table_load_bytes_avx2(struct table *t, const int16_t q[SMOL_TABLE_ENTRIES]);

/* The low four bits of an index choose a byte, those of u above them the register, of n: blends
 * look at the top bit of a byte, so that pairs of registers meet under bit 4, pairs of those under
 * bit 5, and so on. The top bit of an index is clear. */
ALWAYS_INLINE __m256i choose(const __m256i *entries, unsigned n, __m256i index, __m256i u)
{
    __m256i v[16];

    for (unsigned i = 0; i < n; i++)
        v[i] = _mm256_shuffle_epi8(entries[i], index);
    for (unsigned shift = 3; n > 1; shift--) {
        const __m256i bit = _mm256_slli_epi16(u, (int)shift);
        n /= 2;
        for (unsigned i = 0; i < n; i++)
            v[i] = _mm256_blendv_epi8(v[2 * i], v[2 * i + 1], bit);
    }
    return v[0];
}

static inline __m256i low_bits(__m256i u) { return _mm256_and_si256(u, _mm256_set1_epi8(15)); }

/* The parts of the low byte of a sum; b has the 1 more, since a comparison gives -1. */
ALWAYS_INLINE void parts(__m256i *a, __m256i *b, const struct table *t, __m256i i, __m256i j)
{
    const __m256i more =
        _mm256_cmpgt_epi8(_mm256_shuffle_epi8(t->rank, j), _mm256_shuffle_epi8(t->bound, i));

    *a = _mm256_shuffle_epi8(t->low[0], i);
    *b = _mm256_sub_epi8(_mm256_shuffle_epi8(t->low[1], j), more);
}

/* No b has the low byte 255, to which 1 more would carry; so a low byte has carried if it is less
 * than a's. The high bytes of a have that 1 already, and it is taken back where none was. */
ALWAYS_INLINE void look_up_sum(__m256i *low, __m256i *high, const struct table *t, __m256i u)
{
    const __m256i i = low_bits(_mm256_srli_epi16(u, 4)), j = low_bits(u);
    __m256i a, b;

    parts(&a, &b, t, i, j);
    *low = _mm256_add_epi8(a, b);
    *high = _mm256_add_epi8(_mm256_shuffle_epi8(t->high[0], i), _mm256_shuffle_epi8(t->high[1], j));
    *high = _mm256_add_epi8(*high, _mm256_cmpeq_epi8(_mm256_max_epu8(*low, a), *low));
}

/* The other half is looked up by the complement of u, and gives -w: the complement of w, and 1,
 * which carries if the low byte is 0 then. */
ALWAYS_INLINE void look_up_odd(__m256i *low, __m256i *high, const struct table *t, __m256i u)
{
    const __m256i zero = _mm256_setzero_si256(), other = _mm256_cmpgt_epi8(zero, u),
                  index = _mm256_xor_si256(u, other);
    const __m256i l = choose(t->low, 8, index, index), h = choose(t->high, 8, index, index);

    *low = _mm256_sub_epi8(_mm256_xor_si256(l, other), other);
    *high = _mm256_sub_epi8(_mm256_xor_si256(h, other),
                            _mm256_and_si256(other, _mm256_cmpeq_epi8(*low, zero)));
}

ALWAYS_INLINE void look_up(__m256i *low, __m256i *high, const struct table *t, __m256i u,
                           enum lookup lookup)
{
    if (lookup == LOOKUP_32) {
        *low = choose(t->low, 2, low_bits(u), u);
        *high = choose(t->high, 2, low_bits(u), u);
    } else if (lookup == LOOKUP_SUM) {
        look_up_sum(low, high, t, u);
    } else {
        look_up_odd(low, high, t, u);
    }
}

/* One byte each: a sum may be 128, and saturates. */
ALWAYS_INLINE __m256i look_up_bytes(const struct table *t, __m256i u, enum lookup lookup)
{
    __m256i a, b;

    if (lookup != LOOKUP_SUM)
        return choose(t->low, lookup == LOOKUP_32 ? 2 : 16, low_bits(u), u);
    parts(&a, &b, t, low_bits(_mm256_srli_epi16(u, 4)), low_bits(u));
    return _mm256_adds_epi8(a, b);
}

#endif
