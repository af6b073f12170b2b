/* See pack.h. */
#include "smoltrain/plan/pack.h"

#include <lzma.h>

#define PRESET (9 | LZMA_PRESET_EXTREME)

/* A dictionary beyond the data changes nothing but the memory that the encoder takes. */
static bool settings(lzma_options_lzma *options, size_t size_bytes)
{
    if (lzma_lzma_preset(options, PRESET))
        return false;
    while (options->dict_size / 2 >= LZMA_DICT_SIZE_MIN && options->dict_size / 2 >= size_bytes)
        options->dict_size /= 2;
    return true;
}

bool plan_pack(size_t *packed_bytes, const uint8_t *data, size_t size_bytes)
{
    lzma_options_lzma options;
    const lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
    lzma_stream stream = LZMA_STREAM_INIT;
    uint8_t block[1 << 14];
    lzma_ret ret;

    if (!settings(&options, size_bytes) || lzma_raw_encoder(&stream, filters) != LZMA_OK)
        return false;
    stream.next_in = data;
    stream.avail_in = size_bytes;
    do { /* only their number counts */
        stream.next_out = block;
        stream.avail_out = sizeof block;
        ret = lzma_code(&stream, LZMA_FINISH);
    } while (ret == LZMA_OK);
    *packed_bytes = (size_t)stream.total_out;
    lzma_end(&stream);
    return ret == LZMA_STREAM_END;
}
