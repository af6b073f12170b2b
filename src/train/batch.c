/* Which windows of the text a step sees: draws from a ChaCha20 stream whose nonce is the step
 * and the window, so that a resumed training needs no state of a generator. */
#include "base/bytes.h"
#include "train/trainer.h"

#include <sodium.h>

void smol_batch_key(uint8_t key[32], uint64_t seed)
{
	uint8_t message[14 + 8] = "smol/1 batches";

	smol_put64(message + 14, seed);
	crypto_generichash(key, 32, message, sizeof message, NULL, 0);
}

uint64_t smol_batch_start(const uint8_t key[32], uint32_t step, uint32_t window, uint64_t n_starts)
{
	uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES] = {0}, draw[8];

	smol_put32(nonce, step);
	smol_put32(nonce + 4, window);
	crypto_stream_chacha20_ietf(draw, sizeof draw, nonce, key);
	return (uint64_t)((double)(smol_le64(draw) >> 11) * 0x1p-53 * (double)n_starts);
}
