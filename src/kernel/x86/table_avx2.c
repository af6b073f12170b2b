/* Tables made ready for the look-ups of table_avx2.h. */
#include "kernel/x86/table_avx2.h"

#define SIDE 16u /* the values of four bits */

/* The parts of a table of sums: q[16 i + j] = a_i + b_j + (rank_j > bound_i), all modulo 2^16. */
struct sums {
    int16_t a[SIDE], b[SIDE], bound[SIDE], rank[SIDE];
};

static inline __m256i all(int n) { return _mm256_set1_epi16((int16_t)n); }

/* The largest of 16 numbers, none over 16. */
static inline int largest(__m256i v)
{
    const __m256i room = _mm256_sub_epi16(all(16), v);
    const __m128i half =
        _mm_min_epu16(_mm256_castsi256_si128(room), _mm256_extracti128_si256(room, 1));

    return 16 - (_mm_cvtsi128_si32(_mm_minpos_epu16(half)) & 0xffff);
}

/* b is the first row, a_i the least difference of row i from it; what is left is 0 or 1, or this is
 * no sum. The larger the fraction of a column, the more rows have 1 there: their number is its
 * rank. A row's bound is the highest rank where it has 0; then it must have 1 wherever the rank is
 * higher. */
static bool find_sums(struct sums *s, const int16_t *q)
{
    const __m256i zero = _mm256_setzero_si256(), first = load(q);
    __m256i more[SIDE], rank = zero, wrong = zero;

    for (unsigned i = 0; i < SIDE; i++) {
        const int difference = q[SIDE * i] - q[0];
        const __m256i rest =
            _mm256_sub_epi16(_mm256_sub_epi16(load(q + SIDE * i), first), all(difference));
        const __m256i below = _mm256_cmpgt_epi16(zero, rest);
        const int least = _mm256_testz_si256(below, below) ? 0 : -1;
        const __m256i left = _mm256_sub_epi16(rest, all(least));
        s->a[i] = (int16_t)(difference + least);
        more[i] = _mm256_cmpeq_epi16(left, all(1));
        wrong = _mm256_or_si256(wrong, _mm256_add_epi16(left, more[i]));
        rank = _mm256_sub_epi16(rank, more[i]);
    }
    for (unsigned i = 0; i < SIDE; i++) {
        s->bound[i] = (int16_t)largest(_mm256_or_si256(rank, more[i]));
        wrong = _mm256_or_si256(
            wrong, _mm256_xor_si256(more[i], _mm256_cmpgt_epi16(rank, all(s->bound[i]))));
    }
    store(s->b, first);
    store(s->rank, rank);
    return _mm256_testz_si256(wrong, wrong);
}

/* Takes n from every b and adds it to every a. */
static void give(struct sums *s, int n)
{
    store(s->a, _mm256_add_epi16(load(s->a), all(n)));
    store(s->b, _mm256_sub_epi16(load(s->b), all(n)));
}

/* The low bytes of 16 numbers, twice. */
static inline __m256i low_bytes(__m256i v)
{
    const __m256i low = _mm256_and_si256(v, all(255));

    return _mm256_permute4x64_epi64(_mm256_packus_epi16(low, low), 0x88);
}

static void load_entries(struct table *t, unsigned i, __m256i q)
{
    t->low[i] = low_bytes(q);
    t->high[i] = low_bytes(_mm256_srli_epi16(q, 8));
}

/* See look_up_sum; there are but 16 numbers b. */
static void avoid_255(struct sums *s)
{
    while (_mm256_movemask_epi8(_mm256_cmpeq_epi8(low_bytes(load(s->b)), _mm256_set1_epi8(-1))))
        give(s, 1);
}

static void load_sums(struct table *t, const struct sums *s)
{
    load_entries(t, 0, load(s->a));
    load_entries(t, 1, load(s->b));
    t->bound = low_bytes(load(s->bound));
    t->rank = low_bytes(load(s->rank));
}

void smol_table_load_avx2(struct table *t, const int16_t q[SMOL_TABLE_ENTRIES], int offset)
{
    struct sums s;

    t->lookup = repeats(q, 32) ? LOOKUP_32 : find_sums(&s, q) ? LOOKUP_SUM : LOOKUP_ODD;
    if (t->lookup == LOOKUP_SUM) {
        avoid_255(&s);
        load_sums(t, &s);
        load_entries(t, 0, _mm256_add_epi16(load(s.a), all(256 + offset)));
        return;
    }
    for (unsigned i = 0; i < 8; i++)
        load_entries(t, i, _mm256_add_epi16(load(q + SIDE * i), all(offset)));
}

/* Puts the numbers a about 0, and so b, since the sums are. Says whether they fit bytes, b with 1
 * more. */
static bool fit_bytes(struct sums *s)
{
    int least = s->a[0], most = s->a[0];
    bool fits = true;

    for (unsigned i = 1; i < SIDE; i++) {
        least = s->a[i] < least ? s->a[i] : least;
        most = s->a[i] > most ? s->a[i] : most;
    }
    give(s, -(least + most) / 2);
    for (unsigned i = 0; i < SIDE; i++)
        fits = fits && s->a[i] >= -128 && s->a[i] <= 127 && s->b[i] >= -128 && s->b[i] <= 126;
    return fits;
}

/* Integers in units of 256, to nearest: -127..128. */
static inline __m256i high_bytes(__m256i q)
{
    return _mm256_add_epi16(_mm256_srai_epi16(q, 8),
                            _mm256_and_si256(_mm256_srli_epi16(q, 7), all(1)));
}

void smol_table_load_bytes_avx2(struct table *t, const int16_t q[SMOL_TABLE_ENTRIES])
{
    int16_t high[SMOL_TABLE_ENTRIES];
    struct sums s;

    for (unsigned i = 0; i < SMOL_TABLE_ENTRIES; i += SIDE)
        store(high + i, high_bytes(load(q + i)));
    t->lookup = repeats(high, 32)                      ? LOOKUP_32
                : find_sums(&s, high) && fit_bytes(&s) ? LOOKUP_SUM
                                                       : LOOKUP_256;
    if (t->lookup == LOOKUP_SUM)
        load_sums(t, &s);
    else
        for (unsigned i = 0; i < SIDE; i++)
            t->low[i] = low_bytes(_mm256_min_epi16(load(high + SIDE * i), all(127)));
}
