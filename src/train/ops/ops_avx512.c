/* What the network is made of with AVX-512: 28 registers of sums, 2 of columns and a row's number.
 */
#include "train/ops/ops.h"
#include "train/ops/turn_sse.h"

typedef __m512 tile_vector;

#define TILE_LANES 16u

static inline tile_vector tile_set1(float x) { return _mm512_set1_ps(x); }

static inline tile_vector tile_load(const float *p) { return _mm512_loadu_ps(p); }

static inline void tile_store(float *p, tile_vector v) { _mm512_storeu_ps(p, v); }

static inline tile_vector tile_mul(tile_vector a, tile_vector b) { return _mm512_mul_ps(a, b); }

static inline tile_vector tile_fma(tile_vector a, tile_vector b, tile_vector c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline void tile_fetch(const float *p) { _mm_prefetch((const char *)p, _MM_HINT_T1); }

/* Of rows p, p + 4 stride, p + 8 stride and p + 12 stride, four numbers each. */
static inline __m512 four_rows(const float *p, size_t stride)
{
    const __m512 first = _mm512_castps128_ps512(_mm_loadu_ps(p)),
                 two = _mm512_insertf32x4(first, _mm_loadu_ps(p + 4 * stride), 1),
                 three = _mm512_insertf32x4(two, _mm_loadu_ps(p + 8 * stride), 2);

    return _mm512_insertf32x4(three, _mm_loadu_ps(p + 12 * stride), 3);
}

static inline void turn_four(float *to, size_t to_stride, const float *from, size_t stride)
{
    const __m512 a = four_rows(from, stride), b = four_rows(from + stride, stride),
                 c = four_rows(from + 2 * stride, stride), d = four_rows(from + 3 * stride, stride);
    const __m512d ab = _mm512_castps_pd(_mm512_unpacklo_ps(a, b)),
                  ab_high = _mm512_castps_pd(_mm512_unpackhi_ps(a, b)),
                  cd = _mm512_castps_pd(_mm512_unpacklo_ps(c, d)),
                  cd_high = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));

    tile_store(to, _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)));
    tile_store(to + to_stride, _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)));
    tile_store(to + 2 * to_stride, _mm512_castpd_ps(_mm512_unpacklo_pd(ab_high, cd_high)));
    tile_store(to + 3 * to_stride, _mm512_castpd_ps(_mm512_unpackhi_pd(ab_high, cd_high)));
}

/* 16 x 16 floats, transposed. */
static inline void turn_wide(float *to, size_t to_stride, const float *from, size_t stride)
{
    for (size_t i = 0; i < 16; i += 4)
        turn_four(to + i * to_stride, to_stride, from + i, stride);
}

/* Where six bits of a byte say which number it is, from registers. */
static void look_up_wide(float *to, const uint8_t *bytes, const float *values, size_t n)
{
    const __m512 table[4] = {tile_load(values), tile_load(values + 16), tile_load(values + 32),
                             tile_load(values + 48)};
    size_t i = 0;

    if (memcmp(values, values + 64, 192 * sizeof *values) == 0)
        for (; i + 16 <= n; i += 16) {
            const __m512i at = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(bytes + i)));
            const __m512 low = _mm512_permutex2var_ps(table[0], at, table[1]),
                         high = _mm512_permutex2var_ps(table[2], at, table[3]);
            const __mmask16 is_high = _mm512_test_epi32_mask(at, _mm512_set1_epi32(32));

            tile_store(to + i, _mm512_mask_mov_ps(low, is_high, high));
        }
    for (; i < n; i++)
        to[i] = values[bytes[i]];
}

#define SIGNS_AT_ONCE 4096u /* that are added up as floats */

static inline double lanes_sum(__m512 x)
{
    float lanes[16];
    double sum = 0;

    tile_store(lanes, x);
    for (int i = 0; i < 16; i++)
        sum += (double)lanes[i];
    return sum;
}

/* So many bases, known to the compiler: the sums of what each makes negative are registers. */
static inline void sign_sums(double *sums, const float *d, const uint8_t *bytes, size_t n,
                             const uint32_t n_bases)
{
    const __m512 zero = _mm512_setzero_ps();
    double all = 0, negative[8] = {0};

    for (size_t i = 0; i < n;) {
        const size_t end = n - i < SIGNS_AT_ONCE ? n : i + SIGNS_AT_ONCE;
        __m512 every = zero, part[8] = {zero, zero, zero, zero, zero, zero, zero, zero};

        for (; i < end; i += 16) {
            const __mmask16 is_there = (__mmask16)(end - i < 16 ? (1u << (end - i)) - 1 : 0xffff);
            const __m512 x = _mm512_maskz_loadu_ps(is_there, d + i);
            const __m512i byte = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(is_there, bytes + i));

            every = _mm512_add_ps(every, x);
            for (uint32_t k = 0; k < n_bases; k++)
                part[k] = _mm512_mask_add_ps(
                    part[k], _mm512_test_epi32_mask(byte, _mm512_set1_epi32(1 << k)), part[k], x);
        }
        all += lanes_sum(every);
        for (uint32_t k = 0; k < n_bases; k++)
            negative[k] += lanes_sum(part[k]);
    }
    for (uint32_t k = 0; k < n_bases; k++)
        sums[k] = all - 2 * negative[k];
}

static void contract_signs(double *sums, const float *d, const uint8_t *bytes, size_t n,
                           uint32_t n_bases)
{
    double eight[8];

    if (n_bases <= 5)
        sign_sums(eight, d, bytes, n, 5);
    else
        sign_sums(eight, d, bytes, n, 8);
    memcpy(sums, eight, n_bases * sizeof *sums);
}

#define LOOK_UP look_up_wide
#define CONTRACT_SIGNS contract_signs
#define PRODUCT_ROWS 14
#define PRODUCT_ROOM 147456u
#define PRODUCT_TURN_WIDE turn_wide
#define PRODUCT_TURN turn_sse
#include "train/ops/ops.inc"

const struct smol_ops smol_ops_avx512 = {.name = "avx512", SMOL_OPS};
