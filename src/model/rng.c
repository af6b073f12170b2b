/* See rng.h. */
#include "model/rng.h"

#include "base/bytes.h"

#include <sodium.h>

void smol_rng_init(struct smol_rng *rng, uint64_t seed)
{
    uint8_t message[22] = "smol/1 sampler";

    smol_put64(message + 14, seed);
    crypto_generichash(rng->key, sizeof rng->key, message, sizeof message, NULL, 0);
    rng->n_draws = 0;
}

double smol_rng_draw(struct smol_rng *rng)
{
    static const uint8_t nonce[12], zeros[64];
    const uint64_t i = rng->n_draws++;

    if (i % 8 == 0)
        crypto_stream_chacha20_ietf_xor_ic(rng->block, zeros, sizeof zeros, nonce,
                                           (uint32_t)(i / 8), rng->key);
    return (double)(smol_le64(rng->block + i % 8 * 8) >> 11) * 0x1p-53;
}
