/* The approximate product of frozen row blocks, with AVX2: high bytes of the weights, looked up,
 * times high bytes of the vectors. No pair of products, at most 2 x 127 x 127, saturates the 16
 * bits of vpmaddubsw. Planes add up, each by itself. */
#include "kernel/x86/table_avx2.h"

#define LOOKUPS(X) X(LOOKUP_32) X(LOOKUP_SUM) X(LOOKUP_256)

static void table_load(struct table *t, const int16_t *q) { smol_table_load_bytes_avx2(t, q); }

ALWAYS_INLINE void row_put(int8_t *w, size_t n, uint32_t r, size_t step, unsigned k, __m256i u,
                           const struct table *table, enum lookup lookup, bool is_first)
{
    (void)is_first;
    store(w + r * n + SMOL_STEP_BYTES * step + STEP * k, look_up_bytes(table, u, lookup));
}

/* The sums of lanes of 32 products, |w| and x with w's signs: 262,144 columns fit 32 bits. */
ALWAYS_INLINE __m256i add_products(__m256i sum, __m256i size, __m256i w, __m256i x)
{
    const __m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(x, w));

    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

/* w and x of n bytes, a multiple of 64. */
static int64_t dot_bytes(const int8_t *w, const int8_t *x, size_t n)
{
    __m256i sum = _mm256_setzero_si256();

    for (size_t i = 0; i < n; i += STEP) {
        const __m256i a = load(w + i);
        sum = add_products(sum, _mm256_abs_epi8(a), a, load(x + i));
    }
    return sum_i64(add_wide(_mm256_setzero_si256(), sum));
}

#define DOTS FOLD
#define ROWS 8u

static inline void dots_bytes(int64_t to[DOTS], const int8_t *w, const int8_t *x, size_t n)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i sums[DOTS] = {zero, zero, zero, zero};

    for (size_t i = 0; i < n; i += STEP) {
        const __m256i a = load(w + i), size = _mm256_abs_epi8(a);
        for (unsigned k = 0; k < DOTS; k++)
            sums[k] = add_products(sums[k], size, a, load(x + k * n + i));
    }
    for (unsigned k = 0; k < DOTS; k++)
        sums[k] = add_wide(zero, sums[k]);
    store(to, fold(sums));
}

#define FAST_PRODUCT smol_frozen_fast_avx2
#include "kernel/product_fast.h"
