/* Where sections and embeddings lie, and the directory's checksum. SPEC.md 2 and 3.3. */
#include "base/bytes.h"
#include "format/format.h"

#include <xxhash.h>

const uint8_t smol_magic[8] = {0x89, 'S', 'M', 'O', 'L', '\r', '\n', 0x1a};
const char smol_section_name[N_SECTIONS][5] = {"CONF", "LRND", "TOKN", "CARD", "EMBD"};
const uint8_t smol_section_alignment[N_SECTIONS] = {8, 8, 8, 8, 64};

/* The limits keep these far below 2^64: rows < 2^24, cols <= 2^16, 4 bytes a number. */
static uint64_t place_table(uint64_t *rows_at, uint64_t *scales_at, uint8_t type, uint64_t rows, uint64_t cols,
                            uint64_t at)
{
	const uint64_t number_bytes = type == SMOL_F32 ? 4 : type == SMOL_F16 ? 2 : 1;

	*rows_at = at;
	*scales_at = 0;
	at += smol_round_up(rows * cols * number_bytes, 64);
	if (type != SMOL_Q8)
		return at;
	*scales_at = at;
	return at + smol_round_up(rows * 4, 64);
}

enum smol_status smol_embedding_layout(struct smol_embedding_layout *layout, const struct smol_config *config)
{
	uint64_t at;

	at = place_table(&layout->wte, &layout->wte_scales, config->wte_type, config->vocab, config->width, 0);
	at = place_table(&layout->wpe, &layout->wpe_scales, config->wpe_type, config->context, config->width, at);
	layout->size_bytes = at;
	return SMOL_OK;
}

enum smol_status smol_embedding_bytes(uint64_t *size_bytes, const struct smol_config *config)
{
	struct smol_embedding_layout layout;

	smol_embedding_layout(&layout, config);
	*size_bytes = layout.size_bytes;
	return SMOL_OK;
}

uint64_t smol_directory_checksum(const uint8_t *bytes, unsigned n_sections)
{
	uint8_t joined[24 + ENTRY_BYTES * N_SECTIONS];

	memcpy(joined, bytes, 24);
	memcpy(joined + 24, bytes + HEADER_BYTES, ENTRY_BYTES * n_sections);
	return XXH3_64bits(joined, 24 + ENTRY_BYTES * n_sections);
}
