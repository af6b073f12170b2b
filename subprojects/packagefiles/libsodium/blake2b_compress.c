/* BLAKE2b's compression function (RFC 7693, 3.2) as loops: libsodium's own, whose rounds are
 * written out, takes 14 kB of a Cortex-M3's flash, this one less than 1 kB. */
#include "src/libsodium/crypto_generichash/blake2b/ref/blake2.h"
#include "src/libsodium/include/sodium/private/common.h"

static const uint64_t initial[8] = {UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b),
                                    UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xa54ff53a5f1d36f1),
                                    UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
                                    UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179)};

/* Which words of the message a round mixes in; rounds 10 and 11 take those of 0 and 1. */
static const uint8_t order[10][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                      {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
                                      {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
                                      {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
                                      {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
                                      {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
                                      {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
                                      {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
                                      {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
                                      {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

static void mix(uint64_t *a, uint64_t *b, uint64_t *c, uint64_t *d, uint64_t x, uint64_t y)
{
    *a += *b + x;
    *d = ROTR64(*d ^ *a, 32);
    *c += *d;
    *b = ROTR64(*b ^ *c, 24);
    *a += *b + y;
    *d = ROTR64(*d ^ *a, 16);
    *c += *d;
    *b = ROTR64(*b ^ *c, 63);
}

/* Columns first, then diagonals. */
static void mix_round(uint64_t v[16], const uint64_t m[16], const uint8_t words[16])
{
    for (unsigned i = 0; i < 8; i++) {
        const unsigned turn = i / 4, at = i % 4;
        mix(v + at, v + 4 + (at + turn) % 4, v + 8 + (at + 2 * turn) % 4,
            v + 12 + (at + 3 * turn) % 4, m[words[2 * i]], m[words[2 * i + 1]]);
    }
}

int blake2b_compress_ref(blake2b_state *S, const uint8_t block[BLAKE2B_BLOCKBYTES])
{
    uint64_t m[16], v[16];

    for (unsigned i = 0; i < 16; i++)
        m[i] = LOAD64_LE(block + 8 * i);
    for (unsigned i = 0; i < 8; i++) {
        v[i] = S->h[i];
        v[8 + i] = initial[i];
    }
    for (unsigned i = 0; i < 2; i++) {
        v[12 + i] ^= S->t[i];
        v[14 + i] ^= S->f[i];
    }
    for (unsigned r = 0; r < 12; r++)
        mix_round(v, m, order[r % 10]);
    for (unsigned i = 0; i < 8; i++)
        S->h[i] ^= v[i] ^ v[8 + i];
    return 0;
}
