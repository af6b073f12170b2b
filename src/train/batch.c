/* Which windows of the text a step sees: a function of the seed and of a window's number, so that
 * resuming a training needs no generator state. */
#include "train/batch.h"

#include "base/bytes.h"

#include <sodium.h>

#define ROUNDS 4u

void smol_batch_key(uint8_t key[32], enum smol_order order, uint64_t seed)
{
    uint8_t message[14 + 8];

    memcpy(message, order == SMOL_ORDER_RANDOM ? "smol/1 batches" : "smol/1 shuffle", 14);
    smol_put64(message + 14, seed);
    crypto_generichash(key, 32, message, sizeof message, NULL, 0);
}

/* 64 bits of the ChaCha20 stream whose nonce is a, b, c. */
static uint64_t draw(const uint8_t key[32], uint32_t a, uint32_t b, uint32_t c)
{
    uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES], bytes[8];

    smol_put32(nonce, a);
    smol_put32(nonce + 4, b);
    smol_put32(nonce + 8, c);
    crypto_stream_chacha20_ietf(bytes, sizeof bytes, nonce, key);
    return smol_le64(bytes);
}

static uint64_t below(uint64_t n, uint64_t random)
{
    return (uint64_t)((double)(random >> 11) * 0x1p-53 * (double)n);
}

uint64_t smol_batch_start(const uint8_t key[32], uint32_t step, uint32_t window, uint64_t n_starts)
{
    return below(n_starts, draw(key, step, window, 0));
}

/* Where i goes in the epoch's permutation of 0..n-1: a Feistel network over the next power of four,
 * applied until the result is below n (cycle walking: Black and Rogaway, 2002). */
static uint64_t permute(const uint8_t key[32], uint32_t epoch, uint64_t i, uint64_t n)
{
    unsigned half = 0;
    uint64_t mask;

    while (half < 32 && (n - 1) >> 2 * half != 0)
        half++;
    mask = (UINT64_C(1) << half) - 1;
    do {
        uint64_t left = i >> half, right = i & mask;

        for (uint32_t round = 0; round < ROUNDS; round++) {
            const uint64_t mixed = left ^ (draw(key, epoch, round, (uint32_t)right) & mask);

            left = right;
            right = mixed;
        }
        i = left << half | right;
    } while (i >= n);
    return i;
}

/* An epoch cuts the text into windows side by side, from an offset of its own, so that their edges
 * fall elsewhere the next time. */
uint64_t smol_shuffled_start(const uint8_t key[32], uint64_t n, uint32_t context, uint64_t n_starts)
{
    const uint64_t n_windows = n_starts < context ? 1 : n_starts / context;
    const uint64_t rest = n_starts - (n_windows - 1) * context;
    const uint32_t epoch = (uint32_t)(n / n_windows);
    const uint64_t offset = below(rest < context ? rest : context, draw(key, epoch, ROUNDS, 0));

    return permute(key, epoch, n % n_windows, n_windows) * context + offset;
}
