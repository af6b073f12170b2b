/* The range coder: bytes of symbols, by a program of its own over SPEC.md 15's formulas in integers
 * without a bound; and what a reader makes of bytes that no writer wrote. */
#include "pack/coder.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t tag;
    struct smol_share_of symbols[20];
    size_t n_symbols;
    uint8_t bytes[20];
    size_t size_bytes;
} cases[] = {
    {"nothing", 1, {{0}}, 0, {0x10}, 1},
    {"nothing of the last tag", 15, {{0}}, 0, {0xf0}, 1},
    {"a byte", 5, {{77, 1, 256}}, 1, {0x54, 0xd0}, 2},
    {"2^64 numbers are left", 5, {{1, 1, 4}, {2, 1, 4}}, 2, {0x56}, 1},
    {"2^64 numbers are left, and more follows",
     5,
     {{1, 1, 4}, {2, 1, 4}, {2, 1, 3}, {200, 1, 256}},
     4,
     {0x56, 0xed, 0x56},
     3},
    {"a change of the upper byte is given up",
     3,
     {{68719542272, 1, 1099511627791}},
     1,
     {0x30, 0xff, 0xff, 0xff, 0xff, 0xff},
     6},
    {"and more follows",
     3,
     {{68719542272, 1, 1099511627791}, {5, 1, 7}, {1000000, 1, 16777217}},
     3,
     {0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xb9, 0x09, 0x76, 0xda},
     10},
    {"all is certain",
     9,
     {{0, 1099511627791, 1099511627791}, {0, 1099511627791, 1099511627791},
      {0, 1099511627791, 1099511627791}, {0, 1099511627791, 1099511627791},
      {0, 1099511627791, 1099511627791}, {0, 1099511627791, 1099511627791},
      {0, 1099511627791, 1099511627791}, {0, 1099511627791, 1099511627791},
      {0, 1099511627791, 1099511627791}, {0, 1099511627791, 1099511627791},
      {0, 1099511627791, 1099511627791}, {0, 1099511627791, 1099511627791},
      {0, 1099511627791, 1099511627791}, {0, 1099511627791, 1099511627791},
      {0, 1099511627791, 1099511627791}, {0, 1099511627791, 1099511627791},
      {0, 1099511627791, 1099511627791}, {0, 1099511627791, 1099511627791},
      {0, 1099511627791, 1099511627791}, {0, 1099511627791, 1099511627791}},
     20,
     {0x90},
     1},
    {"the last of many",
     9,
     {{33554431, 1, 33554432},
      {33554431, 1, 33554432},
      {33554431, 1, 33554432},
      {33554431, 1, 33554432},
      {33554431, 1, 33554432}},
     5,
     {0x9f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0x80},
     17},
    {"a dozen",
     14,
     {{64, 292, 1000},
      {32468, 3864, 65537},
      {87455328, 31691842, 123456789},
      {12597620, 14089829, 123456789},
      {119898983, 1902367, 123456789},
      {81528947, 29042507, 123456789},
      {1, 1, 3},
      {104, 303, 1000},
      {1462, 1003, 65537},
      {1, 1, 3},
      {743, 217, 1000},
      {1, 1, 3}},
     12,
     {0xe3, 0x8c, 0x81, 0xb3, 0xf3},
     5},
};
#define N_CASES (sizeof cases / sizeof *cases)

Test(coder, bytes_are_the_formulas)
{
    for (size_t i = 0; i < N_CASES; i++) {
        uint8_t bytes[20];
        struct smol_coder_writer w;
        smol_coder_begin(&w, cases[i].tag, bytes, sizeof bytes);
        for (size_t j = 0; j < cases[i].n_symbols; j++)
            smol_coder_write(&w, cases[i].symbols[j]);
        smol_coder_end(&w);
        cr_assert_eq(w.n_used, cases[i].size_bytes, "%s: %zu bytes", cases[i].name, w.n_used);
        cr_assert_arr_eq(bytes, cases[i].bytes, w.n_used, "%s", cases[i].name);
    }
}

/* Whether the bytes are those of case i. */
static bool reads(size_t i, const uint8_t *bytes, size_t size_bytes)
{
    struct smol_coder_reader r;

    smol_coder_open(&r, bytes, size_bytes);
    for (size_t j = 0; j < cases[i].n_symbols; j++) {
        const struct smol_share_of s = cases[i].symbols[j];
        const uint64_t place = smol_coder_peek(&r, s.all);
        if (place < s.before || place >= s.before + s.own || !smol_coder_take(&r, s))
            return false;
    }
    return smol_coder_ends(&r);
}

Test(coder, reads_what_was_written)
{
    for (size_t i = 0; i < N_CASES; i++)
        cr_assert(reads(i, cases[i].bytes, cases[i].size_bytes), "%s", cases[i].name);
}

Test(coder, bytes_are_the_only_ones_of_their_symbols)
{
    for (size_t i = 0; i < N_CASES; i++) {
        const size_t n = cases[i].size_bytes;
        uint8_t bytes[21] = {0};
        memcpy(bytes, cases[i].bytes, n);
        cr_assert(!reads(i, bytes, n + 1), "%s: a 0 follows", cases[i].name);
        bytes[n] = 1;
        cr_assert(!reads(i, bytes, n + 1), "%s: a 1 follows", cases[i].name);
        cr_assert(n == 1 || !reads(i, bytes, n - 1), "%s: cut", cases[i].name);
        for (size_t bit = 4; bit < 8 * n; bit++) { /* the tag's are the caller's */
            bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
            cr_assert(!reads(i, bytes, n), "%s: bit %zu", cases[i].name, bit);
            bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        }
    }
}

Test(coder, what_does_not_fit_is_counted)
{
    uint8_t bytes[4] = {0, 0, 0xee, 0xee};
    struct smol_coder_writer w;

    smol_coder_begin(&w, 7, bytes, 2);
    for (uint32_t i = 0; i < 3; i++)
        smol_coder_write(&w, smol_uniform(0xfff, 4096));
    smol_coder_end(&w);
    cr_assert_eq(w.n_used, 5);
    cr_assert_eq(bytes[2], 0xee);
}
