/* Rows of few bits times vectors, with AVX2: masks and ternary numbers.
 *
 * Their weights w are -1, 0 and 1. Times one vector they become bytes in registers, and X = 256 h +
 * l is split into bytes once, -127 <= h <= 127 and 0 <= l <= 255, in the order in which the weights
 * come: a step is 32 columns of h, then of l. w h and w l are summed by pairs in 16 bits, which
 * hold 64 steps (64 x 2 x 255 < 2^15), then in 64. Times several vectors, rows are made
 * integers of 16 bits once. */
#include "kernel/x86/registers_avx2.h"

#define STEP_COLS 32u
#define STEP_X (2 * STEP_COLS) /* bytes of h and l */
#define STEPS 64u              /* whose sums fit 16 bits */

#define MOST_COLS 262144u /* in a lane's 32 bits: an eighth of these x 32,512 */

struct sums {
    __m256i h, l;
};

ALWAYS_INLINE void add_step(struct sums *s, __m256i w, const uint8_t *x)
{
    const __m256i ones = _mm256_set1_epi8(1);
    const __m256i h = _mm256_maddubs_epi16(ones, _mm256_sign_epi8(load(x), w)),
                  l = _mm256_maddubs_epi16(load(x + STEP_COLS), w);

    s->h = _mm256_add_epi16(s->h, h);
    s->l = _mm256_add_epi16(s->l, l);
}

/* To sums of 256 h + l in 64 bits. */
ALWAYS_INLINE __m256i add_sums(__m256i total, const struct sums *s)
{
    const __m256i ones = _mm256_set1_epi16(1);
    const __m256i h = _mm256_slli_epi32(_mm256_madd_epi16(s->h, ones), 8);

    return add_wide(total, _mm256_add_epi32(h, _mm256_madd_epi16(s->l, ones)));
}

/* The bytes h and l of 32 columns in their order: of n columns from X on behind `skipped` ones; the
 * others are 0. */
static inline void split_step(__m256i *h, __m256i *l, const int16_t *X, size_t skipped, size_t n)
{
    int16_t some[STEP_COLS] = {0};
    const __m256i low = _mm256_set1_epi16(255);

    if (n < STEP_COLS) {
        memcpy(some + skipped, X, n * sizeof *X);
        X = some;
    }
    const __m256i a = load(X), b = load(X + 16);
    const __m256i packed_h = _mm256_packs_epi16(_mm256_srai_epi16(a, 8), _mm256_srai_epi16(b, 8)),
                  packed_l =
                      _mm256_packus_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
    *h = _mm256_permute4x64_epi64(packed_h, 0xd8);
    *l = _mm256_permute4x64_epi64(packed_l, 0xd8);
}

/* ---- masks ---- */

#define STEP_BYTES (STEP_COLS / 8)

/* A step's four bytes of bits stand in each of eight lanes, of which lane i looks at bit i: byte 4
 * i
 * + j of what it gives is column 8 j + i. */
static inline __m256i all_of(const uint8_t *bytes)
{
    int32_t four;

    memcpy(&four, bytes, sizeof four);
    return _mm256_set1_epi32(four);
}

ALWAYS_INLINE __m256i are_set(__m256i v, __m256i bits)
{
    return _mm256_cmpeq_epi8(_mm256_and_si256(v, bits), bits);
}

ALWAYS_INLINE __m256i mask_weights(const uint8_t *mask, const uint8_t *signs)
{
    const __m256i bits = _mm256_set_epi32((int)0x80808080u, 0x40404040, 0x20202020, 0x10101010,
                                          0x08080808, 0x04040404, 0x02020202, 0x01010101);
    const __m256i sign = _mm256_or_si256(are_set(all_of(signs), bits), _mm256_set1_epi8(1));

    return _mm256_and_si256(are_set(all_of(mask), bits), sign);
}

/* Bytes 8 j + i of a register to 4 i + j. */
static inline __m256i transposed(__m256i v)
{
    const __m256i order = _mm256_broadcastsi128_si256(
        _mm_set_epi8(15, 7, 14, 6, 13, 5, 12, 4, 11, 3, 10, 2, 9, 1, 8, 0));
    const __m256i pairs = _mm256_shuffle_epi8(v, order); /* of bytes 8 apart, in each half */
    const __m256i others = _mm256_permute2x128_si256(pairs, pairs, 1);

    return _mm256_permute2x128_si256(_mm256_unpacklo_epi16(pairs, others),
                                     _mm256_unpackhi_epi16(pairs, others), 0x20);
}

static void prepare_mask(uint8_t *x, const int16_t *X, size_t cols)
{
    const size_t n = mask_row_bytes(cols);

    for (size_t i = 0; i < n; i += STEP_BYTES, x += STEP_X) {
        const size_t left = cols - 8 * i;
        __m256i h, l;
        split_step(&h, &l, X + 8 * i, 8 * (i - read_at(i, STEP_BYTES, n)),
                   left < STEP_COLS ? left : STEP_COLS);
        store(x, transposed(h));
        store(x + STEP_COLS, transposed(l));
    }
}

static inline __m256i mask_lanes(const struct row *row, const void *prepared, size_t cols)
{
    const size_t n = mask_row_bytes(cols);
    uint8_t copy[2][STEP_BYTES];
    const uint8_t *x = prepared, *mask = readable(copy[0], row->data, n, STEP_BYTES, row),
                  *signs = readable(copy[1], row->signs, n, STEP_BYTES, row);
    __m256i total = _mm256_setzero_si256();

    for (size_t i = 0; i < n;) {
        const size_t end = n - i < STEP_BYTES * STEPS ? n : i + STEP_BYTES * STEPS;
        struct sums sums = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        for (; i + STEP_BYTES <= end; i += STEP_BYTES, x += STEP_X)
            add_step(&sums, mask_weights(mask + i, signs + i), x);
        if (i < end) {
            const size_t at = read_at(i, STEP_BYTES, n);
            add_step(&sums, mask_weights(mask + at, signs + at), x);
            i = end;
        }
        total = add_sums(total, &sums);
    }
    return total;
}

ALWAYS_INLINE __m256i mask_integers(uint16_t mask, uint16_t sign)
{
    const __m256i bits = _mm256_set_epi16((short)0x8000, 0x4000, 0x2000, 0x1000, 0x800, 0x400,
                                          0x200, 0x100, 0x80, 0x40, 0x20, 0x10, 8, 4, 2, 1);
    const __m256i m = _mm256_and_si256(_mm256_set1_epi16((short)mask), bits),
                  s = _mm256_and_si256(_mm256_set1_epi16((short)sign), bits);

    return _mm256_and_si256(_mm256_cmpeq_epi16(m, bits),
                            _mm256_or_si256(_mm256_cmpeq_epi16(s, bits), _mm256_set1_epi16(1)));
}

static void expand_mask(int16_t *w, const struct row *row, size_t cols)
{
    const size_t n = mask_row_bytes(cols);
    size_t i = 0;

    for (; i + 2 <= n; i += 2)
        store(w + 8 * i, mask_integers(smol_le16(row->data + i), smol_le16(row->signs + i)));
    if (i < n)
        store(w + 8 * i, mask_integers(row->data[i], row->signs[i]));
}

void smol_rows_mask_avx2(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                         size_t x_stride, size_t n_x, void *scratch)
{
    if (n_x > 1) {
        rows_tiles(sums, rows, mask_strides(rows), X, x_stride, n_x, scratch, expand_mask,
                   MOST_COLS);
    } else {
        prepare_mask(scratch, X, rows->cols);
        rows_single(sums, rows, mask_strides(rows), scratch, mask_lanes);
    }
}

/* ---- ternary numbers ---- */

#define DIGITS 5u                 /* of a byte: it has a column of each of five planes */
#define GROUP_BYTES 32u           /* a plane's step each */
#define GROUPS (STEPS / DIGITS)   /* whose sums fit 16 bits */
#define GROUP_X (DIGITS * STEP_X) /* bytes of h and l */

/* The first digit is q of 3 b / 256 - 1; bytes are b - 128, so that -1, 0 and 1 begin at -128, -42
 * and 43. */
ALWAYS_INLINE __m256i first_digit(__m256i b)
{
    return _mm256_sub_epi8(_mm256_cmpgt_epi8(_mm256_set1_epi8(-42), b),
                           _mm256_cmpgt_epi8(b, _mm256_set1_epi8(42)));
}

/* 3 b modulo 256, of b - 128 too: 3 x 128 = 128. */
ALWAYS_INLINE __m256i without_first(__m256i b) { return _mm256_add_epi8(b, _mm256_add_epi8(b, b)); }

ALWAYS_INLINE __m256i load_digits(const uint8_t *data)
{
    return _mm256_xor_si256(load(data), _mm256_set1_epi8((char)0x80));
}

/* h and l of the columns of 32 bytes, plane by plane. */
static void prepare_ternary(uint8_t *x, const int16_t *X, size_t cols)
{
    const size_t n = ternary_row_bytes(cols);

    for (size_t i = 0; i < n; i += GROUP_BYTES)
        for (size_t k = 0; k < DIGITS; k++, x += STEP_X) {
            const size_t c = k * n + i, end = (k + 1) * n < cols ? (k + 1) * n : cols,
                         left = c < end ? end - c : 0;
            __m256i h, l;
            split_step(&h, &l, X + (left ? c : 0), i - read_at(i, GROUP_BYTES, n),
                       left < GROUP_BYTES ? left : GROUP_BYTES);
            store(x, h);
            store(x + STEP_COLS, l);
        }
}

ALWAYS_INLINE void add_group(struct sums *s, __m256i b, const uint8_t *x)
{
    for (unsigned k = 0; k < DIGITS; k++) {
        add_step(s, first_digit(b), x + k * STEP_X);
        b = without_first(b);
    }
}

static inline __m256i ternary_lanes(const struct row *row, const void *prepared, size_t cols)
{
    const size_t n = ternary_row_bytes(cols);
    uint8_t copy[GROUP_BYTES];
    const uint8_t *x = prepared, *data = readable(copy, row->data, n, GROUP_BYTES, row);
    __m256i total = _mm256_setzero_si256();

    for (size_t i = 0; i < n;) {
        const size_t end = n - i < GROUP_BYTES * GROUPS ? n : i + GROUP_BYTES * GROUPS;
        struct sums sums = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        for (; i < end; i += GROUP_BYTES, x += GROUP_X) {
            _mm_prefetch((const char *)data + i + PREFETCH_BYTES, _MM_HINT_T0);
            add_group(&sums, load_digits(data + read_at(i, GROUP_BYTES, n)), x);
        }
        total = add_sums(total, &sums);
    }
    return total;
}

/* The columns of 32 bytes of a row of n; what is written past a plane's end is overwritten by the
 * next one. */
ALWAYS_INLINE void expand_group(int16_t *w, __m256i b, size_t n)
{
    for (unsigned k = 0; k < DIGITS; k++) {
        const __m256i q = first_digit(b);
        store(w + k * n, _mm256_cvtepi8_epi16(_mm256_castsi256_si128(q)));
        store(w + k * n + 16, _mm256_cvtepi8_epi16(_mm256_extracti128_si256(q, 1)));
        b = without_first(b);
    }
}

static void expand_ternary(int16_t *w, const struct row *row, size_t cols)
{
    const size_t n = ternary_row_bytes(cols);
    uint8_t copy[GROUP_BYTES];
    const uint8_t *data = readable(copy, row->data, n, GROUP_BYTES, row);

    for (size_t i = 0; i < n; i += GROUP_BYTES) {
        const size_t at = read_at(i, GROUP_BYTES, n);
        expand_group(w + at, load_digits(data + at), n);
    }
}

void smol_rows_ternary_avx2(int64_t *sums, const struct smol_rows *rows, const int16_t *X,
                            size_t x_stride, size_t n_x, void *scratch)
{
    const struct row_strides strides = row_strides(rows, SMOL_TERNARY);

    if (n_x > 1) {
        rows_tiles(sums, rows, strides, X, x_stride, n_x, scratch, expand_ternary, MOST_COLS);
    } else {
        prepare_ternary(scratch, X, rows->cols);
        rows_single(sums, rows, strides, scratch, ternary_lanes);
    }
}
