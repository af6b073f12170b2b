/* Tables of 256 integers in WebAssembly's vectors, and the look-ups of 16 bytes at once. The kinds
 * are those of x86/table_avx2.h: LOOKUP_32 if the entries repeat, LOOKUP_SUM for a sum of two
 * parts, LOOKUP_ODD for half of any other. */
#ifndef SMOL_TABLE_WASM_H
#define SMOL_TABLE_WASM_H

#include "kernel/wasm/registers_wasm.h"

#define LOOKUPS(X) X(LOOKUP_32) X(LOOKUP_SUM) X(LOOKUP_ODD)

#define SIDE_ENTRIES 16u /* the values of four bits */

/* The low and high bytes of entries, 16 to a register; of sums, a and b. */
struct table {
    v128_t low[8], high[8];
    v128_t bound, rank;
    enum lookup lookup;
};

/* ---- made ready ---- */

/* The parts of a table of sums: q[16 i + j] = a_i + b_j + (rank_j > bound_i). */
struct table_sums {
    int a[SIDE_ENTRIES], b[SIDE_ENTRIES], bound[SIDE_ENTRIES], rank[SIDE_ENTRIES];
};

/* Row i: b_j is q[j], and a_i the least difference from it. Returns bit j where that leaves 1, or
 * -1 if it leaves anything but 0 and 1. */
static __attribute__((minsize)) int row_more(struct table_sums *s, const int16_t *q, unsigned i)
{
    int more = 0, least = q[SIDE_ENTRIES * i] - q[0];

    for (unsigned j = 1; j < SIDE_ENTRIES; j++) {
        const int difference = q[SIDE_ENTRIES * i + j] - q[j];
        least = difference < least ? difference : least;
    }
    for (unsigned j = 0; j < SIDE_ENTRIES; j++) {
        const int left = q[SIDE_ENTRIES * i + j] - q[j] - least;
        if (left > 1)
            return -1;
        more |= left << j;
    }
    s->a[i] = least;
    return more;
}

/* The larger the fraction that b_j has lost, the more rows have 1 in column j: their number is its
 * rank. A row's bound is the highest rank where it has 0; then it must have 1 wherever the rank is
 * higher. */
static __attribute__((minsize)) bool find_sums(struct table_sums *s, const int16_t *q)
{
    int more[SIDE_ENTRIES];

    memset(s, 0, sizeof *s);
    for (unsigned i = 0; i < SIDE_ENTRIES; i++) {
        s->b[i] = q[i];
        more[i] = row_more(s, q, i);
        if (more[i] < 0)
            return false;
        for (unsigned j = 0; j < SIDE_ENTRIES; j++)
            s->rank[j] += more[i] >> j & 1;
    }
    for (unsigned i = 0; i < SIDE_ENTRIES; i++) {
        s->bound[i] = -1;
        for (unsigned j = 0; j < SIDE_ENTRIES; j++)
            if (!(more[i] >> j & 1) && s->rank[j] > s->bound[i])
                s->bound[i] = s->rank[j];
        for (unsigned j = 0; j < SIDE_ENTRIES; j++)
            if ((s->rank[j] > s->bound[i]) != (more[i] >> j & 1))
                return false;
    }
    return true;
}

static __attribute__((minsize)) bool has_255(const int b[SIDE_ENTRIES])
{
    bool has = false;

    for (unsigned j = 0; j < SIDE_ENTRIES; j++)
        has = has || (b[j] & 255) == 255;
    return has;
}

static __attribute__((minsize, noinline)) v128_t byte_of(const int v[SIDE_ENTRIES], int plus,
                                                         unsigned shift)
{
    uint8_t byte[SIDE_ENTRIES];

    for (unsigned i = 0; i < SIDE_ENTRIES; i++)
        byte[i] = (uint8_t)((unsigned)(v[i] + plus) >> shift);
    return wasm_v128_load(byte);
}

/* See look_up_sum; there are but 16 numbers b. */
static __attribute__((minsize)) void load_sums(struct table *t, struct table_sums *s)
{
    int given = 0;

    for (; has_255(s->b); given++)
        for (unsigned j = 0; j < SIDE_ENTRIES; j++)
            s->b[j]--;
    t->low[0] = byte_of(s->a, given, 0);
    t->high[0] = byte_of(s->a, given + 256, 8);
    t->low[1] = byte_of(s->b, 0, 0);
    t->high[1] = byte_of(s->b, 0, 8);
    t->bound = byte_of(s->bound, 0, 0);
    t->rank = byte_of(s->rank, 0, 0);
}

/* Once for many rows, and so as short as it can be. */
static __attribute__((minsize, noinline)) void table_load(struct table *t, const int16_t *q)
{
    struct table_sums s;

    t->lookup = repeats(q, 32) ? LOOKUP_32 : find_sums(&s, q) ? LOOKUP_SUM : LOOKUP_ODD;
    if (t->lookup == LOOKUP_SUM) {
        load_sums(t, &s);
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        int entries[SIDE_ENTRIES];
        for (unsigned j = 0; j < SIDE_ENTRIES; j++)
            entries[j] = q[SIDE_ENTRIES * i + j];
        t->low[i] = byte_of(entries, 0, 0);
        t->high[i] = byte_of(entries, 0, 8);
    }
}

/* ---- look-ups ---- */

/* Of n registers of entries; a swizzle gives 0 where its index is past 15. */
ALWAYS_INLINE v128_t choose(const v128_t *entries, unsigned n, v128_t index)
{
    v128_t v = wasm_i8x16_swizzle(entries[0], index);

    for (unsigned i = 1; i < n; i++)
        v = wasm_v128_or(
            v, wasm_i8x16_swizzle(entries[i],
                                  wasm_i8x16_sub(index, wasm_u8x16_splat((uint8_t)(16 * i)))));
    return v;
}

/* No b has the low byte 255, to which 1 more would carry; so a low byte has carried if it is less
 * than a's. The high bytes of a have that 1 already, and it is taken back where none was. */
ALWAYS_INLINE void look_up_sum(v128_t *low, v128_t *high, const struct table *t, v128_t u)
{
    const v128_t i = wasm_u8x16_shr(u, 4), j = wasm_v128_and(u, wasm_i8x16_splat(15)),
                 more =
                     wasm_i8x16_gt(wasm_i8x16_swizzle(t->rank, j), wasm_i8x16_swizzle(t->bound, i)),
                 a = wasm_i8x16_swizzle(t->low[0], i),
                 b = wasm_i8x16_sub(wasm_i8x16_swizzle(t->low[1], j), more);

    *low = wasm_i8x16_add(a, b);
    *high = wasm_i8x16_add(
        wasm_i8x16_add(wasm_i8x16_swizzle(t->high[0], i), wasm_i8x16_swizzle(t->high[1], j)),
        wasm_i8x16_eq(wasm_u8x16_max(*low, a), *low));
}

/* The other half is looked up by the complement of u, and gives -w: the complement of w, and 1,
 * which carries if the low byte is 0 then. */
ALWAYS_INLINE void look_up_odd(v128_t *low, v128_t *high, const struct table *t, v128_t u)
{
    const v128_t zero = wasm_i8x16_splat(0), other = wasm_i8x16_gt(zero, u),
                 index = wasm_v128_xor(u, other), l = choose(t->low, 8, index),
                 h = choose(t->high, 8, index);

    *low = wasm_i8x16_sub(wasm_v128_xor(l, other), other);
    *high =
        wasm_i8x16_sub(wasm_v128_xor(h, other), wasm_v128_and(other, wasm_i8x16_eq(*low, zero)));
}

/* The integers of 16 bytes. */
ALWAYS_INLINE void look_up_integers(v128_t w[2], const struct table *t, v128_t u,
                                    enum lookup lookup)
{
    v128_t low, high;

    if (lookup == LOOKUP_32) {
        u = wasm_v128_and(u, wasm_i8x16_splat(31));
        low = choose(t->low, 2, u);
        high = choose(t->high, 2, u);
    } else if (lookup == LOOKUP_SUM) {
        look_up_sum(&low, &high, t, u);
    } else {
        look_up_odd(&low, &high, t, u);
    }
    w[0] = wasm_i8x16_shuffle(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    w[1] =
        wasm_i8x16_shuffle(low, high, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

#endif
