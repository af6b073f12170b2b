/* From a seed to the bytes of a row block: key, streams and their step. SPEC.md 5.1 to 5.3. */
#include "base/bytes.h"
#include "frozen/frozen.h"

#include <sodium.h>

void smol_frozen_key_init(struct smol_frozen_key *key, uint64_t seed)
{
    uint8_t message[21] = "smol/1 frozen";

    smol_put64(message + 13, seed);
    crypto_generichash(key->bytes, sizeof key->bytes, message, sizeof message, NULL, 0);
}

void smol_stream_init(struct smol_stream *stream, const struct smol_frozen_key *key,
                      uint32_t tensor, uint32_t plane, enum smol_purpose purpose,
                      uint32_t row_block)
{
    static const uint8_t zeros[256];
    uint8_t nonce[12], bytes[256];

    smol_put32(nonce, tensor);
    smol_put32(nonce + 4, plane);
    smol_put32(nonce + 8, (uint32_t)purpose);
    crypto_stream_chacha20_ietf_xor_ic(bytes, zeros, sizeof bytes, nonce, 4 * row_block,
                                       key->bytes);
    for (unsigned i = 0; i < 64; i++)
        stream->word[i] = smol_le32(bytes + 4 * i);
}

static inline uint32_t rotl(uint32_t x, unsigned k) { return x << k | x >> (32 - k); }

/* Plain loops over the lanes, so that a compiler puts lanes side by side in registers. */
void smol_stream_step(struct smol_stream *stream, uint8_t bytes[SMOL_STEP_BYTES])
{
    uint32_t *a = stream->word, *b = a + 16, *c = a + 32, *d = a + 48;

    for (unsigned l = 0; l < 16; l++) {
        const uint32_t e = a[l] - rotl(b[l], 27);
        a[l] = b[l] ^ rotl(c[l], 17);
        b[l] = c[l] + d[l];
        c[l] = d[l] + e;
        d[l] = e + a[l];
    }
    for (unsigned l = 0; l < 16; l++)
        smol_put32(bytes + 4 * l, d[l]);
}

void smol_stream_bytes(uint8_t *bytes, size_t n, const struct smol_frozen *t, uint32_t plane,
                       uint32_t block, uint32_t n_blocks)
{
    struct smol_stream stream;

    for (uint32_t b = 0; b < n_blocks; b++) {
        smol_stream_init(&stream, t->key, t->tensor, plane, t->purpose, block + b);
        for (size_t i = 0; i < n; i += SMOL_STEP_BYTES, bytes += SMOL_STEP_BYTES)
            smol_stream_step(&stream, bytes);
    }
}
