/* Dropout: which numbers are dropped follows from the seed, the step and the place alone, so the
 * backward pass asks again instead of keeping it, and a training that resumes drops the same. */
#include "train/ops/ops.h"

#include "base/bytes.h"

#include <sodium.h>
#include <string.h>

#define PIECE 4096u /* bytes of the stream at a time */

void smol_dropout_key(uint8_t key[32], uint64_t seed)
{
    static const uint8_t name[] = "smol/1 dropout";
    uint8_t input[sizeof name - 1 + 8];

    memcpy(input, name, sizeof name - 1);
    smol_put64(input + sizeof name - 1, seed);
    crypto_generichash(key, 32, input, sizeof input, NULL, 0);
}

static void piece_of(real *out, const real *in, const struct smol_dropout *d, uint32_t place,
                     size_t piece, size_t n)
{
    uint8_t nonce[12], bytes[PIECE] = {0};
    const real kept = (real)SMOL_DROPOUT_UNITS / (real)(SMOL_DROPOUT_UNITS - d->share);

    smol_put32(nonce, d->step);
    smol_put32(nonce + 4, place);
    smol_put32(nonce + 8, d->process);
    crypto_stream_chacha20_ietf_xor_ic(bytes, bytes, n, nonce, (uint32_t)piece * (PIECE / 64),
                                       d->key);
    for (size_t i = 0; i < n; i++)
        out[i] = bytes[i] < d->share ? 0 : in[i] * kept;
}

void smol_dropout(real *out, const real *in, const struct smol_dropout *d, uint32_t place, size_t n)
{
    const size_t n_pieces = (n + PIECE - 1) / PIECE;

#pragma omp parallel for schedule(static)
    for (size_t p = 0; p < n_pieces; p++) {
        const size_t at = p * PIECE;

        piece_of(out + at, in + at, d, place, p, n - at < PIECE ? n - at : PIECE);
    }
}
