/* Pieces of a body hashed side by side against libsodium, which hashes one. */
#include "hash/leaves.h"
#include "isa.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>

smol_leaves isa_leaves_avx512bw;

static uint8_t *random_bytes(size_t size)
{
    static const uint8_t seed[randombytes_SEEDBYTES] = "pieces";
    uint8_t *bytes = malloc(size);

    cr_assert(bytes);
    randombytes_buf_deterministic(bytes, size, seed);
    return bytes;
}

/* Short pieces at odd addresses, each lane other bytes. */
static void check_lanes(smol_leaves *leaves, uint32_t n_lanes)
{
    uint8_t *bytes = random_bytes(SMOL_MAX_LANES * 1100), found[SMOL_MAX_LANES * SMOL_HASH_BYTES],
            wanted[SMOL_HASH_BYTES];
    const uint8_t *pieces[SMOL_MAX_LANES];

    for (uint32_t lane = 0; lane < n_lanes; lane++)
        pieces[lane] = bytes + 1033 * lane + 1;
    for (size_t size = 128; size <= 1024; size += 128) {
        leaves(found, pieces, size);
        for (uint32_t lane = 0; lane < n_lanes; lane++) {
            crypto_generichash(wanted, sizeof wanted, pieces[lane], size, NULL, 0);
            cr_assert_arr_eq(found + SMOL_HASH_BYTES * lane, wanted, sizeof wanted,
                             "lane %u of %u, %zu bytes", lane, n_lanes, size);
        }
    }
    free(bytes);
}

Test(leaves, avx512bw_emulated) { check_lanes(isa_leaves_avx512bw, 8); }

/* Any number of leaves from any on, of a body that ends within a piece or with one. */
static void check_leaves(uint64_t body_bytes)
{
    const uint64_t n_pieces = smol_hash_pieces(body_bytes);
    const struct smol_cpu cpu = smol_cpu_detect();
    uint8_t *body = random_bytes(body_bytes), found[16 * SMOL_HASH_BYTES],
            wanted[16 * SMOL_HASH_BYTES];

    cr_assert_leq(n_pieces, 16);
    for (uint64_t i = 0; i < n_pieces; i++)
        crypto_generichash(
            wanted + SMOL_HASH_BYTES * i, SMOL_HASH_BYTES, body + SMOL_PIECE_BYTES * i,
            i + 1 < n_pieces ? SMOL_PIECE_BYTES : body_bytes - SMOL_PIECE_BYTES * i, NULL, 0);
    for (uint64_t n = 1; n <= n_pieces; n += n < 4 ? 1 : 4)
        for (uint64_t first = 0; first + n <= n_pieces; first += n) {
            memset(found, 0xa5, sizeof found);
            smol_hash_leaves(found, body, body_bytes, first, n, cpu);
            cr_assert_arr_eq(found, wanted + SMOL_HASH_BYTES * first, SMOL_HASH_BYTES * n);
            cr_assert_eq(found[SMOL_HASH_BYTES * n], 0xa5);
        }
    free(body);
}

static void check_set(enum isa_table table, uint32_t n_lanes)
{
    cr_assert(isa_kernels(table, NULL));
    cr_assert_eq(smol_hash_lanes(smol_cpu_detect()), n_lanes);
    check_leaves(12 * SMOL_PIECE_BYTES + 12345);
    check_leaves(9 * SMOL_PIECE_BYTES);
}

Test(leaves, plain)
{
    smol_cpu_mask((struct smol_cpu){0});
    cr_assert_eq(smol_hash_lanes(smol_cpu_detect()), 1);
    check_leaves(2 * SMOL_PIECE_BYTES + 1);
}

Test(leaves, avx2, .timeout = 120) { check_set(ISA_AVX2, 4); }
Test(leaves, avx512bw, .timeout = 120) { check_set(ISA_AVX512BW, 8); }
