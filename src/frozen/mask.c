/* What bits of a stream decide: the signs of a mask, SPEC.md 5.10, and the channels of a
 * half-shift, SPEC.md 8. */
#include "base/bytes.h"
#include "frozen/frozen.h"

void smol_mask_signs(uint8_t *signs, const struct smol_frozen *t, uint32_t block, uint32_t n_blocks,
                     smol_stream_function *stream)
{
    const size_t row_bytes = ((size_t)t->cols + 7) / 8, of_block = SMOL_ROW_BLOCK * row_bytes;
    const uint32_t left = t->rows - block * SMOL_ROW_BLOCK,
                   whole = left / SMOL_ROW_BLOCK < n_blocks ? left / SMOL_ROW_BLOCK : n_blocks;

    if (whole)
        stream(signs, of_block, t, 0, block, whole);
    if (whole < n_blocks)
        stream(signs + whole * of_block,
               (size_t)smol_round_up(left % SMOL_ROW_BLOCK * row_bytes, SMOL_STEP_BYTES), t, 0,
               block + whole, 1);
}

void smol_shift_channels(uint8_t *is_shifted, const struct smol_frozen_key *key, uint32_t tensor,
                         uint32_t C)
{
    struct smol_stream stream;
    uint8_t bytes[SMOL_STEP_BYTES];

    smol_stream_init(&stream, key, tensor, 0, SMOL_PURPOSE_SHIFT, 0);
    for (uint32_t pair = 0; pair < C / 2; pair++) {
        const uint32_t bit = pair % (8 * SMOL_STEP_BYTES);
        if (bit == 0)
            smol_stream_step(&stream, bytes);
        const uint8_t second = bytes[bit / 8] >> bit % 8 & 1;
        is_shifted[2 * pair] = !second;
        is_shifted[2 * pair + 1] = second;
    }
    if (C % 2)
        is_shifted[C - 1] = 0;
}
