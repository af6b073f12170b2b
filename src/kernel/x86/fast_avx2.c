/* The approximate product of frozen row blocks, with AVX2: high bytes of the weights, looked up,
 * times high bytes of the vectors. No pair of products, at most 2 x 127 x 127, saturates the 16
 * bits of vpmaddubsw. Planes add up, each by itself. */
#include "kernel/x86/table_avx2.h"

#define LOOKUPS(X) X(LOOKUP_32) X(LOOKUP_SUM) X(LOOKUP_256)

static void table_load(struct table *t, const int16_t *q) { smol_table_load_bytes_avx2(t, q); }

ALWAYS_INLINE void row_put(int8_t *w, size_t n, uint32_t r, size_t step, unsigned k, __m256i u,
                           const struct table *table, enum lookup lookup, bool is_first)
{
    (void)n, (void)r, (void)is_first;
    store(w + SMOL_STEP_BYTES * step + STEP * k, look_up_bytes(table, u, lookup));
}

/* w and x of n bytes, a multiple of 64. */
static int64_t dot_bytes(const int8_t *w, const int8_t *x, size_t n)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sum = _mm256_setzero_si256();

    for (size_t i = 0; i < n; i += STEP) {
        const __m256i a = load(w + i), b = load(x + i);
        const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
    }
    return sum_i64(add_wide(_mm256_setzero_si256(), sum));
}

#define FAST_PRODUCT smol_frozen_fast_avx2
#include "kernel/product_fast.h"
