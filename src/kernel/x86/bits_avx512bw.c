/* Masks and ternary rows with AVX-512 that has no dot products. */
#include "kernel/x86/sums_avx512.h"

/* sum + the products of bytes u, unsigned, at most 2, and x, signed, four to a lane. */
static inline __m512i add_bytes(__m512i sum, __m512i u, __m512i x)
{
    const __m512i pairs = _mm512_maddubs_epi16(u, x);

    return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

/* sum + the products of 16-bit integers, two to a lane. */
static inline __m512i add_integers(__m512i sum, __m512i w, __m512i X)
{
    return _mm512_add_epi32(sum, _mm512_madd_epi16(w, X));
}

#define ROWS_MASK smol_rows_mask_avx512bw
#define ROWS_TERNARY smol_rows_ternary_avx512bw
#include "kernel/x86/bits_avx512.h"
