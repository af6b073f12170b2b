/* Where sections and embeddings are, and the directory's checksum. SPEC.md 2 and 3.3. */
#include "base/bytes.h"
#include "format/format.h"

#include <smol/params.h>
#include <xxhash.h>

const uint8_t smol_magic[8] = {0x89, 'S', 'M', 'O', 'L', '\r', '\n', 0x1a};
const char smol_section_name[N_SECTIONS][5] = {"CONF", "BASE", "LRND", "TOKN", "CARD", "EMBD"};
const uint8_t smol_section_alignment[N_SECTIONS] = {8, 8, 8, 8, 8, 64};

bool smol_dtype_is_scaled(enum smol_dtype type)
{
    return type == SMOL_Q8 || type == SMOL_Q4 || type == SMOL_TERNARY || type == SMOL_Q4_ROW;
}

static uint64_t place_q4_row(struct smol_table_layout *layout, uint32_t rows, uint32_t cols,
                             uint64_t at, uint32_t alignment)
{
    *layout =
        (struct smol_table_layout){.scales = at, .multipliers = at + 4, .data = at + 4 + rows};
    return at + smol_round_up(4 + rows + rows * smol_row_bytes(SMOL_Q4_ROW, cols), alignment);
}

/* The limits keep these far below 2^64: rows < 2^24, cols <= 2^18, 4 bytes a value. */
uint64_t smol_table_place(struct smol_table_layout *layout, enum smol_dtype type, uint32_t rows,
                          uint32_t cols, uint64_t at, uint32_t alignment)
{
    uint64_t end = at + smol_round_up(rows * smol_row_bytes(type, cols), alignment);

    if (type == SMOL_Q4_ROW)
        return place_q4_row(layout, rows, cols, at, alignment);
    *layout = (struct smol_table_layout){.data = at};
    if (type == SMOL_Q4) {
        layout->multipliers = end;
        end += smol_round_up((uint64_t)rows * smol_row_multipliers(cols), alignment);
    }
    if (smol_dtype_is_scaled(type)) {
        layout->scales = end;
        end += smol_round_up(4 * (uint64_t)rows, alignment);
    }
    return end;
}

/* The rows of a delta, after their tokens. */
static uint64_t place_rows(struct smol_embedding_layout *layout, const struct smol_config *c)
{
    uint64_t end = smol_round_up(4 * ((uint64_t)c->input_rows + c->output_rows), 64);

    if (c->input_rows)
        end = smol_table_place(&layout->wte, c->wte_type, c->input_rows, c->width, end, 64);
    if (c->output_rows)
        end = smol_table_place(&layout->output, c->output_type, c->output_rows, c->width, end, 64);
    return end;
}

void smol_embedding_layout(struct smol_embedding_layout *layout, const struct smol_config *config)
{
    const uint32_t C = config->width;
    uint64_t end;

    *layout = (struct smol_embedding_layout){0};
    if (smol_config_is_delta(config)) {
        layout->size_bytes = place_rows(layout, config);
        return;
    }
    end = smol_table_place(&layout->wte, config->wte_type, config->vocab, C, 0, 64);
    if (!smol_config_has(config, SMOL_FEATURE_DISTANCES))
        end = smol_table_place(&layout->wpe, config->wpe_type, config->context, C, end, 64);
    if (smol_config_has(config, SMOL_FEATURE_OUTPUT_TABLE))
        end = smol_table_place(&layout->output, config->output_type, config->vocab, C, end, 64);
    layout->size_bytes = end;
}

uint64_t smol_embedding_bytes(const struct smol_config *config)
{
    struct smol_embedding_layout layout;

    smol_embedding_layout(&layout, config);
    return layout.size_bytes;
}

uint64_t smol_directory_checksum(const uint8_t *bytes, unsigned n_sections)
{
    uint8_t joined[24 + ENTRY_BYTES * N_SECTIONS];

    memcpy(joined, bytes, 24);
    memcpy(joined + 24, bytes + HEADER_BYTES, ENTRY_BYTES * n_sections);
    return XXH3_64bits(joined, 24 + ENTRY_BYTES * n_sections);
}
