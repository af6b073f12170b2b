/* The tokenizer of bytes, and where UTF-8 text may be cut. SPEC.md 9. */
#include "base/error.h"

#include <smol/tokenizer.h>

static const uint8_t every_byte[256] = {
#define ROW(n) n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7
#define ROWS(n) ROW(n), ROW(n + 8), ROW(n + 16), ROW(n + 24)
	ROWS(0), ROWS(32), ROWS(64), ROWS(96), ROWS(128), ROWS(160), ROWS(192), ROWS(224)
#undef ROWS
#undef ROW
};

size_t smol_encode_bound(const struct smol_file *file, size_t size_bytes)
{
	(void)file;
	return size_bytes;
}

enum smol_status smol_encode(size_t *n_tokens, uint32_t *tokens, const struct smol_file *file, const uint8_t *text,
                             size_t size_bytes, struct smol_error *error)
{
	for (size_t i = 0; i < size_bytes; i++) {
		if (text[i] >= file->config.vocab)
			return smol_fail(error, SMOL_E_TOKEN, i, "byte %u has no token in a vocabulary of %u", text[i],
			                 file->config.vocab);
		tokens[i] = text[i];
	}
	*n_tokens = size_bytes;
	return SMOL_OK;
}

struct smol_span smol_token_bytes(const struct smol_file *file, uint32_t token)
{
	(void)file;
	return token < 256 ? (struct smol_span){&every_byte[token], 1} : (struct smol_span){every_byte, 0};
}

uint32_t smol_start_token(const struct smol_file *file)
{
	return file->config.vocab > '\n' ? '\n' : file->config.vocab - 1;
}

/* How many bytes a character has whose first byte is lead; 0 if none begins so. */
static size_t character_bytes(uint8_t lead)
{
	return lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
}

/* Whether the second byte can follow the first: overlong forms, surrogates and code points
 * over 10ffff show there. */
static bool second_fits(uint8_t lead, uint8_t second)
{
	const uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	const uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;

	return second >= low && second <= high;
}

size_t smol_utf8_incomplete(const uint8_t *text, size_t size_bytes)
{
	for (size_t back = 1; back <= 3 && back <= size_bytes; back++) {
		const uint8_t *p = text + size_bytes - back;
		if ((*p & 0xc0) == 0x80)
			continue;
		if (character_bytes(*p) <= back)
			return 0;
		return back == 1 || second_fits(p[0], p[1]) ? back : 0;
	}
	return 0;
}
